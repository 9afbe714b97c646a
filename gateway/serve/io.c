#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/serve/inside.h"

/* Buffers are lent by the door while a connection is at work: an idle connection holds none. */
void buf__lend(struct buf *b, struct buf *spare)
{
    if (b->p || !spare->p)
        return;
    size_t max = b->max;
    *b = *spare;
    b->max = max;
    *spare = (struct buf){ .max = spare->max }; /* given to b */
}

void buf__give_back(struct buf *b, struct buf *spare)
{
    if (!b->p || b->n > 0)
        return;
    buf_reset(b);
    if (spare->p || b->cap > KEEP_BUF) {
        buf_done(b);
        return;
    }
    size_t max = spare->max;
    *spare = *b;
    spare->max = max;
    *b = (struct buf){ .max = b->max }; /* given to the door */
}

/* ---- deadlines ---- */

static void on_timer(uv_timer_t *t)
{
    struct conn *c = t->data;
    uint64_t now = uv_now(t->loop);
    if (c->state == CONN_CLOSED)
        return;
    if (c->ticket && c->state == CONN_HEAD)
        conn__flush(c);
    if (now < c->deadline) {
        c->armed = c->deadline;
        uv_timer_start(t, on_timer, c->deadline - now, 0);
        return;
    }
    conn__expired(c);
}

/* The timer is moved only when it would come too late: most requests leave it alone. */
void conn__deadline(struct conn *c, uint64_t ms)
{
    if (c->state == CONN_CLOSED)
        return;
    c->deadline = uv_now(c->timer.loop) + ms;
    if (uv_is_active((uv_handle_t *)&c->timer) && c->armed <= c->deadline)
        return;
    c->armed = c->deadline;
    uv_timer_start(&c->timer, on_timer, ms, 0);
}

/* ---- the end ---- */

void conn__free_if_done(struct conn *c)
{
    if (c->open > 0 || c->req)
        return;
    struct door *d = c->door;
    admit__gone(c);
    buf_done(&c->early);
    if (c->prev)
        c->prev->next = c->next;
    else
        d->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    tls_conn_free(c->tls);
    http_parser_free(c->http);
    buf_done(&c->plain);
    buf_done(&c->out);
    buf_done(&c->sending);
    free(c);
    door__conn_gone(d);
}

/* ---- handshakes that wait: a crowd that comes at once must not keep up those who are inside ---- */

static void early_out(struct conn *c)
{
    struct door *d = c->door;
    if (!c->is_early)
        return;
    *(c->early_before ? &c->early_before->early_next : &d->early.first) = c->early_next;
    *(c->early_next ? &c->early_next->early_before : &d->early.last) = c->early_before;
    c->early_next = c->early_before = NULL;
    c->is_early = false;
    d->early.n--;
}

/* A handshake costs as much as ten requests: while requests of those who are inside wait for their turn, handshakes have an eighth of the time. */
static uint64_t early_rests_ns(const struct door *d)
{
    if (!d->conf.budget || budget_state(d->conf.budget).waiting == 0)
        return 0;
    uint64_t now = uv_hrtime();
    return now < d->early.rests_until ? d->early.rests_until - now : 0;
}

static void on_early_later(uv_timer_t *t);

static bool early_call(struct door *d)
{
    uint64_t rest = early_rests_ns(d);
    if (rest == 0)
        return uv_idle_start(&d->early.turn, door__early) == 0;
    uv_idle_stop(&d->early.turn);
    return uv_timer_start(&d->early.later, on_early_later, 1 + rest / 1000000, 0) == 0;
}

static void on_early_later(uv_timer_t *t)
{
    struct door *d = t->data;
    if (d->early.first && !early_call(d))
        conn__close(d->early.first);
}

static void early_in(struct conn *c, struct slice in)
{
    struct door *d = c->door;
    buf_init(&c->early, EARLY_MAX);
    buf_put(&c->early, in);
    if (!err_ok(buf_check(&c->early)) || (!d->early.first && !early_call(d))) {
        conn__close(c);
        return;
    }
    c->early_before = d->early.last;
    *(d->early.last ? &d->early.last->early_next : &d->early.first) = c;
    d->early.last = c;
    c->is_early = true;
    d->early.n++;
    conn__settle_reading(c);
}

static bool early_full(struct door *d)
{
    uint64_t now = uv_now(d->early.turn.loop);
    if (now != d->early.of_ms) {
        d->early.of_ms = now;
        d->early.took_ns = 0;
    }
    return !d->cut && (d->early.first || d->early.took_ns >= EARLY_NS || early_rests_ns(d) > 0); /* when it is cut off nobody is called any more */
}

static bool feed_handshake(struct conn *c, struct slice in)
{
    struct door *d = c->door;
    uint64_t from = uv_hrtime();
    bool open = conn__feed(c, in);
    uint64_t took = uv_hrtime() - from;
    d->early.took_ns += took;
    d->early.rests_until = from + took * EARLY_REST;
    return open;
}

void door__early(uv_idle_t *h)
{
    struct door *d = h->data;
    d->early.took_ns = 0; /* a turn of the loop, whatever its clock says */
    for (struct conn *c; (c = d->early.first) && d->early.took_ns < EARLY_NS && early_rests_ns(d) == 0;) {
        early_out(c);
        struct buf in = c->early;
        buf_init(&c->early, EARLY_MAX); /* given to in */
        if (feed_handshake(c, buf_slice(&in)))
            conn__pump(c);
        buf_done(&in);
    }
    if (!d->early.first)
        uv_idle_stop(&d->early.turn);
    else if (early_rests_ns(d) > 0)
        (void)early_call(d);
}

static void on_closed(uv_handle_t *h)
{
    struct conn *c = h->data;
    c->open--;
    conn__free_if_done(c);
}

void conn__close(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    bool ours = c->state == CONN_BODY || c->state == CONN_WAIT; /* else a handler has the request, and will answer it */
    bool stream = c->state == CONN_STREAM;
    early_out(c);
    c->state = CONN_CLOSED;
    uv_close((uv_handle_t *)&c->tcp, on_closed);
    uv_close((uv_handle_t *)&c->timer, on_closed);
    if (ours)
        req__release(c->req);
    else if (stream)
        stream__lost(c->req);
}

void conn__reset(struct conn *c)
{
    const struct linger none = { .l_onoff = 1 };
    int fd;
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) == 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    conn__close(c);
}

void conn__bye(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    tls_shutdown(c->tls, &c->out);
    conn__flush(c);
    conn__close(c);
}

static void on_shutdown(uv_shutdown_t *u, int status) { (void)u, (void)status; }

void conn__linger(struct conn *c)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->eof || uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp, on_shutdown) != 0) {
        conn__close(c);
        return;
    }
    c->state = CONN_LINGER;
    conn__deadline(c, LINGER_MS);
    conn__settle_reading(c);
}

/* ---- writing ---- */

static void on_written(uv_write_t *w, int status)
{
    struct conn *c = w->data;
    c->writing = false;
    buf_done(&c->sending);
    admit__holds(c, 0);
    if (c->state == CONN_CLOSED)
        return;
    if (status < 0) {
        conn__close(c);
        return;
    }
    if (c->state == CONN_STREAM)
        stream__written(c);
    conn__flush(c);
    if (!c->writing)
        conn__flushed(c);
}

void conn__flush(struct conn *c)
{
    if (c->writing || c->out.n == 0 || c->state == CONN_CLOSED)
        return;
    c->ticket = false;
    uv_stream_t *s = (uv_stream_t *)&c->tcp;
    uv_buf_t all = uv_buf_init((char *)c->out.p, (unsigned)c->out.n);
    int n = uv_try_write(s, &all, 1);
    if (n < 0 && n != UV_EAGAIN) {
        conn__close(c);
        return;
    }
    size_t sent = n < 0 ? 0 : (size_t)n;
    if (sent == c->out.n) {
        buf_reset(&c->out);
        buf__give_back(&c->out, &c->door->spare_out);
        return;
    }
    c->sending = c->out;
    c->out = (struct buf){ .max = OUT_MAX }; /* given to sending */
    admit__holds(c, c->sending.cap);
    uv_buf_t rest = uv_buf_init((char *)c->sending.p + sent, (unsigned)(c->sending.n - sent));
    c->write.data = c;
    c->writing = uv_write(&c->write, s, &rest, 1, on_written) == 0;
    if (!c->writing)
        conn__close(c);
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret_b)
{
    (void)suggested;
    struct conn *c = h->data;
    *ret_b = uv_buf_init((char *)c->door->net, NET_READ);
}

bool conn__feed(struct conn *c, struct slice in)
{
    struct door *d = c->door;
    buf__lend(&c->plain, &d->spare_plain);
    buf__lend(&c->out, &d->spare_out);
    enum tls_state st = tls_feed(c->tls, in, &c->out, &c->plain);
    c->full = c->plain.n == c->plain.max;
    c->ticket = c->ticket || (c->state == CONN_HANDSHAKE && st == TLS_OPEN && c->out.n > 0);
    if (!c->ticket)
        conn__flush(c);
    buf__give_back(&c->out, &d->spare_out);
    if (st == TLS_FAILED) {
        if (c->state == CONN_HANDSHAKE)
            meter__no_handshake(d->meter);
        conn__close(c);
    }
    if (c->state == CONN_CLOSED)
        return false;
    if (st == TLS_CLOSED)
        c->eof = true;
    if (st != TLS_HANDSHAKE && c->state == CONN_HANDSHAKE) {
        c->state = CONN_HEAD;
        admit__caller(c);
    }
    return true;
}

/* Alone it would be a packet, and a turn of the client, of its own; most send their request at once. */
static void ticket_soon(struct conn *c)
{
    uint64_t at = uv_now(c->timer.loop) + TICKET_MS;
    if (c->armed <= at)
        return;
    c->armed = at;
    uv_timer_start(&c->timer, on_timer, TICKET_MS, 0);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = s->data;
    if (n == 0 || c->state == CONN_CLOSED)
        return;
    bool in_work = conn__in_work(c);
    if (n < 0) {
        c->eof = true;
        if (n == UV_EOF && in_work && c->state != CONN_STREAM) /* half closed: the answer may still be wanted */
            conn__settle_reading(c);
        else
            conn__close(c);
        return;
    }
    if (c->state == CONN_LINGER) {
        c->drained += (size_t)n;
        if (c->drained > LINGER_MAX)
            conn__close(c);
        return;
    }
    struct slice in = slice_of(b->base, (size_t)n);
    if (c->state == CONN_HANDSHAKE && early_full(c->door)) {
        early_in(c, in);
        return;
    }
    if (!(c->state == CONN_HANDSHAKE ? feed_handshake(c, in) : conn__feed(c, in)))
        return;
    if (c->eof && c->state == CONN_STREAM)
        conn__close(c);
    else if (in_work)
        conn__settle_reading(c);
    else
        conn__pump(c);
    if (c->ticket && c->state == CONN_HEAD)
        ticket_soon(c);
}

void conn__settle_reading(struct conn *c)
{
    buf__give_back(&c->plain, &c->door->spare_plain);
    if (c->state == CONN_CLOSED)
        return;
    bool want = !c->eof && !c->is_early && !(c->pausing && c->state == CONN_IDLE) && !(conn__in_work(c) && c->plain.n >= PLAIN_HIGH);
    if (want == c->reading)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop((uv_stream_t *)&c->tcp);
    else if (uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0)
        conn__close(c);
}

/* ---- the beginning ---- */

static struct conn *conn_new(struct door *d)
{
    struct conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->tls = tls_conn_new(d->tls);
    c->http = http_parser_new((struct http_limits){ .header_max = d->conf.limits.header_max });
    if (!c->tls || !c->http) {
        tls_conn_free(c->tls);
        http_parser_free(c->http);
        free(c);
        return NULL;
    }
    buf_init(&c->plain, PLAIN_MAX);
    buf_init(&c->out, OUT_MAX);
    buf_init(&c->sending, OUT_MAX);
    c->door = d;
    c->next = d->conns;
    if (d->conns)
        d->conns->prev = c;
    d->conns = c;
    d->n_conns++;
    meter__came(d->meter);
    uv_tcp_init(loop_uv(d->loop), &c->tcp);
    c->open++;
    uv_timer_init(loop_uv(d->loop), &c->timer);
    c->open++;
    c->tcp.data = c->timer.data = c;
    return c;
}

struct err conn__accept(struct door *d, int fd, const struct sockaddr_storage *from)
{
    struct party *source;
    struct err e = admit__source(d, from, &source);
    struct conn *c = err_ok(e) ? conn_new(d) : NULL;
    if (err_ok(e) && !c) {
        admit__source_gone(d, source);
        e = FAIL(E_NOMEM);
    }
    if (!err_ok(e)) {
        close(fd);
        return e;
    }
    c->source = source; /* given to c */
    if (uv_tcp_open(&c->tcp, fd) != 0) {
        close(fd);
        conn__close(c);
        return FAIL(E_IO);
    }
    uv_tcp_nodelay(&c->tcp, 1);
    conn__deadline(c, d->conf.limits.header_ms);
    conn__settle_reading(c);
    return OK;
}
