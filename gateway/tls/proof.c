#include <openssl/err.h>

#include "gateway/tls/door.h"

/* A door's new context is tried before anybody meets it. OpenSSL leaves out what it had no memory for, ciphers, groups and kinds of signatures, and says
 * that all went well: such a door would listen and turn everybody away. */

enum { ROUNDS = 8, NET_MAX = 1 << 17, SUITES = 3, SUITES_OLD = 6, ALGORITHMS = 14 /* of SIGNATURES in door.c */ };

static bool suites_are_there(const SSL_CTX *ctx, bool tls12)
{
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    int n[2] = { 0 };
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++)
        n[SSL_CIPHER_get_kx_nid(sk_SSL_CIPHER_value(all, i)) != NID_kx_any]++;
    return n[0] == SUITES && (!tls12 || n[1] == SUITES_OLD);
}

static SSL *caller_new(SSL_CTX *ctx)
{
    static const unsigned char H1[] = "\x08http/1.1";
    SSL *ssl = ctx ? SSL_new(ctx) : NULL;
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    if (!ssl || !in || !out || SSL_set_alpn_protos(ssl, H1, sizeof H1 - 1) != 0) {
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        return NULL;
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    return ssl;
}

/* What the caller has said goes to the door, and what the door says to the caller. */
static bool carry(SSL *caller, struct tls_conn *door, struct buf *net, struct buf *plain)
{
    char *at;
    long n = BIO_get_mem_data(SSL_get_wbio(caller), &at);
    buf_reset(net);
    (void)tls_feed(door, slice_of(at, n > 0 ? (size_t)n : 0), net, plain);
    (void)BIO_reset(SSL_get_wbio(caller));
    return !net->failed && (net->n == 0 || BIO_write(SSL_get_rbio(caller), net->p, (int)net->n) == (int)net->n);
}

/* All that it can verify was asked for; of a door that asks for certificates only. */
static bool asked_for_all(SSL *caller) { return SSL_get_sigalgs(caller, -1, NULL, NULL, NULL, NULL, NULL) >= ALGORITHMS; }

static bool meet(SSL *caller, struct tls_conn *door, bool asks)
{
    struct buf net, plain;
    bool met = false, good = true;
    buf_init(&net, NET_MAX);
    buf_init(&plain, NET_MAX);
    for (int i = 0; good && !met && i < ROUNDS; i++) {
        int r = SSL_do_handshake(caller);
        good = (r == 1 || SSL_get_error(caller, r) == SSL_ERROR_WANT_READ) && carry(caller, door, &net, &plain);
        met = r == 1 && door->state == TLS_OPEN;
    }
    buf_done(&net);
    buf_done(&plain);
    return good && met && (!asks || asked_for_all(caller));
}

struct err tls__prove(struct tls_door *d)
{
    if (!suites_are_there(d->ctx, d->tls12))
        return FAIL(E_CRYPTO);
    SSL_CTX *ctx = SSL_CTX_new_ex(tls_sessions_library(d->sessions), NULL, TLS_client_method());
    struct tls_conn *door = tls_conn_new(d);
    SSL *caller = caller_new(ctx);
    bool good = caller && door && SSL_set_num_tickets(door->ssl, 0) == 1 && meet(caller, door, d->asks);
    SSL_free(caller);
    SSL_CTX_free(ctx);
    tls_conn_free(door);
    ERR_clear_error();
    return good ? OK : FAIL(E_CRYPTO);
}
