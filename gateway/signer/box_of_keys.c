#include "gateway/signer/box_of_keys.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/store.h>
#include <stdlib.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/signer/token.h"

enum { DER_MAX = 80, POINT = 1 + 2 * SIGNER_COORDINATE };
#define CURVE "prime256v1"

struct key_box {
    struct signer_keys keys;
    EVP_PKEY_CTX *ctx[SIGNER_KEYS_MAX]; /* of keys.key[i], ready to sign; NULL: it is in a token */
    struct token_key *token[SIGNER_KEYS_MAX];
};

/* ---- a key becomes one of the box ---- */

static bool is_p256(const EVP_PKEY *key)
{
    char group[32];
    size_t n;
    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof group, &n) == 1 && slice_eq(slice_of(group, n), LIT(CURVE));
}

static bool coordinate(const EVP_PKEY *key, const char *which, uint8_t out[static SIGNER_COORDINATE])
{
    BIGNUM *v = NULL;
    bool good = EVP_PKEY_get_bn_param(key, which, &v) == 1 && BN_bn2binpad(v, out, SIGNER_COORDINATE) == SIGNER_COORDINATE;
    BN_free(v);
    return good;
}

static ERR put(struct key_box *b, enum signer_use use, uint8_t number, EVP_PKEY *key)
{
    if (b->keys.n == SIGNER_KEYS_MAX || !is_p256(key))
        return FAIL(E_CONFIG);
    struct signer_key *t = &b->keys.key[b->keys.n];
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool good = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 && coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X, t->x) &&
                coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y, t->y);
    if (!good) {
        EVP_PKEY_CTX_free(ctx);
        return FAIL(E_CONFIG);
    }
    t->use = use;
    t->number = number;
    b->ctx[b->keys.n++] = ctx;
    return OK;
}

/* ---- from the ring ---- */

/* d·G, uncompressed; false when d is not in 1..n-1. */
static bool public_point(const BIGNUM *d, uint8_t out[static POINT])
{
    EC_GROUP *g = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    EC_POINT *q = g ? EC_POINT_new(g) : NULL;
    bool good = q && !BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(g)) < 0 && EC_POINT_mul(g, q, d, NULL, NULL, NULL) == 1 &&
                EC_POINT_point2oct(g, q, POINT_CONVERSION_UNCOMPRESSED, out, POINT, NULL) == POINT;
    EC_POINT_free(q);
    EC_GROUP_free(g);
    return good;
}

static EVP_PKEY *key_make(const BIGNUM *d, const uint8_t point[static POINT])
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM *params = NULL;
    if (bld && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) == 1 && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, POINT) == 1)
        params = OSSL_PARAM_BLD_to_param(bld);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

struct making { struct key_box *b; enum signer_use use; uint8_t number; };

static struct err put_scalar(struct slice bytes, void *arg)
{
    const struct making *m = arg;
    uint8_t point[POINT];
    BIGNUM *d = BN_secure_new();
    bool good = d && BN_bin2bn(bytes.p, (int)bytes.n, d) && public_point(d, point);
    EVP_PKEY *key = good ? key_make(d, point) : NULL;
    BN_clear_free(d);
    struct err e = key ? put(m->b, m->use, m->number, key) : FAIL(E_CONFIG);
    EVP_PKEY_free(key); /* the context has its own reference */
    return e;
}

static ERR put_kind(struct key_box *b, const struct keyring *ring, enum key_kind kind, enum signer_use use)
{
    size_t at = 0;
    struct slice id;
    const struct secret *scalar;
    uint64_t number;
    while (keyring_each(ring, kind, &at, &id, &scalar)) {
        if (!u64_parse(id, &number) || number == 0 || number >= SIGNER_NUMBER_URI)
            return FAIL(E_CONFIG);
        TRY(secret_use(scalar, put_scalar, &(struct making){ b, use, (uint8_t)number }));
    }
    return OK;
}

struct err key_box_new(struct key_box **ret_b, const struct keyring *ring)
{
    struct key_box *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL(E_NOMEM);
    struct err e = put_kind(b, ring, KEY_SIGN_SHC, SIGNER_SHC);
    if (err_ok(e))
        e = put_kind(b, ring, KEY_SIGN_VDS, SIGNER_VDS);
    if (err_ok(e))
        e = put_kind(b, ring, KEY_SIGN_WEBHOOK, SIGNER_WEBHOOK);
    if (err_ok(e))
        *ret_b = b;
    else
        key_box_free(b);
    return e;
}

/* ---- signing ---- */

static bool to_pair(const uint8_t *der, size_t n, uint8_t ret_rs[static SIGNER_SIGNATURE])
{
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    bool good = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_rs, SIGNER_COORDINATE) == SIGNER_COORDINATE &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_rs + SIGNER_COORDINATE, SIGNER_COORDINATE) == SIGNER_COORDINATE;
    ECDSA_SIG_free(sig);
    return good;
}

static ERR sign_with(struct key_box *b, size_t i, const uint8_t digest[static SIGNER_DIGEST], uint8_t ret_rs[static SIGNER_SIGNATURE])
{
    uint8_t der[DER_MAX];
    size_t n = sizeof der;
    if (b->token[i])
        return token_key_sign(b->token[i], digest, ret_rs);
    return EVP_PKEY_sign(b->ctx[i], der, &n, digest, SIGNER_DIGEST) == 1 && to_pair(der, n, ret_rs) ? OK : FAIL(E_CRYPTO);
}

static EVP_PKEY *public_make(const struct signer_key *k)
{
    uint8_t point[POINT] = { POINT_CONVERSION_UNCOMPRESSED };
    char group[] = CURVE;
    memcpy(point + 1, k->x, sizeof k->x);
    memcpy(point + 1 + sizeof k->x, k->y, sizeof k->y);
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point), OSSL_PARAM_construct_end() };
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static int to_der(const uint8_t rs[static SIGNER_SIGNATURE], uint8_t der[static DER_MAX])
{
    unsigned char *at = der;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(rs, SIGNER_COORDINATE, NULL), *s = BN_bin2bn(rs + SIGNER_COORDINATE, SIGNER_COORDINATE, NULL);
    bool owned = sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1;
    int n = owned ? i2d_ECDSA_SIG(sig, &at) : 0;
    if (!owned) {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return n;
}

/* What comes from outside may have the public half of another key beside it: nobody could verify what it signs. */
static bool signs_as_it_says(struct key_box *b, size_t i)
{
    uint8_t digest[SIGNER_DIGEST], rs[SIGNER_SIGNATURE], der[DER_MAX];
    rnd_bytes(digest, sizeof digest);
    int n = err_ok(sign_with(b, i, digest, rs)) ? to_der(rs, der) : 0;
    EVP_PKEY *key = n > 0 ? public_make(&b->keys.key[i]) : NULL;
    EVP_PKEY_CTX *ctx = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    bool good = ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_verify(ctx, der, (size_t)n, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

/* ---- by a URI ---- */

static EVP_PKEY *key_at(const char *uri)
{
    EVP_PKEY *key = NULL;
    OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
    while (store && !key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);
        if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
        if (!info && OSSL_STORE_error(store))
            break;
    }
    OSSL_STORE_close(store);
    return key;
}

static ERR put_token(struct key_box *b, enum signer_use use, uint8_t number, const char *uri)
{
    if (b->keys.n == SIGNER_KEYS_MAX)
        return FAIL(E_CONFIG);
    struct signer_key *t = &b->keys.key[b->keys.n];
    TRY(token_key_open(&b->token[b->keys.n], uri));
    token_key_public(b->token[b->keys.n], t->x, t->y);
    t->use = use;
    t->number = number;
    b->keys.n++;
    return OK;
}

static ERR put_file(struct key_box *b, enum signer_use use, uint8_t number, const char *uri)
{
    EVP_PKEY *key = key_at(uri);
    struct err e = key ? put(b, use, number, key) : FAIL(E_CONFIG);
    EVP_PKEY_free(key);
    return e;
}

struct err key_box_add_uri(struct key_box *b, enum signer_use use, const char *uri)
{
    const struct signer_key *newest = signer_newest(&b->keys, use);
    unsigned number = newest && newest->number >= SIGNER_NUMBER_URI ? newest->number + 1u : SIGNER_NUMBER_URI;
    if (number > SIGNER_NUMBER_MAX)
        return FAIL(E_CONFIG);
    TRY(slice_starts(slice_str(uri), LIT("pkcs11:")) ? put_token(b, use, (uint8_t)number, uri) : put_file(b, use, (uint8_t)number, uri));
    return signs_as_it_says(b, b->keys.n - 1) ? OK : FAIL(E_CONFIG);
}

void key_box_free(struct key_box *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->keys.n; i++) {
        EVP_PKEY_CTX_free(b->ctx[i]);
        token_key_free(b->token[i]);
    }
    free(b);
}

const struct signer_keys *key_box_public(const struct key_box *b) { return &b->keys; }

struct err key_box_sign(struct key_box *b, enum signer_use use, uint8_t number, const uint8_t digest[static SIGNER_DIGEST],
                        uint8_t ret_rs[static SIGNER_SIGNATURE])
{
    for (size_t i = 0; i < b->keys.n; i++)
        if (b->keys.key[i].use == use && b->keys.key[i].number == number)
            return sign_with(b, i, digest, ret_rs);
    return FAIL(E_NOTHING);
}
