#include "keys/ctl/receipt.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "gateway/base/text.h"

enum { CHAIN_MAX = 4, CERT_B64_MAX = 8192, R_S_BYTES = 32 };

static const struct { const char *ja, *en; } WORDS[RECEIPT__MAX] = {
    [RECEIPT_GOOD] = { "正しい", "good" },
    [RECEIPT_SHAPE] = { "受領証の形ではありません", "this is no receipt" },
    [RECEIPT_CHAIN] = { "署名者の証明書を認証局までたどれません", "the signer's certificate does not lead to the CA" },
    [RECEIPT_NOT_OURS] = { "受領証のための証明書ではない証明書で署名されています", "it is signed with a certificate that is not the one for receipts" },
    [RECEIPT_SIGNATURE] = { "署名が合いません", "the signature does not fit" },
};
const char *receipt_verdict_ja(enum receipt_verdict v) { return WORDS[v].ja; }
const char *receipt_verdict_en(enum receipt_verdict v) { return WORDS[v].en; }

/* ---- the certificate ---- */

static X509 *cert_of(const json_t *b64)
{
    const char *text = json_string_value(b64);
    size_t n = text ? strlen(text) : 0;
    uint8_t der[CERT_B64_MAX];
    if (!n || n % 4 || n > CERT_B64_MAX)
        return NULL;
    int got = EVP_DecodeBlock(der, (const unsigned char *)text, (int)n);
    if (got <= 0)
        return NULL;
    got -= (text[n - 1] == '=') + (text[n - 2] == '=');
    const unsigned char *at = der;
    X509 *x = d2i_X509(NULL, &at, got);
    if (x && at != der + got) {
        X509_free(x);
        return NULL;
    }
    return x;
}

static bool chain_good(X509 *leaf, const json_t *x5c, const char *ca_path)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    for (size_t i = 1; between && i < json_array_size(x5c); i++) {
        X509 *x = cert_of(json_array_get(x5c, i));
        if (x && !sk_X509_push(between, x))
            X509_free(x);
    }
    bool good = store && ctx && between && X509_STORE_load_file(store, ca_path) == 1 && X509_STORE_CTX_init(ctx, store, leaf, between) == 1 &&
                X509_verify_cert(ctx) == 1;
    sk_X509_pop_free(between, X509_free);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return good;
}

static bool signs_documents(X509 *leaf)
{
    EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(leaf, NID_ext_key_usage, NULL, NULL);
    ASN1_OBJECT *want = OBJ_txt2obj(RECEIPT_USAGE, 1);
    bool found = false;
    for (int i = 0; want && i < sk_ASN1_OBJECT_num(uses); i++)
        found = found || OBJ_cmp(sk_ASN1_OBJECT_value(uses, i), want) == 0;
    ASN1_OBJECT_free(want);
    EXTENDED_KEY_USAGE_free(uses);
    return found;
}

/* ---- the signature ---- */

static bool is_p256(EVP_PKEY *key)
{
    char name[32];
    size_t n;
    return key && EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, name, sizeof name, &n) == 1 &&
           (strcmp(name, "prime256v1") == 0 || strcmp(name, "P-256") == 0);
}

static bool signature_good(X509 *leaf, struct slice input, struct slice r_s)
{
    unsigned char *der = NULL;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(r_s.p, R_S_BYTES, NULL), *s = BN_bin2bn(r_s.p + R_S_BYTES, R_S_BYTES, NULL);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    bool good = sig && r && s && md && is_p256(key) && ECDSA_SIG_set0(sig, r, s) == 1;
    if (!good) {
        BN_free(r);
        BN_free(s);
    }
    int n = good ? i2d_ECDSA_SIG(sig, &der) : 0;
    good = n > 0 && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) == 1 && EVP_DigestVerify(md, der, (size_t)n, input.p, input.n) == 1;
    OPENSSL_free(der);
    EVP_MD_CTX_free(md);
    ECDSA_SIG_free(sig);
    return good;
}

/* ---- the whole ---- */

struct parts { struct slice input; struct buf header, payload, signature; };

static bool parts_of(struct slice jws, struct parts *ret_p)
{
    struct slice header, rest, payload, signature;
    while (jws.n && (jws.p[jws.n - 1] == '\n' || jws.p[jws.n - 1] == '\r'))
        jws.n--;
    if (jws.n > RECEIPT_MAX || !slice_cut(jws, '.', &header, &rest) || !slice_cut(rest, '.', &payload, &signature))
        return false;
    ret_p->input = slice_of(jws.p, header.n + 1 + payload.n);
    return b64url_decode(header, &ret_p->header) && b64url_decode(payload, &ret_p->payload) && b64url_decode(signature, &ret_p->signature) &&
           ret_p->signature.n == 2 * R_S_BYTES;
}

static json_t *object_of(const struct buf *b)
{
    json_t *v = json_loadb((const char *)b->p, b->n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(v))
        return v;
    json_decref(v);
    return NULL;
}

static enum receipt_verdict judge(const struct parts *p, const json_t *header, const char *ca_path)
{
    const char *alg = json_string_value(json_object_get(header, "alg"));
    const json_t *x5c = json_object_get(header, "x5c");
    if (!alg || strcmp(alg, "ES256") != 0 || json_object_get(header, "crit") || !json_array_size(x5c) || json_array_size(x5c) > CHAIN_MAX)
        return RECEIPT_SHAPE;
    X509 *leaf = cert_of(json_array_get(x5c, 0));
    enum receipt_verdict v = RECEIPT_GOOD;
    if (!leaf)
        v = RECEIPT_SHAPE;
    else if (!chain_good(leaf, x5c, ca_path))
        v = RECEIPT_CHAIN;
    else if (!signs_documents(leaf))
        v = RECEIPT_NOT_OURS;
    else if (!signature_good(leaf, p->input, buf_slice(&p->signature)))
        v = RECEIPT_SIGNATURE;
    X509_free(leaf);
    return v;
}

enum receipt_verdict receipt_verify(struct slice jws, const char *ca_path, json_t **ret_claims)
{
    struct parts p;
    buf_init(&p.header, RECEIPT_MAX);
    buf_init(&p.payload, RECEIPT_MAX);
    buf_init(&p.signature, RECEIPT_MAX);
    bool cut = parts_of(jws, &p);
    json_t *header = cut ? object_of(&p.header) : NULL, *claims = cut ? object_of(&p.payload) : NULL;
    enum receipt_verdict v = header && claims ? judge(&p, header, ca_path) : RECEIPT_SHAPE;
    if (v == RECEIPT_GOOD)
        *ret_claims = json_incref(claims);
    json_decref(header);
    json_decref(claims);
    buf_done(&p.header);
    buf_done(&p.payload);
    buf_done(&p.signature);
    return v;
}
