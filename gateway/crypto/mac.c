#include "gateway/crypto/crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

struct mac {
    EVP_MAC_CTX *ctx; /* holds the key; a sum starts it again without one */
};

static struct err set_key(struct slice key, void *arg)
{
    struct mac *m = arg;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end() };
    return EVP_MAC_init(m->ctx, key.p, key.n, params) == 1 ? OK : FAIL(E_CRYPTO);
}

struct err mac_new(struct mac **ret_m, const struct secret *key)
{
    struct mac *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL(E_NOMEM);
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    m->ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
    EVP_MAC_free(hmac); /* the context keeps a reference */
    struct err e = m->ctx ? secret_use(key, set_key, m) : FAIL(E_CRYPTO);
    if (!err_ok(e)) {
        mac_free(m);
        return e;
    }
    *ret_m = m;
    return OK;
}

void mac_free(struct mac *m)
{
    if (!m)
        return;
    EVP_MAC_CTX_free(m->ctx);
    free(m);
}

static bool add_part(EVP_MAC_CTX *ctx, struct slice part)
{
    uint8_t len[4] = { (uint8_t)(part.n >> 24), (uint8_t)(part.n >> 16), (uint8_t)(part.n >> 8), (uint8_t)part.n };
    return part.n <= UINT32_MAX && EVP_MAC_update(ctx, len, sizeof len) == 1 &&
           (part.n == 0 || EVP_MAC_update(ctx, part.p, part.n) == 1);
}

struct err mac_sum(struct mac *m, size_t n, const struct slice *parts, uint8_t out[static MAC_BYTES])
{
    size_t got = 0;
    if (EVP_MAC_init(m->ctx, NULL, 0, NULL) != 1)
        return FAIL(E_CRYPTO);
    for (size_t i = 0; i < n; i++)
        if (!add_part(m->ctx, parts[i]))
            return FAIL(E_CRYPTO);
    if (EVP_MAC_final(m->ctx, out, &got, MAC_BYTES) != 1 || got != MAC_BYTES)
        return FAIL(E_CRYPTO);
    return OK;
}
