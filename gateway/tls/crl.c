#include "gateway/tls/crl.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/file.h"

enum { SERIAL_BYTES = 20, NAME_DER_MAX = 16 * 1024, ISSUERS_BYTES_MAX = 1 << 20 };

struct lit crl_fault_name(enum crl_fault f)
{
    static const struct lit NAMES[CRL_FAULT__MAX] = {
        [CRL_GOOD] = { "none" },          [CRL_EMPTY] = { "no_list" },       [CRL_BROKEN] = { "broken" },
        [CRL_STRANGER] = { "issuer" },    [CRL_SIGNATURE] = { "signature" }, [CRL_PARTIAL] = { "partial" },
        [CRL_NO_END] = { "times" },       [CRL_NOMEM] = { "memory" },        [CRL_FUTURE] = { "future" },
        [CRL_ENDED] = { "ended" },        [CRL_OLDER] = { "older" },         [CRL_MISSING] = { "unreadable" },
    };
    return f < CRL_FAULT__MAX ? NAMES[f] : LITERAL("?");
}

/* ---- names of certificates ---- */

bool crl_serial(const ASN1_INTEGER *a, struct cert_serial *ret_s)
{
    struct cert_serial s = { { 0 } };
    if (!a || ASN1_STRING_type(a) != V_ASN1_INTEGER) /* another type: negative */
        return false;
    const uint8_t *p = ASN1_STRING_get0_data(a);
    int n = ASN1_STRING_length(a);
    while (n > 0 && *p == 0)
        p++, n--;
    if (n > SERIAL_BYTES)
        return false;
    for (int i = 0; i < n; i++) {
        unsigned from_end = (unsigned)(n - 1 - i);
        s.w[2 - from_end / 8] |= (uint64_t)p[i] << 8 * (from_end % 8);
    }
    *ret_s = s;
    return true;
}

int crl_serial_order(const struct cert_serial *a, const struct cert_serial *b)
{
    for (int i = 0; i < 3; i++)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

bool crl_issuer_id(X509 *issuer, uint8_t id[static 32])
{
    unsigned char *name = NULL, *key = NULL;
    int n_name = i2d_X509_NAME(X509_get_subject_name(issuer), &name), n_key = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &key);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md && n_name > 0 && n_key > 0 && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && /* DER tells its own length */
                EVP_DigestUpdate(md, name, (size_t)n_name) == 1 && EVP_DigestUpdate(md, key, (size_t)n_key) == 1 &&
                EVP_DigestFinal_ex(md, id, NULL) == 1;
    EVP_MD_CTX_free(md);
    OPENSSL_free(name);
    OPENSSL_free(key);
    return good;
}

static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1; /* else OpenSSL asks at the terminal */
}

/* After a read that gave nothing: the text has ended, and was not cut. */
static bool at_end(void) { return ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE; }

struct err crl_issuers_read(STACK_OF(X509) **ret_issuers, struct slice pem)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *text = pem.n > 0 && pem.n <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x = NULL;
    ERR_clear_error();
    while (all && text && sk_X509_num(all) <= CRL_ISSUERS_MAX && (x = PEM_read_bio_X509(text, NULL, no_password, NULL)))
        if (!sk_X509_push(all, x)) {
            X509_free(x);
            break;
        }
    bool good = all && text && !x && at_end() && sk_X509_num(all) > 0;
    BIO_free(text);
    ERR_clear_error();
    if (!good) {
        sk_X509_pop_free(all, X509_free);
        return FAIL(E_CONFIG);
    }
    *ret_issuers = all;
    return OK;
}

struct err crl_issuers_load(STACK_OF(X509) **ret_issuers, const char *path)
{
    struct buf text;
    buf_init(&text, ISSUERS_BYTES_MAX);
    struct err e = file_read(path, &text);
    if (err_ok(e))
        e = crl_issuers_read(ret_issuers, buf_slice(&text));
    buf_done(&text);
    return err_ok(e) || e.code == E_NOMEM ? e : FAIL(E_CONFIG);
}

/* ---- one list ---- */

void crl_free(struct crl *c)
{
    if (!c)
        return;
    free(c->serials);
    free(c);
}

static int order(const void *a, const void *b) { return crl_serial_order(a, b); }

bool crl_has(const struct crl *c, const struct cert_serial *s)
{
    return c->n > 0 && bsearch(s, c->serials, c->n, sizeof *c->serials, order) != NULL;
}

static bool seconds(const ASN1_TIME *t, int64_t *ret_s)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret_s = timegm(&tm);
    return true;
}

/* As strong as what is asked of certificates (112 bits). */
static bool strong(const X509_CRL *x)
{
    static const int GOOD[] = { NID_ecdsa_with_SHA256, NID_ecdsa_with_SHA384, NID_ecdsa_with_SHA512, NID_sha256WithRSAEncryption,
                                NID_sha384WithRSAEncryption, NID_sha512WithRSAEncryption, NID_ED25519, NID_ED448 };
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++)
        if (X509_CRL_get_signature_nid(x) == GOOD[i])
            return true;
    return false;
}

/* Several issuers may have one name: the signature tells which. */
static enum crl_fault find_issuer(X509_CRL *x, STACK_OF(X509) *issuers, uint8_t id[static 32])
{
    enum crl_fault fault = CRL_STRANGER;
    for (int i = 0; i < sk_X509_num(issuers); i++) {
        X509 *by = sk_X509_value(issuers, i);
        if (X509_NAME_cmp(X509_get_subject_name(by), X509_CRL_get_issuer(x)) != 0)
            continue;
        fault = CRL_SIGNATURE;
        EVP_PKEY *key = X509_get0_pubkey(by);
        if (strong(x) && key && (X509_get_key_usage(by) & KU_CRL_SIGN) && X509_CRL_verify(x, key) == 1)
            return crl_issuer_id(by, id) ? CRL_GOOD : CRL_NOMEM;
    }
    return fault;
}

static bool partial(const X509_CRL *x)
{
    return X509_CRL_get_ext_by_critical(x, 1, -1) >= 0 || X509_CRL_get_ext_by_NID(x, NID_delta_crl, -1) >= 0 ||
           X509_CRL_get_ext_by_NID(x, NID_issuing_distribution_point, -1) >= 0;
}

/* An entry whose serial cannot be one of a caller's is passed over: such callers are refused. */
static enum crl_fault take_entries(struct crl *c, X509_CRL *x)
{
    STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(x);
    int n = all ? sk_X509_REVOKED_num(all) : 0;
    if (n <= 0)
        return CRL_GOOD;
    c->serials = calloc((size_t)n, sizeof *c->serials);
    if (!c->serials)
        return CRL_NOMEM;
    for (int i = 0; i < n; i++) {
        const X509_REVOKED *r = sk_X509_REVOKED_value(all, i);
        if (X509_REVOKED_get_ext_by_critical(r, 1, -1) >= 0)
            return CRL_PARTIAL;
        if (crl_serial(X509_REVOKED_get0_serialNumber(r), &c->serials[c->n]))
            c->n++;
    }
    qsort(c->serials, c->n, sizeof *c->serials, order);
    return CRL_GOOD;
}

static enum crl_fault take_number(struct crl *c, X509_CRL *x)
{
    int critical;
    ASN1_INTEGER *number = X509_CRL_get_ext_d2i(x, NID_crl_number, &critical, NULL);
    bool good = number ? crl_serial(number, &c->number) : critical == -1; /* -1: there is none */
    ASN1_INTEGER_free(number);
    return good ? CRL_GOOD : CRL_BROKEN;
}

static enum crl_fault take(struct crl *c, X509_CRL *x, STACK_OF(X509) *issuers)
{
    enum crl_fault f = find_issuer(x, issuers, c->issuer);
    if (f == CRL_GOOD && partial(x))
        f = CRL_PARTIAL;
    if (f == CRL_GOOD && (!seconds(X509_CRL_get0_lastUpdate(x), &c->this_update) || !seconds(X509_CRL_get0_nextUpdate(x), &c->next_update)))
        f = CRL_NO_END;
    if (f == CRL_GOOD)
        f = take_number(c, x);
    return f == CRL_GOOD ? take_entries(c, x) : f;
}

/* ---- a file of them ---- */

static void note(struct crl_batch *b, enum crl_fault f)
{
    if (b->fault == CRL_GOOD)
        b->fault = f;
}

static void add(struct crl_batch *b, X509_CRL *x, STACK_OF(X509) *issuers)
{
    struct crl *c = calloc(1, sizeof *c);
    enum crl_fault f = c ? take(c, x, issuers) : CRL_NOMEM;
    if (f == CRL_GOOD) {
        b->lists[b->n++] = c; /* given to the batch */
        return;
    }
    crl_free(c);
    note(b, f);
}

void crl_read(struct crl_batch *ret_b, struct slice pem, STACK_OF(X509) *issuers)
{
    *ret_b = (struct crl_batch){ .fault = CRL_GOOD };
    if (pem.n == 0 || pem.n > CRL_BYTES_MAX) {
        ret_b->fault = pem.n ? CRL_BROKEN : CRL_EMPTY;
        return;
    }
    BIO *text = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509_CRL *x;
    unsigned seen = 0;
    ERR_clear_error();
    for (; text && seen <= CRL_LISTS_MAX && (x = PEM_read_bio_X509_CRL(text, NULL, no_password, NULL)); seen++) {
        if (seen < CRL_LISTS_MAX)
            add(ret_b, x, issuers);
        X509_CRL_free(x);
        ERR_clear_error();
    }
    if (!text)
        note(ret_b, CRL_NOMEM);
    else if (seen > CRL_LISTS_MAX || !at_end())
        note(ret_b, CRL_BROKEN);
    else if (seen == 0)
        note(ret_b, CRL_EMPTY);
    BIO_free(text);
    ERR_clear_error();
}

void crl_batch_done(struct crl_batch *b)
{
    for (size_t i = 0; i < b->n; i++)
        crl_free(b->lists[i]);
    b->n = 0;
}
