/* Orders about held rows: what they say, which rows they apply to; and what becomes of rows that an upstream does not take. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/held/ask.h"
#include "keys/held/rules.h"
#include "keys/intake/backoff.h"
#include "keys/intake/judge.h"

/* ---- the body ---- */

static struct err parse(const char *body, struct arena *a, struct nz_held_ask *ask, struct field_fault *bad)
{
    *bad = (struct field_fault){ NULL, FR_NONE };
    return nz_held_ask_parse(slice_str(body), SLICE_NONE, a, ask, bad);
}

static void orders_are_read(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct nz_held_ask ask;
    struct field_fault bad;
    assert_true(err_ok(parse("{\"rows\":[7,2,7,4294967295,2],\"officer\":\"sato-2\"}", a, &ask, &bad)));
    assert_false(ask.all);
    assert_int_equal(ask.n, 3);
    assert_int_equal(ask.row[0], 2);
    assert_int_equal(ask.row[1], 7);
    assert_int_equal(ask.row[2], UINT32_MAX);
    assert_true(slice_eq(ask.officer, LIT("sato-2")));
    assert_true(err_ok(parse("{\"officer\":\"a\",\"all\":true}", a, &ask, &bad)));
    assert_true(ask.all);
    assert_int_equal(ask.n, 0);
    arena_free(a);
}

#define NAME_32 "abcdefghijklmnopqrstuvwxyz_-0123"

static void orders_are_refused(void **state)
{
    (void)state;
    static const struct { const char *body; enum err_code code; const char *field; enum field_rule rule; } CASES[] = {
        { "", E_BAD_JSON, NULL, FR_NONE },
        { "[]", E_JSON_SHAPE, NULL, FR_NONE },
        { "{}", E_FIELD, "rows", FR_MISSING },
        { "{\"all\":true}", E_FIELD, "officer", FR_MISSING },
        { "{\"all\":false,\"officer\":\"a\"}", E_FIELD, "all", FR_CODE },
        { "{\"all\":1,\"officer\":\"a\"}", E_FIELD, "all", FR_TYPE },
        { "{\"all\":true,\"rows\":[1],\"officer\":\"a\"}", E_FIELD, "all", FR_RANGE },
        { "{\"rows\":1,\"officer\":\"a\"}", E_FIELD, "rows", FR_TYPE },
        { "{\"rows\":[],\"officer\":\"a\"}", E_FIELD, "rows", FR_LENGTH },
        { "{\"rows\":[\"1\"],\"officer\":\"a\"}", E_FIELD, "rows", FR_TYPE },
        { "{\"rows\":[1.0],\"officer\":\"a\"}", E_FIELD, "rows", FR_TYPE },
        { "{\"rows\":[0],\"officer\":\"a\"}", E_FIELD, "rows", FR_RANGE },
        { "{\"rows\":[-1],\"officer\":\"a\"}", E_FIELD, "rows", FR_RANGE },
        { "{\"rows\":[4294967296],\"officer\":\"a\"}", E_FIELD, "rows", FR_RANGE },
        { "{\"rows\":[1],\"officer\":\"\"}", E_FIELD, "officer", FR_LENGTH },
        { "{\"rows\":[1],\"officer\":\"" NAME_32 "4\"}", E_FIELD, "officer", FR_LENGTH },
        { "{\"rows\":[1],\"officer\":\"Sato\"}", E_FIELD, "officer", FR_CLASS },
        { "{\"rows\":[1],\"officer\":\"a/b\"}", E_FIELD, "officer", FR_CLASS },
        { "{\"rows\":[1],\"officer\":\"\\u4f50\"}", E_FIELD, "officer", FR_CLASS },
        { "{\"rows\":[1],\"officer\":5}", E_FIELD, "officer", FR_TYPE },
        { "{\"rows\":[1],\"officer\":\"1234-5678-9018\"}", E_FIELD, "officer", FR_NUMBER_INSIDE },
        { "{\"rows\":[1],\"officer\":\"a\",\"x\":1}", E_FIELD, "", FR_UNKNOWN },
        { "{\"rows\":[1],\"rows\":[2],\"officer\":\"a\"}", E_JSON_DUPLICATE, NULL, FR_NONE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct arena *a = arena_new(1 << 20);
        struct nz_held_ask ask;
        struct field_fault bad;
        assert_int_equal(parse(CASES[i].body, a, &ask, &bad).code, CASES[i].code);
        assert_int_equal(bad.rule, CASES[i].rule);
        if (CASES[i].field)
            assert_string_equal(bad.field, CASES[i].field);
        arena_free(a);
    }
}

static void a_thousand_rows_at_a_time(void **state)
{
    (void)state;
    for (size_t n = NZ_HELD_ROWS_MAX; n <= NZ_HELD_ROWS_MAX + 1; n++) {
        struct arena *a = arena_new(1 << 20);
        struct nz_held_ask ask;
        struct field_fault bad;
        struct buf body;
        buf_init(&body, NZ_HELD_BODY_MAX);
        buf_put(&body, LIT("{\"officer\":\"" NAME_32 "\",\"rows\":["));
        for (size_t i = 0; i < n; i++) {
            buf_put(&body, i ? LIT(",") : SLICE_NONE);
            buf_u64(&body, UINT32_MAX - i);
        }
        buf_put(&body, LIT("]}"));
        assert_true(err_ok(buf_check(&body)));
        struct err e = nz_held_ask_parse(buf_slice(&body), SLICE_NONE, a, &ask, &bad);
        assert_int_equal(e.code, n > NZ_HELD_ROWS_MAX ? E_TOO_MANY_ROWS : E_OK);
        buf_done(&body);
        arena_free(a);
    }
}

/* ---- which rows ---- */

#define GO NZ_HELD_GO
#define CANNOT NZ_HELD_CANNOT

static void what_an_order_lifts(void **state)
{
    (void)state;
    static const struct { enum nz_code code; enum nz_held_may release, discard, replay; } CASES[] = {
        { NZ_CODE_MISMATCH, GO, GO, CANNOT },       { NZ_CODE_UPSTREAM, CANNOT, GO, GO },   { NZ_CODE_DEAD, CANNOT, GO, GO },
        { NZ_CODE_UNREADABLE, CANNOT, GO, GO },     { NZ_CODE_TICKET_LOST, CANNOT, GO, CANNOT },
        { NZ_CODE_RESIDENT_TWO, GO, GO, CANNOT },   { NZ_CODE_NUMBER_TWO, GO, GO, CANNOT },
        { NZ_CODE_RESIDENT_CHANGED, GO, GO, CANNOT },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(nz_held_may(NZ_HELD_RELEASE, NZ_QUARANTINED, CASES[i].code), CASES[i].release);
        assert_int_equal(nz_held_may(NZ_HELD_DISCARD, NZ_QUARANTINED, CASES[i].code), CASES[i].discard);
        assert_int_equal(nz_held_may(NZ_HELD_REPLAY, NZ_QUARANTINED, CASES[i].code), CASES[i].replay);
    }
    for (int r = 0; r < NZ_RESULT__MAX; r++) {
        for (int a = 0; r != NZ_QUARANTINED && a < NZ_HELD__MAX; a++)
            assert_int_equal(nz_held_may((enum nz_held_action)a, (enum nz_result)r, NZ_CODE_MISMATCH), NZ_HELD_NOT);
    }
}

static void what_becomes_of_a_row(void **state)
{
    (void)state;
    struct nz_row_result r = { .result = NZ_QUARANTINED, .code = NZ_CODE_MISMATCH, .with_row = 4, .n_warnings = 1 };
    struct nz_payload p = { .has_ticket = true };
    nz_held_result(NZ_HELD_RELEASE, &r);
    assert_int_equal(r.result, NZ_WAITING);
    assert_int_equal(r.code, NZ_CODE_NONE);
    assert_int_equal(r.n_warnings, 1);
    nz_held_payload(NZ_HELD_RELEASE, NZ_CODE_MISMATCH, &p, 5000);
    assert_true(p.released && p.has_ticket && !p.retie);
    assert_int_equal(p.since_ms, 5000);
    /* a later replay does not take back what an officer said, and does not say it by itself */
    nz_held_payload(NZ_HELD_REPLAY, NZ_CODE_DEAD, &p, 9000);
    assert_true(p.released);
    assert_int_equal(p.since_ms, 9000);
    p.released = false;
    nz_held_payload(NZ_HELD_REPLAY, NZ_CODE_UPSTREAM, &p, 9001);
    assert_false(p.released || p.retie);
    /* each release lifts the rule that held the row; together they lift both */
    nz_held_payload(NZ_HELD_RELEASE, NZ_CODE_NUMBER_TWO, &p, 9002);
    assert_true(p.retie && p.has_seen && !p.released);
    nz_held_payload(NZ_HELD_RELEASE, NZ_CODE_MISMATCH, &p, 9003);
    assert_true(p.retie && p.released);
    r = (struct nz_row_result){ .result = NZ_QUARANTINED, .code = NZ_CODE_DEAD };
    nz_held_result(NZ_HELD_DISCARD, &r);
    assert_int_equal(r.result, NZ_REFUSED);
    assert_int_equal(r.code, NZ_CODE_DISCARDED);
}

/* ---- judged again ---- */

static struct record record_of(const char *basic, uint64_t ms, uint8_t task)
{
    struct record r = { .stored_ms = ms, .row = 1, .basic = slice_str(basic), .eligibility = LIT("{}") };
    memset(r.task, task, sizeof r.task);
    return r;
}

static void released_rows_are_judged_by_the_other_rules(void **state)
{
    (void)state;
    static const char SID_A[] = "0000000000000000000000000000000a", SID_B[] = "0000000000000000000000000000000b", RK[] = "000000000000000000000000000000c1";
    struct record in = record_of("{\"name\":\"A\",\"dateOfBirth\":\"2013-01-01\"}", 1000, 1);
    struct record other = record_of("{\"name\":\"B\",\"dateOfBirth\":\"1980-05-05\"}", 900, 2), newer = other;
    newer.stored_ms = 1100;
    const struct nz_apply_view plain = { .ties.sid = slice_str(SID_A), .pmh_key = LIT("k1"), .incoming = &in, .released = true };
    struct nz_apply_view held = plain, stored = plain, sibling = plain, late = plain, person = plain, tied = plain;
    held.stored = stored.stored = sibling.sibling = &other;
    held.released = false;
    late.stored = &newer;
    person.sid_of_person = slice_str(SID_B);
    tied.ties.rk = slice_str(RK);
    tied.ties.sid_of_rk = slice_str(SID_B);
    const struct { const struct nz_apply_view *v; enum nz_result result; enum nz_code code; } CASES[] = {
        { &held, NZ_QUARANTINED, NZ_CODE_MISMATCH },    { &stored, NZ_UPDATED, NZ_CODE_NONE },
        { &sibling, NZ_REGISTERED, NZ_CODE_NONE },      { &late, NZ_UNCHANGED, NZ_CODE_SUPERSEDED },
        { &person, NZ_QUARANTINED, NZ_CODE_UPSTREAM },  { &tied, NZ_QUARANTINED, NZ_CODE_RESIDENT_TWO },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_verdict got = nz_judge_apply(CASES[i].v);
        assert_int_equal(got.result, CASES[i].result);
        assert_int_equal(got.code, CASES[i].code);
    }
}

/* ---- ties made anew ---- */

#define S_ROW "0000000000000000000000000000000a"
#define S_OWNER "0000000000000000000000000000000b"
#define S_THIRD "0000000000000000000000000000000c"
#define K_ROW "000000000000000000000000000000c1"
#define K_OLD "000000000000000000000000000000c2"
#define K_THIRD "000000000000000000000000000000c3"

static struct nz_seen_ties seen_of(const char *owner, const char *rk)
{
    const struct nz_ties t = { .sid = LIT(S_ROW), .rk = LIT(K_ROW), .sid_of_rk = slice_str(owner), .rk_of_sid = slice_str(rk) };
    struct nz_seen_ties s;
    nz_judge_seen(&t, &s);
    return s;
}

/* What stood when the row was held, what stands now, and what comes of the release. */
static void only_ties_that_were_seen_are_overwritten(void **state)
{
    (void)state;
    static const struct { const char *seen_owner, *seen_rk, *owner, *rk, *to, *owner_to, *owner_al; enum nz_code code; bool retie; } CASES[] = {
        { S_OWNER, "", S_OWNER, "", "", "", "", NZ_CODE_NONE, true },                   /* one key, two numbers */
        { "", K_OLD, "", K_OLD, "", "", "", NZ_CODE_NONE, true },                       /* one number, two keys */
        { S_OWNER, K_OLD, S_OWNER, K_OLD, "", "", "", NZ_CODE_NONE, true },             /* both */
        { S_OWNER, K_OLD, S_OWNER, "", "", "", "", NZ_CODE_NONE, true },                /* less than was seen */
        { S_OWNER, "", "", "", "", "", "", NZ_CODE_NONE, false },                       /* nothing contradicts any more */
        { S_OWNER, "", S_ROW, K_ROW, "", "", "", NZ_CODE_NONE, false },
        { "", "", S_OWNER, "", "", "", "", NZ_CODE_RESIDENT_TWO, false },               /* not seen: the other row of the request was applied */
        { S_THIRD, "", S_OWNER, "", "", "", "", NZ_CODE_RESIDENT_TWO, false },          /* another owner than was seen */
        { "", K_THIRD, "", K_OLD, "", "", "", NZ_CODE_NUMBER_TWO, false },
        { S_OWNER, "", S_OWNER, K_OLD, "", "", "", NZ_CODE_RESIDENT_TWO, false },       /* more than was seen */
        { S_OWNER, "", S_OWNER, "", S_THIRD, "", "", NZ_CODE_RESIDENT_CHANGED, false }, /* the row's number leads to another resident */
        { "", K_OLD, "", K_OLD, S_THIRD, "", "", NZ_CODE_RESIDENT_CHANGED, false },
        { S_OWNER, "", S_OWNER, "", "", S_THIRD, "", NZ_CODE_RESIDENT_CHANGED, false },
        { S_OWNER, "", S_OWNER, "", "", "", S_THIRD K_OLD S_THIRD K_ROW, NZ_CODE_RESIDENT_CHANGED, false }, /* the key was merged into the owner */
        { S_OWNER, "", S_OWNER, "", "", "", S_THIRD K_OLD, NZ_CODE_NONE, true },        /* another one was */
    };
    struct record in = record_of("{\"name\":\"A\",\"dateOfBirth\":\"2013-01-01\"}", 1000, 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct nz_seen_ties seen = seen_of(CASES[i].seen_owner, CASES[i].seen_rk);
        struct nz_apply_view v = {
            .ties = { .sid = LIT(S_ROW), .rk = LIT(K_ROW), .sid_of_rk = slice_str(CASES[i].owner), .rk_of_sid = slice_str(CASES[i].rk), .to = slice_str(CASES[i].to) },
            .pmh_key = LIT("k1"), .incoming = &in, .retie = &seen, .owner_to = slice_str(CASES[i].owner_to), .owner_al = slice_str(CASES[i].owner_al),
        };
        struct nz_verdict got = nz_judge_apply(&v);
        if (got.code != CASES[i].code || got.retie != CASES[i].retie || got.result != (CASES[i].code ? NZ_QUARANTINED : NZ_REGISTERED))
            fail_msg("case %zu: %s, retie %d", i, nz_code_slug(got.code), got.retie);
        v.retie = NULL; /* without the officer's word every contradiction holds */
        got = nz_judge_apply(&v);
        assert_false(got.retie);
        assert_int_equal(got.result, nz_judge_ties(&v.ties).result == NZ_WAITING ? NZ_REGISTERED : NZ_QUARANTINED);
    }
}

static void ties_are_made_anew_with_the_record_only(void **state)
{
    (void)state;
    const struct nz_seen_ties seen = seen_of(S_OWNER, "");
    struct record in = record_of("{\"name\":\"A\",\"dateOfBirth\":\"2013-01-01\"}", 1000, 1), newer = in, same = in, other = in;
    newer.stored_ms = 1100;
    newer.task[0] = same.task[0] = 9;
    same.stored_ms = 900;
    other = record_of("{\"name\":\"B\",\"dateOfBirth\":\"1980-05-05\"}", 900, 2);
    const struct nz_apply_view plain = { .ties = { .sid = LIT(S_ROW), .rk = LIT(K_ROW), .sid_of_rk = LIT(S_OWNER) }, .pmh_key = LIT("k1"), .incoming = &in,
                                         .retie = &seen };
    struct nz_apply_view late = plain, again = plain, unchanged = plain, person = plain, key = plain, mixed = plain;
    late.stored = &newer;
    again.stored = &in;
    unchanged.stored = &same;
    person.sid_of_person = LIT(S_THIRD);
    key.key_of_sid = LIT("k2");
    mixed.sibling = &other;
    const struct { const struct nz_apply_view *v; enum nz_result result; enum nz_code code; bool retie; } CASES[] = {
        { &late, NZ_UNCHANGED, NZ_CODE_SUPERSEDED, false },   { &again, NZ_REGISTERED, NZ_CODE_NONE, true },
        { &unchanged, NZ_UNCHANGED, NZ_CODE_NONE, true },     { &person, NZ_QUARANTINED, NZ_CODE_UPSTREAM, false },
        { &key, NZ_QUARANTINED, NZ_CODE_UPSTREAM, false },    { &mixed, NZ_QUARANTINED, NZ_CODE_MISMATCH, false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_verdict got = nz_judge_apply(CASES[i].v);
        assert_int_equal(got.result, CASES[i].result);
        assert_int_equal(got.code, CASES[i].code);
        assert_int_equal(got.retie, CASES[i].retie);
    }
}

/* ---- the outbox's giving up ---- */

static void classes_of_answers(void **state)
{
    (void)state;
    static const struct { enum err_code code; enum nz_upstream_class class; } CASES[] = {
        { E_OK, NZ_UPSTREAM_GOOD },            { E_UPSTREAM_DOWN, NZ_UPSTREAM_LATER }, { E_UPSTREAM_BAD, NZ_UPSTREAM_LATER },
        { E_FORBIDDEN, NZ_UPSTREAM_LATER },    { E_FIELD, NZ_UPSTREAM_ROWS },          { E_BUSY, NZ_UPSTREAM_SOON },
        { E_NOMEM, NZ_UPSTREAM_SOON },         { E_CANCELED, NZ_UPSTREAM_SOON },       { E_CONFIG, NZ_UPSTREAM_LATER },
        { E_INTERNAL, NZ_UPSTREAM_LATER },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(nz_upstream_class(CASES[i].code), CASES[i].class);
}

static void giving_up(void **state)
{
    (void)state;
    const uint64_t hour = 3600 * 1000;
    assert_int_equal(nz_waited_ms(5000, 0, 1000), 4000);
    assert_int_equal(nz_waited_ms(5000, 4000, 1000), 1000); /* replayed: age zero from then on */
    assert_int_equal(nz_waited_ms(500, 0, 1000), 0);        /* the clock went back */
    assert_false(nz_gave_up(72 * hour - 1, 72));
    assert_true(nz_gave_up(72 * hour, 72));
    assert_true(nz_gave_up(0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_are_read),      cmocka_unit_test(orders_are_refused),    cmocka_unit_test(a_thousand_rows_at_a_time),
        cmocka_unit_test(what_an_order_lifts),  cmocka_unit_test(what_becomes_of_a_row), cmocka_unit_test(classes_of_answers),
        cmocka_unit_test(giving_up),            cmocka_unit_test(released_rows_are_judged_by_the_other_rules),
        cmocka_unit_test(only_ties_that_were_seen_are_overwritten), cmocka_unit_test(ties_are_made_anew_with_the_record_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
