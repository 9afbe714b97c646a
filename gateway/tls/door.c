#include "gateway/tls/door.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "gateway/base/must.h"

enum { CERT_LIST_MAX = 16384, SESSIONS_MAX = 8192, SESSION_S = 3600 };

/* One protocol: who offers others only is turned away. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in, unsigned inlen, void *arg)
{
    static const unsigned char H1[] = "\x08http/1.1";
    (void)ssl, (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, outlen, H1, sizeof H1 - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* The chain is judged after the handshake, by caller_judge(), in one way for new and resumed sessions; that the peer
 * holds the key of his certificate is proved by the handshake itself. */
static int on_verify(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

static ERR ctx_harden(SSL_CTX *ctx, const char *session_context)
{
    size_t n = strlen(session_context);
    MUST(n > 0 && n <= SSL_MAX_SSL_SESSION_ID_LENGTH);
    /* NO_TICKET: sessions stay in this process and the client gets a handle only. A stateless ticket would carry the
     * client's certificate and cost more than the key exchange. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Not SSL_MODE_RELEASE_BUFFERS: with CLEANSE_PLAINTEXT it wipes 16 KiB for each record. What is read is wiped at
     * once, and idle connections give their buffers back by tls_rest(). */
    SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(ctx, SESSIONS_MAX);
    SSL_CTX_set_timeout(ctx, SESSION_S);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_info_callback(ctx, tls__on_info);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 || SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(ctx, "X25519:P-256") != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1 ||
        SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)session_context, (unsigned)n) != 1)
        return FAIL(E_CRYPTO);
    return OK;
}

static ERR ctx_files(SSL_CTX *ctx, const struct tls_door_conf *conf)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, conf->cert_path) != 1)
        return FAIL(E_CONFIG);
    if (SSL_CTX_use_PrivateKey_file(ctx, conf->key_path, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)
        return FAIL(E_CONFIG);
    if (!conf->ca_path)
        return OK;
    STACK_OF(X509_NAME) *issuers = SSL_load_client_CA_file(conf->ca_path);
    if (!issuers)
        return FAIL(E_CONFIG);
    SSL_CTX_set_client_CA_list(ctx, issuers); /* given to ctx */
    if (SSL_CTX_load_verify_file(ctx, conf->ca_path) != 1)
        return FAIL(E_CONFIG);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, on_verify, NULL);
    return OK;
}

struct err tls_door_new(struct tls_door **ret_d, const struct tls_door_conf *conf)
{
    struct tls_door *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL(E_NOMEM);
    struct err e = FAIL(E_NOMEM);
    ERR_clear_error();
    d->ctx = SSL_CTX_new(TLS_server_method());
    d->bio = tls__bio_new();
    d->asks = conf->ca_path != NULL;
    if (!d->ctx || !d->bio)
        goto out;
    e = ctx_harden(d->ctx, conf->session_context);
    if (err_ok(e))
        e = ctx_files(d->ctx, conf);
out:
    ERR_clear_error();
    if (!err_ok(e)) {
        tls_door_free(d);
        return e;
    }
    *ret_d = d;
    return OK;
}

void tls_door_free(struct tls_door *d)
{
    if (!d)
        return;
    SSL_CTX_free(d->ctx);
    BIO_meth_free(d->bio);
    free(d);
}
