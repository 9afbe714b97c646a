/* The outbox against a redis-server with our configuration: a script that has no room writes nothing, and says so; what waits is counted. */
#include "tests/unit/redis_bench.h"

#include "gateway/notice/lanes.h"

enum { BATCH = 64 * 1024, NOW = 5000 };
#define ID "00112233445566778899aabbccddeeff"

static int64_t put(struct bench *b, struct redis_swap *swap)
{
    struct result r = { 0 };
    struct redis_batch *q = redis_batch_new(BATCH);
    assert_non_null(q);
    assert_true(err_ok(redis_swap_put(swap, q)));
    redis_swap_free(swap);
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e) && r.n == 1);
    return r.num[0];
}

static struct redis_swap *writes(struct slice value)
{
    struct redis_swap *s = redis_swap_new(BATCH);
    assert_non_null(s);
    REDIS_SWAP(s, LIT("HSET"), LIT("p:{x}"), LIT("f"), value);
    return s;
}

static int64_t count(struct bench *b, const char *command, const char *key)
{
    struct result r = { 0 };
    struct redis_batch *q = redis_batch_new(BATCH);
    REDIS_ADD(q, slice_str(command), slice_str(key));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e));
    return r.num[0];
}

static void a_script_without_room_writes_nothing(void **state)
{
    struct bench *b = *state;
    struct redis_swap *s = writes(LIT("1"));
    redis_swap_room(s, REDIS_COUNT_ZSET, LIT("nx"), 1);
    REDIS_SWAP(s, LIT("ZADD"), LIT("nx"), LIT("1"), LIT("a"));
    assert_int_equal(put(b, s), 1); /* there is room for one, and now it is taken */
    s = writes(LIT("2"));
    redis_swap_room(s, REDIS_COUNT_ZSET, LIT("nx"), 1);
    assert_int_equal(put(b, s), REDIS_SWAP_FULL);
    s = writes(LIT("2"));
    redis_swap_expect(s, LIT("p:{x}"), LIT("f"), LIT("1")); /* not written over */
    redis_swap_room(s, REDIS_COUNT_ZSET, LIT("nx"), 2);
    redis_swap_room(s, REDIS_COUNT_HASH, LIT("p:{x}"), 2);
    redis_swap_room(s, REDIS_COUNT_LIST, LIT("nl:none"), 1);
    assert_int_equal(put(b, s), 1);
    s = writes(LIT("3"));
    redis_swap_room(s, REDIS_COUNT_ZSET, LIT("nx"), 0);
    redis_swap_expect(s, LIT("p:{x}"), LIT("f"), LIT("1")); /* who has to read again hears that first */
    assert_int_equal(put(b, s), 0);
}

static void fill(struct bench *b)
{
    struct redis_batch *q = redis_batch_new(BATCH);
    struct result r = { 0 };
    REDIS_ADD(q, LIT("ZADD"), LIT("nx"), LIT("4000"), LIT("a"), LIT("9000"), LIT("b"));
    REDIS_ADD(q, LIT("HSET"), LIT("nd"), LIT(ID), LIT("1 refused partner 1 " ID));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e));
    assert_int_equal(count(b, "ZCARD", "nx"), 2);
}

static void heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct lanes_state *s = arg;
    assert_true(err_ok(e));
    assert_true(lanes_state(replies, n, NOW, s));
    assert_false(lanes_state(replies, n - 1, NOW, s));
    s->lanes += 100; /* it was called */
}

static void its_number_its_delay_and_its_dead_letters_are_known(void **state)
{
    struct bench *b = *state;
    struct lanes_state s = { 0 };
    struct redis_batch *q = redis_batch_new(BATCH);
    lanes_ask_state(q);
    redis_send(b->redis, q, in_ms(b, 2000), heard, &s);
    UNTIL(b, s.lanes >= 100);
    assert_true(s.lanes == 100 && s.dead == 0 && s.behind_ms == 0); /* nothing there */
    fill(b);
    s = (struct lanes_state){ 0 };
    q = redis_batch_new(BATCH);
    lanes_ask_state(q);
    redis_send(b->redis, q, in_ms(b, 2000), heard, &s);
    UNTIL(b, s.lanes >= 100);
    assert_true(s.lanes == 102 && s.dead == 1 && s.behind_ms == 1000); /* 4000 has been due for that long; 9000 is not */
}

static void a_dead_letter_needs_room(void **state)
{
    struct bench *b = *state;
    struct lane_item it = { .fence = "" };
    struct lane_end end = { .how = LANE_DEAD, .now_ms = NOW, .why = "refused", .owner = "partner", .dead_max = 1 };
    memcpy(it.lane, ID, sizeof it.lane);
    struct redis_swap *s = redis_swap_new(BATCH);
    lanes_end(&it, &end, s);
    assert_int_equal(put(b, s), 1);
    assert_int_equal(count(b, "HLEN", "nd"), 1);
    it.id[0] = 1;
    s = redis_swap_new(BATCH);
    lanes_end(&it, &end, s);
    assert_int_equal(put(b, s), REDIS_SWAP_FULL);
    assert_int_equal(count(b, "HLEN", "nd"), 1);
    end.how = LANE_LATER; /* it waits instead */
    s = redis_swap_new(BATCH);
    lanes_end(&it, &end, s);
    assert_int_equal(put(b, s), 1);
}

static int setup_courier(void **state)
{
    struct bench *b = bench_new("redis-link");
    server_start(b);
    b->redis = pool(b, b->sock, "courier", "sesame", 2);
    UNTIL(b, redis_up(b->redis));
    *state = b;
    return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_link, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { T(a_script_without_room_writes_nothing), T(its_number_its_delay_and_its_dead_letters_are_known), cmocka_unit_test_setup_teardown(a_dead_letter_needs_room, setup_courier, teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
