#include "gateway/jose/es256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"

enum { THUMBPRINT_MAX = 256, POINT = 1 + 2 * ES256_COORDINATE };
#define CURVE "prime256v1"

struct es256_verifier { EVP_PKEY *key; };

/* ---- keys of certificates ---- */

static bool coordinate(const EVP_PKEY *key, const char *which, uint8_t out[static ES256_COORDINATE])
{
    BIGNUM *v = NULL;
    bool good = EVP_PKEY_get_bn_param(key, which, &v) == 1 && BN_bn2binpad(v, out, ES256_COORDINATE) == ES256_COORDINATE;
    BN_free(v);
    return good;
}

static ERR key_of(const X509 *cert, struct es256_key *ret_k)
{
    char group[32];
    size_t n;
    const EVP_PKEY *key = cert ? X509_get0_pubkey(cert) : NULL;
    struct es256_key k;
    bool good = key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 && slice_eq(slice_of(group, n), LIT(CURVE)) &&
                coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, k.x) && coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, k.y);
    if (!good)
        return FAIL(E_CONFIG);
    *ret_k = k;
    return OK;
}

struct err es256_key_of_pem(const char *cert_path, struct es256_key *ret_k)
{
    FILE *f = fopen(cert_path, "rbe");
    X509 *cert = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    struct err e = key_of(cert, ret_k);
    X509_free(cert);
    if (f)
        fclose(f);
    return e;
}

struct err es256_key_of_der(struct slice der, struct es256_key *ret_k)
{
    const unsigned char *at = der.p;
    X509 *cert = der.n ? d2i_X509(NULL, &at, (long)der.n) : NULL;
    struct err e = cert && at == der.p + der.n ? key_of(cert, ret_k) : FAIL(E_CONFIG);
    X509_free(cert);
    return e;
}

/* = RFC 7638 §3: the required members in this order, without white space */
struct err es256_thumbprint(const struct es256_key *k, char ret_kid[static ES256_KID])
{
    struct buf text, kid;
    uint8_t sum[32];
    buf_init(&text, THUMBPRINT_MAX);
    buf_init(&kid, ES256_KID);
    buf_puts(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"");
    b64url_encode(ARR(k->x), &text);
    buf_puts(&text, "\",\"y\":\"");
    b64url_encode(ARR(k->y), &text);
    buf_puts(&text, "\"}");
    bool good = !text.failed && EVP_Digest(text.p, text.n, sum, NULL, EVP_sha256(), NULL) == 1;
    if (good)
        b64url_encode(ARR(sum), &kid);
    good = good && !kid.failed && kid.n == ES256_KID;
    if (good)
        memcpy(ret_kid, kid.p, ES256_KID);
    buf_done(&text);
    buf_done(&kid);
    return good ? OK : FAIL(E_CRYPTO);
}

/* ---- verifying ---- */

static EVP_PKEY *key_make(const struct es256_key *k)
{
    uint8_t point[POINT] = { POINT_CONVERSION_UNCOMPRESSED };
    EVP_PKEY *key = NULL;
    memcpy(point + 1, k->x, ES256_COORDINATE);
    memcpy(point + 1 + ES256_COORDINATE, k->y, ES256_COORDINATE);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)CURVE, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

struct err es256_verifier_new(struct es256_verifier **ret_v, const struct es256_key *k)
{
    struct es256_verifier *v = calloc(1, sizeof *v);
    if (!v)
        return FAIL(E_NOMEM);
    v->key = key_make(k);
    if (!v->key) {
        free(v);
        return FAIL(E_CRYPTO);
    }
    *ret_v = v;
    return OK;
}

void es256_verifier_free(struct es256_verifier *v)
{
    if (!v)
        return;
    EVP_PKEY_free(v->key);
    free(v);
}

static int to_der(struct slice pair, unsigned char **ret_der)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(pair.p, ES256_COORDINATE, NULL), *s = BN_bin2bn(pair.p + ES256_COORDINATE, ES256_COORDINATE, NULL);
    if (!sig || !r || !s || ECDSA_SIG_set0(sig, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return 0;
    }
    int n = i2d_ECDSA_SIG(sig, ret_der);
    ECDSA_SIG_free(sig);
    return n;
}

bool es256_verify(const struct es256_verifier *v, struct slice text, struct slice signature)
{
    unsigned char *der = NULL;
    if (signature.n != ES256_SIGNATURE)
        return false;
    int n = to_der(signature, &der);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = n > 0 && md && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, v->key) == 1 && EVP_DigestVerify(md, der, (size_t)n, text.p, text.n) == 1;
    EVP_MD_CTX_free(md);
    OPENSSL_free(der);
    return good;
}

bool jws_split(struct slice compact, struct jws_parts *ret_p)
{
    struct jws_parts p;
    struct slice rest;
    if (!slice_cut(compact, '.', &p.header, &rest) || !slice_cut(rest, '.', &p.payload, &p.signature))
        return false;
    if (p.header.n == 0 || p.payload.n == 0 || p.signature.n == 0 || memchr(p.signature.p, '.', p.signature.n))
        return false;
    p.signed_text = slice_of(compact.p, p.header.n + 1 + p.payload.n);
    *ret_p = p;
    return true;
}
