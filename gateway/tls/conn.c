#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/tls/caller.h"
#include "gateway/tls/door.h"

enum {
    KEPT_MAX = 1 << 20,    /* cipher text that waits for room in plain_out */
    RECORD_MAX = 16384,
    RECORD_EXTRA = 22,     /* header, inner type and tag of a TLS 1.3 record */
    READ_LEAST = 512,
    STEPS_MAX = 64         /* of the handshake machine after the handshake: key updates of one connection */
};

/* ---- the BIO ---- */

static int bio_read(BIO *b, char *to, int n)
{
    struct tls_conn *c = BIO_get_data(b);
    struct slice s;
    BIO_clear_retry_flags(b);
    if (n <= 0 || c->in.n == 0) {
        BIO_set_retry_read(b);
        return -1;
    }
    size_t take = c->in.n < (size_t)n ? c->in.n : (size_t)n;
    if (!slice_take(&c->in, take, &s))
        return -1;
    memcpy(to, s.p, s.n);
    return (int)take;
}

static int bio_write(BIO *b, const char *from, int n)
{
    struct tls_conn *c = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n <= 0 || !c->out)
        return -1;
    buf_put(c->out, slice_of(from, (size_t)n));
    return c->out->failed ? -1 : n;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
    (void)b, (void)num, (void)ptr;
    return cmd == BIO_CTRL_FLUSH || cmd == BIO_CTRL_DUP || cmd == BIO_CTRL_PUSH || cmd == BIO_CTRL_POP;
}

BIO_METHOD *tls__bio_new(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pmhgw");
    if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) && BIO_meth_set_ctrl(m, bio_ctrl))
        return m;
    BIO_meth_free(m);
    return NULL;
}

/* ---- connections ---- */

void tls__on_info(const SSL *ssl, int where, int ret)
{
    (void)ret;
    struct tls_conn *c = SSL_get_app_data(ssl);
    if (c && c->state == TLS_OPEN && (where & SSL_CB_LOOP))
        c->steps++;
}

struct tls_conn *tls_conn_new(struct tls_door *d)
{
    struct tls_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    ERR_clear_error();
    BIO *bio = BIO_new(d->bio);
    c->ssl = SSL_new(d->ctx);
    if (!bio || !c->ssl) {
        BIO_free(bio);
        SSL_free(c->ssl);
        free(c);
        return NULL;
    }
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio); /* given to ssl */
    SSL_set_app_data(c->ssl, c);
    SSL_set_accept_state(c->ssl);
    c->door = d;
    c->turn = d->turn;
    c->born = (int64_t)time(NULL);
    c->caller.refusal = E_CERT_MISSING;
    buf_init(&c->kept, KEPT_MAX);
    return c;
}

void tls_conn_free(struct tls_conn *c)
{
    if (!c)
        return;
    /* a connection that ends without close_notify would take its session out of the cache */
    if (c->state == TLS_OPEN || c->state == TLS_CLOSED)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    buf_done(&c->kept);
    free(c);
}

int tls__on_verify(X509_STORE_CTX *ctx, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_conn *c = ssl ? SSL_get_app_data(ssl) : NULL;
    (void)arg;
    if (c) {
        if (!tls__known_certificate(c, X509_STORE_CTX_get0_cert(ctx)))
            caller_judge(&c->caller, X509_STORE_CTX_get0_store(ctx), X509_STORE_CTX_get0_cert(ctx), X509_STORE_CTX_get0_untrusted(ctx));
        tls__note_certificate(c);
        c->judged = true;
        if (c->caller.refusal == E_OK)
            SSL_set_num_tickets(ssl, 1);
    }
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static enum tls_state shake(struct tls_conn *c)
{
    ERR_clear_error();
    int r = SSL_do_handshake(c->ssl);
    if (r == 1) {
        tls__resume_settle(c);
        return TLS_OPEN;
    }
    return SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ ? TLS_HANDSHAKE : TLS_FAILED;
}

/* SSL_get_error() looks at what is left there. It is empty nearly always, and to empty it all the same costs as much as a small record. */
static void forget_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

static enum tls_state open_records(struct tls_conn *c, struct buf *plain)
{
    while (c->in.n > 0 || SSL_pending(c->ssl) > 0) {
        size_t room = plain->max - plain->n, want = c->in.n + (size_t)SSL_pending(c->ssl);
        if (room == 0)
            return TLS_OPEN;
        want = want < READ_LEAST ? READ_LEAST : want > RECORD_MAX ? RECORD_MAX : want;
        want = want < room ? want : room;
        uint8_t *at = buf_room(plain, want);
        if (!at)
            return TLS_FAILED;
        forget_errors();
        int r = SSL_read(c->ssl, at, (int)want);
        if (r <= 0) {
            int why = SSL_get_error(c->ssl, r);
            return why == SSL_ERROR_WANT_READ ? TLS_OPEN : why == SSL_ERROR_ZERO_RETURN ? TLS_CLOSED : TLS_FAILED;
        }
        buf_grew(plain, (size_t)r);
        if (c->steps > STEPS_MAX)
            return TLS_FAILED;
    }
    return TLS_OPEN;
}

/* Keeps what plain_out had no room for. */
static bool keep_rest(struct tls_conn *c, bool from_kept)
{
    if (from_kept) {
        buf_drop(&c->kept, c->kept.n - c->in.n);
        if (c->kept.n == 0)
            buf_done(&c->kept);
    } else {
        buf_put(&c->kept, c->in);
    }
    c->in = SLICE_NONE;
    return !c->kept.failed;
}

enum tls_state tls_feed(struct tls_conn *c, struct slice net_in, struct buf *net_out, struct buf *plain_out)
{
    if (c->state == TLS_CLOSED || c->state == TLS_FAILED)
        return c->state;
    bool from_kept = c->kept.n > 0;
    if (from_kept)
        buf_put(&c->kept, net_in);
    c->in = from_kept ? buf_slice(&c->kept) : net_in;
    c->out = net_out;
    if (c->state == TLS_HANDSHAKE)
        c->state = shake(c);
    if (c->state == TLS_OPEN)
        c->state = open_records(c, plain_out);
    bool kept = keep_rest(c, from_kept);
    if (!kept || c->steps > STEPS_MAX || net_out->failed)
        c->state = TLS_FAILED;
    c->out = NULL;
    return c->state;
}

struct err tls_write(struct tls_conn *c, struct slice plain, struct buf *net_out)
{
    if (c->state != TLS_OPEN && c->state != TLS_CLOSED)
        return FAIL(E_IO);
    /* room for all records at once, so that the buf does not grow step by step */
    size_t need = plain.n + (plain.n / RECORD_MAX + 1) * RECORD_EXTRA;
    if (need > net_out->max - net_out->n)
        return FAIL(E_FULL);
    if (!buf_room(net_out, need))
        return buf_check(net_out);
    c->out = net_out;
    struct err e = OK;
    while (plain.n > 0) {
        struct slice part;
        if (!slice_take(&plain, plain.n < RECORD_MAX ? plain.n : RECORD_MAX, &part))
            break;
        forget_errors();
        if (SSL_write(c->ssl, part.p, (int)part.n) != (int)part.n) {
            c->state = TLS_FAILED;
            e = FAIL(E_IO);
            break;
        }
    }
    c->out = NULL;
    return e;
}

void tls_rest(struct tls_conn *c)
{
    ERR_clear_error();
    (void)SSL_free_buffers(c->ssl); /* 0: half a record is there, so they are needed */
    if (c->state == TLS_OPEN)
        tls__forget_certificate(c);
}

void tls_shutdown(struct tls_conn *c, struct buf *net_out)
{
    if (c->state != TLS_OPEN && c->state != TLS_CLOSED)
        return;
    c->out = net_out;
    ERR_clear_error();
    (void)SSL_shutdown(c->ssl); /* 0: ours is sent, the peer's is not awaited */
    ERR_clear_error();
    c->out = NULL;
}

const struct caller *tls_caller(struct tls_conn *c) { return &c->caller; }

bool tls_trusted(struct tls_conn *c)
{
    if (c->turn == c->door->turn || !c->door->asks)
        return true;
    if (!tls__issuer_known(c->door, &c->caller))
        return false;
    c->turn = c->door->turn;
    return true;
}
