#include "gateway/base/must.h"
#include "gateway/serve/inside.h"

enum { BODY_FREE = 1 << 20, BODY_STEP = 128 * 1024, STEP_MS = 1000 };

/* ---- answers ---- */

/* What d->answer has goes into out. */
static bool encrypt_answer(struct conn *c, struct req_id id)
{
    struct door *d = c->door;
    buf__lend(&c->out, &d->spare_out);
    struct err e = buf_check(&d->answer);
    if (err_ok(e))
        e = tls_write(c->tls, buf_slice(&d->answer), &c->out);
    if (d->answer.cap > KEEP_BUF)
        buf_done(&d->answer);
    else
        buf_reset(&d->answer);
    if (!err_ok(e)) {
        LOG(WARN, "answer_lost", LF("id", id), LF("error", e));
        conn__close(c);
    }
    return err_ok(e);
}

static void write_answer(struct conn *c, struct http_answer *a, struct req_id id, struct slice body)
{
    struct door *d = c->door;
    char hex[2 * sizeof id.b + 1] = { 0 };
    for (size_t i = 0; i < sizeof id.b; i++) {
        hex[2 * i] = "0123456789abcdef"[id.b[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[id.b[i] & 15];
    }
    c->last = c->last || c->eof || d->closing;
    a->request_id = hex;
    a->date = door__date(d);
    a->close = c->last;
    a->keep_alive = c->head && c->head->version_minor == 0;
    a->no_body = c->head && c->head->head_method;
    meter__answered(c, a->status);
    http_write(&d->answer, a, body);
}

bool conn__put_answer(struct conn *c, struct http_answer *a, struct req_id id, struct slice body)
{
    write_answer(c, a, id, body);
    if (!encrypt_answer(c, id))
        return false;
    if (c->last)
        tls_shutdown(c->tls, &c->out);
    c->state = CONN_WRITE;
    conn__deadline(c, c->door->conf.limits.write_ms);
    return true;
}

bool conn__put_head(struct conn *c, struct http_answer *a, struct req_id id)
{
    a->endless = true;
    a->version_minor = c->head->version_minor;
    c->last = c->last || a->version_minor == 0; /* the end of the connection is the end of the answer */
    write_answer(c, a, id, SLICE_NONE);
    if (!encrypt_answer(c, id))
        return false;
    c->state = CONN_STREAM;
    conn__deadline(c, c->door->conf.limits.write_ms);
    return true;
}

void conn__leave(struct conn *c)
{
    conn__flush(c);
    if (c->state == CONN_WRITE && !c->writing)
        conn__flushed(c);
}

static unsigned rest_ms(const struct conn *c)
{
    unsigned idle = c->door->conf.limits.idle_ms;
    return idle < REST_MS ? idle : REST_MS;
}

void conn__flushed(struct conn *c)
{
    if (c->state != CONN_WRITE)
        return;
    if (c->door->cut && !c->last) { /* since the answer was begun, which therefore promised more */
        c->last = true;
        tls_shutdown(c->tls, &c->out);
        conn__flush(c);
        if (c->writing)
            return;
    }
    if (c->last) {
        conn__linger(c);
        return;
    }
    c->head = NULL;
    http_forget(c->http);
    c->state = CONN_IDLE;
    c->rested = false;
    conn__deadline(c, c->pausing ? c->pause_ms : rest_ms(c));
    conn__pump(c);
}

/* Where there is no memory for a request, or beside one that is late. The connection ends. */
void conn__problem(struct conn *c, enum err_code code, struct req_id id)
{
    struct http_answer a = { 0 };
    struct buf doc;
    buf_init(&doc, 8192);
    problem__answer(&a, code, id);
    problem_write(&doc, code, id, NULL, NULL);
    c->last = true;
    bool good = conn__put_answer(c, &a, id, buf_slice(&doc));
    buf_done(&doc);
    if (good)
        conn__leave(c);
}

/* What cannot become a request is refused like one. The connection ends. */
static void refuse_fragment(struct conn *c, struct err why)
{
    struct req *r = req__begin(c);
    c->last = true;
    if (r)
        req_fail(r, why);
    else
        conn__problem(c, E_NOMEM, door__new_id(c->door));
}

/* ---- deadlines ---- */

static void head_expired(struct conn *c)
{
    if (http_idle(c->http))
        conn__bye(c);
    else
        refuse_fragment(c, FAIL(E_SLOW_CLIENT));
}

/* In two steps: first the buffers go, then the connection. */
static void idle_expired(struct conn *c)
{
    if (c->pausing) {
        c->pausing = false;
        conn__deadline(c, rest_ms(c));
        conn__pump(c);
        return;
    }
    unsigned rest = c->door->conf.limits.idle_ms - rest_ms(c);
    if (c->rested || rest == 0) {
        conn__bye(c);
        return;
    }
    tls_rest(c->tls);
    c->rested = true;
    door__rested(c->door);
    conn__deadline(c, rest);
}

/* Until the next look at its rate, or its end. */
static void await_more(struct conn *c)
{
    const struct door_limits *l = &c->door->conf.limits;
    uint64_t now = uv_now(c->timer.loop), left = c->body_until > now ? c->body_until - now : 0;
    c->body_seen = c->req->body.n;
    conn__deadline(c, l->body_rate && l->body_look_ms < left ? l->body_look_ms : left);
}

static void body_expired(struct conn *c)
{
    const struct door_limits *l = &c->door->conf.limits;
    uint64_t came = c->req->body.n - c->body_seen, least = (uint64_t)l->body_rate * l->body_look_ms / 1000;
    if (uv_now(c->timer.loop) >= c->body_until || came < least)
        req_fail(c->req, FAIL(E_SLOW_CLIENT));
    else
        await_more(c);
}

/* The handler keeps the request until it answers; that answer is dropped. */
static void busy_expired(struct conn *c)
{
    c->req->late = true;
    LOG(WARN, "deadline_exceeded", LF("id", c->req->id), LF("trace", c->req->trace), LF("operation", c->req->route->operation));
    conn__problem(c, E_DEADLINE, c->req->id);
}

void conn__expired(struct conn *c)
{
    static void (*const EXPIRED[CONN__MAX])(struct conn *) = {
        [CONN_HANDSHAKE] = conn__close, [CONN_HEAD] = head_expired,   [CONN_IDLE] = idle_expired,
        [CONN_BODY] = body_expired,     [CONN_WAIT] = admit__waited,  [CONN_BUSY] = busy_expired,   [CONN_WRITE] = conn__reset,
        [CONN_STREAM] = stream__expired, [CONN_LINGER] = conn__close,
    };
    if (EXPIRED[c->state])
        EXPIRED[c->state](c);
}

/* ---- requests ---- */

void conn__run(struct conn *c)
{
    struct req *r = c->req;
    uint64_t now = loop_now(c->door->loop); /* it may have waited since the deadline was set */
    c->state = CONN_BUSY;
    conn__deadline(c, r->deadline > now ? r->deadline - now : 0);
    struct err e = r->route->callers ? conn__certificate(c) : OK; /* the body may have taken long */
    if (err_ok(e))
        r->route->handler(r);
    else
        req_fail(r, e);
}

static void await_body(struct conn *c, size_t unread)
{
    const struct door_limits *l = &c->door->conf.limits;
    uint64_t size = c->head->length_known ? c->head->content_length : c->req->route->body_max;
    uint64_t extra = size > BODY_FREE ? (size - BODY_FREE) / BODY_STEP * STEP_MS : 0;
    if (!admit__body(c->req, size))
        return;
    c->state = CONN_BODY;
    c->req->body.max = c->req->route->body_max;
    c->body_until = uv_now(c->timer.loop) + l->body_ms + extra;
    await_more(c);
    if (!c->head->expect_continue || unread > 0)
        return;
    buf__lend(&c->out, &c->door->spare_out);
    struct err e = tls_write(c->tls, LIT("HTTP/1.1 100 Continue\r\n\r\n"), &c->out);
    if (err_ok(e))
        conn__flush(c);
    else
        conn__close(c);
}

static void on_head(struct conn *c, const struct http_head *h, struct slice *in)
{
    const struct http_head *ignored_head;
    struct slice ignored_data;
    struct err ignored_err;
    c->head = h;
    c->state = CONN_BUSY;
    c->last = !h->keep_alive || h->has_body; /* until the body is read */
    if (!h->has_body)
        MUST(http_next(c->http, in, &ignored_head, &ignored_data, &ignored_err) == HTTP_DONE);
    struct req *r = req__begin(c);
    if (!r) {
        conn__problem(c, E_NOMEM, door__new_id(c->door));
        return;
    }
    enum admitted may = admit__head(r, h);
    if (may == ADMIT_NO)
        return;
    struct err e = may == ADMIT_YES ? route__check(r, h) : OK;
    if (err_ok(e) && may == ADMIT_YES)
        e = route__check_body(r->route, h);
    if (!err_ok(e))
        req_fail(r, e);
    else if (h->has_body)
        await_body(c, in->n);
    else
        admit__run(c);
}

static void on_body(struct conn *c, struct slice data)
{
    struct buf *body = &c->req->body;
    if (data.n > body->max - body->n) {
        req_fail(c->req, FAIL(E_BODY_TOO_LARGE));
        return;
    }
    buf_put(body, data);
    struct err e = buf_check(body);
    if (!err_ok(e))
        req_fail(c->req, e);
}

static void on_done(struct conn *c)
{
    c->last = !c->head->keep_alive;
    admit__run(c);
}

static void on_bad(struct conn *c, struct err why)
{
    c->last = true;
    if (c->req)
        req_fail(c->req, why);
    else
        refuse_fragment(c, why);
}

static bool receiving(const struct conn *c)
{
    return c->state == CONN_HEAD || c->state == CONN_IDLE || c->state == CONN_BODY;
}

/* Parses what is there until more is needed or a request is in work. */
static void parse(struct conn *c)
{
    struct slice in = buf_slice(&c->plain), data;
    const struct http_head *head;
    struct err why;
    bool more = true;
    while (more && receiving(c)) {
        switch (http_next(c->http, &in, &head, &data, &why)) {
        case HTTP_NEED: more = false; break;
        case HTTP_HEAD: on_head(c, head, &in); break;
        case HTTP_BODY: on_body(c, data); break;
        case HTTP_DONE: on_done(c); break;
        case HTTP_BAD: on_bad(c, why); break;
        }
    }
    buf_drop(&c->plain, c->plain.n - in.n);
}

void conn__pump(struct conn *c)
{
    if (c->pumping || c->state == CONN_CLOSED)
        return;
    if (c->pausing && c->state == CONN_IDLE) {
        conn__settle_reading(c);
        return;
    }
    c->pumping = true;
    parse(c);
    while (c->full && receiving(c) && c->plain.n == 0 && conn__feed(c, SLICE_NONE))
        parse(c);
    c->pumping = false;
    if (c->state == CONN_CLOSED)
        return;
    if (c->state == CONN_IDLE && !http_idle(c->http)) {
        c->state = CONN_HEAD;
        conn__deadline(c, c->door->conf.limits.header_ms);
    }
    if (c->eof && receiving(c)) {
        conn__close(c);
        return;
    }
    conn__settle_reading(c);
}
