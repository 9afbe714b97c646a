#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/ipc/frame.h"
#include "gateway/loop/due.h"
#include "gateway/loop/wire.h"

enum {
    BACKOFF_MIN_MS = 20,
    BACKOFF_MAX_MS = 500,
    HELLO_MS = 2000,
    OUT_MAX = (IPC_INFLIGHT_MAX + 1) * (IPC_HEAD_BYTES + IPC_BODY_MAX),
    SLOT_BITS = 14 /* of an id; the rest counts the uses of the slot, so that a late reply finds nobody */
};
_Static_assert(1 << SLOT_BITS == IPC_INFLIGHT_MAX, "an id names a slot");

struct call {
    struct due_item due; /* first */
    ipc_done_fn *done;
    void *arg;
    uint32_t id;
    uint8_t type;
    bool in_slot, sent;
    enum err_code verdict;     /* what it ends with when it falls due */
    struct call *next, **at;   /* among the waiting, in order; at is NULL once sent */
    uint16_t len;
    uint8_t body[];
};

struct slot {
    struct call *call; /* NULL: free */
    uint32_t uses;
};

struct ipc_client {
    struct loop *loop;
    struct ipc_client_conf conf;
    char *path;
    struct wire *wire;       /* NULL: waits for the next attempt */
    struct timer *timer;     /* next attempt, or the end of patience with HELLO */
    struct due *due;
    uint64_t backoff_ms;
    uint64_t heard;          /* pieces of replies that came in */
    bool up, closing;
    bool greeted;            /* by the server of this wire */
    bool moving;             /* it leaves: the calls that wait are for the next one */
    uint64_t move_until;     /* loop_now() */
    size_t n_sent;
    unsigned busy;           /* callbacks of ours on the stack: it cannot be freed yet */
    size_t pending;          /* calls, refused ones included */
    struct call *waiting, **waiting_end;
    struct slot slots[IPC_INFLIGHT_MAX];
    uint16_t free_slots[IPC_INFLIGHT_MAX];
    size_t n_free;
};

static void connect_now(struct ipc_client *c);

static void client_destroy(struct ipc_client *c)
{
    timer_free(c->timer);
    due_free(c->due);
    secret_free(c->conf.cap);
    free(c->path);
    free(c);
}

static void enter(struct ipc_client *c) { c->busy++; }

static void leave(struct ipc_client *c)
{
    if (--c->busy == 0 && c->closing && c->pending == 0)
        client_destroy(c);
}

static void unwait(struct ipc_client *c, struct call *k)
{
    if (!k->at)
        return;
    *k->at = k->next;
    if (k->next)
        k->next->at = k->at;
    else
        c->waiting_end = k->at;
    k->at = NULL;
}

/* Takes the call out of everything and tells its owner. */
static void finish(struct ipc_client *c, struct call *k, struct err e, struct slice body)
{
    unwait(c, k);
    due_drop(c->due, &k->due);
    if (k->in_slot) {
        size_t at = k->id & (IPC_INFLIGHT_MAX - 1);
        c->slots[at].call = NULL;
        c->free_slots[c->n_free++] = (uint16_t)at;
    }
    c->pending--;
    c->n_sent -= k->sent;
    enter(c);
    k->done(k->arg, e, body);
    explicit_bzero(k->body, k->len);
    free(k);
    leave(c);
}

static void on_due(void *ctx, struct due_item *it)
{
    struct call *k = (struct call *)it;
    finish(ctx, k, FAIL(k->verdict), SLICE_NONE);
}

/* The connection has gone: nobody knows what became of the calls that were sent. */
static void lost(struct ipc_client *c)
{
    if (c->up)
        LOG(WARN, "ipc_lost", LF("role", (unsigned)c->conf.role));
    c->up = false;
    c->wire = NULL;
    enter(c);
    for (size_t i = 0; i < IPC_INFLIGHT_MAX && !c->closing; i++) {
        struct call *k = c->slots[i].call;
        if (k && k->sent)
            finish(c, k, FAIL(c->conf.down), SLICE_NONE);
    }
    if (!c->closing) {
        timer_start(c->timer, c->backoff_ms);
        c->backoff_ms = 2 * c->backoff_ms < BACKOFF_MAX_MS ? 2 * c->backoff_ms : BACKOFF_MAX_MS;
    }
    leave(c);
}

static void on_gone(void *ctx) { lost(ctx); }

static void break_off(struct ipc_client *c)
{
    wire_close(c->wire);
    lost(c);
}

static void on_timer(void *arg)
{
    struct ipc_client *c = arg;
    if (c->wire)
        break_off(c);
    else
        connect_now(c);
}

static void transmit(struct ipc_client *c, struct call *k)
{
    unwait(c, k);
    k->sent = true;
    c->n_sent++;
    ipc_frame_put(wire_out(c->wire), k->type, k->id, slice_of(k->body, k->len));
    explicit_bzero(k->body, k->len);
}

static struct err put_hello(struct slice cap, void *arg)
{
    struct ipc_client *c = arg;
    uint8_t hello[IPC_HELLO_BYTES] = { (uint8_t)c->conf.role };
    if (cap.n != IPC_CAP_BYTES)
        return FAIL(E_CONFIG);
    memcpy(hello + 1, cap.p, cap.n);
    ipc_frame_put(wire_out(c->wire), IPC_HELLO, 0, ARR(hello));
    explicit_bzero(hello, sizeof hello);
    return OK;
}

static void on_up(void *ctx)
{
    struct ipc_client *c = ctx;
    if (err_ok(secret_use(c->conf.cap, put_hello, c)))
        timer_start(c->timer, HELLO_MS);
    else
        break_off(c);
}

static bool welcomed(struct ipc_client *c, const struct ipc_frame *f)
{
    if (f->type != IPC_HELLO || f->code != E_OK || f->body.n != 0)
        return false;
    c->up = c->greeted = true;
    c->moving = false;
    c->backoff_ms = BACKOFF_MIN_MS;
    timer_stop(c->timer);
    LOG(INFO, "ipc_up", LF("role", (unsigned)c->conf.role));
    while (c->waiting)
        transmit(c, c->waiting);
    return true;
}

/* To the next server, when this one has answered everything. */
static void move(struct ipc_client *c)
{
    if (!c->moving || c->n_sent > 0 || !c->wire || c->closing)
        return;
    wire_close(c->wire);
    c->wire = NULL;
    timer_start(c->timer, 0);
}

static void on_leave(struct ipc_client *c)
{
    c->up = false;
    c->moving = true;
    c->move_until = loop_now(c->loop) + IPC_MOVE_MS;
    timer_start(c->timer, IPC_LEAVE_MS);
}

static bool answered(struct ipc_client *c, const struct ipc_frame *f)
{
    if (f->type == IPC_HELLO && f->id == IPC_LEAVE_ID && c->up) {
        on_leave(c);
        return true;
    }
    struct call *k = c->slots[f->id & (IPC_INFLIGHT_MAX - 1)].call;
    if (!k || k->id != f->id)
        return true; /* late: its owner has been told already */
    if (!k->sent || k->type != f->type)
        return false;
    finish(c, k, f->code == E_OK ? OK : FAIL(f->code), f->body);
    return true;
}

static void on_bytes(void *ctx, struct slice *in)
{
    struct ipc_client *c = ctx;
    struct wire *wire = c->wire;
    bool good = true;
    c->heard++;
    enter(c);
    while (good && c->wire == wire && !c->closing) {
        struct ipc_frame f;
        enum ipc_frame_ev ev = ipc_frame_next(in, &f);
        if (ev == IPC_FRAME_NEED)
            break;
        good = ev == IPC_FRAME_GOT && f.reply && (c->greeted ? answered(c, &f) : welcomed(c, &f));
    }
    if (!good && !c->closing)
        break_off(c);
    else if (c->wire == wire)
        move(c);
    leave(c);
}

static const struct wire_ops CLIENT_OPS = { .on_up = on_up, .on_bytes = on_bytes, .on_gone = on_gone };

static void connect_now(struct ipc_client *c)
{
    c->greeted = false;
    if (!err_ok(wire_connect(&c->wire, c->loop, c->path, OUT_MAX, &CLIENT_OPS, c)))
        lost(c);
}

struct err ipc_client_new(struct ipc_client **ret_c, struct loop *l, struct ipc_client_conf conf)
{
    struct ipc_client *c = wire_path_ok(conf.path) ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        secret_free(conf.cap);
        return wire_path_ok(conf.path) ? FAIL(E_NOMEM) : FAIL(E_CONFIG);
    }
    c->loop = l;
    c->conf = conf;
    c->conf.path = NULL;
    c->path = strdup(conf.path);
    c->backoff_ms = BACKOFF_MIN_MS;
    c->waiting_end = &c->waiting;
    for (size_t i = IPC_INFLIGHT_MAX; i-- > 0;)
        c->free_slots[c->n_free++] = (uint16_t)i;
    struct err e = c->path ? due_new(&c->due, l, on_due, c) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = timer_new(&c->timer, l, on_timer, c);
    if (!err_ok(e)) {
        client_destroy(c);
        return e;
    }
    timer_start(c->timer, 0);
    *ret_c = c;
    return OK;
}

void ipc_client_close(struct ipc_client *c)
{
    if (!c || c->closing)
        return;
    enter(c);
    c->closing = true;
    c->up = false;
    wire_close(c->wire);
    c->wire = NULL;
    timer_stop(c->timer);
    for (size_t i = 0; i < IPC_INFLIGHT_MAX; i++) {
        struct call *k = c->slots[i].call;
        if (!k)
            continue;
        k->verdict = E_CANCELED;
        due_drop(c->due, &k->due);
        due_add(c->due, &k->due, 0);
    }
    leave(c);
}

uint64_t ipc_client_heard(const struct ipc_client *c) { return c->heard; }
size_t ipc_client_waiting(const struct ipc_client *c) { return c->pending; }
bool ipc_client_up(const struct ipc_client *c) { return c->up || (c->moving && loop_now(c->loop) < c->move_until); }

static void take_slot(struct ipc_client *c, struct call *k)
{
    size_t at = c->free_slots[--c->n_free];
    struct slot *s = &c->slots[at];
    s->call = k;
    s->uses++;
    k->id = s->uses << SLOT_BITS | (uint32_t)at;
    k->in_slot = true;
    k->at = c->waiting_end;
    *c->waiting_end = k;
    c->waiting_end = &k->next;
}

void ipc_call(struct ipc_client *c, uint8_t type, struct slice body, uint64_t deadline, ipc_done_fn *done, void *arg)
{
    MUST(type > IPC_HELLO && type <= IPC_TYPE_MAX && body.n <= IPC_BODY_MAX);
    struct call *k = malloc(sizeof *k + body.n);
    MUST(k); /* a call that cannot be remembered cannot be completed */
    *k = (struct call){ .done = done, .arg = arg, .type = type, .len = (uint16_t)body.n, .verdict = c->conf.down };
    if (body.n)
        memcpy(k->body, body.p, body.n);
    c->pending++;
    if (c->closing || c->n_free == 0) {
        k->verdict = c->closing ? E_CANCELED : E_BUSY;
        due_add(c->due, &k->due, 0);
        return;
    }
    take_slot(c, k);
    due_add(c->due, &k->due, deadline);
    if (c->up)
        transmit(c, k);
}
