#include "tests/unit/redis_bench.h"

/* ---- the good way ---- */

static void a_batch_is_answered_in_order(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    static const uint8_t BINARY[] = { 0, '\r', '\n', '$', 255, 0 };
    struct redis_batch *q = redis_batch_new(4096);
    REDIS_ADD(q, LIT("SET"), LIT("p:a"), ARR(BINARY));
    REDIS_ADD(q, LIT("GET"), LIT("p:a"));
    REDIS_ADD(q, LIT("GET"), LIT("p:none"));
    REDIS_ADD(q, LIT("HSET"), LIT("t:x"), LIT("f"), LIT(""));
    REDIS_ADD(q, LIT("HGETALL"), LIT("t:x"));
    assert_int_equal(redis_batch_count(q), 5);
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    assert_int_equal(r.times, 0);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e) && r.n == 5);
    assert_true(r.type[0] == REDIS_STATUS && strcmp(r.text[0], "OK") == 0);
    assert_true(r.type[1] == REDIS_STR && memcmp(r.text[1], BINARY, sizeof BINARY) == 0);
    assert_true(r.type[2] == REDIS_NIL && r.type[3] == REDIS_INT && r.num[3] == 1 && r.type[4] == REDIS_ARRAY);
    turns_for(b, 10);
    assert_int_equal(r.times, 1);
}

static void look_into_array(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    bool *seen = arg;
    assert_true(err_ok(e) && n == 3);
    const struct redis_reply *exec = replies[2];
    assert_int_equal(redis_reply_len(exec), 1);
    const struct redis_reply *list = redis_reply_at(exec, 0);
    assert_int_equal(redis_reply_len(list), 2);
    assert_true(slice_eq(redis_reply_str(redis_reply_at(list, 1)), LIT("v")));
    assert_int_equal(redis_reply_type(redis_reply_at(list, 2)), REDIS_NIL);
    assert_int_equal(redis_reply_type(redis_reply_at(replies[0], 0)), REDIS_NIL);
    assert_int_equal(redis_reply_str(exec).n, 0);
    assert_int_equal(redis_reply_int(exec), 0);
    uint64_t counts[2];
    assert_true(err_is(redis_reply_counts(list, counts, 2), E_STORE_REFUSED));
    *seen = true;
}

static void look_at_counts(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    bool *seen = arg;
    uint64_t v[3] = { 9, 9, 9 };
    assert_true(err_ok(e) && n == 3);
    assert_true(err_ok(redis_reply_counts(replies[0], v, 3)));
    assert_true(v[0] == 0 && v[1] == 7 && v[2] == 4503599627370497);
    assert_true(err_is(redis_reply_counts(replies[0], v, 2), E_STORE_REFUSED));
    assert_true(err_is(redis_reply_counts(replies[1], v, 3), E_STORE_REFUSED)); /* one of them is negative */
    assert_true(err_is(redis_reply_counts(replies[2], v, 1), E_STORE_REFUSED)); /* no array */
    *seen = true;
}

static void counts_of_a_script(void **state)
{
    struct bench *b = *state;
    bool seen = false;
    struct redis_batch *q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("EVAL"), LIT("return {0,7,4503599627370497}"), LIT("0"));
    REDIS_ADD(q, LIT("EVAL"), LIT("return {0,-1,2}"), LIT("0"));
    REDIS_ADD(q, LIT("EVAL"), LIT("return 3"), LIT("0"));
    redis_send(b->redis, q, in_ms(b, 2000), look_at_counts, &seen);
    UNTIL(b, seen);
}

static void arrays_inside_arrays(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    bool seen = false;
    struct redis_batch *q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("HSET"), LIT("t:deep"), LIT("f"), LIT("v"));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("MULTI"));
    REDIS_ADD(q, LIT("HGETALL"), LIT("t:deep"));
    REDIS_ADD(q, LIT("EXEC"));
    redis_send(b->redis, q, in_ms(b, 2000), look_into_array, &seen);
    UNTIL(b, seen);
}

static void many_batches_over_both_connections(void **state)
{
    struct bench *b = *state;
    static struct result r[QUEUE_MAX + 2];
    memset(r, 0, sizeof r);
    for (unsigned i = 0; i < QUEUE_MAX + 2; i++)
        redis_send(b->redis, set_batch(i), in_ms(b, 4000), on_done, &r[i]);
    UNTIL(b, r[QUEUE_MAX - 1].times == 1 && r[QUEUE_MAX + 1].times == 1 && r[QUEUE_MAX - 2].times == 1);
    turns_for(b, 50);
    for (unsigned i = 0; i < QUEUE_MAX; i++)
        assert_true(r[i].times == 1 && err_ok(r[i].e));
    assert_true(err_is(r[QUEUE_MAX].e, E_BUSY) && err_is(r[QUEUE_MAX + 1].e, E_BUSY));
    struct result again = { 0 };
    redis_send(b->redis, ping_batch(), in_ms(b, 2000), on_done, &again);
    UNTIL(b, again.times == 1);
    assert_true(err_ok(again.e)); /* there is room again */
}

/* A value larger than a socket buffer and our read buffer, there and back. */
static void big_measure(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    size_t *len = arg;
    assert_true(err_ok(e) && n == 2);
    struct slice s = redis_reply_str(replies[1]);
    for (size_t i = 0; i < s.n; i += 4099)
        assert_int_equal(s.p[i], (uint8_t)(i * 7));
    *len = s.n;
}

static void big_values(void **state)
{
    struct bench *b = *state;
    size_t n = 3 * 1024 * 1024, len = 0;
    uint8_t *v = malloc(n);
    for (size_t i = 0; i < n; i++)
        v[i] = (uint8_t)(i * 7);
    struct redis_batch *q = redis_batch_new(4 * 1024 * 1024);
    REDIS_ADD(q, LIT("SET"), LIT("p:big"), slice_of(v, n));
    REDIS_ADD(q, LIT("GET"), LIT("p:big"));
    redis_send(b->redis, q, in_ms(b, 5000), big_measure, &len);
    UNTIL(b, len > 0);
    assert_int_equal(len, n);
    free(v);
}

/* ---- refusals ---- */

static void errors_end_the_batch_as_refused(void **state)
{
    struct bench *b = *state;
    enum { WRONG_TYPE, UNKNOWN, FOREIGN_KEY, IN_EXEC, EXEC_ABORT, CASES };
    for (int i = 0; i < CASES; i++) {
        struct result r = { 0 };
        struct redis_batch *q = redis_batch_new(1024);
        if (i == WRONG_TYPE) {
            REDIS_ADD(q, LIT("SET"), LIT("p:s"), LIT("x"));
            REDIS_ADD(q, LIT("HGETALL"), LIT("p:s"));
        } else if (i == UNKNOWN) {
            REDIS_ADD(q, LIT("NOSUCH"), LIT("123456789018"));
        } else if (i == FOREIGN_KEY) {
            REDIS_ADD(q, LIT("GET"), LIT("elsewhere"));
        } else {
            REDIS_ADD(q, LIT("SET"), LIT("p:s"), LIT("x"));
            REDIS_ADD(q, LIT("MULTI"));
            if (i == IN_EXEC)
                REDIS_ADD(q, LIT("HGETALL"), LIT("p:s"));
            else
                REDIS_ADD(q, LIT("HGETALL"));
            REDIS_ADD(q, LIT("EXEC"));
        }
        REDIS_ADD(q, LIT("PING"));
        redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
        UNTIL(b, r.times == 1);
        assert_true(err_is(r.e, E_STORE_REFUSED) && r.n == 0);
        assert_true(redis_up(b->redis));
    }
}

static void a_batch_that_does_not_fit_is_not_sent(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 }, empty = { 0 };
    struct redis_batch *q = redis_batch_new(40);
    REDIS_ADD(q, LIT("SET"), LIT("p:over"), LIT("a value that does not fit in forty bytes"));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    redis_send(b->redis, redis_batch_new(40), in_ms(b, 2000), on_done, &empty);
    assert_true(r.times == 0 && empty.times == 0);
    UNTIL(b, r.times == 1 && empty.times == 1);
    assert_true(err_is(r.e, E_FULL));
    assert_true(err_ok(empty.e) && empty.n == 0);
    redis_batch_free(redis_batch_new(40));
    redis_batch_free(NULL);
}

/* Rows: who, a command, and whether it is allowed. */
static void the_users_may_do_what_they_need_and_no_more(void **state)
{
    struct bench *b = *state;
    static const struct { const char *user, *cmd[5]; bool allowed; } CASES[] = {
        { "intake", { "SET", "s:1", "x" }, true },      { "intake", { "ZADD", "oq", "1", "m" }, true },
        { "intake", { "HSET", "p:1", "f", "v" }, true }, { "intake", { "HINCRBY", "t:1", "f", "1" }, true },
        { "intake", { "SET", "u:1", "x" }, false },     { "intake", { "GET", "ps:1" }, false },
        { "intake", { "KEYS", "*" }, false },           { "intake", { "FLUSHALL" }, false },
        { "intake", { "CONFIG", "GET", "dir" }, false }, { "intake", { "SCRIPT", "LOAD", "return 1" }, false },
        { "intake", { "EVAL", "return 1", "0" }, true }, { "intake", { "ACL", "LIST" }, false },
        { "intake", { "SLOWLOG", "GET" }, false },      { "intake", { "MONITOR" }, false },
        { "intake", { "SCAN", "0" }, false },           { "intake", { "DEBUG", "SLEEP", "0" }, false },
        { "front", { "HSETNX", "p:1", "ps:x", "v" }, true }, { "front", { "SET", "u:1", "x", "NX" }, true },
        { "front", { "SET", "ps:1", "x" }, true },      { "front", { "HGETALL", "p:1" }, true },
        { "front", { "GET", "s:1" }, true },            { "front", { "SET", "s:1", "x" }, false }, /* a ticket leads to its subject */
        { "front", { "GET", "tk:1" }, true },           { "front", { "SET", "tk:1", "x" }, false },
        { "front", { "HGET", "qt:331007", "ix" }, true }, { "front", { "HSET", "qt:331007", "ix", "v" }, false },
        { "front", { "ZADD", "vi:331007", "0", "m" }, true }, { "front", { "HGETALL", "tk:1" }, false },
        { "front", { "GET", "rk:331007:1" }, false },   { "front", { "GET", "iq" }, false },
        { "front", { "HGETALL", "o:1" }, false },       { "front", { "HGETALL", "t:1" }, false },
        { "front", { "KEYS", "*" }, false },            { "front", { "CONFIG", "GET", "dir" }, false },
        { "front", { "EVAL", "return redis.call('GET', KEYS[1])", "1", "t:1" }, false }, { "front", { "FLUSHALL" }, false },
        { "front", { "SHUTDOWN" }, false },             { "front", { "WATCH", "p:1" }, false },
    };
    struct redis *front = pool(b, b->sock, "front", "sesame", 1);
    UNTIL(b, redis_up(front));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct result r = { 0 };
        struct redis_batch *q = redis_batch_new(256);
        size_t n = 0;
        while (n < 5 && CASES[i].cmd[n])
            n++;
        redis_begin(q, n);
        for (size_t k = 0; k < n; k++)
            redis_arg(q, slice_str(CASES[i].cmd[k]));
        redis_send(CASES[i].user[0] == 'f' ? front : b->redis, q, in_ms(b, 2000), on_done, &r);
        UNTIL(b, r.times == 1);
        if (r.e.code != (CASES[i].allowed ? E_OK : E_STORE_REFUSED))
            fail_msg("%s %s %s: %s", CASES[i].user, CASES[i].cmd[0], CASES[i].cmd[1] ? CASES[i].cmd[1] : "", err_slug(r.e.code));
    }
    redis_close(front);
}

static void wrong_passwords_and_users_do_not_come_up(void **state)
{
    struct bench *b = *state;
    struct redis *wrong = pool(b, b->sock, "intake", "guess", 1), *nobody = pool(b, b->sock, "default", "x", 1);
    struct result r = { 0 };
    turns_for(b, 300);
    assert_false(redis_up(wrong) || redis_up(nobody));
    redis_send(wrong, ping_batch(), in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_STORE_DOWN));
    redis_close(wrong);
    redis_close(nobody);
}

static void configurations_that_cannot_be(void **state)
{
    struct bench *b = *state;
    static const struct { const char *name, *path; unsigned conns; } CASES[] = {
        { "no connection", "/tmp/x", 0 }, { "too many", "/tmp/x", 17 }, { "no path", "", 1 },
        { "long path", "/tmp/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct redis *r = NULL;
        struct secret *s = NULL;
        assert_true(err_ok(secret_new(&s, LIT("x"))));
        struct redis_conf conf = { .path = CASES[i].path, .user = "u", .password = s, .conns = CASES[i].conns, .queue_max = 1 };
        if (!err_is(redis_new(&r, b->loop, conf), E_CONFIG))
            fail_msg("%s", CASES[i].name);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_link, teardown)
#define T_ALONE(name) cmocka_unit_test_setup_teardown(name, setup_no_server, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_batch_is_answered_in_order),
        T(arrays_inside_arrays),
        T(counts_of_a_script),
        T(many_batches_over_both_connections),
        T(big_values),
        T(errors_end_the_batch_as_refused),
        T(a_batch_that_does_not_fit_is_not_sent),
        T(the_users_may_do_what_they_need_and_no_more),
        T(wrong_passwords_and_users_do_not_come_up),
        T_ALONE(configurations_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
