#include "gateway/relay/secure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

enum { RECORD_BYTES = 16 * 1024 };

struct secure {
    SSL_CTX *ctx;
    char *name;
};

struct secure_conn {
    SSL *ssl;
    BIO *in, *out; /* of ssl */
    enum secure_state state;
};

static bool load(SSL_CTX *ctx, const struct secure_conf *conf)
{
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_load_verify_file(ctx, conf->ca) == 1 &&
           SSL_CTX_use_certificate_chain_file(ctx, conf->cert) == 1 && SSL_CTX_use_PrivateKey_file(ctx, conf->key, SSL_FILETYPE_PEM) == 1 &&
           SSL_CTX_check_private_key(ctx) == 1;
}

struct err secure_new(struct secure **ret_s, const struct secure_conf *conf)
{
    struct secure *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    s->ctx = SSL_CTX_new(TLS_client_method());
    s->name = strdup(conf->name);
    struct err e = !s->ctx || !s->name ? FAIL(E_NOMEM) : load(s->ctx, conf) ? OK : FAIL(E_CONFIG);
    ERR_clear_error();
    if (err_ok(e))
        *ret_s = s;
    else
        secure_free(s);
    return e;
}

void secure_free(struct secure *s)
{
    if (!s)
        return;
    SSL_CTX_free(s->ctx);
    free(s->name);
    free(s);
}

/* Who is meant: without it any certificate of the issuer would do. */
static bool expect(SSL *ssl, const struct secure *s, const char *ip)
{
    X509_VERIFY_PARAM *p = SSL_get0_param(ssl);
    X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return *s->name ? X509_VERIFY_PARAM_set1_host(p, s->name, 0) == 1 : X509_VERIFY_PARAM_set1_ip_asc(p, ip) == 1;
}

struct secure_conn *secure_conn_new(struct secure *s, const char *ip)
{
    struct secure_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->ssl = SSL_new(s->ctx);
    c->in = BIO_new(BIO_s_mem());
    c->out = BIO_new(BIO_s_mem());
    if (!c->ssl || !c->in || !c->out || !expect(c->ssl, s, ip)) {
        BIO_free(c->in);
        BIO_free(c->out);
        SSL_free(c->ssl);
        free(c);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(c->ssl, c->in, c->out); /* given to ssl */
    SSL_set_connect_state(c->ssl);
    return c;
}

void secure_conn_free(struct secure_conn *c)
{
    if (!c)
        return;
    SSL_free(c->ssl);
    free(c);
}

static bool drain(struct secure_conn *c, struct buf *net_out)
{
    const size_t n = BIO_ctrl_pending(c->out);
    uint8_t *to = n ? buf_room(net_out, n) : NULL;
    if (to && BIO_read(c->out, to, (int)n) == (int)n)
        buf_grew(net_out, n);
    else if (n)
        return false;
    return !net_out->failed;
}

static enum secure_state shake(struct secure_conn *c)
{
    const int r = SSL_do_handshake(c->ssl);
    return r == 1 ? SECURE_OPEN : SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ ? SECURE_SHAKING : SECURE_BROKEN;
}

static enum secure_state read_all(struct secure_conn *c, struct buf *plain_out)
{
    for (;;) {
        uint8_t *to = buf_room(plain_out, RECORD_BYTES);
        if (!to)
            return SECURE_BROKEN;
        const int r = SSL_read(c->ssl, to, RECORD_BYTES);
        if (r <= 0)
            return SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ ? SECURE_OPEN : SECURE_BROKEN;
        buf_grew(plain_out, (size_t)r);
    }
}

enum secure_state secure_feed(struct secure_conn *c, struct slice net_in, struct buf *net_out, struct buf *plain_out)
{
    ERR_clear_error();
    if (c->state != SECURE_BROKEN && net_in.n && BIO_write(c->in, net_in.p, (int)net_in.n) != (int)net_in.n)
        c->state = SECURE_BROKEN;
    if (c->state == SECURE_SHAKING)
        c->state = shake(c);
    if (c->state == SECURE_OPEN)
        c->state = read_all(c, plain_out);
    if (!drain(c, net_out))
        c->state = SECURE_BROKEN;
    return c->state;
}

bool secure_write(struct secure_conn *c, struct slice plain, struct buf *net_out)
{
    ERR_clear_error();
    if (c->state != SECURE_OPEN || (plain.n && SSL_write(c->ssl, plain.p, (int)plain.n) != (int)plain.n) || !drain(c, net_out))
        c->state = SECURE_BROKEN;
    return c->state == SECURE_OPEN;
}
