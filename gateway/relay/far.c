#include "gateway/relay/far.h"

#include <stdlib.h>

#include "gateway/loop/wire.h"

enum { OUT_MAX = 72 * 1024 * 1024, PLAIN_MAX = 1024 * 1024 };

struct far {
    struct wire *wire;
    struct secure_conn *secure; /* NULL: plain */
    const struct far_ops *ops;
    void *ctx;
    struct buf plain;
    bool up, closed;
    unsigned busy; /* callbacks on the stack */
};

static void let_go(struct far *f)
{
    if (!f->closed || f->busy)
        return;
    secure_conn_free(f->secure);
    buf_done(&f->plain);
    free(f);
}

static void leave(struct far *f)
{
    f->busy--;
    let_go(f);
}

void far_close(struct far *f)
{
    if (!f || f->closed)
        return;
    f->closed = true;
    wire_close(f->wire);
    f->wire = NULL;
    let_go(f);
}

/* The owner hears it once, and may not close it any more. */
static void gone(struct far *f)
{
    const struct far_ops *ops = f->ops;
    void *ctx = f->ctx;
    if (f->closed)
        return;
    far_close(f);
    ops->on_gone(ctx);
}

static void up(struct far *f)
{
    f->up = true;
    f->ops->on_up(f->ctx);
}

/* Also begins, with nothing. */
static void unseal(struct far *f, struct slice in)
{
    const enum secure_state s = secure_feed(f->secure, in, wire_out(f->wire), &f->plain);
    if (s != SECURE_SHAKING && !f->up && s == SECURE_OPEN)
        up(f);
    if (!f->closed && f->plain.n)
        f->ops->on_bytes(f->ctx, buf_slice(&f->plain));
    buf_reset(&f->plain);
    if (s == SECURE_BROKEN)
        gone(f);
}

static void on_up(void *ctx)
{
    struct far *f = ctx;
    f->busy++;
    if (f->secure)
        unseal(f, SLICE_NONE);
    else
        up(f);
    leave(f);
}

static void on_bytes(void *ctx, struct slice *in)
{
    struct far *f = ctx;
    const struct slice all = *in;
    *in = SLICE_NONE;
    f->busy++;
    if (f->secure)
        unseal(f, all);
    else
        f->ops->on_bytes(f->ctx, all);
    leave(f);
}

static void on_drained(void *ctx)
{
    struct far *f = ctx;
    f->busy++;
    if (f->up && f->ops->on_drained)
        f->ops->on_drained(f->ctx);
    leave(f);
}

static void on_gone(void *ctx)
{
    struct far *f = ctx;
    f->busy++;
    f->wire = NULL;
    gone(f);
    leave(f);
}

static const struct wire_ops WIRE_OPS = { .on_up = on_up, .on_bytes = on_bytes, .on_drained = on_drained, .on_gone = on_gone };

struct err far_open(struct far **ret_f, struct loop *l, const struct place_at *at, struct secure *secure, const struct far_ops *ops, void *ctx)
{
    struct sockaddr_storage to;
    struct far *f = place_sockaddr(at, &to) ? calloc(1, sizeof *f) : NULL;
    if (!f)
        return FAIL(E_NOMEM);
    f->ops = ops;
    f->ctx = ctx;
    buf_init(&f->plain, PLAIN_MAX);
    f->secure = secure ? secure_conn_new(secure, at->ip) : NULL;
    struct err e = secure && !f->secure ? FAIL(E_NOMEM) : wire_connect_tcp(&f->wire, l, (struct sockaddr *)&to, OUT_MAX, &WIRE_OPS, f);
    if (err_ok(e)) {
        *ret_f = f;
        return OK;
    }
    f->closed = true;
    let_go(f);
    return e;
}

void far_put(struct far *f, struct slice bytes)
{
    if (f->closed || !f->up)
        return;
    if (!f->secure)
        buf_put(wire_out(f->wire), bytes);
    else if (!secure_write(f->secure, bytes, wire_out(f->wire)))
        wire_out(f->wire)->failed = true; /* the wire breaks at the end of the turn, and its owner hears it */
}

size_t far_unsent(const struct far *f) { return f->closed ? 0 : wire_unsent(f->wire); }

void far_pause(struct far *f, bool on)
{
    if (!f->closed)
        wire_pause(f->wire, on);
}
