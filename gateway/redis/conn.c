#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/redis/redis_int.h"

enum { GREET_BYTES = 512, FEED = 4096 /* the reader moves all that is left of a piece behind each KiB that it has taken */ };

static void connect_now(struct redis_conn *c);

void redis__set_state(struct redis_conn *c, enum redis_state s)
{
    c->state = s;
    c->stalled = c->silent = false;
    redis__state_changed(c->pool);
}

bool redis__conn_usable(const struct redis_conn *c, bool impatient) { return c->state == RS_UP && !c->stalled && !(impatient && c->silent); }

/* ---- the line of batches ---- */

static struct redis_batch *line_pop(struct redis_conn *c)
{
    struct redis_batch *b = c->head;
    c->head = b->next;
    if (!c->head)
        c->tail = &c->head;
    c->in_line--;
    if (b->kind == KIND_USER)
        c->pool->in_line--;
    return b;
}

static void line_push(struct redis_conn *c, struct redis_batch *b)
{
    if (!c->head)
        c->heard = loop_now(c->pool->loop);
    b->next = NULL;
    *c->tail = b;
    c->tail = &b->next;
    c->in_line++;
    if (b->kind == KIND_USER)
        c->pool->in_line++;
}

void redis__conn_put(struct redis_conn *c, struct redis_batch *b)
{
    struct buf *out = wire_out(c->wire);
    if (out->n == 0 && b->cmds.n > out->cap) { /* swap instead of a copy into more memory */
        struct buf empty = *out;
        *out = b->cmds;
        out->max = empty.max;
        b->cmds = empty;
    } else {
        buf_put(out, buf_slice(&b->cmds));
    }
    buf_done(&b->cmds);
    line_push(c, b);
}

/* Everything in line ends as lost. The connection is down already, so that no callback finds it usable. */
static void line_lose(struct redis_conn *c)
{
    while (c->head) {
        struct redis_batch *b = line_pop(c);
        if (b->kind == KIND_USER && !b->told)
            redis__tell(c->pool, b, c->pool->silent ? FAIL(E_STORE_SILENT) : FAIL(E_STORE_DOWN));
        redis_batch_free(b);
    }
}

/* ---- going down and coming back ---- */

static void release(struct redis_conn *c)
{
    wire_close(c->wire);
    c->wire = NULL;
    if (c->reader)
        redisReaderFree(c->reader);
    c->reader = NULL;
}

static uint64_t jittered(uint64_t ms)
{
    uint16_t r;
    rnd_bytes(&r, sizeof r);
    return ms / 2 + r % (ms / 2 + 1);
}

static void drop(struct redis_conn *c)
{
    struct redis *r = c->pool;
    redis__enter(r);
    release(c);
    r->turn++;
    c->turn++;
    metric_add(r->count.lost, 1);
    c->asking = false;
    redis__set_state(c, RS_DOWN);
    line_lose(c);
    if (!r->closing) {
        timer_start(c->retry, jittered(c->backoff_ms));
        c->backoff_ms = 2 * c->backoff_ms < REDIS_BACKOFF_MAX_MS ? 2 * c->backoff_ms : REDIS_BACKOFF_MAX_MS;
    }
    redis__leave(r);
}

static void on_gone(void *ctx)
{
    struct redis_conn *c = ctx;
    c->wire = NULL;
    if (c->state == RS_CONNECTING) /* nobody is there */
        c->pool->silent = false;
    drop(c);
}

/* While nothing comes back one connection tries for all: a server that is stopped would find hundreds of dead ones in its queue. */
static void on_retry(void *arg)
{
    struct redis_conn *c = arg;
    struct redis *r = c->pool;
    if (r->silent && c != &r->conns[0])
        timer_start(c->retry, REDIS_TICK_ASKED_MS);
    else
        connect_now(c);
}

/* ---- our own questions ---- */

static struct err put_auth(struct slice password, void *arg)
{
    struct redis_conn *c = ((void **)arg)[0];
    struct redis_batch *b = ((void **)arg)[1];
    REDIS_ADD(b, LIT("AUTH"), slice_str(c->pool->user), password);
    return buf_check(&b->cmds);
}

/* Takes the batch. */
static ERR ask_until(struct redis_conn *c, enum redis_kind kind, struct redis_batch *b, uint64_t ms)
{
    b->kind = kind;
    b->seen = c->pool->seen;
    b->deadline = loop_now(c->pool->loop) + ms;
    struct err e = redis__batch_ready(b) ? buf_check(&b->cmds) : FAIL(E_NOMEM);
    if (err_ok(e))
        redis__conn_put(c, b);
    else
        redis_batch_free(b);
    return e;
}

static ERR ask_with(struct redis_conn *c, enum redis_kind kind, struct redis_batch *b) { return ask_until(c, kind, b, REDIS_ANSWER_MS); }

/* AUTH (greet only) and PING. */
static ERR ask(struct redis_conn *c, enum redis_kind kind, bool auth)
{
    struct redis_batch *b = redis_batch_new(GREET_BYTES + SECRET_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    struct err e = auth ? secret_use(c->pool->password, put_auth, (void *[]){ c, b }) : OK;
    REDIS_ADD(b, LIT("PING"));
    if (err_ok(e))
        return auth ? ask_until(c, kind, b, REDIS_GREET_MS) : ask_with(c, kind, b);
    redis_batch_free(b);
    return e;
}

struct err redis__guard_ask_server(struct redis_conn *c)
{
    struct redis_batch *b = redis_batch_new(GREET_BYTES);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("GET"), c->pool->guard.key);
    /* On a connection at work it waits behind what takes long: that is no reason to drop it. */
    return ask_until(c, KIND_GUARD, b, c->state == RS_UP ? REDIS_BUSY_ANSWER_MS : REDIS_ANSWER_MS);
}

struct err redis__guard_spoil_server(struct redis_conn *c)
{
    struct redis_batch *b = redis_batch_new(GREET_BYTES);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("SET"), c->pool->guard.key, LIT("0"));
    REDIS_ADD(b, LIT("PING"));
    return ask_with(c, KIND_PING, b);
}

static void on_up(void *ctx)
{
    struct redis_conn *c = ctx;
    redis__set_state(c, RS_GREETING);
    if (!err_ok(ask(c, KIND_GREET, true)))
        drop(c);
}

static bool is_pong(const struct redis_batch *b)
{
    const struct redis_reply *r = b->replies[b->count - 1];
    return r->type == REDIS_STATUS && slice_eq(redis_reply_str(r), LIT("PONG"));
}

/* False: the connection is of no use. */
static bool greeted(struct redis_conn *c, const struct redis_batch *b)
{
    if (b->cls == RC_LOADING) {
        redis__set_state(c, RS_LOADING);
        return true;
    }
    if (b->cls != RC_NONE)
        LOG(ERROR, "redis_refused_greeting", LF("class", redis__class_name(b->cls)));
    if (b->cls != RC_NONE || !is_pong(b))
        return false;
    c->backoff_ms = REDIS_BACKOFF_MIN_MS;
    if (c->pool->guard.ask)
        redis__guard_begin(c);
    else
        redis__set_state(c, RS_UP);
    return true;
}

/* ---- replies ---- */

static ERR refused(struct redis *r, enum redis_class cls)
{
    static const enum err_code CODES[RC__MAX] = { [RC_LOADING] = E_STORE_LOADING, [RC_READONLY] = E_STORE_READONLY, [RC_OOM] = E_STORE_MEMORY, [RC_MISCONF] = E_STORE_DISK,
        [RC_NOREPLICAS] = E_STORE_REPLICAS, [RC_MASTERDOWN] = E_STORE_DOWN, [RC_CLUSTERDOWN] = E_STORE_DOWN, [RC_MOVED] = E_STORE_DOWN, [RC_ASK] = E_STORE_DOWN,
        [RC_TRYAGAIN] = E_STORE_DOWN };
    if (CODES[cls] == E_OK)
        return FAIL(E_STORE_REFUSED);
    r->refused = CODES[cls];
    r->refused_at = loop_now(r->loop);
    return FAIL(r->refused);
}

/* Also what comes too late says that the store has gone back. */
static void told(struct redis_conn *c, struct redis_batch *b)
{
    struct err e = b->cls == RC_NONE ? redis__raised(c, b) : refused(c->pool, b->cls);
    if (err_ok(e) && !redis__replicas_have(c->pool, b))
        e = refused(c->pool, RC_NOREPLICAS);
    if (!b->told)
        redis__tell(c->pool, b, e);
}

static bool complete(struct redis_conn *c)
{
    struct redis_batch *b = line_pop(c);
    bool good = true;
    if (b->kind == KIND_GREET)
        good = greeted(c, b);
    else if (b->kind == KIND_PING)
        good = b->cls == RC_NONE && is_pong(b);
    else if (b->kind == KIND_GUARD)
        good = redis__guard_heard(c, b);
    else
        told(c, b);
    redis_batch_free(b);
    return good;
}

/* Takes the reply. False when nobody asked for it. */
static bool take_reply(struct redis_conn *c, struct redis_reply *reply)
{
    struct redis_batch *b = c->head;
    if (!b) {
        redis__reply_free(reply);
        return false;
    }
    const bool at_exec = redis__batch_at_exec(b);
    enum redis_class cls = redis__reply_class(reply);
    if (cls == RC_NONE && at_exec && reply->type == REDIS_NIL && !b->may_abort)
        cls = RC_EXECABORT;
    if (b->cls == RC_NONE && cls != RC_NONE) {
        b->cls = cls;
        if (b->kind == KIND_USER)
            LOG(WARN, "redis_error_reply", LF("class", redis__class_name(cls)));
    }
    b->replies[b->got++] = reply;
    return b->got < b->count || complete(c);
}

static bool take_replies(struct redis_conn *c, const struct wire *wire, struct slice piece)
{
    if (redisReaderFeed(c->reader, (const char *)piece.p, piece.n) != 0)
        return false;
    while (c->wire == wire) {
        void *reply = NULL;
        if (redisReaderGetReply(c->reader, &reply) != 0)
            return false;
        if (!reply)
            break;
        c->items_left = REDIS_REPLY_ITEMS_MAX;
        if (!take_reply(c, reply))
            return false;
    }
    return true;
}

static void on_bytes(void *ctx, struct slice *in)
{
    struct redis_conn *c = ctx;
    struct redis *r = c->pool;
    struct wire *wire = c->wire;
    struct slice rest = *in;
    bool good = true;
    *in = SLICE_NONE;
    c->heard = loop_now(r->loop);
    c->stalled = c->silent = r->silent = false;
    redis__enter(r);
    while (good && c->wire == wire && rest.n) {
        const struct slice piece = slice_of(rest.p, rest.n < FEED ? rest.n : FEED);
        rest = slice_of(rest.p + piece.n, rest.n - piece.n);
        good = take_replies(c, wire, piece);
    }
    if (good && c->wire == wire)
        good = c->reader->len - c->reader->pos <= REDIS_REPLY_BYTES_MAX;
    if (!good && c->wire == wire) {
        LOG(WARN, "redis_dropped", LF("why", LITERAL("unexpected reply")));
        drop(c);
    }
    redis__leave(r);
}

static const struct wire_ops CONN_OPS = { .on_up = on_up, .on_bytes = on_bytes, .on_gone = on_gone };

static void connect_now(struct redis_conn *c)
{
    c->heard = loop_now(c->pool->loop);
    c->items_left = REDIS_REPLY_ITEMS_MAX;
    c->reader = redis__reader_new(&c->items_left);
    if (!c->reader || !err_ok(wire_connect(&c->wire, c->pool->loop, c->pool->path, REDIS_OUT_MAX + GREET_BYTES + SECRET_MAX, &CONN_OPS, c))) {
        drop(c);
        return;
    }
    redis__set_state(c, RS_CONNECTING);
}

/* ---- time ---- */

static bool too_late(const struct redis_conn *c, uint64_t now)
{
    if (c->state == RS_CONNECTING)
        return now > c->heard + REDIS_GREET_MS;
    if (!c->head)
        return false;
    return now > c->head->deadline + (c->head->kind == KIND_USER ? REDIS_DROP_MS : 0);
}

static struct redis_batch *untold(const struct redis_conn *c, uint64_t sent_until)
{
    for (struct redis_batch *b = c->head; b; b = b->next)
        if (b->kind == KIND_USER && b->impatient && !b->told && b->sent <= sent_until)
            return b;
    return NULL;
}

static bool patient_in_line(const struct redis_conn *c)
{
    for (const struct redis_batch *b = c->head; b; b = b->next)
        if (b->kind == KIND_USER && !b->impatient && !b->told)
            return true;
    return false;
}

/* Nothing has come back for REDIS_SILENT_MS. Those who are told may send again, or close everything. */
static void tell_silence(struct redis_conn *c, uint64_t now)
{
    struct redis_batch *b;
    if (!c->silent) {
        c->silent = true;
        redis__state_changed(c->pool);
    }
    while (!c->pool->closing && c->state == RS_UP && (b = untold(c, now - REDIS_SILENT_MS)))
        redis__tell(c->pool, b, FAIL(E_STORE_SILENT));
}

static bool given_up(const struct redis_conn *c, uint64_t now) { return too_late(c, now) || (c->head && c->state == RS_UP && now >= c->heard + REDIS_SILENT_DROP_MS && !patient_in_line(c)); }

void redis__conn_tick(struct redis_conn *c, uint64_t now)
{
    if (c->state == RS_DOWN)
        return;
    if (c->head && c->state == RS_UP && now >= c->heard + REDIS_SILENT_MS)
        tell_silence(c, now);
    if (c->pool->closing || c->state == RS_DOWN)
        return;
    if (given_up(c, now)) {
        c->pool->silent = true;
        LOG(WARN, "redis_dropped", LF("why", LITERAL("no answer in time")));
        drop(c);
        return;
    }
    if (c->state == RS_GUARDED || c->state == RS_UP)
        redis__guard_tick(c, now);
    if (!c->head) {
        bool quiet = now >= c->heard + REDIS_PING_AFTER_MS;
        if ((c->state == RS_LOADING && !err_ok(ask(c, KIND_GREET, false))) ||
            ((c->state == RS_UP || c->state == RS_GUARDED) && quiet && !err_ok(ask(c, KIND_PING, false))))
            drop(c);
        return;
    }
    if (c->state == RS_UP && !c->stalled && now >= c->heard + REDIS_STALL_MS) {
        c->stalled = true;
        redis__state_changed(c->pool);
    }
}

struct err redis__conn_init(struct redis_conn *c, struct redis *r)
{
    *c = (struct redis_conn){ .pool = r, .backoff_ms = REDIS_BACKOFF_MIN_MS };
    c->tail = &c->head;
    TRY(timer_new(&c->retry, r->loop, on_retry, c));
    timer_start(c->retry, 0);
    return OK;
}

void redis__conn_close(struct redis_conn *c)
{
    release(c);
    c->state = RS_DOWN;
    timer_stop(c->retry);
    while (c->head) {
        struct redis_batch *b = line_pop(c);
        if (b->kind == KIND_USER && !b->told) {
            b->verdict = E_CANCELED;
            due_drop(c->pool->due, &b->due);
            due_add(c->pool->due, &b->due, 0);
        } else {
            redis_batch_free(b);
        }
    }
}

void redis__conn_done(struct redis_conn *c) { timer_free(c->retry); }
