/* Who was erased, on a real Redis with the rights of the intake: noted once, never earlier than before, forgotten when nobody can ask, and bounded. */

#include "tests/unit/redis_bench.h"

#include "keys/intake/erased.h"
#include "keys/intake/names.h"

#define MUNI "331007"
enum { MANY = 5000, ASKED = 3 };

struct heard { unsigned times; struct err e, check; int64_t num; bool since[ASKED]; };
struct question { struct heard h; size_t n; uint64_t received_ms; };

static void on_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct question *q = arg;
    q->h.times++;
    q->h.e = e;
    if (!err_ok(e) || n != 1)
        return;
    q->h.num = redis_reply_int(replies[0]);
    q->h.check = nz_erased_check(replies[0], q->n);
    for (size_t i = 0; err_ok(q->h.check) && i < q->n; i++)
        q->h.since[i] = nz_erased_since(replies[0], i, q->received_ms);
}

static struct heard say(struct bench *b, struct redis_batch *batch, size_t n, uint64_t received_ms)
{
    struct question q = { .n = n, .received_ms = received_ms };
    redis_send(b->redis, batch, in_ms(b, 4000), on_heard, &q);
    UNTIL(b, q.h.times == 1);
    assert_true(err_ok(q.h.e));
    return q.h;
}

static void note(struct bench *b, uint64_t at_ms, struct slice hex)
{
    struct redis_batch *batch = redis_batch_new(2048);
    nz_erased_note(batch, MUNI, at_ms, &hex, 1);
    say(b, batch, 0, 0);
}

static bool since(struct bench *b, struct slice hex, uint64_t received_ms)
{
    struct redis_batch *batch = redis_batch_new(2048);
    nz_erased_ask(batch, MUNI, &hex, 1);
    struct heard h = say(b, batch, 1, received_ms);
    assert_true(err_ok(h.check));
    return h.since[0];
}

static int64_t count(struct bench *b, uint64_t received_ms)
{
    struct redis_batch *batch = redis_batch_new(2048);
    nz_erased_count(batch, MUNI, received_ms);
    return say(b, batch, 0, 0).num;
}

static void prune(struct bench *b, uint64_t before_ms)
{
    struct redis_batch *batch = redis_batch_new(2048);
    nz_erased_prune(batch, MUNI, before_ms);
    say(b, batch, 0, 0);
}

static void forget_all(struct bench *b)
{
    struct redis_batch *batch = redis_batch_new(2048);
    REDIS_ADD(batch, LIT("DEL"), LIT("er:" MUNI), LIT("tl:" MUNI));
    say(b, batch, 0, 0);
}

static void what_came_then_or_before_is_before(void **state)
{
    struct bench *b = *state;
    note(b, 1795000000000, LIT("x"));
    assert_true(since(b, LIT("x"), 1794999999999) && since(b, LIT("x"), 1795000000000));
    assert_false(since(b, LIT("x"), 1795000000001) || since(b, LIT("y"), 0));
    assert_int_equal(count(b, 1795000000000), 1);
    assert_int_equal(count(b, 1795000000001), 0);
    note(b, 5, LIT("x")); /* told again of an older one */
    assert_true(since(b, LIT("x"), 1795000000000));
    note(b, 1795000000009, LIT("x"));
    assert_true(since(b, LIT("x"), 1795000000009));
    assert_int_equal(count(b, 0), 1);
    forget_all(b);
}

static void one_question_about_many(void **state)
{
    struct bench *b = *state;
    const struct slice hex[ASKED] = { LIT("a"), LIT("b"), LIT("c") };
    struct redis_batch *batch = redis_batch_new(2048);
    note(b, 100, LIT("b"));
    nz_erased_ask(batch, MUNI, hex, ASKED);
    struct heard h = say(b, batch, ASKED, 100);
    assert_true(err_ok(h.check) && !h.since[0] && h.since[1] && !h.since[2]);
    batch = redis_batch_new(2048);
    nz_erased_ask(batch, MUNI, hex, 2);
    assert_true(err_is(say(b, batch, ASKED, 100).check, E_STORE_REFUSED));
    forget_all(b);
}

static void kept_while_a_task_of_before_is(void **state)
{
    struct bench *b = *state;
    struct redis_batch *batch = redis_batch_new(2048);
    REDIS_ADD(batch, LIT("ZADD"), LIT("tl:" MUNI), LIT("200"), LIT("t1"), LIT("300"), LIT("t2"));
    say(b, batch, 0, 0);
    note(b, 199, LIT("a"));
    note(b, 200, LIT("b"));
    note(b, 400, LIT("c"));
    prune(b, 150); /* a request may be under way */
    assert_int_equal(count(b, 0), 3);
    prune(b, 1000);
    assert_int_equal(count(b, 0), 2);
    assert_true(since(b, LIT("b"), 200) && since(b, LIT("c"), 200));
    batch = redis_batch_new(2048);
    REDIS_ADD(batch, LIT("DEL"), LIT("tl:" MUNI));
    say(b, batch, 0, 0);
    prune(b, 400);
    assert_int_equal(count(b, 0), 1);
    prune(b, 401);
    assert_int_equal(count(b, 0), 0);
    forget_all(b);
}

static void note_many(struct bench *b, uint64_t at_ms, unsigned from)
{
    static char text[MANY][12];
    static struct slice hex[MANY];
    struct redis_batch *batch = redis_batch_new(1 << 20);
    for (unsigned i = 0; i < MANY; i++)
        hex[i] = slice_of(text[i], (size_t)snprintf(text[i], sizeof text[i], "%u", from + i));
    nz_erased_note(batch, MUNI, at_ms, hex, MANY);
    say(b, batch, 0, 0);
}

/* When there are too many, nobody of before is applied any more, and memory does not grow. */
static void too_many(void **state)
{
    struct bench *b = *state;
    for (unsigned i = 0; i < NZ_ERASED_MAX / MANY; i++)
        note_many(b, 1000 + i, i * MANY);
    assert_int_equal(count(b, 0), NZ_ERASED_MAX);
    assert_false(since(b, LIT("stranger"), 0));
    note(b, 2000, LIT("one more"));
    assert_int_equal(count(b, 0), NZ_ERASED_MAX);
    assert_true(since(b, LIT("stranger"), 1000) && since(b, LIT("one more"), 2000));
    assert_false(since(b, LIT("stranger"), 1001));
    note_many(b, 3000, 10 * NZ_ERASED_MAX);
    assert_int_equal(count(b, 0), NZ_ERASED_MAX);
    assert_true(since(b, LIT("stranger"), 1001) && since(b, LIT("one more"), 2000));
    assert_false(since(b, LIT("stranger"), 1002));
    forget_all(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_then_or_before_is_before), cmocka_unit_test(one_question_about_many), cmocka_unit_test(kept_while_a_task_of_before_is),
        cmocka_unit_test(too_many),
    };
    return cmocka_run_group_tests(tests, setup_link, teardown);
}
