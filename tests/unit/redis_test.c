#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/redis/redis.h"

#ifndef PMHGW_SOURCE_DIR
#error "the tests start Redis with the templates of config/"
#endif

/* ---- a private redis-server with our configuration ---- */

enum { PATIENCE_MS = 8000, QUEUE_MAX = 200, TEXT_MAX = 16 * 1024 };

struct bench {
    struct loop *loop;
    struct redis *redis;
    pid_t server;
    const char *name; /* redis-vault or redis-link */
    char dir[64], conf[128], sock[128];
};

#define UNTIL(b, cond)                                          \
    do {                                                        \
        uint64_t end_ = loop_now((b)->loop) + PATIENCE_MS;      \
        while (!(cond) && loop_now((b)->loop) < end_) {         \
            uv_run(loop_uv((b)->loop), UV_RUN_NOWAIT);          \
            usleep(200);                                        \
        }                                                       \
        assert_true(cond);                                      \
    } while (0)

static void turns_for(struct bench *b, uint64_t ms)
{
    for (uint64_t end = loop_now(b->loop) + ms; loop_now(b->loop) < end; usleep(500))
        uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
}

static void fill_template(struct bench *b)
{
    char path[256], text[TEXT_MAX];
    snprintf(path, sizeof path, PMHGW_SOURCE_DIR "/config/%s.conf.in", b->name);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    assert_true(n > 0 && n < TEXT_MAX);
    close(fd);
    FILE *out = fopen(b->conf, "w");
    struct slice rest = slice_of(text, (size_t)n), part, word;
    while (slice_cut(rest, '@', &part, &rest)) {
        fwrite(part.p, 1, part.n, out);
        assert_true(slice_cut(rest, '@', &word, &rest));
        fputs(slice_eq(word, LIT("STATE")) ? b->dir : "sesame", out);
    }
    fwrite(rest.p, 1, rest.n, out);
    fclose(out);
}

static void server_start(struct bench *b)
{
    pid_t parent = getpid();
    b->server = fork();
    assert_true(b->server >= 0);
    if (b->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent || !freopen("/dev/null", "w", stdout))
            _exit(1);
        execlp("redis-server", "redis-server", b->conf, (char *)NULL);
        _exit(127);
    }
}

static void server_kill(struct bench *b)
{
    kill(b->server, SIGKILL);
    waitpid(b->server, NULL, 0);
    b->server = 0;
}

static struct redis *pool(struct bench *b, const char *path, const char *user, const char *pass, unsigned conns)
{
    struct redis *r = NULL;
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, slice_str(pass))));
    struct redis_conf conf = { .path = path, .user = user, .password = s, .conns = conns, .queue_max = QUEUE_MAX };
    assert_true(err_ok(redis_new(&r, b->loop, conf)));
    return r;
}

static struct bench *bench_new(const char *name)
{
    struct bench *b = calloc(1, sizeof *b);
    char sub[128];
    b->name = name;
    snprintf(b->dir, sizeof b->dir, "/tmp/pmhgw-redis-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(sub, sizeof sub, "%s/run", b->dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    snprintf(sub, sizeof sub, "%s/%s", b->dir, name);
    assert_int_equal(mkdir(sub, 0700), 0);
    snprintf(b->conf, sizeof b->conf, "%s/redis.conf", b->dir);
    snprintf(b->sock, sizeof b->sock, "%s/run/%s.sock", b->dir, name);
    fill_template(b);
    assert_true(err_ok(loop_new(&b->loop, clock_system())));
    return b;
}

static int setup_link(void **state)
{
    struct bench *b = bench_new("redis-link");
    server_start(b);
    b->redis = pool(b, b->sock, "intake", "sesame", 2);
    UNTIL(b, redis_up(b->redis));
    *state = b;
    return 0;
}

static int setup_no_server(void **state)
{
    *state = bench_new("redis-vault");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(path);
}

static int teardown(void **state)
{
    struct bench *b = *state;
    redis_close(b->redis);
    turns_for(b, 5);
    loop_free(b->loop);
    if (b->server)
        server_kill(b);
    assert_int_equal(nftw(b->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    free(b);
    return 0;
}

/* ---- what a batch ended with ---- */

struct result {
    unsigned times;
    struct err e;
    size_t n;
    enum redis_type type[8];
    char text[8][64];
    int64_t num[8];
};

static void on_done(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct result *r = arg;
    r->times++;
    r->e = e;
    r->n = n;
    for (size_t i = 0; i < n && i < 8; i++) {
        struct slice s = redis_reply_str(replies[i]);
        r->type[i] = redis_reply_type(replies[i]);
        r->num[i] = redis_reply_int(replies[i]);
        memcpy(r->text[i], s.n ? (const char *)s.p : "", s.n < 63 ? s.n : 63);
    }
}

static uint64_t in_ms(struct bench *b, uint64_t ms) { return loop_now(b->loop) + ms; }

static struct redis_batch *set_batch(uint64_t i)
{
    struct redis_batch *b = redis_batch_new(256);
    struct buf key;
    buf_init(&key, 64);
    buf_put(&key, LIT("p:"));
    buf_u64(&key, i);
    redis_begin(b, 3);
    redis_arg(b, LIT("SET"));
    redis_arg(b, buf_slice(&key));
    redis_arg_u64(b, i);
    buf_done(&key);
    return b;
}

static struct redis_batch *ping_batch(void)
{
    struct redis_batch *b = redis_batch_new(64);
    REDIS_ADD(b, LIT("PING"));
    return b;
}

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
    *seen = true;
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
    static const struct { const char *user, *cmd[4]; bool allowed; } CASES[] = {
        { "intake", { "SET", "s:1", "x" }, true },      { "intake", { "ZADD", "oq", "1", "m" }, true },
        { "intake", { "HSET", "p:1", "f", "v" }, true }, { "intake", { "HINCRBY", "t:1", "f", "1" }, true },
        { "intake", { "SET", "u:1", "x" }, false },     { "intake", { "GET", "se:1" }, false },
        { "intake", { "KEYS", "*" }, false },           { "intake", { "FLUSHALL" }, false },
        { "intake", { "CONFIG", "GET", "dir" }, false }, { "intake", { "SCRIPT", "LOAD", "return 1" }, false },
        { "intake", { "EVAL", "return 1", "0" }, false }, { "intake", { "ACL", "LIST" }, false },
        { "intake", { "SLOWLOG", "GET" }, false },      { "intake", { "MONITOR" }, false },
        { "intake", { "SCAN", "0" }, false },           { "intake", { "DEBUG", "SLEEP", "0" }, false },
        { "front", { "HSETNX", "p:1", "ps:x", "v" }, true }, { "front", { "SET", "u:1", "x", "NX" }, true },
        { "front", { "SET", "ps:1", "x" }, true },      { "front", { "HGETALL", "p:1" }, true },
        { "front", { "GET", "s:1" }, false },           { "front", { "GET", "rk:331007:1" }, false },
        { "front", { "HGETALL", "o:1" }, false },       { "front", { "HGETALL", "t:1" }, false },
        { "front", { "KEYS", "*" }, false },            { "front", { "CONFIG", "GET", "dir" }, false },
        { "front", { "EVAL", "return 1", "0" }, false }, { "front", { "FLUSHALL" }, false },
        { "front", { "SHUTDOWN" }, false },
    };
    struct redis *front = pool(b, b->sock, "front", "sesame", 1);
    UNTIL(b, redis_up(front));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct result r = { 0 };
        struct redis_batch *q = redis_batch_new(256);
        size_t n = 0;
        while (n < 4 && CASES[i].cmd[n])
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
    assert_true(err_is(r.e, E_STORE_DOWN) && loop_now(b->loop) - start < 500);
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

static void a_stopped_server_is_noticed_and_deadlines_hold(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 }, later = { 0 }, after = { 0 };
    kill(b->server, SIGSTOP);
    uint64_t start = loop_now(b->loop);
    redis_send(b->redis, set_batch(1), in_ms(b, 150), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_STORE_DOWN));
    assert_in_range(loop_now(b->loop) - start, 145, 600);
    UNTIL(b, !redis_up(b->redis));
    assert_true(loop_now(b->loop) - start < 3200);
    redis_send(b->redis, set_batch(2), in_ms(b, 5000), on_done, &later);
    UNTIL(b, later.times == 1); /* at once, not after its five seconds */
    assert_true(err_is(later.e, E_STORE_DOWN));
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
        T(many_batches_over_both_connections),
        T(big_values),
        T(errors_end_the_batch_as_refused),
        T(a_batch_that_does_not_fit_is_not_sent),
        T(the_users_may_do_what_they_need_and_no_more),
        T(wrong_passwords_and_users_do_not_come_up),
        T_ALONE(without_a_server_a_batch_fails_at_once),
        T(killed_under_load_everything_ends_once_and_acknowledged_is_kept),
        T(a_stopped_server_is_noticed_and_deadlines_hold),
        T(a_late_reply_keeps_its_place),
        T(close_cancels_from_the_loop),
        T(close_from_inside_a_callback),
        T_ALONE(lies_end_the_connection),
        T_ALONE(configurations_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
