#ifndef GW_TLS_CRL_H
#define GW_TLS_CRL_H

/* Lists of revoked certificates (RFC 5280 §5) out of PEM, as sorted tables. Without I/O and without shared state: any thread. Inside
 * gateway/tls and for its tests.
 *
 * A list is refused unless it is whole, signed by one of the issuers with an algorithm of our table, and full: delta lists and lists with any critical
 * extension (parts of a list, lists of others' certificates) are not for us. Its times and its number are judged by the holder, revoke.c. */

#include <openssl/x509.h>

#include "gateway/base/log.h"
#include "gateway/tls/tls.h"

enum { CRL_BYTES_MAX = 64 << 20, CRL_LISTS_MAX = 16, CRL_ISSUERS_MAX = 16, CRL_NUMBER_BYTES = 20 };

struct crl {
    uint8_t issuer[32];               /* as in struct cert_id */
    int64_t this_update, next_update; /* seconds since 1970 */
    struct cert_serial number;        /* of the list; 0 when it has none */
    size_t n;
    struct cert_serial *serials;      /* ascending */
};
void crl_free(struct crl *c);
bool crl_has(const struct crl *c, const struct cert_serial *s);

enum crl_fault {
    CRL_GOOD,
    CRL_EMPTY,     /* no list in the file */
    CRL_BROKEN,    /* not PEM, not a list, cut short, too long */
    CRL_STRANGER,  /* by no issuer of ours */
    CRL_SIGNATURE, /* or its algorithm, or the issuer may not sign lists */
    CRL_PARTIAL,   /* delta, or with a critical extension */
    CRL_NO_END,    /* without nextUpdate, or with times that cannot be read */
    CRL_NOMEM,
    /* found by the holder */
    CRL_FUTURE, CRL_ENDED, CRL_OLDER, CRL_MISSING,
    CRL_FAULT__MAX
};
struct lit crl_fault_name(enum crl_fault f);

/* What one file holds. fault: the first list that was refused, and why; the good ones are there all the same. */
struct crl_batch {
    struct crl *lists[CRL_LISTS_MAX];
    size_t n;
    enum crl_fault fault;
};
void crl_read(struct crl_batch *ret_b, struct slice pem, STACK_OF(X509) *issuers);
void crl_batch_done(struct crl_batch *b);

/* PEM of the issuers of client certificates. CONFIG: none, or more than CRL_ISSUERS_MAX. */
ERR crl_issuers_load(STACK_OF(X509) **ret_issuers, const char *path);
/* The same from memory. */
ERR crl_issuers_read(STACK_OF(X509) **ret_issuers, struct slice pem);
/* SHA-256 over name and key: a renewed certificate of the same issuer has the same. */
bool crl_issuer_id(X509 *issuer, uint8_t id[static 32]);
/* false for one that is negative or has more than 20 bytes: RFC 5280 §4.1.2.2 forbids both. */
bool crl_serial(const ASN1_INTEGER *a, struct cert_serial *ret_s);
int crl_serial_order(const struct cert_serial *a, const struct cert_serial *b);

#endif
