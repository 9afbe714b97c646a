#include "gateway/crypto/crypto.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct prp {
    EVP_CIPHER_CTX *ctx[2]; /* there, back */
};

static ERR start(EVP_CIPHER_CTX **ret_ctx, struct slice key, int forward)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (!ctx)
        return FAIL(E_NOMEM);
    *ret_ctx = ctx; /* freed with the rest, whatever becomes of it */
    bool good = EVP_CipherInit_ex2(ctx, EVP_aes_256_ecb(), key.p, NULL, forward, NULL) == 1 && EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
    return good ? OK : FAIL(E_CRYPTO);
}

static struct err set_key(struct slice key, void *arg)
{
    struct prp *p = arg;
    if (key.n != PRP_KEY)
        return FAIL(E_CONFIG);
    TRY(start(&p->ctx[0], key, 1));
    return start(&p->ctx[1], key, 0);
}

struct err prp_new(struct prp **ret_p, const struct secret *key)
{
    struct prp *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL(E_NOMEM);
    struct err e = secret_use(key, set_key, p);
    if (!err_ok(e)) {
        prp_free(p);
        return e;
    }
    *ret_p = p;
    return OK;
}

void prp_free(struct prp *p)
{
    if (!p)
        return;
    EVP_CIPHER_CTX_free(p->ctx[0]);
    EVP_CIPHER_CTX_free(p->ctx[1]);
    free(p);
}

static ERR turn(EVP_CIPHER_CTX *ctx, const uint8_t in[static PRP_BLOCK], uint8_t out[static PRP_BLOCK])
{
    int n = 0;
    return EVP_CipherUpdate(ctx, out, &n, in, PRP_BLOCK) == 1 && n == PRP_BLOCK ? OK : FAIL(E_CRYPTO);
}

struct err prp_there(struct prp *p, const uint8_t in[static PRP_BLOCK], uint8_t out[static PRP_BLOCK]) { return turn(p->ctx[0], in, out); }
struct err prp_back(struct prp *p, const uint8_t in[static PRP_BLOCK], uint8_t out[static PRP_BLOCK]) { return turn(p->ctx[1], in, out); }
