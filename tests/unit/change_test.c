/* Resident changes without I/O: the form, the journal, the plan of the steps. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/consent/consent.h"
#include "keys/change/plan.h"

#define MUNI "331007"
#define SID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SID_C "cccccccccccccccccccccccccccccccc"
#define RK_A "11111111111111111111111111111111"
#define NO_RK "00000000000000000000000000000000"
#define FIELD_1 "r:331007:1111111111111111"
#define FIELD_2 "r:331007:2222222222222222"

/* ---- the form ---- */

struct bench {
    struct arena *a;
    struct nz_pool *pool;
};

static int bench_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->a = arena_new(1 << 20);
    assert_int_equal(nz_pool_new(&b->pool, 4).code, E_OK);
    *state = b;
    return 0;
}

static int bench_down(void **state)
{
    struct bench *b = *state;
    arena_free(b->a);
    nz_pool_free(b->pool);
    free(b);
    return 0;
}

#define HEAD "{\"municipalityIdentityKey\":\"k1\",\"effectiveDate\":\"2026-04-01\",\"operationKey\":\"o1\",\"changeType\":"

static void form(void **state)
{
    struct bench *b = *state;
    static const struct { const char *text, *field; enum field_rule rule; enum nz_change_type type; } CASES[] = {
        { HEAD "\"moved_out\"}", NULL, FR_NONE, NZ_CH_MOVED_OUT },
        { HEAD "\"died\",\"myNumber\":\"123456789018\"}", NULL, FR_NONE, NZ_CH_DIED },
        { HEAD "\"restored\"}", NULL, FR_NONE, NZ_CH_RESTORED },
        { HEAD "\"number_changed\",\"newMyNumber\":\"123456789018\"}", NULL, FR_NONE, NZ_CH_NUMBER },
        { HEAD "\"merged\",\"otherMunicipalityIdentityKey\":\"k2\"}", NULL, FR_NONE, NZ_CH_MERGED },
        { HEAD "\"unmerged\",\"otherMunicipalityIdentityKey\":\"k2\"}", NULL, FR_NONE, NZ_CH_UNMERGED },
        { HEAD "\"\"}", "changeType", FR_LENGTH, 0 },
        { HEAD "\"moved\"}", "changeType", FR_CODE, 0 },
        { HEAD "\"number_changed\"}", "newMyNumber", FR_MISSING, 0 },
        { HEAD "\"died\",\"newMyNumber\":\"123456789018\"}", "newMyNumber", FR_RANGE, 0 },
        { HEAD "\"merged\"}", "otherMunicipalityIdentityKey", FR_MISSING, 0 },
        { HEAD "\"died\",\"otherMunicipalityIdentityKey\":\"k2\"}", "otherMunicipalityIdentityKey", FR_RANGE, 0 },
        { HEAD "\"died\",\"myNumber\":\"12345678901\"}", "myNumber", FR_LENGTH, 0 },
        { HEAD "\"number_changed\",\"myNumber\":\"123456789018\",\"newMyNumber\":\"123456789018\"}", "newMyNumber", FR_RANGE, 0 },
        { HEAD "\"merged\",\"myNumber\":\"123456789018\",\"otherMunicipalityIdentityKey\":\"a123456789018\"}", "otherMunicipalityIdentityKey",
          FR_NUMBER_INSIDE, 0 },
        { "[]", "", FR_TYPE, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct field_report r = { 0 };
        struct nz_change c = { 0 };
        json_t *obj = json_loads(CASES[i].text, 0, NULL);
        assert_int_equal(nz_change_read(obj, NULL, b->pool, b->a, &c, &r).code, E_OK);
        assert_null(json_object_get(obj, "myNumber"));
        assert_null(json_object_get(obj, "newMyNumber"));
        json_decref(obj);
        if (CASES[i].field) {
            assert_true(r.n_faults > 0);
            assert_string_equal(r.faults[0].field, CASES[i].field);
            assert_int_equal(r.faults[0].rule, CASES[i].rule);
            assert_int_equal(nz_pool_used(b->pool), 0);
        } else {
            assert_int_equal(r.n_faults, 0);
            assert_int_equal(c.type, CASES[i].type);
            assert_true(slice_eq(c.resident_key, LIT("k1")) && slice_eq(c.operation_key, LIT("o1")));
        }
        nz_change_done(&c);
    }
    assert_int_equal(nz_pool_used(b->pool), 0);
}

static void row_of_a_file(void **state)
{
    struct bench *b = *state;
    struct field_report r = { 0 };
    struct nz_change c;
    struct nz_linkage_row in = { .json = LIT(HEAD "\"died\"}") };
    assert_int_equal(nz_change_read_row(NULL, &in, NULL, b->pool, b->a, &c, &r).code, E_OK);
    assert_true(r.n_faults == 0 && c.type == NZ_CH_DIED);
    in.json = LIT("{\"changeType\":");
    assert_int_equal(nz_change_read_row(NULL, &in, NULL, b->pool, b->a, &c, &r).code, E_OK);
    assert_true(r.n_faults == 1 && r.faults[0].rule == FR_TYPE && !c.number);
}

/* ---- what is stored ---- */

static struct nz_journal journal_of(enum nz_change_type type, enum nz_journal_state state, struct nz_saved *saved, size_t n)
{
    struct nz_journal j = { .state = state, .type = type, .effective = 20260401, .ms = 5000, .row = 3, .kept_key = LIT("pk-a"),
                            .gone_key = LIT("pk-b"), .n_saved = n, .saved = saved };
    memset(j.kept, 0xaa, sizeof j.kept);
    memset(j.gone, 0xbb, sizeof j.gone);
    memset(j.task, 7, sizeof j.task);
    return j;
}

static void journal(void **state)
{
    struct bench *b = *state;
    struct nz_saved saved[2] = { { LIT(FIELD_1), LIT("one"), true }, { LIT(FIELD_2), LIT(""), false } };
    struct nz_journal j = journal_of(NZ_CH_MERGED, NZ_JOURNAL_PENDING, saved, 2), back;
    struct buf out;
    j.aliases = LIT(SID_C RK_A);
    buf_init(&out, 4096);
    nz_journal_encode(&j, &out);
    assert_int_equal(nz_journal_decode(buf_slice(&out), b->a, &back).code, E_OK);
    assert_true(back.state == j.state && back.type == j.type && back.effective == j.effective && back.ms == j.ms && back.row == 3);
    assert_true(slice_eq(back.aliases, j.aliases) && back.n_saved == 2 && back.saved[0].clash && !back.saved[1].clash);
    assert_true(slice_eq(nz_journal_find(&back, LIT(FIELD_1))->plain, LIT("one")) && !nz_journal_find(&back, LIT("x")));
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(nz_journal_decode(slice_of(out.p, n), b->a, &back).code, E_SEAL);
    out.p[1] = NZ_JOURNAL__MAX;
    assert_int_equal(nz_journal_decode(buf_slice(&out), b->a, &back).code, E_SEAL);
    buf_done(&out);
}

static void undone_journal(void **state)
{
    struct bench *b = *state;
    struct nz_journal j = journal_of(NZ_CH_DIED, NZ_JOURNAL_UNDONE, NULL, 0), back;
    struct buf out;
    j.undo_row = 9;
    j.undo_task[0] = 5;
    buf_init(&out, 4096);
    nz_journal_encode(&j, &out);
    assert_int_equal(nz_journal_decode(buf_slice(&out), b->a, &back).code, E_OK);
    assert_true(back.row == 3 && back.task[0] == 7 && back.undo_row == 9 && back.undo_task[0] == 5);
    for (size_t n = 0; n < out.n; n++)
        assert_int_equal(nz_journal_decode(slice_of(out.p, n), b->a, &back).code, E_SEAL);
    out.p[1] = NZ_JOURNAL_DONE; /* done, and taken back by somebody */
    assert_int_equal(nz_journal_decode(buf_slice(&out), b->a, &back).code, E_SEAL);
    buf_done(&out);
}

/* ---- the plan ---- */

static struct nz_ch_side side(const char *sid, const char *key)
{
    struct nz_ch_side s = { .there = true, .key = slice_str(key) };
    memcpy(s.sid, sid, sizeof s.sid);
    return s;
}

static struct nz_ch_view view_of(enum nz_change_type type)
{
    struct nz_ch_view v = { .type = type, .muni = MUNI, .effective = 20260401, .now_ms = 5000, .row = 1, .kept = side(SID_A, "pk-a") };
    if (type == NZ_CH_MERGED || type == NZ_CH_NUMBER || type == NZ_CH_UNMERGED)
        v.gone = side(SID_B, "pk-b");
    memcpy(v.new_sid, SID_A, sizeof v.new_sid);
    v.gone.subject = v.gone.there ? LIT(SID_B) : SLICE_NONE;
    return v;
}

static void expect(const struct nz_ch_view *v, enum nz_ch_action action, enum nz_result result, enum nz_code code)
{
    struct nz_ch_decision d = nz_ch_plan(v);
    assert_int_equal(d.action, action);
    assert_int_equal(d.verdict.result, result);
    assert_int_equal(d.verdict.code, code);
}

static void new_operations(void **state)
{
    (void)state;
    struct nz_ch_view v = view_of(NZ_CH_DIED);
    expect(&v, NZ_CHA_SET_END, NZ_UPDATED, NZ_CODE_NONE);
    v.kept.there = false;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_UNKNOWN_RESIDENT);
    v = view_of(NZ_CH_DIED);
    v.has_number = true;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_NUMBER_NOT_KEYS);
    v.number_known = true;
    memcpy(v.number_sid, SID_C, sizeof v.number_sid);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_NUMBER_NOT_KEYS);
    v.kept.al = LIT(SID_C NO_RK); /* an earlier number of the same resident */
    expect(&v, NZ_CHA_SET_END, NZ_UPDATED, NZ_CODE_NONE);
    v = view_of(NZ_CH_WRONG);
    expect(&v, NZ_CHA_WIPE, NZ_UPDATED, NZ_CODE_NONE);
    v.kept.al = LIT(SID_C RK_A);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_RESIDENT_MERGED);
    v = view_of(NZ_CH_RESTORED);
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_NONE);
    v = view_of(NZ_CH_UNMERGED);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_UNKNOWN);
}

static void new_numbers(void **state)
{
    (void)state;
    struct nz_ch_view v = view_of(NZ_CH_NUMBER);
    expect(&v, NZ_CHA_BEGIN, NZ_UPDATED, NZ_CODE_NONE);
    v.kept.key = SLICE_NONE;
    expect(&v, NZ_CHA_NUMBERING, NZ_UPDATED, NZ_CODE_NONE);
    v = view_of(NZ_CH_NUMBER);
    v.kept.rk = LIT(RK_A);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_NUMBER_OTHERS);
    v = view_of(NZ_CH_NUMBER);
    v.kept.to = LIT(SID_C);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_NUMBER_OTHERS);
    v.kept.to = LIT(SID_B);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_NUMBER_OTHERS);
    v.gone.al = LIT(SID_A NO_RK);
    expect(&v, NZ_CHA_BEGIN, NZ_UPDATED, NZ_CODE_NONE);
    v.gone.al = LIT(SID_A RK_A); /* it is the number of a resident that was merged into this one */
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_NUMBER_OTHERS);
    v = view_of(NZ_CH_NUMBER);
    v.kept.subject = LIT(SID_C);
    expect(&v, NZ_CHA_END, NZ_QUARANTINED, NZ_CODE_UPSTREAM);
    v = view_of(NZ_CH_NUMBER);
    memcpy(v.new_sid, SID_B, sizeof v.new_sid);
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_NONE);
}

static void merges(void **state)
{
    (void)state;
    struct nz_ch_view v = view_of(NZ_CH_MERGED);
    expect(&v, NZ_CHA_BEGIN, NZ_UPDATED, NZ_CODE_NONE);
    v.gone.there = false;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_UNKNOWN_RESIDENT);
    v = view_of(NZ_CH_MERGED);
    v.gone = v.kept;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_SAME_RESIDENT);
    v = view_of(NZ_CH_MERGED);
    v.gone.al = LIT(SID_C RK_A);
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_RESIDENT_MERGED);
}

/* Every step leaves a state from which the next one follows; so does every state that a crash leaves. */
static void steps_of_a_move(void **state)
{
    (void)state;
    struct nz_ch_item gone[2] = { { LIT(FIELD_1), LIT("one"), LIT("s1") }, { LIT(FIELD_2), LIT("two"), LIT("s2") } };
    struct nz_ch_item kept[2] = { { LIT(FIELD_1), LIT("own"), LIT("s3") }, { LIT(FIELD_2), LIT("two"), LIT("s4") } };
    struct nz_saved saved[2] = { { LIT(FIELD_1), LIT("one"), true }, { LIT(FIELD_2), LIT("two"), false } };
    struct nz_journal j = journal_of(NZ_CH_MERGED, NZ_JOURNAL_PENDING, saved, 2);
    struct nz_ch_view v = view_of(NZ_CH_MERGED);
    v.j = &j;
    v.gone.item = gone, v.gone.n = 2;
    v.kept.item = kept, v.kept.n = 1;
    v.kept.subject = LIT(SID_A);
    expect(&v, NZ_CHA_COPY, NZ_UPDATED, NZ_CODE_NONE);
    gone[1].plain = LIT("newer"); /* registered between a crash and now */
    expect(&v, NZ_CHA_SAVE, NZ_UPDATED, NZ_CODE_NONE);
    gone[1].plain = LIT("two");
    v.kept.n = 2;
    expect(&v, NZ_CHA_TIES, NZ_UPDATED, NZ_CODE_NONE);
    v.gone.to = LIT(SID_A);
    expect(&v, NZ_CHA_REMOVE, NZ_UPDATED, NZ_CODE_NONE);
    v.gone.n = 0, v.gone.subject = SLICE_NONE;
    expect(&v, NZ_CHA_FINISH, NZ_UPDATED, NZ_CODE_NONE);
    j.state = NZ_JOURNAL_DONE;
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_NONE);
    v.row = 3;
    memset(v.task, 7, sizeof v.task);
    expect(&v, NZ_CHA_END, NZ_UPDATED, NZ_CODE_NONE);
    v.effective = 20260501;
    expect(&v, NZ_CHA_REDATE, NZ_UPDATED, NZ_CODE_NONE);
    v.rk[0] = 1;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_REUSED);
}

static void steps_of_an_undo(void **state)
{
    (void)state;
    struct nz_ch_item gone[2] = { { LIT(FIELD_1), LIT("one"), LIT("s1") }, { LIT(FIELD_2), LIT("two"), LIT("s2") } };
    struct nz_ch_item kept[2] = { { LIT(FIELD_1), LIT("own"), LIT("s3") }, { LIT(FIELD_2), LIT("two"), LIT("s4") } };
    struct nz_saved saved[2] = { { LIT(FIELD_1), LIT("one"), true }, { LIT(FIELD_2), LIT("two"), false } };
    struct nz_journal j = journal_of(NZ_CH_MERGED, NZ_JOURNAL_DONE, saved, 2);
    struct nz_ch_view v = view_of(NZ_CH_UNMERGED);
    v.j = &j;
    v.kept.item = kept, v.kept.n = 2;
    v.gone.item = gone, v.gone.to = LIT(SID_A), v.gone.subject = SLICE_NONE;
    expect(&v, NZ_CHA_BACK_BEGIN, NZ_UPDATED, NZ_CODE_NONE);
    j.state = NZ_JOURNAL_UNDOING;
    expect(&v, NZ_CHA_BACK_COPY, NZ_UPDATED, NZ_CODE_NONE);
    v.gone.n = 2, v.gone.subject = LIT(SID_B);
    expect(&v, NZ_CHA_BACK_TIES, NZ_UPDATED, NZ_CODE_NONE);
    v.gone.to = SLICE_NONE;
    expect(&v, NZ_CHA_BACK_REMOVE, NZ_UPDATED, NZ_CODE_NONE);
    v.kept.n = 1;
    expect(&v, NZ_CHA_BACK_FINISH, NZ_UPDATED, NZ_CODE_NONE);
    v.kept.n = 2, kept[1].plain = LIT("changed"); /* since: it stays */
    expect(&v, NZ_CHA_BACK_FINISH, NZ_UPDATED, NZ_CODE_CHANGED_SINCE);
    v.type = NZ_CH_MERGED;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_UNDONE);
    v.type = NZ_CH_RESTORED;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_REUSED);
    v.type = NZ_CH_UNMERGED;
    j.type = NZ_CH_DIED;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_REUSED);
}

#define FLAGS "f:" MUNI

static struct slice flags_of(struct arena *a, uint8_t bits, uint64_t set_ms)
{
    struct control_flags f = { bits, set_ms, "dv_support" };
    struct buf b;
    buf_init(&b, 64);
    assert_int_equal(flags_encode(&f, &b).code, E_OK);
    const struct slice s = arena_dup(a, buf_slice(&b));
    buf_done(&b);
    return s;
}

/* What the kept side's flags are when a merge (written down at 5000) is taken back, what the gone side brought, and whether the gone side gets the kept side's. */
static void flags_when_a_merge_is_taken_back(void **state)
{
    struct bench *b = *state;
    const struct slice before = flags_of(b->a, 1, 4000), early = flags_of(b->a, 2, 4500), since = flags_of(b->a, 2, 6000);
    const struct { const char *name; bool has, brought, clash; struct slice now; bool back; } CASES[] = {
        { "its own of before the merge", true, false, false, early, false }, { "set since", true, false, false, since, true },
        { "the copy", true, true, false, before, false },                    { "the copy, changed since", true, true, false, since, true },
        { "the copy, lifted since", false, true, false, before, false },     { "both had one", true, true, true, early, false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_ch_item kept = { LIT(FLAGS), CASES[i].now, LIT("s1") }, gone = { LIT(FLAGS), before, LIT("s2") };
        struct nz_saved saved = { LIT(FLAGS), before, CASES[i].clash };
        struct nz_journal j = journal_of(NZ_CH_MERGED, NZ_JOURNAL_UNDOING, &saved, CASES[i].brought);
        struct nz_ch_view v = view_of(NZ_CH_UNMERGED);
        v.j = &j;
        v.kept.item = &kept, v.kept.n = CASES[i].has;
        if ((nz_ch_flags_back(&v) != NULL) != CASES[i].back)
            fail_msg("%s", CASES[i].name);
        bool copied = CASES[i].back || (CASES[i].brought && nz_ch_copies_back(&v, &saved));
        assert_int_equal(nz_ch_plan(&v).action == NZ_CHA_BACK_COPY, copied);
        v.gone.item = &gone, v.gone.n = 1; /* done */
        assert_null(nz_ch_flags_back(&v));
        assert_int_not_equal(nz_ch_plan(&v).action, NZ_CHA_BACK_COPY);
    }
}

static void undo_of_an_end(void **state)
{
    (void)state;
    struct store_end end = { STORE_END_DIED, 20260401, 5000 };
    struct buf plain;
    buf_init(&plain, 64);
    store_end_encode(&end, &plain);
    struct nz_ch_item item = { LIT("e:331007"), buf_slice(&plain), LIT("s") };
    struct nz_journal j = journal_of(NZ_CH_DIED, NZ_JOURNAL_DONE, NULL, 0);
    struct nz_ch_view v = view_of(NZ_CH_RESTORED);
    v.j = &j;
    v.kept.item = &item, v.kept.n = 1;
    expect(&v, NZ_CHA_UNEND, NZ_UPDATED, NZ_CODE_NONE);
    j.ms = 4999; /* a later operation wrote what stands there */
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_CHANGED_SINCE);
    v.j = NULL;
    expect(&v, NZ_CHA_LIFT, NZ_UPDATED, NZ_CODE_NONE);
    buf_done(&plain);
}

/* A file that was interrupted comes by its rows again: what a later row of it took back was done all the same. */
static void rows_that_come_again(void **state)
{
    (void)state;
    struct nz_journal j = journal_of(NZ_CH_DIED, NZ_JOURNAL_UNDONE, NULL, 0);
    struct nz_ch_view v = view_of(NZ_CH_DIED);
    v.j = &j;
    memset(v.task, 7, sizeof v.task);
    memset(j.undo_task, 7, sizeof j.undo_task);
    j.undo_row = 4;
    v.row = 3;
    expect(&v, NZ_CHA_END, NZ_UPDATED, NZ_CODE_NONE);
    v.row = 4;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_UNDONE);
    v.type = NZ_CH_RESTORED;
    expect(&v, NZ_CHA_END, NZ_UPDATED, NZ_CODE_NONE);
    v.row = 3;
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_NONE);
    j.undo_row = 0; /* stored before both were known: task and row are the undoing ones */
    expect(&v, NZ_CHA_END, NZ_UPDATED, NZ_CODE_NONE);
    v.type = NZ_CH_DIED;
    expect(&v, NZ_CHA_END, NZ_REFUSED, NZ_CODE_OPERATION_UNDONE);
}

/* What an officer released, and what happened since it was held. */
static void rows_that_were_held(void **state)
{
    (void)state;
    static const char ONE[] = "{\"name\":\"甲\",\"dateOfBirth\":\"1980-01-01\"}", TWO[] = "{\"name\":\"乙\",\"dateOfBirth\":\"1990-01-01\"}";
    const struct record one = { .eligibility = LIT("{}"), .basic = slice_str(ONE) }, two = { .eligibility = LIT("{}"), .basic = slice_str(TWO) };
    struct buf a, b;
    buf_init(&a, 4096);
    buf_init(&b, 4096);
    assert_true(err_ok(record_encode(&one, &a)) && err_ok(record_encode(&two, &b)));
    struct nz_ch_item kept = { LIT(FIELD_1), buf_slice(&a), LIT("s1") }, gone = { LIT(FIELD_1), buf_slice(&b), LIT("s2") };
    for (int i = 0; i < 2; i++) {
        struct nz_ch_view v = view_of(i ? NZ_CH_MERGED : NZ_CH_NUMBER);
        v.kept.item = &kept, v.kept.n = 1, v.gone.item = &gone, v.gone.n = 1;
        expect(&v, NZ_CHA_END, NZ_QUARANTINED, NZ_CODE_MISMATCH);
        v.released = true;
        expect(&v, NZ_CHA_BEGIN, NZ_UPDATED, NZ_CODE_NONE);
    }
    buf_done(&a);
    buf_done(&b);
    struct nz_ch_view v = view_of(NZ_CH_NUMBER);
    v.has_from = true;
    memcpy(v.from, SID_B, sizeof v.from);
    expect(&v, NZ_CHA_BEGIN, NZ_UPDATED, NZ_CODE_NONE);
    memcpy(v.from, SID_C, sizeof v.from); /* another change moved the resident meanwhile */
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_SUPERSEDED);
}

static void ends_that_were_held(void **state)
{
    (void)state;
    struct store_end end = { STORE_END_MOVED, 20260301, 4000 };
    struct buf plain;
    buf_init(&plain, 64);
    store_end_encode(&end, &plain);
    struct nz_ch_item item = { LIT("e:331007"), buf_slice(&plain), LIT("s") };
    struct nz_ch_view v = view_of(NZ_CH_DIED);
    v.kept.item = &item, v.kept.n = 1;
    expect(&v, NZ_CHA_SET_END, NZ_UPDATED, NZ_CODE_NONE);
    v.received_ms = 4000;
    expect(&v, NZ_CHA_SET_END, NZ_UPDATED, NZ_CODE_NONE);
    v.received_ms = 3999; /* the end came after it */
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_SUPERSEDED);
    v.type = NZ_CH_RESTORED;
    expect(&v, NZ_CHA_END, NZ_UNCHANGED, NZ_CODE_SUPERSEDED);
    buf_done(&plain);
}

static void alias_lists(void **state)
{
    (void)state;
    struct nz_ch_view v = view_of(NZ_CH_NUMBER);
    struct buf out;
    buf_init(&out, 64 * 32);
    v.gone.al = LIT(SID_A NO_RK SID_C RK_A); /* back to an earlier number */
    assert_int_equal(nz_ch_aliases_after(&v, &out).code, E_OK);
    assert_true(slice_eq(buf_slice(&out), LIT(SID_C RK_A SID_B NO_RK)));
    buf_reset(&out);
    char many[NZ_CH_ALIASES_MAX * NZ_CH_ALIAS];
    memset(many, 'd', sizeof many);
    v.kept.al = ARR(many);
    assert_int_equal(nz_ch_aliases_after(&v, &out).code, E_FULL);
    buf_done(&out);
}

/* Rows that come with either number and either key of one resident contradict nothing; others still do. */
static void ties_of_one_resident(void **state)
{
    (void)state;
    static const struct { const char *sid, *to, *rk_of_sid, *sid_of_rk; enum nz_code code; } CASES[] = {
        { SID_B, SID_A, RK_A, SID_A, NZ_CODE_NONE },       /* the other number, its own key */
        { SID_B, SID_A, NO_RK, SID_A, NZ_CODE_NONE },      /* the other number, the kept key */
        { SID_A, "", NO_RK, SID_A, NZ_CODE_NONE },         /* the kept number, the other key */
        { SID_B, SID_A, "", SID_A, NZ_CODE_NONE },         /* an earlier number */
        { SID_B, SID_A, RK_A, SID_C, NZ_CODE_RESIDENT_TWO },
        { SID_B, SID_A, NO_RK, "", NZ_CODE_NUMBER_TWO },   /* a third key */
        { SID_B, SID_A, "", "", NZ_CODE_NUMBER_TWO },      /* an earlier number with a key that nobody has */
        { SID_B, "", RK_A, SID_A, NZ_CODE_RESIDENT_TWO },  /* nothing leads there */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct nz_ties t = { .sid = slice_str(CASES[i].sid), .rk = LIT(RK_A), .rk_of_sid = slice_str(CASES[i].rk_of_sid),
                                   .sid_of_rk = slice_str(CASES[i].sid_of_rk), .to = slice_str(CASES[i].to) };
        assert_int_equal(nz_judge_ties(&t).code, CASES[i].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form), cmocka_unit_test(row_of_a_file), cmocka_unit_test(journal), cmocka_unit_test(undone_journal),
        cmocka_unit_test(rows_that_come_again), cmocka_unit_test(rows_that_were_held), cmocka_unit_test(ends_that_were_held),
        cmocka_unit_test(new_operations), cmocka_unit_test(new_numbers), cmocka_unit_test(merges), cmocka_unit_test(steps_of_a_move),
        cmocka_unit_test(steps_of_an_undo), cmocka_unit_test(undo_of_an_end), cmocka_unit_test(alias_lists),
        cmocka_unit_test(flags_when_a_merge_is_taken_back),
        cmocka_unit_test(ties_of_one_resident),
    };
    return cmocka_run_group_tests(tests, bench_up, bench_down);
}
