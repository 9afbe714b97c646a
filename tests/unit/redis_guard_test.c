/* A store that must not go back: no connection is used before its server has shown a number that is large enough, and one that goes back later is noticed. */

#include "tests/unit/redis_bench.h"

struct oracle { /* who knows how far it had come */
    struct redis *redis;
    uint64_t floor, asked, older, last_value, last_floor;
    struct err e;
    bool silent;
    unsigned conn;
    uint64_t turn;
};

static void on_ask(void *ctx, unsigned conn, uint64_t turn)
{
    struct oracle *o = ctx;
    o->asked++;
    o->conn = conn;
    o->turn = turn;
    if (!o->silent)
        redis_guard_floor(o->redis, conn, turn, o->e, o->floor);
}

static void on_older(void *ctx, uint64_t value, uint64_t floor)
{
    struct oracle *o = ctx;
    o->older++;
    o->last_value = value;
    o->last_floor = floor;
}

static void guarded(struct bench *b, struct oracle *o, unsigned conns)
{
    o->redis = pool(b, b->sock, "front", "sesame", conns);
    redis_guard(o->redis, &(struct redis_guard){ .key = LIT("ep"), .ask = on_ask, .older = on_older, .ctx = o });
}

static void done_with(struct bench *b, struct oracle *o)
{
    redis_close(o->redis);
    turns_for(b, 5);
}

/* By the pool of the bench, which nobody guards. */
static void set_number(struct bench *b, const char *value)
{
    struct result r = { 0 };
    struct redis_batch *q = redis_batch_new(256);
    REDIS_ADD(q, LIT("SET"), LIT("ep"), slice_str(value));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e));
}

static struct result act(struct bench *b, struct oracle *o, bool multi)
{
    struct result r = { 0 };
    struct redis_batch *q = redis_batch_new(512);
    if (multi)
        REDIS_ADD(q, LIT("MULTI"));
    REDIS_ADD(q, LIT("SET"), LIT("u:1"), LIT("1"));
    redis_raise(q, LIT("ep"));
    if (multi)
        REDIS_ADD(q, LIT("EXEC"));
    redis_send(o->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    return r;
}

static void nothing_is_sent_before_the_server_has_shown_its_number(void **state)
{
    struct bench *b = *state;
    struct oracle o = { .floor = 7, .silent = true };
    set_number(b, "7");
    guarded(b, &o, 1);
    UNTIL(b, o.asked == 1);
    turns_for(b, 50);
    assert_false(redis_up(o.redis));
    assert_int_equal(redis_ready(o.redis).code, E_STORE_DOWN);
    assert_int_equal(act(b, &o, false).e.code, E_STORE_DOWN);
    redis_guard_floor(o.redis, 0, o.turn - 1, OK, 0); /* of an older question */
    turns_for(b, 20);
    assert_false(redis_up(o.redis));
    redis_guard_floor(o.redis, o.conn, o.turn, OK, o.floor);
    UNTIL(b, redis_up(o.redis));
    assert_int_equal(redis_epoch(o.redis), 7);
    struct result r = act(b, &o, false);
    assert_true(err_ok(r.e) && r.num[1] == 8);
    r = act(b, &o, true);
    assert_true(err_ok(r.e) && redis_epoch(o.redis) == 9 && o.older == 0);
    done_with(b, &o);
}

static void an_older_server_is_of_no_use_until_it_is_put_in_order(void **state)
{
    struct bench *b = *state;
    static const char *const VALUES[] = { "6", "0", "-5", "7x", "" };
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        struct oracle o = { .floor = 7 };
        set_number(b, VALUES[i]);
        guarded(b, &o, 2);
        UNTIL(b, o.older >= 2);
        assert_int_equal(redis_ready(o.redis).code, E_STORE_OLDER);
        assert_int_equal(act(b, &o, false).e.code, E_STORE_OLDER);
        assert_true(o.last_floor == 7 && o.last_value == (i == 0 ? 6 : 0));
        set_number(b, "7");
        UNTIL(b, redis_up(o.redis)); /* by itself */
        assert_true(err_ok(redis_ready(o.redis)));
        done_with(b, &o);
    }
}

static void who_cannot_be_asked_lets_nobody_through(void **state)
{
    struct bench *b = *state;
    struct oracle o = { .e = FAIL(E_AUDIT_DOWN) };
    guarded(b, &o, 1);
    UNTIL(b, o.asked >= 2);
    assert_int_equal(redis_ready(o.redis).code, E_AUDIT_DOWN);
    assert_int_equal(act(b, &o, false).e.code, E_AUDIT_DOWN);
    o.e = OK;
    UNTIL(b, redis_up(o.redis)); /* a store without the number, and nobody who knows one: a first start */
    assert_true(err_ok(act(b, &o, false).e));
    done_with(b, &o);
}

static void a_number_that_goes_back_ends_the_act_and_all_connections(void **state)
{
    struct bench *b = *state;
    for (int multi = 0; multi < 2; multi++) {
        struct oracle o = { .floor = 0 };
        set_number(b, "41");
        guarded(b, &o, 3);
        UNTIL(b, redis_up(o.redis));
        turns_for(b, 50);
        uint64_t turn = redis_turn(o.redis);
        assert_true(err_ok(act(b, &o, multi).e) && err_ok(redis_unbroken(o.redis, turn)));
        set_number(b, "41"); /* the next act gets 42 a second time */
        assert_int_equal(act(b, &o, multi).e.code, E_STORE_OLDER);
        assert_true(!redis_up(o.redis) && o.older >= 1 && !err_ok(redis_unbroken(o.redis, turn)));
        assert_int_equal(act(b, &o, multi).e.code, E_STORE_OLDER);
        turns_for(b, 1300); /* the number was spoilt, so that further acts cannot bring it where it was */
        assert_true(!redis_up(o.redis) && o.last_value == 0);
        set_number(b, "1000");
        UNTIL(b, redis_up(o.redis));
        assert_true(err_ok(act(b, &o, multi).e) && redis_epoch(o.redis) == 1001);
        done_with(b, &o);
    }
}

static void connections_at_work_are_looked_at_too(void **state)
{
    struct bench *b = *state;
    struct oracle o = { .floor = 0 };
    set_number(b, "9");
    guarded(b, &o, 2);
    UNTIL(b, redis_up(o.redis) && redis_epoch(o.redis) == 9);
    set_number(b, "8");
    UNTIL(b, redis_ready(o.redis).code == E_STORE_OLDER); /* without any act */
    done_with(b, &o);
}

/* A read that only asks: before the next look of its connection a store that has lost everything would tell that there is nothing. */
static struct result read_of(struct bench *b, struct oracle *o, bool multi)
{
    struct result r = { 0 };
    struct redis_batch *q = redis_batch_new(multi ? 74 : 46); /* no room to spare */
    if (multi)
        REDIS_ADD(q, LIT("MULTI"));
    REDIS_ADD(q, LIT("GET"), LIT("u:1"));
    if (multi)
        REDIS_ADD(q, LIT("EXEC"));
    redis_send(o->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    return r;
}

static void a_read_out_of_a_store_that_went_back_is_refused_at_once(void **state)
{
    struct bench *b = *state;
    for (int multi = 0; multi < 2; multi++) {
        struct oracle o = { .floor = 0 };
        set_number(b, "41");
        guarded(b, &o, 1);
        UNTIL(b, redis_up(o.redis) && redis_epoch(o.redis) == 41);
        struct result r = read_of(b, &o, multi);
        assert_true(err_ok(r.e) && r.n == (multi ? 3 : 1)); /* what was added is not told */
        set_number(b, multi ? "" : "40");
        r = read_of(b, &o, multi);
        assert_int_equal(r.e.code, E_STORE_OLDER);
        assert_true(!redis_up(o.redis) && o.older >= 1 && o.last_value == (multi ? 0 : 40) && o.last_floor == 41);
        set_number(b, "41"); /* put in order */
        UNTIL(b, redis_up(o.redis));
        assert_true(err_ok(read_of(b, &o, multi).e));
        done_with(b, &o);
    }
}

static void a_lost_connection_is_known_before_the_loop_hears_of_it(void **state)
{
    struct bench *b = *state;
    struct oracle o = { .floor = 0 };
    guarded(b, &o, 2);
    UNTIL(b, redis_up(o.redis));
    turns_for(b, 300);
    uint64_t turn = redis_turn(o.redis);
    assert_true(err_ok(redis_unbroken(o.redis, turn)));
    server_kill(b);
    assert_int_equal(redis_unbroken(o.redis, turn).code, E_STORE_DOWN); /* no turn of the loop in between */
    UNTIL(b, !redis_up(o.redis));
    server_start(b);
    UNTIL(b, redis_up(o.redis));
    assert_int_equal(redis_unbroken(o.redis, turn).code, E_STORE_DOWN);
    done_with(b, &o);
}

/* Numbers of several connections come in any order: that is no going back. */
static void many_acts_at_once_are_no_alarm(void **state)
{
    struct bench *b = *state;
    struct oracle o = { .floor = 0 };
    static struct result r[150];
    memset(r, 0, sizeof r);
    guarded(b, &o, 4);
    UNTIL(b, redis_up(o.redis));
    turns_for(b, 300);
    for (int round = 0; round < 20; round++) {
        memset(r, 0, sizeof r);
        for (unsigned i = 0; i < 150; i++) {
            struct redis_batch *q = redis_batch_new(256);
            redis_raise(q, LIT("ep"));
            redis_send(o.redis, q, in_ms(b, 4000), on_done, &r[i]);
        }
        for (unsigned i = 0; i < 150; i++) {
            UNTIL(b, r[i].times == 1);
            assert_true(err_ok(r[i].e));
        }
    }
    assert_true(redis_epoch(o.redis) == 20 * 150 && o.older == 0);
    done_with(b, &o);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_link, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_is_sent_before_the_server_has_shown_its_number),
        T(an_older_server_is_of_no_use_until_it_is_put_in_order),
        T(who_cannot_be_asked_lets_nobody_through),
        T(a_number_that_goes_back_ends_the_act_and_all_connections),
        T(connections_at_work_are_looked_at_too),
        T(a_read_out_of_a_store_that_went_back_is_refused_at_once),
        T(a_lost_connection_is_known_before_the_loop_hears_of_it),
        T(many_acts_at_once_are_no_alarm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
