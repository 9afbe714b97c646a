#ifndef TESTS_CRLS_H
#define TESTS_CRLS_H

/* Lists of revoked certificates made for a test run: good ones, and each way of being bad. */

#include "gateway/base/buf.h"
#include "tests/unit/certs.h"

struct crl_wish {
    uint64_t serials[4];
    size_t n;
    size_t many;       /* so many further entries, from 2^32 on */
    uint64_t number;   /* 0: none */
    long from_s, to_s; /* seconds from now; to_s 0: an hour */
    bool weak;         /* signed over SHA-1 */
    bool altered;      /* after it was signed */
    bool delta, idp, critical_entry, no_next;
    long reason;       /* of the entries, not critical; 0: none is said */
};

static inline void crl_ext(X509_CRL *crl, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    must(e && X509_CRL_add_ext(crl, e, -1));
    X509_EXTENSION_free(e);
}

static inline void crl_entry(X509_CRL *crl, uint64_t serial, bool critical, long reason)
{
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    ASN1_TIME *when = X509_gmtime_adj(NULL, -60);
    must(r && n && when && ASN1_INTEGER_set_uint64(n, serial) && X509_REVOKED_set_serialNumber(r, n) && X509_REVOKED_set_revocationDate(r, when));
    if (critical || reason) {
        ASN1_ENUMERATED *why = ASN1_ENUMERATED_new();
        must(why && ASN1_ENUMERATED_set(why, reason ? reason : 1) && X509_REVOKED_add1_ext_i2d(r, NID_crl_reason, why, critical, 0) == 1);
        ASN1_ENUMERATED_free(why);
    }
    must(X509_CRL_add0_revoked(crl, r)); /* given to crl */
    ASN1_INTEGER_free(n);
    ASN1_TIME_free(when);
}

static inline void crl_exts(X509_CRL *crl, struct crl_wish w)
{
    if (w.number) {
        ASN1_INTEGER *n = ASN1_INTEGER_new();
        must(n && ASN1_INTEGER_set_uint64(n, w.number) && X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, 0) == 1);
        ASN1_INTEGER_free(n);
    }
    if (w.delta) {
        ASN1_INTEGER *n = ASN1_INTEGER_new();
        must(n && ASN1_INTEGER_set_uint64(n, 1) && X509_CRL_add1_ext_i2d(crl, NID_delta_crl, n, 1, 0) == 1);
        ASN1_INTEGER_free(n);
    }
    if (w.idp) {
        ISSUING_DIST_POINT *p = ISSUING_DIST_POINT_new();
        must(p != NULL);
        p->onlyuser = 0xff;
        must(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, p, 1, 0) == 1);
        ISSUING_DIST_POINT_free(p);
    }
}

/* b: may be NULL. */
static inline STACK_OF(X509) *issuers_of(const struct pair *a, const struct pair *b)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    must(all && sk_X509_push(all, a->cert));
    if (b)
        must(sk_X509_push(all, b->cert));
    return all;
}

/* Appends it in PEM. */
static inline void crl_put(struct buf *out, const struct pair *by, struct crl_wish w)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *from = X509_gmtime_adj(NULL, w.from_s ? w.from_s : -60), *to = X509_gmtime_adj(NULL, w.to_s ? w.to_s : 3600);
    must(crl && from && to && X509_CRL_set_version(crl, 1) && X509_CRL_set_issuer_name(crl, X509_get_subject_name(by->cert)));
    must(X509_CRL_set1_lastUpdate(crl, from) && (w.no_next || X509_CRL_set1_nextUpdate(crl, to)));
    for (size_t i = 0; i < w.n; i++)
        crl_entry(crl, w.serials[i], w.critical_entry, w.reason);
    for (size_t i = 0; i < w.many; i++)
        crl_entry(crl, ((uint64_t)1 << 32) + i * 2654435761u % ((uint64_t)1 << 32) * 3 + 1, false, 0);
    crl_exts(crl, w);
    must(X509_CRL_sign(crl, by->key, w.weak ? EVP_sha1() : EVP_sha256()) > 0);
    BIO *text = BIO_new(BIO_s_mem());
    char *p;
    if (w.altered) { /* one bit of its first time */
        unsigned char *der = NULL;
        int n = i2d_X509_CRL(crl, &der);
        must(n > 0);
        uint8_t *at = memmem(der, (size_t)n, "\x17\x0d", 2);
        must(at != NULL);
        at[3] ^= 1;
        const unsigned char *in = der;
        X509_CRL_free(crl);
        crl = d2i_X509_CRL(NULL, &in, n);
        must(crl != NULL);
        OPENSSL_free(der);
    }
    must(text && PEM_write_bio_X509_CRL(text, crl));
    long n = BIO_get_mem_data(text, &p);
    buf_put(out, slice_of(p, (size_t)n));
    must(!out->failed);
    BIO_free(text);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
}

#endif
