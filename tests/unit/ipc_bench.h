#ifndef TESTS_IPC_BENCH_H
#define TESTS_IPC_BENCH_H

/* A server and clients in one process, on one loop. For the tests of gateway/ipc only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/ipc/frame.h"
#include "gateway/ipc/ipc.h"

enum { MSG_ECHO = 1, MSG_HOLD = 2, MSG_VAULT_ONLY = 3, MSG_BAD = 4, HELD_MAX = 64, PATIENCE_MS = 5000 };

struct bench {
    struct loop *loop;
    struct ipc_server *server;
    struct ipc_call *held[HELD_MAX];
    size_t n_held;
    unsigned echoed, breaches;
    char dir[64], path[128];
};

struct result {
    unsigned times;
    struct err e;
    uint8_t body[IPC_BODY_MAX];
    size_t n;
};

static const uint8_t CAP[IPC_CAP_BYTES] = "the capability of the tests, 32b";

static inline struct secret *cap_of(const uint8_t *bytes)
{
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, slice_of(bytes, IPC_CAP_BYTES))));
    return s;
}

static inline void on_echo(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from;
    ((struct bench *)ctx)->echoed++;
    ipc_reply(call, OK, body);
}

static inline void on_hold(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct bench *b = ctx;
    (void)from, (void)body;
    assert_true(b->n_held < HELD_MAX);
    b->held[b->n_held++] = call;
}

static inline void on_bad(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)ctx, (void)from, (void)body;
    ipc_breach(call);
}

static inline void on_breach(void *ctx) { ((struct bench *)ctx)->breaches++; }

static const struct ipc_rule RULES[] = {
    { MSG_ECHO, IPC_BIT(IPC_INTAKE) | IPC_BIT(IPC_CTL), 0, 510, on_echo },
    { MSG_HOLD, IPC_BIT(IPC_INTAKE), 4, 4, on_hold },
    { MSG_VAULT_ONLY, IPC_BIT(IPC_VAULT), 0, 0, on_echo },
    { MSG_BAD, IPC_BIT(IPC_INTAKE), 0, 0, on_bad },
};

static inline void server_start(struct bench *b)
{
    struct ipc_server_conf conf = { .path = b->path, .rules = RULES, .n_rules = sizeof RULES / sizeof RULES[0],
                                    .conns_max = 4, .on_breach = on_breach, .ctx = b };
    conf.caps[IPC_INTAKE] = cap_of(CAP);
    conf.caps[IPC_CTL] = cap_of(CAP);
    assert_true(err_ok(ipc_server_new(&b->server, b->loop, conf)));
}

static inline void server_stop(struct bench *b)
{
    ipc_server_close(b->server);
    b->server = NULL;
}

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    snprintf(b->dir, sizeof b->dir, "/tmp/pmhgw-ipc-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof b->path, "%s/s", b->dir);
    assert_true(err_ok(loop_new(&b->loop, clock_system())));
    server_start(b);
    *state = b;
    return 0;
}

static inline void turn(struct bench *b) { uv_run(loop_uv(b->loop), UV_RUN_NOWAIT); }

static inline void turns_for(struct bench *b, uint64_t ms)
{
    for (uint64_t end = loop_now(b->loop) + ms; loop_now(b->loop) < end; usleep(500))
        turn(b);
}

#define UNTIL(b, cond)                                                       \
    do {                                                                     \
        uint64_t end_ = loop_now((b)->loop) + PATIENCE_MS;                   \
        while (!(cond) && loop_now((b)->loop) < end_) {                      \
            turn(b);                                                         \
            usleep(200);                                                     \
        }                                                                    \
        assert_true(cond);                                                   \
    } while (0)

static inline int teardown(void **state)
{
    struct bench *b = *state;
    server_stop(b);
    turns_for(b, 5);
    for (size_t i = 0; i < b->n_held; i++)
        ipc_reply(b->held[i], OK, SLICE_NONE);
    loop_free(b->loop);
    unlink(b->path);
    assert_int_equal(rmdir(b->dir), 0);
    free(b);
    return 0;
}

static inline struct ipc_client *client(struct bench *b, enum ipc_role role, const uint8_t *cap)
{
    struct ipc_client *c = NULL;
    struct ipc_client_conf conf = { .path = b->path, .role = role, .cap = cap_of(cap), .down = E_VAULT_DOWN };
    assert_true(err_ok(ipc_client_new(&c, b->loop, conf)));
    return c;
}

static inline void on_done(void *arg, struct err e, struct slice body)
{
    struct result *r = arg;
    r->times++;
    r->e = e;
    r->n = body.n;
    if (body.n)
        memcpy(r->body, body.p, body.n);
}

static inline uint64_t in_ms(struct bench *b, uint64_t ms) { return loop_now(b->loop) + ms; }

#endif
