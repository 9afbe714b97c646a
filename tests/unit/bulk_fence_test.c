#include "tests/unit/redis_bench.h"

#include "keys/bulk/script.h"
#include "keys/intake/erased.h"

enum { RECEIVED = 1000 };
static const struct store_name TASK = { "t:331007:0123456789abcdef0123456789abcdef", 41 };

struct heard { unsigned times; struct err e; enum nz_fenced_said said; enum redis_type last; uint64_t fence; int64_t num; };

static void on_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct heard *h = arg;
    h->times++;
    h->e = e;
    if (!err_ok(e))
        return;
    h->said = nz_fenced_heard(replies, n);
    h->last = redis_reply_type(replies[n - 1]);
    h->num = redis_reply_int(replies[n - 1]);
    h->fence = nz_fence_raised(replies, n);
}

static struct heard ask(struct bench *b, struct redis_batch *q)
{
    struct heard h = { 0 };
    redis_send(b->redis, q, in_ms(b, 4000), on_heard, &h);
    UNTIL(b, h.times == 1);
    return h;
}

static uint64_t raise_fence(struct bench *b)
{
    struct redis_batch *q = redis_batch_new(1024);
    nz_fence_raise(q, &TASK);
    struct heard h = ask(b, q);
    assert_true(err_ok(h.e) && h.fence > 0);
    return h.fence;
}

static int64_t number(struct bench *b, struct slice cmd, struct slice key)
{
    struct redis_batch *q = redis_batch_new(1024);
    REDIS_ADD(q, cmd, key);
    struct heard h = ask(b, q);
    assert_true(err_ok(h.e));
    return h.num;
}

/* Two rows that write `key`, a guard that `absent` is not there, and one that `stranger` has no field s:331007. */
static struct redis_batch *writing(uint64_t fence, uint64_t turn, struct slice key, struct slice absent, struct slice stranger)
{
    struct redis_batch *q = redis_batch_new(8192);
    const struct nz_fenced f = { .task = &TASK, .fence = fence, .turn = turn, .muni = "331007", .received_ms = RECEIVED, .absent = absent.n > 0, .strangers = stranger.n > 0, .field = LIT("s:331007") };
    nz_fenced_begin(q, &f);
    if (absent.n)
        redis_arg(q, absent);
    if (stranger.n)
        redis_arg(q, stranger);
    nz_fenced_commands(q);
    REDIS_ADD(q, LIT("HSET"), key, LIT("a"), LIT("1"));
    REDIS_ADD(q, LIT("HSET"), key, LIT("b"), LIT("2"), LIT("c"), LIT("3"));
    nz_fenced_end(q);
    redis_raise(q, STORE_EPOCH);
    return q;
}

static void all_or_nothing_under_the_fence(void **state)
{
    struct bench *b = *state;
    uint64_t fence = raise_fence(b);
    struct heard h = ask(b, writing(fence, 1, LIT("p:{one}"), SLICE_NONE, SLICE_NONE));
    assert_true(err_ok(h.e) && h.said == NZ_FENCED_DONE);
    assert_int_equal(number(b, LIT("HLEN"), LIT("p:{one}")), 3);
    assert_int_equal(raise_fence(b), fence + 1);
    h = ask(b, writing(fence, 2, LIT("p:{late}"), SLICE_NONE, SLICE_NONE));
    assert_true(err_ok(h.e) && h.said == NZ_FENCED_LOST);
    assert_int_equal(number(b, LIT("EXISTS"), LIT("p:{late}")), 0);
}

static void guards(void **state)
{
    struct bench *b = *state;
    uint64_t fence = raise_fence(b);
    number(b, LIT("INCR"), LIT("rk:331007:there"));
    struct redis_batch *q = redis_batch_new(256);
    REDIS_ADD(q, LIT("HSET"), LIT("p:{other}"), LIT("s:331007"), LIT("x"), LIT("s:271403"), LIT("y"));
    REDIS_ADD(q, LIT("HSET"), LIT("p:{foreign}"), LIT("s:271403"), LIT("y"));
    assert_true(err_ok(ask(b, q).e));
    assert_int_equal(ask(b, writing(fence, 3, LIT("p:{g1}"), LIT("rk:331007:there"), SLICE_NONE)).said, NZ_FENCED_NOTHING);
    assert_int_equal(ask(b, writing(fence, 4, LIT("p:{g1}"), LIT("rk:331007:new"), LIT("p:{other}"))).said, NZ_FENCED_NOTHING);
    assert_int_equal(number(b, LIT("EXISTS"), LIT("p:{g1}")), 0);
    assert_int_equal(ask(b, writing(fence, 5, LIT("p:{g2}"), LIT("rk:331007:new"), LIT("p:{foreign}"))).said, NZ_FENCED_DONE);
    assert_int_equal(ask(b, writing(fence, 6, LIT("p:{g3}"), LIT("rk:331007:new"), LIT("p:{nobody}"))).said, NZ_FENCED_DONE);
    assert_int_equal(number(b, LIT("HLEN"), LIT("p:{g3}")), 3);
}

/* The guard was passed; then something comes between. */
static void nothing_is_written_after(struct bench *b, uint64_t turn, void (*comes_between)(struct bench *b))
{
    uint64_t fence = raise_fence(b);
    struct redis *slow = pool(b, b->sock, "intake", "sesame", 1);
    UNTIL(b, redis_up(slow));
    struct redis_batch *first = redis_batch_new(4096), *rest = redis_batch_new(4096);
    const struct nz_fenced f = { .task = &TASK, .fence = fence, .turn = turn, .muni = "331007", .received_ms = RECEIVED, .field = LIT("s:331007") };
    struct heard passed = { 0 }, done = { 0 };
    nz_fenced_begin(first, &f);
    redis_send(slow, first, in_ms(b, 4000), on_heard, &passed);
    UNTIL(b, passed.times == 1);
    assert_true(err_ok(passed.e) && passed.num == NZ_SCRIPT_DONE);
    comes_between(b);
    nz_fenced_commands(rest);
    REDIS_ADD(rest, LIT("HSET"), LIT("p:{between}"), LIT("a"), LIT("1"));
    nz_fenced_end(rest);
    redis_send(slow, rest, in_ms(b, 4000), on_heard, &done);
    UNTIL(b, done.times == 1);
    assert_true(err_ok(done.e) && done.last == REDIS_NIL);
    assert_int_equal(number(b, LIT("EXISTS"), LIT("p:{between}")), 0);
    redis_close(slow);
    turns_for(b, 20);
}

static void another_takes_the_file(struct bench *b) { raise_fence(b); }
static void a_fence_raised_between_guard_and_commands(void **state) { nothing_is_written_after(*state, 7, another_takes_the_file); }

static void note_erased(struct bench *b, uint64_t at_ms, struct slice hex)
{
    struct redis_batch *q = redis_batch_new(2048);
    nz_erased_note(q, "331007", at_ms, &hex, 1);
    assert_true(err_ok(ask(b, q).e));
}

static void somebody_is_erased(struct bench *b) { note_erased(b, RECEIVED + 1, LIT("three")); }

static void an_erasure_between_guard_and_commands(void **state)
{
    nothing_is_written_after(*state, 202, somebody_is_erased);
    number(*state, LIT("DEL"), LIT("er:331007"));
}

/* Somebody was erased since it was looked who: all of it is looked at again. */
static void an_erasure_that_was_not_looked_at(void **state)
{
    struct bench *b = *state;
    uint64_t fence = raise_fence(b);
    note_erased(b, RECEIVED - 1, LIT("one"));
    assert_int_equal(ask(b, writing(fence, 200, LIT("p:{er}"), SLICE_NONE, SLICE_NONE)).said, NZ_FENCED_DONE);
    note_erased(b, RECEIVED, LIT("two"));
    assert_int_equal(ask(b, writing(fence, 201, LIT("p:{er2}"), SLICE_NONE, SLICE_NONE)).said, NZ_FENCED_NOTHING);
    assert_int_equal(number(b, LIT("EXISTS"), LIT("p:{er2}")), 0);
    number(b, LIT("DEL"), LIT("er:331007"));
}

/* One that finds something does not hinder another one under way, and nothing of either stays in the store. */
static void batches_do_not_hinder_each_other(void **state)
{
    struct bench *b = *state;
    enum { MANY = 60 };
    static struct heard h[MANY];
    uint64_t fence = raise_fence(b);
    number(b, LIT("INCR"), LIT("rk:331007:there"));
    memset(h, 0, sizeof h);
    for (unsigned i = 0; i < MANY; i++)
        redis_send(b->redis, writing(fence, 100 + i, LIT("p:{many}"), i % 2 ? LIT("rk:331007:there") : SLICE_NONE, SLICE_NONE), in_ms(b, 4000), on_heard, &h[i]);
    for (unsigned i = 0; i < MANY; i++) {
        UNTIL(b, h[i].times == 1);
        assert_true(err_ok(h[i].e) && h[i].said == (i % 2 ? NZ_FENCED_NOTHING : NZ_FENCED_DONE));
    }
    assert_int_equal(number(b, LIT("EXISTS"), LIT("t:331007:0123456789abcdef0123456789abcdef:fence")), 0);
    assert_int_equal(number(b, LIT("HLEN"), LIT("t:331007:0123456789abcdef0123456789abcdef")), 1);
}

/* A command that the server refuses: nobody takes that for done. */
static void a_command_that_fails(void **state)
{
    struct bench *b = *state;
    uint64_t fence = raise_fence(b);
    number(b, LIT("INCR"), LIT("p:{no-hash}"));
    assert_true(err_is(ask(b, writing(fence, 8, LIT("p:{no-hash}"), SLICE_NONE, SLICE_NONE)).e, E_STORE_REFUSED));
}

static void put_some(struct nz_args *a)
{
    const struct slice tk = LIT("tk:0123456789abcdef0123456789abcdef"), none = LIT("tk:ffffffffffffffffffffffffffffffff"), p = LIT("p");
    NZ_ARGS(a, LIT("HSET"), tk, p, LIT("p:{one}"));
    nz_args_next_if(a, tk, p, LIT("p:{one}"));
    NZ_ARGS(a, LIT("ZADD"), LIT("vq"), LIT("1"), LIT("holds"));
    nz_args_next_if(a, tk, p, LIT("p:{two}"));
    NZ_ARGS(a, LIT("ZADD"), LIT("vq"), LIT("1"), LIT("another"));
    nz_args_next_if(a, none, p, LIT("p:{one}"));
    NZ_ARGS(a, LIT("ZADD"), LIT("vq"), LIT("1"), LIT("nobody"));
    NZ_ARGS(a, LIT("ZADD"), LIT("vq"), LIT("1"), LIT("behind them"));
}

static int64_t conditional(struct bench *b, uint64_t fence)
{
    struct nz_args count = { 0 }, put = { .out = redis_batch_new(8192) };
    put_some(&count);
    nz_script_begin(put.out, &TASK, fence, count.n);
    put_some(&put);
    assert_int_equal(put.n, count.n);
    struct heard h = ask(b, put.out);
    assert_true(err_ok(h.e));
    return h.num;
}

static bool is_marked(struct bench *b, struct slice member)
{
    struct redis_batch *q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("ZSCORE"), LIT("vq"), member);
    struct heard h = ask(b, q);
    assert_true(err_ok(h.e));
    return h.last != REDIS_NIL;
}

static void a_condition_leaves_out_one_command(void **state)
{
    struct bench *b = *state;
    const uint64_t fence = raise_fence(b);
    assert_int_equal(conditional(b, fence), NZ_SCRIPT_DONE);
    assert_true(is_marked(b, LIT("holds")) && is_marked(b, LIT("behind them")));
    assert_false(is_marked(b, LIT("another")) || is_marked(b, LIT("nobody")));
    number(b, LIT("DEL"), LIT("vq"));
    raise_fence(b);
    assert_int_equal(conditional(b, fence), NZ_SCRIPT_FENCED);
    assert_false(is_marked(b, LIT("holds")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_or_nothing_under_the_fence), cmocka_unit_test(guards), cmocka_unit_test(a_fence_raised_between_guard_and_commands),
        cmocka_unit_test(batches_do_not_hinder_each_other), cmocka_unit_test(an_erasure_that_was_not_looked_at),
        cmocka_unit_test(an_erasure_between_guard_and_commands), cmocka_unit_test(a_command_that_fails),
        cmocka_unit_test(a_condition_leaves_out_one_command),
    };
    return cmocka_run_group_tests(tests, setup_link, teardown);
}
