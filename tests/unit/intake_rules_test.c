/* Rules and tables of pmhgw-intake: ties, apply, tasks, back-off, breaker, numbers in memory, locks. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/intake/backoff.h"
#include "keys/intake/hot.h"
#include "keys/intake/judge.h"
#include "keys/intake/locks.h"
#include "keys/intake/task.h"

#define SID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define RK_1 "11111111111111111111111111111111"
#define RK_2 "22222222222222222222222222222222"

/* ---- ties ---- */

static void ties(void **state)
{
    (void)state;
    static const struct { const char *rk, *rk_of_sid, *sid_of_rk; enum nz_result result; enum nz_code code; } CASES[] = {
        { "", "", "", NZ_WAITING, NZ_CODE_NONE },
        { "", RK_1, "", NZ_WAITING, NZ_CODE_NONE }, /* a row without a resident key contradicts none */
        { RK_1, "", "", NZ_WAITING, NZ_CODE_NONE },
        { RK_1, RK_1, SID_A, NZ_WAITING, NZ_CODE_NONE },
        { RK_1, "", SID_B, NZ_QUARANTINED, NZ_CODE_RESIDENT_TWO },
        { RK_1, RK_2, "", NZ_QUARANTINED, NZ_CODE_NUMBER_TWO },
        { RK_1, RK_2, SID_B, NZ_QUARANTINED, NZ_CODE_RESIDENT_TWO },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_ties t = { .sid = LIT(SID_A), .rk = slice_str(CASES[i].rk), .rk_of_sid = slice_str(CASES[i].rk_of_sid),
                             .sid_of_rk = slice_str(CASES[i].sid_of_rk) };
        struct nz_verdict v = nz_judge_ties(&t);
        assert_int_equal(v.result, CASES[i].result);
        assert_int_equal(v.code, CASES[i].code);
    }
}

/* ---- apply ---- */

#define BASIC_A "{\"name\":\"A\",\"dateOfBirth\":\"2013-01-01\"}"
#define BASIC_A_RENAMED "{\"name\":\"B\",\"dateOfBirth\":\"2013-01-01\"}"
#define BASIC_B "{\"name\":\"B\",\"dateOfBirth\":\"1980-05-05\"}"

static struct record record_of(const char *basic, const char *eligibility, uint64_t ms, uint8_t task)
{
    struct record r = { .stored_ms = ms, .row = 1, .basic = slice_str(basic), .eligibility = slice_str(eligibility) };
    memset(r.task, task, sizeof r.task);
    return r;
}

static struct nz_apply_view view_of(const struct record *in, const struct record *old)
{
    return (struct nz_apply_view){ .ties.sid = LIT(SID_A), .pmh_key = LIT("k1"), .incoming = in, .stored = old };
}

static void check(struct nz_apply_view v, enum nz_result result, enum nz_code code, bool write)
{
    struct nz_verdict got = nz_judge_apply(&v);
    assert_int_equal(got.result, result);
    assert_int_equal(got.code, code);
    assert_int_equal(got.write, write);
}

static bool touches(struct nz_apply_view v) { return nz_judge_apply(&v).touch; }

static void apply_outcomes(void **state)
{
    (void)state;
    struct record in = record_of(BASIC_A, "{}", 1000, 1), same = record_of(BASIC_A, "{}", 900, 2), other = record_of(BASIC_A, "{1}", 900, 2),
                  newer = record_of(BASIC_A, "{2}", 1100, 3), renamed = record_of(BASIC_A_RENAMED, "{}", 900, 2),
                  foreign = record_of(BASIC_B, "{}", 900, 2), mine = record_of(BASIC_A, "{}", 1000, 1);
    check(view_of(&in, NULL), NZ_REGISTERED, NZ_CODE_NONE, true);
    check(view_of(&in, &same), NZ_UNCHANGED, NZ_CODE_NONE, false);
    check(view_of(&in, &other), NZ_UPDATED, NZ_CODE_NONE, true);
    check(view_of(&in, &newer), NZ_UNCHANGED, NZ_CODE_SUPERSEDED, false);
    check(view_of(&in, &renamed), NZ_UPDATED, NZ_CODE_NONE, true);
    check(view_of(&in, &foreign), NZ_QUARANTINED, NZ_CODE_MISMATCH, false);
    /* the very row again after a crash: the outcome it had */
    check(view_of(&in, &mine), NZ_REGISTERED, NZ_CODE_NONE, false);
    mine.updated = true;
    check(view_of(&in, &mine), NZ_UPDATED, NZ_CODE_NONE, false);
    mine.row = 0; /* an earlier row of the same task */
    check(view_of(&in, &mine), NZ_UNCHANGED, NZ_CODE_NONE, false);
    /* an unchanged row moves the time of what is stored, and nothing else does without writing */
    assert_true(touches(view_of(&in, &same)));
    assert_false(touches(view_of(&in, &newer)));
    assert_false(touches(view_of(&in, &other)));
    assert_false(touches(view_of(&in, NULL)));
    struct nz_apply_view v = view_of(&in, NULL);
    v.sibling = &foreign;
    check(v, NZ_QUARANTINED, NZ_CODE_MISMATCH, false);
    v.sibling = &renamed;
    check(v, NZ_REGISTERED, NZ_CODE_NONE, true);
}

static void removals(void **state)
{
    (void)state;
    struct record old = record_of(BASIC_A, "{}", 900, 2), in = record_of("", "", 1000, 1), later = in, after;
    old.to = 20260331;
    in.removal = later.removal = true;
    in.ended = 20250401;
    later.ended = 20250501;
    later.stored_ms = 1100;
    later.row = 2;
    check(view_of(&in, NULL), NZ_REFUSED, NZ_CODE_NOT_THERE, false);
    struct nz_apply_view v = view_of(&in, &old);
    struct nz_verdict got = nz_judge_apply(&v);
    check(v, NZ_UPDATED, NZ_CODE_NONE, true);
    assert_true(nz_judge_after(&got, &in, &old, &after));
    assert_true(after.ended == 20250401 && after.to == 20260331 && !after.removal && !after.deleted && after.updated);
    assert_true(slice_eq(after.basic, old.basic) && slice_eq(after.eligibility, old.eligibility));
    assert_true(after.stored_ms == 1000 && after.row == 1 && after.task[0] == 1);
    check(view_of(&in, &after), NZ_UPDATED, NZ_CODE_NONE, false); /* the very row again after a crash */
    /* sent again: the same date changes nothing, another one overwrites */
    struct record again = in, at_once = after;
    again.stored_ms = 1050;
    again.row = 3;
    check(view_of(&again, &after), NZ_UNCHANGED, NZ_CODE_NONE, false);
    assert_true(touches(view_of(&again, &after)));
    v = view_of(&later, &at_once);
    got = nz_judge_apply(&v);
    check(v, NZ_UPDATED, NZ_CODE_NONE, true);
    assert_true(nz_judge_after(&got, &later, &at_once, &after));
    assert_true(after.ended == 20250501);
    /* registered again: the end is gone */
    struct record back = record_of(BASIC_A, "{}", 1200, 4);
    v = view_of(&back, &after);
    check(v, NZ_UPDATED, NZ_CODE_NONE, true);
    /* an older removal that had to wait does nothing to it */
    check(view_of(&in, &back), NZ_UNCHANGED, NZ_CODE_SUPERSEDED, false);
}

static void a_removal_raises_flags_and_lowers_none(void **state)
{
    (void)state;
    struct record old = record_of(BASIC_A, "{}", 900, 2), in = record_of("", "", 1000, 1), after;
    in.removal = true;
    old.not_disclosed = in.viewing_stopped = true;
    struct nz_apply_view v = view_of(&in, &old);
    struct nz_verdict got = nz_judge_apply(&v);
    assert_true(nz_judge_after(&got, &in, &old, &after));
    assert_true(after.not_disclosed && after.viewing_stopped);
}

/* Somebody else's name in a removal is a mix-up all the same; no name is none. */
static void a_removal_of_another_person(void **state)
{
    (void)state;
    struct record old = record_of(BASIC_A, "{}", 900, 2), in = record_of(BASIC_B, "", 1000, 1);
    in.removal = true;
    in.ended = 20250401;
    check(view_of(&in, &old), NZ_QUARANTINED, NZ_CODE_MISMATCH, false);
    in.basic = SLICE_NONE;
    check(view_of(&in, &old), NZ_UPDATED, NZ_CODE_NONE, true);
}

static void what_is_stored_by_the_verdict(void **state)
{
    (void)state;
    struct record in = record_of(BASIC_A, "{1}", 1000, 1), old = record_of(BASIC_A, "{}", 900, 2), after;
    assert_false(nz_judge_after(&(struct nz_verdict){ .result = NZ_REFUSED }, &in, &old, &after));
    assert_true(nz_judge_after(&(struct nz_verdict){ .result = NZ_REGISTERED, .write = true }, &in, NULL, &after));
    assert_true(record_same(&after, &in) && !after.updated);
    assert_true(nz_judge_after(&(struct nz_verdict){ .result = NZ_UPDATED, .write = true }, &in, &old, &after));
    assert_true(record_same(&after, &in) && after.updated && after.task[0] == 1);
    assert_true(nz_judge_after(&(struct nz_verdict){ .result = NZ_UNCHANGED, .touch = true }, &in, &old, &after));
    assert_true(record_same(&after, &old) && after.stored_ms == 1000 && after.task[0] == 2);
}

static void apply_conflicts(void **state)
{
    (void)state;
    struct record in = record_of(BASIC_A, "{}", 1000, 1);
    struct nz_apply_view v = view_of(&in, NULL);
    v.sid_of_person = LIT(SID_B);
    check(v, NZ_QUARANTINED, NZ_CODE_UPSTREAM, false);
    v.sid_of_person = LIT(SID_A);
    check(v, NZ_REGISTERED, NZ_CODE_NONE, true);
    v.key_of_sid = LIT("k2");
    check(v, NZ_QUARANTINED, NZ_CODE_UPSTREAM, false);
    v.key_of_sid = LIT("k1");
    check(v, NZ_REGISTERED, NZ_CODE_NONE, true);
    v.ties.rk = LIT(RK_1);
    v.ties.sid_of_rk = LIT(SID_B);
    check(v, NZ_QUARANTINED, NZ_CODE_RESIDENT_TWO, false);
}

static void mismatch_needs_both(void **state)
{
    (void)state;
    static const struct { const char *a, *b; bool want; } CASES[] = {
        { BASIC_A, BASIC_B, true }, { BASIC_A, BASIC_A, false }, { BASIC_A, BASIC_A_RENAMED, false },
        { BASIC_A, "{\"name\":\"B\"}", false }, { BASIC_A, "", false }, { "", BASIC_B, false }, { BASIC_A, "not json", false },
        { "{\"name\":\"a,\\\"dateOfBirth\\\":\\\"2013-01-01\\\"\",\"sex\":\"1\",\"dateOfBirth\":\"1980-05-05\"}", BASIC_A, true },
        { "{\"name\":\"a,\\\"dateOfBirth\\\":\\\"1999-01-01\\\"\",\"sex\":\"1\",\"dateOfBirth\":\"2013-01-01\"}", BASIC_A, false },
        { "{\"name\":\"A\\\\\",\"dateOfBirth\":\"1980-05-05\"}", "{\"name\":\"A\\\"\",\"dateOfBirth\":\"2013-01-01\"}", true },
        { "{\"name\":\"B", BASIC_A, false }, { "{\"name\":\"B\\", BASIC_A, false }, { BASIC_B, "{\"dateOfBirth\":\"x\"}", false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(nz_basic_mismatch(slice_str(CASES[i].a), slice_str(CASES[i].b)), CASES[i].want);
}

/* ---- tasks ---- */

static struct nz_task task_of(uint64_t rows, uint64_t registered, uint64_t refused)
{
    struct nz_task t = { .received_ms = 1000, .rows = rows };
    t.count[NZ_REGISTERED] = registered;
    t.count[NZ_REFUSED] = refused;
    assert_true(nz_task_complete(&t));
    return t;
}

static void task_states(void **state)
{
    (void)state;
    struct nz_task t = task_of(3, 3, 0);
    assert_string_equal(nz_task_state(&t, false, 2000), "done");
    t = task_of(3, 2, 1);
    assert_string_equal(nz_task_state(&t, true, 2000), "done_with_errors");
    t = task_of(3, 2, 0);
    assert_string_equal(nz_task_state(&t, true, 2000), "accepted");
    assert_string_equal(nz_task_state(&t, false, 2000), "processing");
    t.failed_ms = 70000;
    assert_string_equal(nz_task_state(&t, false, 1000 + NZ_STALLED_MS), "processing");
    assert_string_equal(nz_task_state(&t, false, 1001 + NZ_STALLED_MS), "stalled");
    t.moved_ms = 70001;
    assert_string_equal(nz_task_state(&t, false, 1001 + NZ_STALLED_MS), "processing");
    assert_string_equal(nz_task_state(&t, false, 0), "processing"); /* the clock went back */
    t.upstream_down = true;
    assert_string_equal(nz_task_state(&t, false, 1000 + NZ_STALLED_MS), "processing");
    assert_string_equal(nz_task_state(&t, false, 1001 + NZ_STALLED_MS), "stalled");
}

static void task_fields(void **state)
{
    (void)state;
    struct nz_task t = { 0 };
    assert_true(nz_task_field(&t, LIT("op"), LIT("postHistoryRegistrationTasks")));
    assert_int_equal(t.form, NZ_FORM_HISTORY);
    assert_false(nz_task_field(&t, LIT("op"), LIT("dropTables")));
    assert_true(nz_task_field(&t, LIT("ms"), LIT("1795231270438")));
    assert_true(nz_task_field(&t, LIT("rows"), LIT("2")));
    assert_true(nz_task_field(&t, LIT("registered"), LIT("1")));
    assert_true(nz_task_field(&t, LIT("of a later version"), LIT("x")));
    assert_false(nz_task_field(&t, LIT("rows"), LIT("-2")));
    assert_true(nz_task_complete(&t));
    assert_int_equal(t.count[NZ_WAITING], 1);
    t.count[NZ_REFUSED] = 2;
    assert_false(nz_task_complete(&t));
    struct nz_task none = { 0 };
    assert_false(nz_task_complete(&none));
}

static void task_as_json(void **state)
{
    (void)state;
    struct nz_task t = task_of(2, 1, 0);
    struct buf b, code;
    struct jsonw w;
    buf_init(&b, 4096);
    buf_init(&code, 256);
    struct nz_row_result r = { .result = NZ_REGISTERED };
    nz_row_result_encode(&r, &code);
    struct slice rows[2] = { buf_slice(&code), SLICE_NONE };
    jsonw_init(&w, &b);
    nz_task_json_open(&t, false, 2000, &w);
    assert_true(err_ok(nz_task_json_rows(rows, 2, &w)));
    jsonw_end_object(&w);
    buf_putc(&b, 0);
    assert_non_null(strstr((char *)b.p, "\"task_id\":\"00000000000000000000000000000000\",\"operation\":\"postRegistrationTasks\",\"state\":\"processing\","
                                        "\"received_at\":\"1970-01-01T00:00:01.000Z\",\"counts\":{\"rows\":2,\"registered\":1"));
    assert_non_null(strstr((char *)b.p, "\"rows\":[{\"row\":1,\"result\":\"registered\"},{\"row\":2,\"result\":\"waiting\"}]}"));
    rows[1] = LIT("damaged");
    buf_reset(&b);
    jsonw_init(&w, &b);
    nz_task_json_open(&t, false, 2000, &w);
    assert_int_equal(nz_task_json_rows(rows, 2, &w).code, E_SEAL);
    buf_done(&b);
    buf_done(&code);
}

/* ---- when to try again ---- */

static void backoff(void **state)
{
    (void)state;
    for (uint64_t rnd = 0; rnd < 5000; rnd += 7) {
        uint64_t first = nz_backoff_ms(0, 1000, 300000, rnd), later = nz_backoff_ms(16000, 1000, 300000, rnd),
                 last = nz_backoff_ms(10000000, 1000, 300000, rnd);
        assert_in_range(first, 750, 1250);
        assert_in_range(later, 12000, 20000);
        assert_in_range(last, 225000, 375000);
    }
}

static void breaker_pairs(void **state)
{
    (void)state;
    static const bool LEGAL[NZ_BREAKER__STATES][NZ_BREAKER__EVENTS] = {
        [NZ_BREAKER_CLOSED] = { [NZ_BREAKER_GOOD] = true, [NZ_BREAKER_BAD] = true },
        [NZ_BREAKER_OPEN] = { [NZ_BREAKER_GOOD] = true, [NZ_BREAKER_BAD] = true, [NZ_BREAKER_DUE] = true },
        [NZ_BREAKER_PROBING] = { [NZ_BREAKER_GOOD] = true, [NZ_BREAKER_BAD] = true, [NZ_BREAKER_VOID] = true },
    };
    for (int s = 0; s < NZ_BREAKER__STATES; s++) {
        for (int ev = 0; ev < NZ_BREAKER__EVENTS; ev++) {
            struct nz_breaker b;
            nz_breaker_init(&b, 100, 1000);
            b.state = (enum nz_breaker_state)s;
            assert_int_equal(nz_breaker_step(&b, (enum nz_breaker_event)ev, 0, 0), LEGAL[s][ev]);
        }
    }
}

static void breaker_story(void **state)
{
    (void)state;
    struct nz_breaker b;
    uint64_t now = 5000;
    nz_breaker_init(&b, 100, 1000);
    for (int i = 0; i < NZ_BREAKER_FAILURES; i++) {
        assert_int_equal(nz_breaker_room(&b, now, 4), 4);
        assert_true(nz_breaker_step(&b, NZ_BREAKER_BAD, now, 0));
    }
    uint64_t last_wait = 0;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(b.state, NZ_BREAKER_OPEN);
        assert_int_equal(nz_breaker_room(&b, b.due - 1, 4), 0);
        assert_int_equal(nz_breaker_room(&b, b.due, 4), 1);
        assert_true(b.due - now >= last_wait && b.due - now <= 1000);
        last_wait = b.due - now;
        now = b.due;
        assert_true(nz_breaker_step(&b, NZ_BREAKER_DUE, now, 0));
        assert_int_equal(nz_breaker_room(&b, now, 4), 0);
        assert_true(nz_breaker_step(&b, NZ_BREAKER_BAD, now, 0));
    }
    assert_true(nz_breaker_step(&b, NZ_BREAKER_GOOD, now, 0));
    assert_int_equal(nz_breaker_room(&b, now, 4), 4);
    assert_int_equal(b.failures, 0);
}

/* ---- numbers in memory ---- */

static void hot_numbers(void **state)
{
    (void)state;
    enum { N = 200 };
    struct nz_pool *pool;
    struct nz_hot *hot;
    uint64_t since;
    assert_true(err_ok(nz_pool_new(&pool, N + 1)));
    assert_true(err_ok(nz_hot_new(&hot, N / 2)));
    uint8_t sid[SUBJECT_BYTES] = { 0 };
    for (unsigned i = 0; i < N; i++) {
        struct nz_mynum *m;
        assert_true(err_ok(nz_mynum_new(&m, pool, LIT("123456789012"))));
        sid[0] = (uint8_t)(i % 8); /* long runs of neighbours */
        sid[8] = (uint8_t)i;
        nz_hot_put(hot, sid, m, i);
    }
    assert_int_equal(nz_hot_count(hot), N / 2);
    assert_int_equal(nz_pool_used(pool), N / 2);
    for (unsigned i = 0; i < N; i += 3) {
        sid[0] = (uint8_t)(i % 8);
        sid[8] = (uint8_t)i;
        struct nz_mynum *m = nz_hot_take(hot, sid, &since);
        assert_int_equal(m != NULL, i < N / 2);
        nz_mynum_free(m);
        assert_null(nz_hot_take(hot, sid, &since));
    }
    nz_hot_sweep(hot, NZ_HOT_MS + 50);
    for (unsigned i = 0; i < N / 2; i++) {
        sid[0] = (uint8_t)(i % 8);
        sid[8] = (uint8_t)i;
        struct nz_mynum *m = nz_hot_take(hot, sid, &since);
        assert_int_equal(m != NULL, i >= 50 && i % 3 != 0);
        nz_mynum_free(m);
    }
    assert_int_equal(nz_pool_used(pool), 0);
    nz_hot_free(hot);
    nz_pool_free(pool);
}

static void hot_number_twice(void **state)
{
    (void)state;
    struct nz_pool *pool;
    struct nz_hot *hot;
    struct nz_mynum *a, *b;
    const uint8_t sid[SUBJECT_BYTES] = { 7 };
    assert_true(err_ok(nz_pool_new(&pool, 2)));
    assert_true(err_ok(nz_hot_new(&hot, 2)));
    assert_true(err_ok(nz_mynum_new(&a, pool, LIT("123456789012"))));
    assert_true(err_ok(nz_mynum_new(&b, pool, LIT("123456789012"))));
    nz_hot_put(hot, sid, a, 0);
    nz_hot_put(hot, sid, b, 0);
    nz_hot_put(hot, sid, NULL, 0);
    assert_int_equal(nz_pool_used(pool), 1);
    nz_hot_free(hot);
    assert_int_equal(nz_pool_used(pool), 0);
    nz_pool_free(pool);
}

/* Given out and put back again and again, a number still goes when its time is over. */
static void hot_number_put_back(void **state)
{
    (void)state;
    struct nz_pool *pool;
    struct nz_hot *hot;
    struct nz_mynum *m;
    uint64_t since;
    const uint8_t sid[SUBJECT_BYTES] = { 7 };
    assert_true(err_ok(nz_pool_new(&pool, 1)));
    assert_true(err_ok(nz_hot_new(&hot, 1)));
    assert_true(err_ok(nz_mynum_new(&m, pool, LIT("123456789012"))));
    nz_hot_put(hot, sid, m, 100);
    for (uint64_t now = 1000; now <= NZ_HOT_MS; now += 1000) {
        nz_hot_sweep(hot, now);
        m = nz_hot_take(hot, sid, &since);
        assert_non_null(m);
        assert_int_equal(since, 100);
        nz_hot_put(hot, sid, m, since);
    }
    nz_hot_sweep(hot, 101 + NZ_HOT_MS);
    assert_null(nz_hot_take(hot, sid, &since));
    assert_int_equal(nz_pool_used(pool), 0);
    nz_hot_free(hot);
    nz_pool_free(pool);
}

/* ---- locks ---- */

static void locks(void **state)
{
    (void)state;
    struct nz_locks *l;
    uint8_t ab[2][NZ_LOCK_BYTES] = { { 1 }, { 2 } }, bc[2][NZ_LOCK_BYTES] = { { 2 }, { 3 } }, aa[2][NZ_LOCK_BYTES] = { { 1 }, { 1 } };
    assert_true(err_ok(nz_locks_new(&l, 4)));
    assert_true(nz_locks_take(l, (const uint8_t(*)[NZ_LOCK_BYTES])ab, 2));
    assert_false(nz_locks_take(l, (const uint8_t(*)[NZ_LOCK_BYTES])bc, 2));
    assert_int_equal(nz_locks_count(l), 2);
    nz_locks_give(l, (const uint8_t(*)[NZ_LOCK_BYTES])ab, 2);
    assert_int_equal(nz_locks_count(l), 0);
    assert_true(nz_locks_take(l, (const uint8_t(*)[NZ_LOCK_BYTES])aa, 2));
    assert_int_equal(nz_locks_count(l), 1);
    assert_true(nz_locks_take(l, (const uint8_t(*)[NZ_LOCK_BYTES])bc, 2));
    uint8_t more[2][NZ_LOCK_BYTES] = { { 8 }, { 9 } };
    assert_false(nz_locks_take(l, (const uint8_t(*)[NZ_LOCK_BYTES])more, 2)); /* no room */
    nz_locks_give(l, (const uint8_t(*)[NZ_LOCK_BYTES])aa, 2);
    nz_locks_give(l, (const uint8_t(*)[NZ_LOCK_BYTES])bc, 2);
    assert_int_equal(nz_locks_count(l), 0);
    nz_locks_free(l);
}

/* A random walk against a plain array of flags. */
static void locks_model(void **state)
{
    (void)state;
    enum { NAMES = 24 };
    struct nz_locks *l;
    bool held[NAMES] = { false };
    uint32_t seed = 1;
    assert_true(err_ok(nz_locks_new(&l, NAMES)));
    for (int step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 16) % NAMES;
        uint8_t name[1][NZ_LOCK_BYTES] = { { (uint8_t)(i % 3), 0, 0, 0, 0, 0, 0, 0, (uint8_t)i } };
        if ((seed >> 8) & 1) {
            assert_int_equal(nz_locks_take(l, (const uint8_t(*)[NZ_LOCK_BYTES])name, 1), !held[i]);
            held[i] = true;
        } else {
            nz_locks_give(l, (const uint8_t(*)[NZ_LOCK_BYTES])name, 1);
            held[i] = false;
        }
    }
    nz_locks_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ties),          cmocka_unit_test(apply_outcomes),   cmocka_unit_test(apply_conflicts), cmocka_unit_test(removals), cmocka_unit_test(a_removal_raises_flags_and_lowers_none),
        cmocka_unit_test(a_removal_of_another_person), cmocka_unit_test(what_is_stored_by_the_verdict), cmocka_unit_test(mismatch_needs_both),
        cmocka_unit_test(task_states),   cmocka_unit_test(task_fields),      cmocka_unit_test(task_as_json),    cmocka_unit_test(backoff),
        cmocka_unit_test(breaker_pairs), cmocka_unit_test(breaker_story),    cmocka_unit_test(hot_numbers),     cmocka_unit_test(hot_number_twice),
        cmocka_unit_test(hot_number_put_back),
        cmocka_unit_test(locks),         cmocka_unit_test(locks_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
