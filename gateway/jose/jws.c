#include "gateway/jose/jws.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"

enum { COORDINATE = 32, DER_MAX = 80, HEADER_MAX = 16 * 1024, SIGNED_MAX = 2 * 1024 * 1024 };

struct jws_signer {
    EVP_PKEY *key;
    struct buf header; /* base64url, with x5c */
};

/* ---- the header ---- */

static ERR header_make(X509 *cert, struct buf *out)
{
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    if (n <= 0)
        return FAIL(E_CRYPTO);
    struct buf json, b64;
    struct jsonw w;
    buf_init(&json, HEADER_MAX);
    buf_init(&b64, HEADER_MAX);
    uint8_t *room = buf_room(&b64, 4 * ((size_t)n / 3 + 1) + 1); /* = RFC 7515 §4.1.6: not base64url */
    if (room)
        buf_grew(&b64, (size_t)EVP_EncodeBlock(room, der, n));
    OPENSSL_free(der);
    jsonw_init(&w, &json);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "alg", "ES256");
    jsonw_array(&w, "x5c");
    jsonw_str(&w, NULL, buf_slice(&b64));
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    struct err e = buf_check(&b64);
    if (err_ok(e))
        e = buf_check(&json);
    if (err_ok(e)) {
        b64url_encode(buf_slice(&json), out);
        e = buf_check(out);
    }
    buf_done(&json);
    buf_done(&b64);
    return e;
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32];
    size_t n;
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 &&
           slice_eq(slice_of(group, n), LIT("prime256v1"));
}

static ERR load(struct jws_signer *s, FILE *cert_file, FILE *key_file)
{
    X509 *cert = cert_file ? PEM_read_X509(cert_file, NULL, NULL, NULL) : NULL;
    s->key = key_file ? PEM_read_PrivateKey(key_file, NULL, NULL, NULL) : NULL;
    bool good = cert && s->key && is_p256(s->key) && X509_check_private_key(cert, s->key) == 1;
    struct err e = good ? header_make(cert, &s->header) : FAIL(E_CONFIG);
    X509_free(cert);
    return e;
}

ERR jws_signer_new(struct jws_signer **ret_s, const char *cert_path, const char *key_path)
{
    struct jws_signer *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    buf_init(&s->header, HEADER_MAX);
    FILE *cert = fopen(cert_path, "rbe"), *key = fopen(key_path, "rbe");
    struct err e = load(s, cert, key);
    if (cert)
        fclose(cert);
    if (key)
        fclose(key);
    if (err_ok(e))
        *ret_s = s;
    else
        jws_signer_free(s);
    return e;
}

ERR jws_signer_bare(struct jws_signer **ret_s, const char *key_path)
{
    struct jws_signer *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    buf_init(&s->header, HEADER_MAX);
    FILE *key = fopen(key_path, "rbe");
    s->key = key ? PEM_read_PrivateKey(key, NULL, NULL, NULL) : NULL;
    if (key)
        fclose(key);
    b64url_encode(LIT("{\"alg\":\"ES256\"}"), &s->header);
    struct err e = s->key && is_p256(s->key) ? buf_check(&s->header) : FAIL(E_CONFIG);
    if (err_ok(e))
        *ret_s = s;
    else
        jws_signer_free(s);
    return e;
}

void jws_signer_free(struct jws_signer *s)
{
    if (!s)
        return;
    EVP_PKEY_free(s->key);
    buf_done(&s->header);
    free(s);
}

/* ---- signing ---- */

/* = RFC 7518 §3.4: the two numbers one behind the other, not the DER of X9.62 */
static bool der_to_pair(const uint8_t *der, size_t n, uint8_t ret_pair[static 2 * COORDINATE])
{
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    bool good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_pair, COORDINATE) == COORDINATE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_pair + COORDINATE, COORDINATE) == COORDINATE;
    ECDSA_SIG_free(sig);
    return good;
}

static ERR signature(const struct jws_signer *s, struct slice text, uint8_t ret_pair[static 2 * COORDINATE])
{
    uint8_t der[DER_MAX];
    size_t n = sizeof der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool good = md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, s->key) == 1 &&
                EVP_DigestSign(md, der, &n, text.p, text.n) == 1 && der_to_pair(der, n, ret_pair);
    EVP_MD_CTX_free(md);
    return good ? OK : FAIL(E_CRYPTO);
}

ERR jws_sign(const struct jws_signer *s, struct slice payload, struct buf *out)
{
    uint8_t pair[2 * COORDINATE];
    struct buf text;
    buf_init(&text, SIGNED_MAX);
    buf_put(&text, buf_slice(&s->header));
    buf_putc(&text, '.');
    b64url_encode(payload, &text);
    struct err e = buf_check(&text);
    if (err_ok(e))
        e = signature(s, buf_slice(&text), pair);
    if (err_ok(e)) {
        buf_put(out, buf_slice(&text));
        buf_putc(out, '.');
        b64url_encode(ARR(pair), out);
        e = buf_check(out);
    }
    buf_done(&text);
    return e;
}
