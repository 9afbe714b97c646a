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
    return nz_held_ask_parse(slice_str(body), a, ask, bad);
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
        struct err e = nz_held_ask_parse(buf_slice(&body), a, &ask, &bad);
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
    nz_held_payload(NZ_HELD_RELEASE, &p, 5000);
    assert_true(p.released && p.has_ticket);
    assert_int_equal(p.since_ms, 5000);
    /* a later replay does not take back what an officer said, and does not say it by itself */
    nz_held_payload(NZ_HELD_REPLAY, &p, 9000);
    assert_true(p.released);
    assert_int_equal(p.since_ms, 9000);
    p.released = false;
    nz_held_payload(NZ_HELD_REPLAY, &p, 9001);
    assert_false(p.released);
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
        { &person, NZ_QUARANTINED, NZ_CODE_UPSTREAM },  { &tied, NZ_REFUSED, NZ_CODE_RESIDENT_TWO },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_verdict got = nz_judge_apply(CASES[i].v);
        assert_int_equal(got.result, CASES[i].result);
        assert_int_equal(got.code, CASES[i].code);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
