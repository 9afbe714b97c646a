#include "gateway/base/must.h"
#include "gateway/serve/inside.h"

/* Answers without a known end. While one is under way the connection is in STREAM and the request belongs to the handler. When the connection
 * fails first, the handler is told from the loop, never inside a call of its own, and the request goes with that. */

static void over(void *arg)
{
    struct req *r = arg;
    if (!r->stream.ended)
        r->stream.gone(r->stream.arg);
    req__release(r);
}

void stream__lost(struct req *r)
{
    r->stream.lost = true;
    struct err e = loop_defer(r->conn->door->loop, over, r);
    if (!err_ok(e)) /* the loop is being freed: nobody is left to be told */
        LOG(ERROR, "stream_left_open", LF("id", r->id), LF("error", e));
}

void req_stream(struct req *r, const char *content_type, void (*gone)(void *arg), void *arg)
{
    struct conn *c = r->conn;
    MUST(c && !r->stream.on);
    r->stream.on = true;
    r->stream.gone = gone;
    r->stream.arg = arg;
    req_rests(r);
    if (c->state == CONN_CLOSED || r->late) {
        stream__lost(r);
        return;
    }
    struct err why;
    if (!req__may_leave(r, &why)) {
        conn__close(c);
        stream__lost(r);
        return;
    }
    struct http_answer a = { .status = 200, .content_type = content_type };
    LOG(DEBUG, "stream", LF("id", r->id), LF("operation", r->route->operation));
    if (!conn__put_head(c, &a, r->id))
        stream__lost(r); /* closed while BUSY */
    else if (c->door->cut || (c->door->closing && !r->stream.whole))
        stream__door_closes(c);
    else
        conn__flush(c);
}

static bool encrypt(struct conn *c, struct buf *plain)
{
    buf__lend(&c->out, &c->door->spare_out);
    struct err e = buf_check(plain);
    if (err_ok(e))
        e = tls_write(c->tls, buf_slice(plain), &c->out);
    if (plain->cap > KEEP_BUF)
        buf_done(plain);
    else
        buf_reset(plain);
    if (!err_ok(e)) {
        LOG(WARN, "stream_broken", LF("id", c->req->id), LF("error", e));
        conn__close(c);
    }
    return err_ok(e);
}

/* What the client has not taken: beside out there is what libuv holds. */
static size_t unsent(const struct conn *c) { return c->out.n + uv_stream_get_write_queue_size((const uv_stream_t *)&c->tcp); }

size_t req_stream_waiting(const struct req *r) { return r->stream.lost || !r->conn ? 0 : unsent(r->conn); }

void req_stream_put(struct req *r, struct slice text)
{
    MUST(r->conn && r->stream.on && !r->stream.ended);
    struct conn *c = r->conn;
    if (r->stream.lost || text.n == 0)
        return;
    struct err why;
    if (!req__may_leave(r, &why)) {
        conn__close(c);
        return;
    }
    bool stood = !c->writing;
    http_write_piece(&c->door->answer, c->head->version_minor, text);
    if (!encrypt(c, &c->door->answer))
        return;
    conn__flush(c);
    if (c->state != CONN_STREAM)
        return;
    if (unsent(c) > STREAM_MAX) {
        LOG(INFO, "stream_not_read", LF("id", r->id));
        conn__close(c);
    } else if (stood && c->writing) { /* from now on the client has to read */
        conn__deadline(c, c->door->conf.limits.write_ms);
    }
}

/* The connection goes on as after any answer. */
static bool end_answer(struct conn *c)
{
    http_write_end(&c->door->answer, c->head->version_minor);
    if (c->door->answer.n && !encrypt(c, &c->door->answer))
        return false;
    c->last = c->last || c->eof || c->door->closing;
    if (c->last)
        tls_shutdown(c->tls, &c->out);
    c->state = CONN_WRITE;
    conn__deadline(c, c->door->conf.limits.write_ms);
    return true;
}

void req_stream_end(struct req *r)
{
    MUST(r->conn && r->stream.on && !r->stream.ended);
    struct conn *c = r->conn;
    r->stream.ended = true;
    if (r->stream.lost || !end_answer(c))
        return; /* over() releases it */
    req__release(r);
    conn__leave(c);
}

void req_stream_whole(struct req *r) { r->stream.whole = true; }

void req_stream_break(struct req *r)
{
    MUST(r->conn && r->stream.on && !r->stream.ended);
    if (!r->stream.lost)
        conn__close(r->conn);
}

void stream__door_closes(struct conn *c)
{
    struct req *r = c->req;
    if (r->stream.whole) {
        conn__close(c);
        return;
    }
    if (!end_answer(c))
        return;
    stream__lost(r);
    conn__leave(c);
}

void stream__written(struct conn *c) { conn__deadline(c, c->door->conf.limits.write_ms); }

/* A stream that has nothing to say may last. */
void stream__expired(struct conn *c)
{
    struct err why;
    if (c->writing || !req__may_leave(c->req, &why))
        conn__reset(c);
    else
        conn__deadline(c, c->door->conf.limits.write_ms);
}
