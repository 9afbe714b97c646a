#include "gateway/signer/daemon.h"

#include <stdlib.h>

#include "gateway/base/log.h"

enum { CONNS_MAX = 128 };

struct signer_daemon {
    struct ipc_server *server;
    struct key_box *keys;
    struct buf public;
};

/* Who may have what signed: a front that is broken into cannot speak as the courier, nor the other way round. */
static bool may_sign(enum ipc_role from, uint8_t use) { return (from == IPC_COURIER) == (use == SIGNER_WEBHOOK); }

static void on_sign(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    const struct signer_daemon *d = ctx;
    uint8_t rs[SIGNER_SIGNATURE];
    if (body.p[0] == 0 || body.p[0] >= SIGNER_USE__MAX || body.p[1] == 0 || !may_sign(from, body.p[0])) {
        ipc_breach(call);
        return;
    }
    struct err e = key_box_sign(d->keys, (enum signer_use)body.p[0], body.p[1], body.p + 2, rs);
    ipc_reply(call, e, ARR(rs));
}

static void on_keys(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from, (void)body;
    const struct signer_daemon *d = ctx;
    ipc_reply(call, OK, buf_slice(&d->public));
}

static const struct ipc_rule RULES[] = {
    { SIGNER_MSG_SIGN, IPC_BIT(IPC_FRONT) | IPC_BIT(IPC_COURIER), SIGNER_SIGN_BYTES, SIGNER_SIGN_BYTES, on_sign },
    { SIGNER_MSG_KEYS, IPC_BIT(IPC_FRONT) | IPC_BIT(IPC_COURIER) | IPC_BIT(IPC_CTL), 0, 0, on_keys },
};

static void on_breach(void *ctx)
{
    (void)ctx;
    LOG(WARN, "ipc_breach");
}

static void destroy(struct signer_daemon *d)
{
    key_box_free(d->keys);
    buf_done(&d->public);
    free(d);
}

struct err signer_daemon_new(struct signer_daemon **ret_d, struct loop *l, struct signer_daemon_conf conf)
{
    struct ipc_server_conf server = {
        .path = conf.socket_path, .rules = RULES, .n_rules = sizeof RULES / sizeof RULES[0],
        .caps = { [IPC_FRONT] = conf.cap_front, [IPC_CTL] = conf.cap_ctl, [IPC_COURIER] = conf.cap_courier }, .conns_max = CONNS_MAX, .on_breach = on_breach,
    };
    struct signer_daemon *d = calloc(1, sizeof *d);
    if (!d) {
        secret_free(conf.cap_front);
        secret_free(conf.cap_ctl);
        secret_free(conf.cap_courier);
        key_box_free(conf.keys);
        return FAIL(E_NOMEM);
    }
    d->keys = conf.keys;
    buf_init(&d->public, SIGNER_KEYS_MAX * SIGNER_KEY_BYTES);
    signer_keys_encode(key_box_public(d->keys), &d->public);
    server.ctx = d;
    struct err e = ipc_server_new(&d->server, l, server);
    if (err_ok(e))
        e = buf_check(&d->public);
    if (err_ok(e)) {
        *ret_d = d;
        return OK;
    }
    ipc_server_close(d->server);
    destroy(d);
    return e;
}

void signer_daemon_close(struct signer_daemon *d)
{
    if (!d)
        return;
    ipc_server_close(d->server);
    destroy(d);
}

static void on_left(void *arg) { signer_daemon_close(arg); }

void signer_daemon_leave(struct signer_daemon *d) { ipc_server_leave(d->server, on_left, d); }
