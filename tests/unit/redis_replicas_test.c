/* gateway/redis with replicas: what is written counts when they have it. Here there are none, or one. */

#include "tests/unit/redis_bench.h"
#include "gateway/redis/redis_int.h"

struct heard { unsigned times; struct err e; size_t n; int64_t first; };

static void hear(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct heard *h = arg;
    h->times++;
    h->e = e;
    h->n = n;
    h->first = n ? redis_reply_int(replies[0]) : 0;
}

static struct redis *waiting_pool(struct bench *b, unsigned replicas)
{
    struct redis *r = NULL;
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, LIT("sesame"))));
    assert_true(err_ok(redis_new(&r, b->loop, (struct redis_conf){ .path = b->sock, .user = "intake", .password = s, .conns = 2, .queue_max = QUEUE_MAX,
                                                                    .replicas = replicas, .wait_ms = 50 })));
    UNTIL(b, redis_up(r));
    return r;
}

static struct heard ask(struct bench *b, struct redis *r, struct redis_batch *q)
{
    struct heard h = { 0 };
    redis_send(r, q, loop_now(b->loop) + 2000, hear, &h);
    UNTIL(b, h.times);
    return h;
}

static struct redis_batch *writing(void)
{
    struct redis_batch *q = redis_batch_new(256);
    redis_raise(q, LIT("ep"));
    return q;
}

static struct redis_batch *reading(void)
{
    struct redis_batch *q = redis_batch_new(256);
    REDIS_ADD(q, LIT("EXISTS"), LIT("ep"));
    REDIS_ADD(q, LIT("GET"), LIT("ep"));
    return q;
}

static void without_replicas_writes_do_not_count_and_reads_do(void **state)
{
    struct bench *b = *state;
    struct redis *r = waiting_pool(b, 1);
    struct heard h = ask(b, r, writing());
    assert_int_equal(h.e.code, E_STORE_REPLICAS);
    assert_int_equal(h.n, 0);
    assert_int_equal(redis_health(r).code, E_STORE_REPLICAS);
    h = ask(b, r, reading());
    assert_true(err_ok(h.e));
    assert_int_equal(h.n, 2);
    assert_int_equal(h.first, 1); /* it was carried out all the same */
    redis_close(r);
}

static void floor_is_one(void *ctx, unsigned conn, uint64_t turn) { redis_guard_floor(*(struct redis **)ctx, conn, turn, OK, 1); }

static void a_number_that_no_replica_has_is_not_remembered(void **state)
{
    struct bench *b = *state;
    struct redis *r = waiting_pool(b, 1);
    assert_int_equal(ask(b, r, writing()).e.code, E_STORE_REPLICAS);
    redis_guard(r, &(struct redis_guard){ .key = LIT("ep"), .ask = floor_is_one, .ctx = &r });
    UNTIL(b, redis_epoch(r) == 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(b, r, writing()).e.code, E_STORE_REPLICAS);
    turns_for(b, REDIS_GUARD_AGAIN_MS + 500);
    assert_int_equal(redis_epoch(r), 1); /* as the log says; the store says 4 */
    assert_true(redis_up(r));
    redis_close(r);
}

static void with_none_asked_for_nothing_waits(void **state)
{
    struct bench *b = *state;
    struct redis *r = waiting_pool(b, 0);
    struct heard h = ask(b, r, writing());
    assert_true(err_ok(h.e));
    assert_int_equal(h.n, 1);
    redis_close(r);
}

static void only_what_may_write_waits(void **state)
{
    (void)state;
    static const struct { const char *command; bool writes; } CASES[] = {
        { "GET", false }, { "HGETALL", false }, { "MGET", false }, { "PING", false }, { "SET", true }, { "EVAL", true }, { "MULTI", true }, { "WATCH", true }, { "get", true }, { "GETDEL", true }, { "", true },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (int behind = 0; behind < 2; behind++) {
            struct redis_batch *q = redis_batch_new(4096);
            if (behind)
                REDIS_ADD(q, LIT("HGET"), LIT("SET\r\n"), LIT("$3\r\nSET"));
            REDIS_ADD(q, slice_str(CASES[i].command), LIT("k"));
            if (redis__writes(buf_slice(&q->cmds)) != CASES[i].writes)
                fail_msg("%s", CASES[i].command);
            redis_batch_free(q);
        }
    assert_false(redis__writes(SLICE_NONE));
    assert_true(redis__writes(LIT("no command of ours")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_replicas_writes_do_not_count_and_reads_do, setup_link, teardown),
        cmocka_unit_test_setup_teardown(a_number_that_no_replica_has_is_not_remembered, setup_link, teardown),
        cmocka_unit_test_setup_teardown(with_none_asked_for_nothing_waits, setup_link, teardown),
        cmocka_unit_test(only_what_may_write_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
