#include "tests/unit/redis_bench.h"

/* ---- loss ---- */

static void without_a_server_a_batch_fails_at_once(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    b->redis = pool(b, b->sock, "vault", "sesame", 2);
    turns_for(b, 50);
    uint64_t start = loop_now(b->loop);
    redis_send(b->redis, ping_batch(), in_ms(b, 3000), on_done, &r);
    assert_int_equal(r.times, 0);
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_STORE_DOWN) && loop_now(b->loop) - start < 1500);
    server_start(b); /* it comes up late */
    UNTIL(b, redis_up(b->redis));
    struct result ok = { 0 };
    redis_send(b->redis, ping_batch(), in_ms(b, 2000), on_done, &ok);
    UNTIL(b, ok.times == 1);
    assert_true(err_ok(ok.e) && strcmp(ok.text[0], "PONG") == 0);
}

static void killed_under_load_everything_ends_once_and_acknowledged_is_kept(void **state)
{
    struct bench *b = *state;
    static struct result r[150];
    memset(r, 0, sizeof r);
    for (unsigned i = 0; i < 150; i++)
        redis_send(b->redis, set_batch(1000 + i), in_ms(b, 4000), on_done, &r[i]);
    for (int i = 0; i < 3; i++)
        uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
    server_kill(b);
    UNTIL(b, !redis_up(b->redis));
    turns_for(b, 100);
    for (unsigned i = 0; i < 150; i++)
        assert_true(r[i].times == 1 && (err_ok(r[i].e) || err_is(r[i].e, E_STORE_DOWN)));
    server_start(b);
    UNTIL(b, redis_up(b->redis));
    for (unsigned i = 0; i < 150; i++) {
        if (!err_ok(r[i].e))
            continue;
        struct result got = { 0 };
        char key[32];
        struct redis_batch *q = redis_batch_new(128);
        REDIS_ADD(q, LIT("GET"), slice_of(key, (size_t)snprintf(key, sizeof key, "p:%u", 1000 + i)));
        redis_send(b->redis, q, in_ms(b, 2000), on_done, &got);
        UNTIL(b, got.times == 1);
        assert_true(err_ok(got.e) && got.type[0] == REDIS_STR);
    }
}

/* Redis replays its file as the default user: what a MULTI or a script wrote must still be there after a restart. */
static void transactions_and_scripts_survive_a_restart(void **state)
{
    struct bench *b = *state;
    struct result multi = { 0 }, script = { 0 }, got = { 0 };
    server_start(b);
    b->redis = pool(b, b->sock, "vault", "sesame", 1);
    UNTIL(b, redis_up(b->redis));
    struct redis_batch *q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("MULTI"));
    REDIS_ADD(q, LIT("SET"), LIT("i:1"), LIT("by multi"));
    REDIS_ADD(q, LIT("SET"), LIT("n:1"), LIT("by multi"));
    REDIS_ADD(q, LIT("EXEC"));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &multi);
    q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("EVAL"), LIT("redis.call('SET', KEYS[1], ARGV[1]) redis.call('SET', KEYS[2], ARGV[1]) return 1"), LIT("2"), LIT("i:2"),
              LIT("n:2"), LIT("by script"));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &script);
    UNTIL(b, multi.times == 1 && script.times == 1);
    assert_true(err_ok(multi.e) && err_ok(script.e));
    server_kill(b);
    UNTIL(b, !redis_up(b->redis));
    server_start(b);
    UNTIL(b, redis_up(b->redis));
    q = redis_batch_new(1024);
    REDIS_ADD(q, LIT("GET"), LIT("i:1"));
    REDIS_ADD(q, LIT("GET"), LIT("n:1"));
    REDIS_ADD(q, LIT("GET"), LIT("i:2"));
    REDIS_ADD(q, LIT("GET"), LIT("n:2"));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &got);
    UNTIL(b, got.times == 1);
    assert_true(err_ok(got.e) && got.n == 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(got.text[i], i < 2 ? "by multi" : "by script");
}

/* Milliseconds until it was told. */
static uint64_t told_within(struct bench *b, struct result *r, uint64_t start)
{
    UNTIL(b, r->times == 1);
    return loop_now(b->loop) - start;
}

static void who_waits_for_an_answer_hears_of_silence_within_a_second_and_others_wait(void **state)
{
    struct bench *b = *state;
    struct result soon = { 0 }, patient = { 0 };
    kill(b->server, SIGSTOP);
    uint64_t start = loop_now(b->loop);
    redis_send(b->redis, set_batch(1), in_ms(b, 2900), on_done, &soon);
    redis_send(b->redis, set_batch(2), in_ms(b, 10000), on_done, &patient);
    assert_in_range(told_within(b, &soon, start), 600, 1000);
    assert_true(err_is(soon.e, E_STORE_SILENT));
    assert_int_equal(patient.times, 0);
    kill(b->server, SIGCONT);
    UNTIL(b, patient.times == 1);
    assert_true(err_ok(patient.e));
    assert_int_equal(soon.times, 1); /* its replies came, and nobody was told a second time */
}

static void a_server_that_was_stopped_for_long_is_back_within_a_second(void **state)
{
    struct bench *b = *state;
    UNTIL(b, redis_up(b->redis));
    kill(b->server, SIGSTOP);
    turns_for(b, 4000); /* every connection has been given up meanwhile */
    assert_true(err_is(redis_ready(b->redis), E_STORE_SILENT));
    kill(b->server, SIGCONT);
    uint64_t start = loop_now(b->loop);
    UNTIL(b, redis_up(b->redis));
    assert_in_range(loop_now(b->loop) - start, 0, 1000);
}

static void a_stopped_server_is_noticed_and_deadlines_hold(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 }, later = { 0 }, after = { 0 };
    kill(b->server, SIGSTOP);
    uint64_t start = loop_now(b->loop);
    redis_send(b->redis, set_batch(1), in_ms(b, 150), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_STORE_SILENT));
    assert_in_range(loop_now(b->loop) - start, 145, 1500);
    UNTIL(b, !redis_up(b->redis));
    assert_true(loop_now(b->loop) - start < 5000);
    redis_send(b->redis, set_batch(2), in_ms(b, 2500), on_done, &later);
    UNTIL(b, later.times == 1); /* at once, not after its two seconds and a half */
    assert_true(err_is(later.e, E_STORE_SILENT));
    kill(b->server, SIGCONT);
    UNTIL(b, redis_up(b->redis));
    redis_send(b->redis, ping_batch(), in_ms(b, 2000), on_done, &after);
    UNTIL(b, after.times == 1);
    assert_true(err_ok(after.e) && strcmp(after.text[0], "PONG") == 0);
    assert_int_equal(r.times, 1);
}

/* A reply that comes after its deadline must not be taken for the next one's. */
static void a_late_reply_keeps_its_place(void **state)
{
    struct bench *b = *state;
    struct result late[4] = { 0 }, next = { 0 };
    kill(b->server, SIGSTOP);
    for (int i = 0; i < 4; i++)
        redis_send(b->redis, set_batch(7), in_ms(b, 60), on_done, &late[i]);
    UNTIL(b, late[3].times == 1);
    struct redis_batch *q = redis_batch_new(128);
    REDIS_ADD(q, LIT("GET"), LIT("p:7"));
    redis_send(b->redis, q, in_ms(b, 3000), on_done, &next);
    turns_for(b, 50);
    kill(b->server, SIGCONT);
    UNTIL(b, next.times == 1);
    assert_true(err_ok(next.e) && next.type[0] == REDIS_STR && strcmp(next.text[0], "7") == 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(late[i].times, 1);
}

static void close_cancels_from_the_loop(void **state)
{
    struct bench *b = *state;
    struct result r[3] = { 0 };
    kill(b->server, SIGSTOP);
    redis_send(b->redis, set_batch(1), in_ms(b, 20), on_done, &r[0]);
    UNTIL(b, r[0].times == 1); /* told, still in line */
    redis_send(b->redis, set_batch(2), in_ms(b, 5000), on_done, &r[1]);
    turns_for(b, 5);
    redis_send(b->redis, set_batch(3), in_ms(b, 5000), on_done, &r[2]);
    redis_close(b->redis);
    b->redis = NULL;
    assert_true(r[1].times == 0 && r[2].times == 0);
    UNTIL(b, r[1].times == 1 && r[2].times == 1);
    assert_true(err_is(r[1].e, E_CANCELED) && err_is(r[2].e, E_CANCELED) && r[0].times == 1);
    kill(b->server, SIGCONT);
}

struct closer {
    struct redis *r;
    unsigned times;
};

static void close_inside(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct closer *c = arg;
    (void)e, (void)replies, (void)n;
    c->times++;
    redis_close(c->r);
}

static void close_from_inside_a_callback(void **state)
{
    struct bench *b = *state;
    for (int how = 0; how < 3; how++) { /* in a reply, in a deadline, in a loss */
        struct closer c = { pool(b, b->sock, "intake", "sesame", 1), 0 };
        UNTIL(b, redis_up(c.r));
        if (how > 0)
            kill(b->server, SIGSTOP);
        for (int i = 0; i < 3; i++)
            redis_send(c.r, ping_batch(), in_ms(b, how == 1 ? 20 : 3000), close_inside, &c);
        turns_for(b, 5);
        if (how == 2)
            server_kill(b);
        UNTIL(b, c.times == 3);
        if (how == 1)
            kill(b->server, SIGCONT);
    }
}

/* ---- a server that lies ---- */

struct liar {
    uv_pipe_t listener, conn;
    const char *answer; /* after the greeting */
    unsigned connections;
    size_t asked;
};

static void liar_room(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
    static char room[4096];
    (void)h, (void)hint;
    *b = uv_buf_init(room, sizeof room);
}

static void liar_say(struct liar *x, const char *text)
{
    uv_buf_t b = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    uv_try_write((uv_stream_t *)&x->conn, &b, 1);
}

static void liar_heard(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct liar *x = s->data;
    (void)b;
    if (n < 0)
        uv_close((uv_handle_t *)s, NULL);
    else if (n > 0)
        liar_say(x, x->asked++ == 0 ? "+OK\r\n+PONG\r\n" : x->answer);
}

static void liar_called(uv_stream_t *listener, int status)
{
    struct liar *x = listener->data;
    assert_int_equal(status, 0);
    if (x->connections++ > 0)
        return;
    uv_pipe_init(listener->loop, &x->conn, 0);
    x->conn.data = x;
    assert_int_equal(uv_accept(listener, (uv_stream_t *)&x->conn), 0);
    uv_read_start((uv_stream_t *)&x->conn, liar_room, liar_heard);
}

static void lies_end_the_connection(void **state)
{
    struct bench *b = *state;
    static const struct { const char *name, *answer; } CASES[] = {
        { "RESP3 map", "%1\r\n+a\r\n+b\r\n" },
        { "garbage", "HTTP/1.1 200 OK\r\n\r\n" },
        { "too many elements", "*2147483647\r\n" },
        { "more elements than allowed", "*1048577\r\n" },
        { "nested too deeply", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n" },
        { "negative length", "$-7\r\n" },
        { "one reply too many", "+PONG\r\n+PONG\r\n" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct liar x = { .answer = CASES[i].answer };
        struct result r = { 0 };
        unlink(b->sock);
        uv_pipe_init(loop_uv(b->loop), &x.listener, 0);
        x.listener.data = &x;
        assert_int_equal(uv_pipe_bind(&x.listener, b->sock), 0);
        assert_int_equal(uv_listen((uv_stream_t *)&x.listener, 8, liar_called), 0);
        struct redis *p = pool(b, b->sock, "vault", "sesame", 1);
        UNTIL(b, redis_up(p));
        redis_send(p, ping_batch(), in_ms(b, 3000), on_done, &r);
        UNTIL(b, r.times == 1);
        UNTIL(b, !redis_up(p));
        bool last = i + 1 == sizeof CASES / sizeof CASES[0];
        if (!(last ? err_ok(r.e) : err_is(r.e, E_STORE_DOWN)))
            fail_msg("%s: %s", CASES[i].name, err_slug(r.e.code));
        redis_close(p);
        uv_close((uv_handle_t *)&x.listener, NULL);
        turns_for(b, 30);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup_link, teardown)
#define T_ALONE(name) cmocka_unit_test_setup_teardown(name, setup_no_server, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T_ALONE(without_a_server_a_batch_fails_at_once),
        T(killed_under_load_everything_ends_once_and_acknowledged_is_kept),
        T_ALONE(transactions_and_scripts_survive_a_restart),
        T(a_stopped_server_is_noticed_and_deadlines_hold),
        T(who_waits_for_an_answer_hears_of_silence_within_a_second_and_others_wait),
        T(a_server_that_was_stopped_for_long_is_back_within_a_second),
        T(a_late_reply_keeps_its_place),
        T(close_cancels_from_the_loop),
        T(close_from_inside_a_callback),
        T_ALONE(lies_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
