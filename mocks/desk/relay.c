/* One connection of a browser and one to a door, with TLS on that side. One request, one answer, then both end. */

#include <stdlib.h>

#include <openssl/err.h>

#include "mocks/desk/inside.h"

enum { READ_BYTES = 64 * 1024, HIGH = 256 * 1024, SIDE_MAX = 1 << 20, HEAD_MS = 20000, CONNECT_MS = 5000, IDLE_MS = 300000, LINGER_MS = 1000 };

enum relay_state { RELAY_HEAD, RELAY_CONNECT, RELAY_OPEN, RELAY_LAST /* the answer is whole; what is left of it leaves */, RELAY_LINGER, RELAY_CLOSED };

struct side {
    uv_tcp_t tcp;
    uv_write_t write;
    struct buf next, sending; /* bytes for it */
    bool writing, reading;
};

struct relay {
    struct desk *desk;
    struct relay *next, *prev;
    enum relay_state state;
    struct side browser, door;
    uv_timer_t timer;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    unsigned open;
    size_t way;
    SSL *ssl;
    BIO *in, *out; /* of ssl; owned by it */
    struct buf head, plain; /* for the door, before TLS */
    char bytes[READ_BYTES];
};

static void side_flush(struct relay *k, struct side *s);
static void settle(struct relay *k);

/* ---- the end ---- */

static void on_closed(uv_handle_t *h)
{
    struct relay *k = h->data;
    if (--k->open > 0)
        return;
    struct desk *d = k->desk;
    SSL_free(k->ssl);
    buf_done(&k->browser.next), buf_done(&k->browser.sending);
    buf_done(&k->door.next), buf_done(&k->door.sending);
    buf_done(&k->head), buf_done(&k->plain);
    free(k);
    desk__relay_gone(d);
}

void relay__close(struct relay *k)
{
    if (k->state == RELAY_CLOSED)
        return;
    k->state = RELAY_CLOSED;
    *(k->prev ? &k->prev->next : &k->desk->relays) = k->next;
    if (k->next)
        k->next->prev = k->prev;
    uv_close((uv_handle_t *)&k->browser.tcp, on_closed);
    uv_close((uv_handle_t *)&k->door.tcp, on_closed);
    uv_close((uv_handle_t *)&k->timer, on_closed);
}

static void on_timer(uv_timer_t *t);
static void deadline(struct relay *k, uint64_t ms) { uv_timer_start(&k->timer, on_timer, ms, 0); }

static void on_shutdown(uv_shutdown_t *u, int status) { (void)u, (void)status; }

/* Everything has been said: what still comes in is thrown away for a moment, so that the answer is not lost to a reset. */
static void say_bye(struct relay *k)
{
    if (uv_shutdown(&k->shutdown, (uv_stream_t *)&k->browser.tcp, on_shutdown) != 0) {
        relay__close(k);
        return;
    }
    k->state = RELAY_LINGER;
    deadline(k, LINGER_MS);
    settle(k);
}

static void last(struct relay *k)
{
    k->state = RELAY_LAST;
    if (k->browser.next.n == 0 && !k->browser.writing)
        say_bye(k);
    else
        side_flush(k, &k->browser);
}

static void answer_own(struct relay *k, const char *status, const char *text)
{
    struct buf *b = &k->browser.next;
    buf_puts(b, "HTTP/1.1 ");
    buf_puts(b, status);
    buf_puts(b, "\r\nContent-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: ");
    buf_u64(b, strlen(text));
    buf_puts(b, "\r\n\r\n");
    buf_puts(b, text);
    last(k);
}

static void door_lost(struct relay *k)
{
    if (k->state == RELAY_CONNECT)
        answer_own(k, "502 Bad Gateway", "The gateway does not answer. / ゲートウェイが応答しません。\n");
    else if (k->state == RELAY_OPEN)
        last(k);
}

static void on_timer(uv_timer_t *t)
{
    struct relay *k = t->data;
    if (k->state == RELAY_CONNECT)
        door_lost(k);
    else
        relay__close(k);
}

/* ---- writing ---- */

static void on_written(uv_write_t *w, int status)
{
    struct side *s = w->data;
    struct relay *k = s->tcp.data;
    s->writing = false;
    buf_done(&s->sending);
    if (k->state == RELAY_CLOSED)
        return;
    if (status < 0) {
        relay__close(k);
        return;
    }
    side_flush(k, s);
    settle(k);
}

static void side_flush(struct relay *k, struct side *s)
{
    if (s->writing || k->state == RELAY_CLOSED)
        return;
    if (s->next.failed) {
        relay__close(k);
        return;
    }
    if (s->next.n == 0) {
        if (k->state == RELAY_LAST && s == &k->browser)
            say_bye(k);
        return;
    }
    s->sending = s->next;
    buf_init(&s->next, SIDE_MAX); /* given to sending */
    uv_buf_t all = uv_buf_init((char *)s->sending.p, (unsigned)s->sending.n);
    s->write.data = s;
    s->writing = uv_write(&s->write, (uv_stream_t *)&s->tcp, &all, 1, on_written) == 0;
    if (!s->writing)
        relay__close(k);
}

/* ---- TLS ---- */

static void cipher_out(struct relay *k)
{
    size_t n = BIO_ctrl_pending(k->out);
    uint8_t *room = n ? buf_room(&k->door.next, n) : NULL;
    int got = room ? BIO_read(k->out, room, (int)n) : 0;
    if (got > 0)
        buf_grew(&k->door.next, (size_t)got);
    side_flush(k, &k->door);
}

static void plain_out(struct relay *k)
{
    if (k->state != RELAY_OPEN || k->plain.n == 0)
        return;
    ERR_clear_error();
    bool sent = !k->plain.failed && SSL_write(k->ssl, k->plain.p, (int)k->plain.n) == (int)k->plain.n; /* a memory BIO takes all */
    buf_reset(&k->plain);
    if (sent)
        cipher_out(k);
    else
        relay__close(k);
}

/* What TLS holds, as far as the browser takes it. */
static void plain_in(struct relay *k)
{
    while (k->state == RELAY_OPEN && k->browser.next.n < HIGH) {
        ERR_clear_error();
        int n = SSL_read(k->ssl, k->bytes, sizeof k->bytes);
        if (n > 0) {
            buf_put(&k->browser.next, slice_of(k->bytes, (size_t)n));
            continue;
        }
        int why = SSL_get_error(k->ssl, n);
        if (why == SSL_ERROR_WANT_READ)
            break;
        last(k); /* its close_notify, or it is broken: then the answer lacks its end, as the browser will notice */
        return;
    }
    side_flush(k, &k->browser);
}

static void shake(struct relay *k)
{
    ERR_clear_error();
    int done = SSL_do_handshake(k->ssl), why = done == 1 ? 0 : SSL_get_error(k->ssl, done);
    cipher_out(k);
    if (k->state != RELAY_CONNECT)
        return;
    if (done == 1) {
        k->state = RELAY_OPEN;
        plain_out(k);
    } else if (why != SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        door_lost(k);
    }
}

/* ---- reading ---- */

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *ret_b)
{
    (void)suggested;
    struct relay *k = h->data;
    *ret_b = uv_buf_init(k->bytes, sizeof k->bytes);
}

static void on_door_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct relay *k = s->data;
    if (n == 0 || k->state == RELAY_CLOSED || k->state >= RELAY_LAST)
        return;
    if (n < 0) {
        door_lost(k);
        return;
    }
    if (BIO_write(k->in, b->base, (int)n) != (int)n) {
        relay__close(k);
        return;
    }
    deadline(k, k->state == RELAY_CONNECT ? CONNECT_MS : IDLE_MS);
    if (k->state == RELAY_CONNECT)
        shake(k);
    if (k->state == RELAY_OPEN)
        plain_in(k);
    settle(k);
}

static void on_connected(uv_connect_t *u, int status)
{
    struct relay *k = u->data;
    if (k->state != RELAY_CONNECT)
        return;
    if (status < 0) {
        door_lost(k);
        return;
    }
    uv_tcp_nodelay(&k->door.tcp, 1);
    shake(k);
    settle(k);
}

static bool door_open(struct relay *k)
{
    struct sockaddr_in at;
    k->ssl = SSL_new(k->desk->tls[k->way]);
    k->in = BIO_new(BIO_s_mem());
    k->out = BIO_new(BIO_s_mem());
    if (!k->ssl || !k->in || !k->out) {
        BIO_free(k->in);
        BIO_free(k->out);
        return false;
    }
    BIO_set_mem_eof_return(k->in, -1);
    SSL_set_bio(k->ssl, k->in, k->out);
    SSL_set_connect_state(k->ssl);
    uv_ip4_addr("127.0.0.1", (int)k->desk->ports[k->way], &at);
    k->connect.data = k;
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(k->ssl), "127.0.0.1") == 1
        && uv_tcp_connect(&k->connect, &k->door.tcp, (const struct sockaddr *)&at, on_connected) == 0;
}

static void head_read(struct relay *k)
{
    size_t taken;
    enum desk_verdict v = desk__head(&k->desk->names, buf_slice(&k->head), &k->plain, &k->way, &taken);
    if (v == DESK_NEED)
        return;
    if (v != DESK_GO) {
        buf_reset(&k->plain);
        if (v == DESK_BAD)
            answer_own(k, "400 Bad Request", "Bad request.\n");
        else
            answer_own(k, "403 Forbidden", "Open the address that was printed at the start. / 起動時に表示された URL を開いてください。\n");
        return;
    }
    buf_put(&k->plain, slice_of(k->head.p + taken, k->head.n - taken));
    buf_done(&k->head);
    k->state = RELAY_CONNECT;
    deadline(k, CONNECT_MS);
    if (!door_open(k))
        door_lost(k);
}

static void on_browser_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct relay *k = s->data;
    if (n == 0 || k->state == RELAY_CLOSED)
        return;
    if (n < 0) {
        relay__close(k); /* gone: nobody is there for the answer */
        return;
    }
    struct slice in = slice_of(b->base, (size_t)n);
    if (k->state == RELAY_HEAD) {
        buf_put(&k->head, in);
        head_read(k);
    } else if (k->state == RELAY_CONNECT || k->state == RELAY_OPEN) {
        buf_put(&k->plain, in);
        plain_out(k);
        if (k->state == RELAY_OPEN)
            deadline(k, IDLE_MS);
    }
    if (k->head.failed || k->plain.failed)
        relay__close(k);
    else
        settle(k);
}

static void side_reads(struct relay *k, struct side *s, bool want, uv_read_cb on_read)
{
    if (want == s->reading)
        return;
    s->reading = want;
    if (!want)
        uv_read_stop((uv_stream_t *)&s->tcp);
    else if (uv_read_start((uv_stream_t *)&s->tcp, on_alloc, on_read) != 0)
        relay__close(k);
}

/* Reads from a side while the other one takes it. */
static void settle(struct relay *k)
{
    if (k->state == RELAY_CLOSED)
        return;
    bool up = k->state == RELAY_LINGER || k->plain.n + k->door.next.n + k->door.sending.n < HIGH;
    bool down = k->browser.next.n + k->browser.sending.n < HIGH;
    if (k->state == RELAY_OPEN && down && SSL_has_pending(k->ssl))
        plain_in(k);
    if (k->state != RELAY_CLOSED)
        side_reads(k, &k->browser, up, on_browser_read);
    if (k->state != RELAY_CLOSED)
        side_reads(k, &k->door, down && k->ssl && (k->state == RELAY_OPEN || (k->state == RELAY_CONNECT && uv_is_readable((uv_stream_t *)&k->door.tcp))), on_door_read);
}

static void side_init(struct relay *k, struct side *s)
{
    uv_tcp_init(loop_uv(k->desk->loop), &s->tcp);
    k->open++;
    s->tcp.data = k;
    buf_init(&s->next, SIDE_MAX);
    buf_init(&s->sending, SIDE_MAX);
}

bool relay__accept(struct desk *d)
{
    struct relay *k = calloc(1, sizeof *k);
    if (!k)
        return false;
    k->desk = d;
    side_init(k, &k->browser);
    side_init(k, &k->door);
    uv_timer_init(loop_uv(d->loop), &k->timer);
    k->open++;
    k->timer.data = k;
    buf_init(&k->head, DESK_HEAD_MAX + READ_BYTES);
    buf_init(&k->plain, SIDE_MAX);
    k->next = d->relays;
    if (d->relays)
        d->relays->prev = k;
    d->relays = k;
    d->n_relays++;
    if (uv_accept((uv_stream_t *)&d->tcp, (uv_stream_t *)&k->browser.tcp) != 0 || d->n_relays > DESK_CONNS_MAX) {
        relay__close(k);
        return true;
    }
    uv_tcp_nodelay(&k->browser.tcp, 1);
    deadline(k, HEAD_MS);
    settle(k);
    return true;
}
