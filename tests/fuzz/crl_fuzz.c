/* Reaches crl_read, crl_serial and crl_has. Two ways: the input is a file, of which no list may be taken, for our issuer has not signed it; and the input tells
 * what a list holds, which our issuer then signs: whatever is taken of that is sorted, and holds each serial number that can be a caller's. */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "gateway/tls/crl.h"
#include "tests/unit/certs.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static STACK_OF(X509) *issuers;
static struct pair ca;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    ca = ca_new();
    issuers = sk_X509_new_null();
    must(issuers && sk_X509_push(issuers, ca.cert));
    return 0;
}

static void check(const struct crl_batch *b)
{
    if (b->fault >= CRL_FAULT__MAX)
        abort();
    for (size_t i = 0; i < b->n; i++)
        for (size_t k = 0; k < b->lists[i]->n; k++)
            if ((k > 0 && crl_serial_order(&b->lists[i]->serials[k - 1], &b->lists[i]->serials[k]) > 0) || !crl_has(b->lists[i], &b->lists[i]->serials[k]))
                abort();
}

static void read_strange(struct slice s)
{
    struct crl_batch b;
    crl_read(&b, s, issuers);
    check(&b);
    if (b.n != 0 || b.fault == CRL_GOOD)
        abort();
    crl_batch_done(&b);
}

/* ---- a list made after the input ---- */

static struct slice piece(struct slice *in)
{
    struct slice len, s = SLICE_NONE;
    if (slice_take(in, 1, &len))
        (void)(slice_take(in, len.p[0] % 32, &s) || slice_take(in, in->n, &s));
    return s;
}

/* An extension of some kind, critical or not, with whatever content. */
static X509_EXTENSION *extension(struct slice *in, uint8_t op)
{
    static const int NIDS[] = { NID_crl_number, NID_delta_crl, NID_issuing_distribution_point, NID_certificate_issuer, NID_crl_reason, NID_freshest_crl,
                                NID_authority_key_identifier, NID_info_access };
    struct slice content = piece(in);
    ASN1_OCTET_STRING *text = ASN1_OCTET_STRING_new();
    must(text && ASN1_OCTET_STRING_set(text, content.p, (int)content.n));
    X509_EXTENSION *e = X509_EXTENSION_create_by_NID(NULL, NIDS[op >> 4 & 7], op >> 7, text);
    ASN1_OCTET_STRING_free(text);
    must(e != NULL);
    return e;
}

static void add_serial(X509_CRL *crl, struct slice *in, uint8_t op)
{
    struct slice content = piece(in);
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_INTEGER *n = ASN1_INTEGER_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, 1700000000);
    must(r && n && when && ASN1_STRING_set(n, content.p, (int)content.n));
    if (op & 4)
        n->type = V_ASN1_NEG_INTEGER;
    must(X509_REVOKED_set_serialNumber(r, n) && X509_REVOKED_set_revocationDate(r, when));
    if (op & 8) {
        X509_EXTENSION *e = extension(in, op);
        must(X509_REVOKED_add_ext(r, e, -1));
        X509_EXTENSION_free(e);
    }
    must(X509_CRL_add0_revoked(crl, r));
    ASN1_INTEGER_free(n);
    ASN1_TIME_free(when);
}

static void add_list(BIO *to, struct slice *in)
{
    X509_CRL *crl = X509_CRL_new();
    struct slice op;
    ASN1_TIME *from = ASN1_TIME_set(NULL, 1700000000), *until = ASN1_TIME_set(NULL, 1800000000);
    must(crl && from && until && X509_CRL_set_version(crl, 1) && X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca.cert)));
    must(X509_CRL_set1_lastUpdate(crl, from) && X509_CRL_set1_nextUpdate(crl, until));
    while (slice_take(in, 1, &op) && (op.p[0] & 3) != 3) {
        if ((op.p[0] & 3) == 2) {
            X509_EXTENSION *e = extension(in, op.p[0]);
            must(X509_CRL_add_ext(crl, e, -1));
            X509_EXTENSION_free(e);
        } else {
            add_serial(crl, in, op.p[0]);
        }
    }
    if (X509_CRL_sign(crl, ca.key, EVP_sha256()) > 0)
        (void)PEM_write_bio_X509_CRL(to, crl);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    BIO *text = BIO_new(BIO_s_mem());
    struct slice in = slice_of(p, n);
    struct crl_batch b;
    char *at;
    must(text != NULL);
    if (n > 0 && p[0] == '-')
        read_strange(in);
    for (int lists = 0; in.n > 0 && lists < 3; lists++)
        add_list(text, &in);
    long len = BIO_get_mem_data(text, &at);
    crl_read(&b, slice_of(at, (size_t)len), issuers);
    check(&b);
    crl_batch_done(&b);
    BIO_free(text);
    ERR_clear_error();
    return 0;
}
