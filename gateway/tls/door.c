#include "gateway/tls/door.h"

#include <openssl/err.h>
#include <stdlib.h>

#include "gateway/base/file.h"
#include "gateway/base/must.h"

enum { CERT_LIST_MAX = 16384, FILE_MAX = 1 << 20 };

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

/* A client of TLS 1.2 without extended master secret (RFC 7627) is turned away: without it a session is not bound to its handshake. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
    const unsigned char *p;
    size_t n;
    (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &p, &n) == 1)
        for (size_t i = 1; i + 1 < n; i += 2)
            if (p[i] == TLS1_3_VERSION >> 8 && p[i + 1] == (TLS1_3_VERSION & 0xff))
                return SSL_CLIENT_HELLO_SUCCESS;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_extended_master_secret, &p, &n) == 1)
        return SSL_CLIENT_HELLO_SUCCESS;
    *alert = SSL_AD_HANDSHAKE_FAILURE;
    return SSL_CLIENT_HELLO_ERROR;
}

static const char SIGNATURES[] = "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512:ed25519:ed448:"
                                 "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512:"
                                 "rsa_pkcs1_sha256:rsa_pkcs1_sha384:rsa_pkcs1_sha512";

/* In TLS 1.2 a client's certificate may have no curve but these. */
static const char GROUPS[] = "X25519:P-256", GROUPS_OLD[] = "X25519:P-256:P-384:P-521";

static bool ctx_versions(SSL_CTX *ctx, bool tls12)
{
    if (tls12)
        SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
    return SSL_CTX_set_min_proto_version(ctx, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
           SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 && SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1;
}

static ERR ctx_harden(SSL_CTX *ctx, const struct tls_door *d)
{
    /* NO_TICKET: sessions stay here (sessions.h) and the client gets a handle only. A stateless ticket would carry the
     * client's certificate and cost more than the key exchange. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CLEANSE_PLAINTEXT | SSL_OP_NO_TICKET |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    /* Not SSL_MODE_RELEASE_BUFFERS: with CLEANSE_PLAINTEXT it wipes 16 KiB for each record. What is read is wiped at
     * once, and idle connections give their buffers back by tls_rest(). */
    SSL_CTX_set_max_cert_list(ctx, CERT_LIST_MAX);
    tls__resume_setup(ctx);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_info_callback(ctx, tls__on_info);
    /* a ticket for those only who may come back with it: tls__on_verify() */
    /* SHA-256 first: processors have instructions for it */
    if (!ctx_versions(ctx, d->tls12) || SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") != 1 || SSL_CTX_set1_groups_list(ctx, d->tls12 ? GROUPS_OLD : GROUPS) != 1 || SSL_CTX_set1_sigalgs_list(ctx, SIGNATURES) != 1 ||
        SSL_CTX_set_num_tickets(ctx, d->asks ? 0 : 1) != 1 || SSL_CTX_set_max_early_data(ctx, 0) != 1 ||
        SSL_CTX_set_session_id_context(ctx, (const unsigned char *)d->name, (unsigned)strlen(d->name)) != 1)
        return FAIL(E_CRYPTO);
    if (d->asks) {
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(ctx, tls__on_verify, NULL);
    }
    return OK;
}

/* What depends on certificates, as a door of its own. */
static ERR context_new(const struct tls_door *d, const struct tls_pem *pem, struct tls_door *ret_new)
{
    struct tls_door fresh = *d;
    fresh.issuers = NULL;
    fresh.n_issuers = 0;
    ERR_clear_error();
    fresh.ctx = SSL_CTX_new_ex(tls_sessions_library(d->sessions), NULL, TLS_server_method());
    struct err e = fresh.ctx ? ctx_harden(fresh.ctx, d) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = tls__use_pem(fresh.ctx, pem, &fresh);
    if (err_ok(e))
        e = tls__prove(&fresh);
    ERR_clear_error();
    if (!err_ok(e)) {
        SSL_CTX_free(fresh.ctx);
        free(fresh.issuers);
        return e;
    }
    fresh.turn++;
    *ret_new = fresh;
    return OK;
}

struct err tls_door_renew(struct tls_door *d, const struct tls_pem *pem)
{
    struct tls_door fresh;
    if (d->asks != (pem->ca.n > 0))
        return FAIL(E_CONFIG);
    TRY(context_new(d, pem, &fresh));
    SSL_CTX_free(d->ctx); /* connections have references of their own */
    free(d->issuers);
    *d = fresh;
    return OK;
}

static ERR renew_from_files(struct tls_door *d, const struct tls_door_conf *conf)
{
    struct buf text[3];
    const char *path[3] = { conf->cert_path, conf->key_path, conf->ca_path };
    struct err e = OK;
    for (size_t i = 0; i < 3; i++) {
        buf_init(&text[i], FILE_MAX);
        if (err_ok(e) && path[i])
            e = file_read(path[i], &text[i]);
    }
    if (!err_ok(e) && e.code != E_NOMEM)
        e = FAIL(E_CONFIG);
    if (err_ok(e))
        e = tls_door_renew(d, &(struct tls_pem){ buf_slice(&text[0]), buf_slice(&text[1]), buf_slice(&text[2]) });
    for (size_t i = 0; i < 3; i++)
        buf_done(&text[i]);
    return e;
}

struct err tls_door_new(struct tls_door **ret_d, const struct tls_door_conf *conf)
{
    struct tls_door *d = calloc(1, sizeof *d);
    size_t n = strlen(conf->session_context);
    if (!d)
        return FAIL(E_NOMEM);
    MUST(n > 0 && n <= SESSION_DOOR_MAX);
    memcpy(d->name, conf->session_context, n);
    d->asks = conf->ca_path != NULL;
    d->tls12 = conf->tls12;
    d->revocations = conf->revocations;
    d->bio = tls__bio_new();
    struct err e = d->bio ? OK : FAIL(E_NOMEM);
    if (err_ok(e) && !conf->sessions)
        e = tls_sessions_new(&d->own, TLS_SESSIONS_DEFAULT);
    tls_sessions_stay(d->own);
    d->sessions = conf->sessions ? conf->sessions : d->own;
    if (err_ok(e))
        e = renew_from_files(d, conf);
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
    tls_sessions_free(d->own);
    free(d->issuers);
    free(d);
}
