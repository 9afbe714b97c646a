#include "keys/ctl/certs_crl.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "keys/ctl/say.h"

enum { DAY_S = 24 * 3600 };

struct ca { X509 *cert; EVP_PKEY *key; };

static struct state_path list_path(const struct state *s) { return state_at(s, "certs/crl.pem"); }

static int64_t now_s(void)
{
    struct clock c = clock_system();
    return (int64_t)(clock_wall(&c) / 1000);
}

/* ---- reading ---- */

ERR certs_read(const char *path, X509 **ret_cert)
{
    FILE *f = fopen(path, "re");
    X509 *x = f ? PEM_read_X509(f, NULL, NULL, (void *)"") : NULL;
    if (f)
        fclose(f);
    if (!x)
        return f ? FAIL(E_CONFIG) : FAIL(E_IO);
    *ret_cert = x;
    return OK;
}

bool certs_time(const ASN1_TIME *t, int64_t *ret_s)
{
    struct tm tm;
    if (!t || ASN1_TIME_to_tm(t, &tm) != 1)
        return false;
    *ret_s = timegm(&tm);
    return true;
}

ERR certs_crl_load(const struct state *s, X509_CRL **ret_list)
{
    struct state_path path = list_path(s);
    X509 *ca = NULL;
    if (!file_exists(path.c)) {
        *ret_list = NULL;
        return OK;
    }
    TRY(certs_read(state_at(s, "certs/ca.pem").c, &ca));
    FILE *f = fopen(path.c, "re");
    X509_CRL *list = f ? PEM_read_X509_CRL(f, NULL, NULL, (void *)"") : NULL;
    if (f)
        fclose(f);
    bool good = list && X509_CRL_verify(list, X509_get0_pubkey(ca)) == 1;
    X509_free(ca);
    if (!good) {
        X509_CRL_free(list);
        return FAIL(E_CONFIG);
    }
    *ret_list = list;
    return OK;
}

bool certs_crl_has(X509_CRL *list, const ASN1_INTEGER *serial)
{
    STACK_OF(X509_REVOKED) *all = list ? X509_CRL_get_REVOKED(list) : NULL;
    for (int i = 0; all && i < sk_X509_REVOKED_num(all); i++)
        if (ASN1_INTEGER_cmp(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(all, i)), serial) == 0)
            return true;
    return false;
}

/* ---- writing ---- */

static ERR ca_open(const struct state *s, struct ca *ret)
{
    TRY(certs_read(state_at(s, "certs/ca.pem").c, &ret->cert));
    FILE *f = fopen(state_at(s, "certs/ca.key").c, "re");
    if (!f)
        return FAIL(E_IO);
    ret->key = PEM_read_PrivateKey(f, NULL, NULL, (void *)"");
    fclose(f);
    return ret->key && X509_check_private_key(ret->cert, ret->key) == 1 ? OK : FAIL(E_CONFIG);
}

static void ca_done(struct ca *ca)
{
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

static bool add_entry(X509_CRL *to, const ASN1_INTEGER *serial, int64_t now)
{
    X509_REVOKED *r = X509_REVOKED_new();
    ASN1_TIME *when = ASN1_TIME_set(NULL, now);
    bool good = r && when && X509_REVOKED_set_serialNumber(r, (ASN1_INTEGER *)serial) == 1 && X509_REVOKED_set_revocationDate(r, when) == 1 &&
                X509_CRL_add0_revoked(to, r) == 1;
    if (!good)
        X509_REVOKED_free(r);
    ASN1_TIME_free(when);
    return good;
}

static bool copy_entries(X509_CRL *to, X509_CRL *from)
{
    STACK_OF(X509_REVOKED) *all = from ? X509_CRL_get_REVOKED(from) : NULL;
    for (int i = 0; all && i < sk_X509_REVOKED_num(all); i++) {
        X509_REVOKED *r = X509_REVOKED_dup(sk_X509_REVOKED_value(all, i));
        if (!r || X509_CRL_add0_revoked(to, r) != 1) {
            X509_REVOKED_free(r);
            return false;
        }
    }
    return true;
}

/* Numbers follow the clock, so that they go on where crl.pem was removed: the doors take no list with a smaller one. */
static bool add_number(X509_CRL *to, X509_CRL *before, int64_t now)
{
    ASN1_INTEGER *old = before ? X509_CRL_get_ext_d2i(before, NID_crl_number, NULL, NULL) : NULL, *number = ASN1_INTEGER_new();
    uint64_t last = 0;
    bool good = number && (!old || ASN1_INTEGER_get_uint64(&last, old) == 1) &&
                ASN1_INTEGER_set_uint64(number, last >= (uint64_t)now ? last + 1 : (uint64_t)now) == 1 &&
                X509_CRL_add1_ext_i2d(to, NID_crl_number, number, 0, 0) == 1;
    ASN1_INTEGER_free(old);
    ASN1_INTEGER_free(number);
    return good;
}

static bool add_issuer_key(X509_CRL *to, const struct ca *ca)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, ca->cert, NULL, NULL, to, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
    bool good = e && X509_CRL_add_ext(to, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

static bool set_times(X509_CRL *to, int64_t now)
{
    ASN1_TIME *from = ASN1_TIME_set(NULL, now), *until = ASN1_TIME_set(NULL, now + (int64_t)CERTS_CRL_DAYS * DAY_S);
    bool good = from && until && X509_CRL_set1_lastUpdate(to, from) == 1 && X509_CRL_set1_nextUpdate(to, until) == 1;
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return good;
}

static X509_CRL *make(const struct ca *ca, X509_CRL *before, const ASN1_INTEGER *serial)
{
    X509_CRL *list = X509_CRL_new();
    int64_t now = now_s();
    if (list && X509_CRL_set_version(list, 1) == 1 && X509_CRL_set_issuer_name(list, X509_get_subject_name(ca->cert)) == 1 && set_times(list, now) &&
        copy_entries(list, before) && (!serial || add_entry(list, serial, now)) && add_issuer_key(list, ca) && add_number(list, before, now) &&
        X509_CRL_sort(list) == 1 && X509_CRL_sign(list, ca->key, EVP_sha256()) > 0)
        return list;
    X509_CRL_free(list);
    return NULL;
}

static ERR put(const struct state *s, X509_CRL *list)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *p = NULL;
    bool good = text && PEM_write_bio_X509_CRL(text, list) == 1;
    long n = good ? BIO_get_mem_data(text, &p) : 0;
    struct err e = n > 0 ? file_write(list_path(s).c, slice_of(p, (size_t)n)) : FAIL(E_CRYPTO);
    BIO_free(text);
    return e;
}

static ERR write_locked(const struct state *s, const ASN1_INTEGER *serial, bool *ret_news)
{
    struct ca ca = { NULL, NULL };
    X509_CRL *before = NULL, *list = NULL;
    struct err e = ca_open(s, &ca);
    if (err_ok(e))
        e = certs_crl_load(s, &before);
    if (err_ok(e)) {
        *ret_news = serial && !certs_crl_has(before, serial);
        list = make(&ca, before, *ret_news ? serial : NULL);
        e = list ? put(s, list) : FAIL(E_CRYPTO);
    }
    X509_CRL_free(before);
    X509_CRL_free(list);
    ca_done(&ca);
    return e;
}

ERR certs_crl_write(const struct state *s, const ASN1_INTEGER *serial, bool *ret_news)
{
    int lock = open(state_at(s, "certs").c, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0)
        return FAIL(E_IO);
    struct err e = flock(lock, LOCK_EX) == 0 ? write_locked(s, serial, ret_news) : FAIL(E_IO);
    close(lock);
    return e;
}

ERR setup_crl(const struct state *s, const struct setup_conf *c)
{
    bool news;
    (void)c;
    return file_exists(state_at(s, "certs/ca.key").c) ? certs_crl_write(s, NULL, &news) : OK;
}
