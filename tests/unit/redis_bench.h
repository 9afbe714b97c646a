#ifndef TESTS_REDIS_BENCH_H
#define TESTS_REDIS_BENCH_H

/* A private redis-server, a pool on it, and what a batch ended with. For the tests of gateway/redis, and of what keys/bulk does with it. */

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

static inline void turns_for(struct bench *b, uint64_t ms)
{
    for (uint64_t end = loop_now(b->loop) + ms; loop_now(b->loop) < end; usleep(500))
        uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
}

/* Of "sesame", the password of every user here. */
#define SESAME_SHA256 "d0c04f4b1951e4aeaaec8223ed2039e542f3aae805a6fa7f6d794e5afff5d272"

static inline void fill_template(struct bench *b)
{
    char path[256], text[TEXT_MAX];
    snprintf(path, sizeof path, PMHGW_SOURCE_DIR "/config/%s.conf.in", b->name);
    int fd = open(path, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);
    assert_true(n > 0 && n < TEXT_MAX);
    close(fd);
    FILE *out = fopen(b->conf, "w");
    struct slice rest = slice_of(text, (size_t)n), part = SLICE_NONE, word = SLICE_NONE;
    while (slice_cut(rest, '@', &part, &rest)) {
        fwrite(part.p, 1, part.n, out);
        assert_true(slice_cut(rest, '@', &word, &rest));
        fputs(slice_eq(word, LIT("STATE")) ? b->dir : SESAME_SHA256, out);
    }
    fwrite(rest.p, 1, rest.n, out);
    fclose(out);
}

static inline void server_start(struct bench *b)
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

static inline void server_kill(struct bench *b)
{
    kill(b->server, SIGKILL);
    waitpid(b->server, NULL, 0);
    b->server = 0;
}

static inline struct redis *pool(struct bench *b, const char *path, const char *user, const char *pass, unsigned conns)
{
    struct redis *r = NULL;
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, slice_str(pass))));
    struct redis_conf conf = { .path = path, .user = user, .password = s, .conns = conns, .queue_max = QUEUE_MAX };
    assert_true(err_ok(redis_new(&r, b->loop, conf)));
    return r;
}

static inline struct bench *bench_new(const char *name)
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

static inline int setup_link(void **state)
{
    struct bench *b = bench_new("redis-link");
    server_start(b);
    b->redis = pool(b, b->sock, "intake", "sesame", 2);
    UNTIL(b, redis_up(b->redis));
    *state = b;
    return 0;
}

static inline int setup_no_server(void **state)
{
    *state = bench_new("redis-vault");
    return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(path);
}

static inline int teardown(void **state)
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

static inline void on_done(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
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

static inline uint64_t in_ms(struct bench *b, uint64_t ms) { return loop_now(b->loop) + ms; }

static inline struct redis_batch *set_batch(uint64_t i)
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

static inline struct redis_batch *ping_batch(void)
{
    struct redis_batch *b = redis_batch_new(64);
    REDIS_ADD(b, LIT("PING"));
    return b;
}

#endif
