#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/tls/crl.h"
#include "gateway/tls/door.h"

enum { CHAIN_MAX = 8 };

static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1; /* else OpenSSL asks at the terminal */
}

static BIO *text_of(struct slice s) { return s.n > 0 && s.n <= INT32_MAX ? BIO_new_mem_buf(s.p, (int)s.n) : NULL; }

/* One whose key or extensions could not be read, because memory was short too, is a certificate to OpenSSL all the same, and an issuer of nobody for good. */
static X509 *certificate(BIO *b)
{
    X509 *x = PEM_read_bio_X509(b, NULL, no_password, NULL);
    if (!x || (X509_get0_pubkey(x) && X509_check_purpose(x, -1, 0) == 1))
        return x;
    X509_free(x);
    return NULL;
}

/* Certificates up to the end of the text; NULL when it is none, cut or too many. */
static STACK_OF(X509) *certificates(struct slice pem, int max)
{
    STACK_OF(X509) *all = sk_X509_new_null();
    BIO *b = text_of(pem);
    X509 *x = NULL;
    ERR_clear_error();
    while (all && b && sk_X509_num(all) <= max && (x = certificate(b)))
        if (!sk_X509_push(all, x)) {
            X509_free(x);
            break;
        }
    bool whole = all && b && !x && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && sk_X509_num(all) > 0 && sk_X509_num(all) <= max;
    BIO_free(b);
    ERR_clear_error();
    if (whole)
        return all;
    sk_X509_pop_free(all, X509_free);
    return NULL;
}

static bool use_chain(SSL_CTX *ctx, struct slice pem, int64_t *ret_ends)
{
    STACK_OF(X509) *chain = certificates(pem, CHAIN_MAX);
    struct tm tm;
    bool good = chain && SSL_CTX_use_certificate(ctx, sk_X509_value(chain, 0)) == 1 &&
                ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, 0)), &tm) == 1;
    for (int i = 1; good && i < sk_X509_num(chain); i++)
        good = SSL_CTX_add1_chain_cert(ctx, sk_X509_value(chain, i)) == 1;
    if (good)
        *ret_ends = timegm(&tm);
    sk_X509_pop_free(chain, X509_free);
    return good;
}

static bool use_key(SSL_CTX *ctx, struct slice pem)
{
    BIO *b = text_of(pem);
    EVP_PKEY *key = b ? PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
    bool good = key && SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    BIO_free(b);
    return good;
}

static bool use_issuer(SSL_CTX *ctx, X509 *x, uint8_t id[static 32])
{
    return crl_issuer_id(x, id) && X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), x) == 1 && SSL_CTX_add_client_CA(ctx, x) == 1;
}

static bool use_issuers(SSL_CTX *ctx, struct slice pem, struct tls_door *ret_d)
{
    STACK_OF(X509) *all = certificates(pem, ISSUERS_MAX);
    int n = all ? sk_X509_num(all) : 0;
    uint8_t (*ids)[32] = calloc((size_t)n + 1, sizeof *ids);
    bool good = ids && n > 0;
    for (int i = 0; good && i < n; i++)
        good = use_issuer(ctx, sk_X509_value(all, i), ids[i]);
    sk_X509_pop_free(all, X509_free);
    if (!good) {
        free(ids);
        return false;
    }
    ret_d->issuers = ids;
    ret_d->n_issuers = (size_t)n;
    return true;
}

struct err tls__use_pem(SSL_CTX *ctx, const struct tls_pem *pem, struct tls_door *ret_d)
{
    bool good = use_chain(ctx, pem->cert, &ret_d->ends) && use_key(ctx, pem->key) && (pem->ca.n == 0 || use_issuers(ctx, pem->ca, ret_d));
    ERR_clear_error();
    return good ? OK : FAIL(E_CONFIG);
}
