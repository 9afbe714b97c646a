/* Reaches jws_split, the header and the claims of attributes_read: whatever is not signed is refused without a fault. The claims are reached by signing what came. */
#include <openssl/evp.h>
#include <openssl/ec.h>
#include <openssl/core_names.h>

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/cert/attributes.h"

enum { ARENA = 1 << 20, POINT = 65 };

struct world { EVP_PKEY *key; struct es256_verifier *verifier; };

static void world_make(struct world *w)
{
    struct es256_key k;
    BIGNUM *v = NULL;
    w->key = EVP_EC_gen("P-256");
    MUST(w->key);
    MUST(EVP_PKEY_get_bn_param(w->key, OSSL_PKEY_PARAM_EC_PUB_X, &v) == 1 && BN_bn2binpad(v, k.x, sizeof k.x) > 0);
    MUST(EVP_PKEY_get_bn_param(w->key, OSSL_PKEY_PARAM_EC_PUB_Y, &v) == 1 && BN_bn2binpad(v, k.y, sizeof k.y) > 0);
    BN_free(v);
    MUST(err_ok(es256_verifier_new(&w->verifier, &k)));
}

static void sign(const struct world *w, struct buf *jws)
{
    unsigned char der[80];
    const unsigned char *at = der;
    uint8_t rs[ES256_SIGNATURE];
    size_t n = sizeof der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    MUST(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, w->key) == 1 && EVP_DigestSign(md, der, &n, jws->p, jws->n) == 1);
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), rs, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), rs + 32, 32);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(md);
    buf_putc(jws, '.');
    b64url_encode(ARR(rs), jws);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct world w;
    const struct attributes_want want = { LIT("pmhgw"), LIT("ps-12345678"), LIT("portal/mynaportal"), 1700000000 };
    struct attributes got;
    struct buf jws;
    struct arena *a = arena_new(ARENA);
    if (!w.key)
        world_make(&w);
    MUST(!err_ok(attributes_read(w.verifier, slice_of(data, n), &want, a, &got)));
    buf_init(&jws, 2 * ATTRIBUTES_MAX);
    b64url_encode(LIT("{\"alg\":\"ES256\"}"), &jws);
    buf_putc(&jws, '.');
    b64url_encode(slice_of(data, n < ATTRIBUTES_MAX ? n : ATTRIBUTES_MAX), &jws);
    if (n) {
        sign(&w, &jws);
        if (err_ok(attributes_read(w.verifier, buf_slice(&jws), &want, a, &got)))
            MUST(got.birth && got.family.n && got.jti.n >= 16);
    }
    buf_done(&jws);
    arena_free(a);
    return 0;
}
