#ifndef GW_TLS_DOOR_H
#define GW_TLS_DOOR_H

/* Shared by door.c, pem.c, conn.c and resume.c. */

#include <openssl/ssl.h>

#include "gateway/base/buf.h"
#include "gateway/tls/sessions.h"
#include "gateway/tls/tls.h"

enum { ISSUERS_MAX = 64 };

struct tls_door {
    SSL_CTX *ctx;
    BIO_METHOD *bio;  /* reads and writes the slices and bufs of a tls_conn */
    bool asks;        /* for a client certificate */
    bool tls12;
    char name[SESSION_DOOR_MAX + 1];
    uint64_t turn;    /* another one when ctx is */
    int64_t ends;     /* the door's own certificate */
    uint8_t (*issuers)[32]; /* as in struct cert_id */
    size_t n_issuers;
    struct tls_sessions *sessions;
    struct tls_sessions *own; /* the same, when nobody shares it */
    const struct revocations *revocations;
};

struct tls_conn {
    SSL *ssl;
    struct tls_door *door;
    uint64_t turn;    /* of the door: the certificates that the connection has, or that its caller was judged by */
    enum tls_state state;
    struct slice in;  /* what the BIO gives to OpenSSL; during tls_feed only */
    struct buf *out;  /* where the BIO puts what OpenSSL writes; during a call only */
    struct buf kept;
    unsigned steps;
    bool judged;      /* caller is what a certificate of this handshake says */
    bool known;       /* the certificate was verified earlier */
    bool bare;        /* the certificate has been given back */
    int64_t born;     /* the full handshake, of which this may be a resumption; seconds since 1970 */
    struct caller caller;
};

/* NULL when out of memory. */
BIO_METHOD *tls__bio_new(void);
void tls__on_info(const SSL *ssl, int where, int ret);
/* Judges the certificate that OpenSSL has just read; always 1: refused callers hear of it in HTTP. */
int tls__on_verify(X509_STORE_CTX *ctx, void *arg);

/* pem.c: texts into a context. CONFIG. */
ERR tls__use_pem(SSL_CTX *ctx, const struct tls_pem *pem, struct tls_door *ret_d); /* sets issuers, n_issuers, ends */

/* proof.c: a handshake of a new context with ourselves, in memory. CRYPTO: something that OpenSSL should have is missing. */
ERR tls__prove(struct tls_door *d);

/* resume.c */
/* The certificate was verified a short while ago, and nothing has changed: c->caller is filled. */
bool tls__known_certificate(struct tls_conn *c, X509 *leaf);
void tls__note_certificate(struct tls_conn *c);
bool tls__issuer_known(const struct tls_door *d, const struct caller *who);
void tls__resume_setup(SSL_CTX *ctx);
/* After a handshake: what was put there for a session that was not taken in the end is forgotten. */
void tls__resume_settle(struct tls_conn *c);
/* Takes the peer's certificate out of OpenSSL's memory: what is to be known of it is in the caller. */
void tls__forget_certificate(struct tls_conn *c);

#endif
