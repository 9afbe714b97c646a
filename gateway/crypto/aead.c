#include "gateway/crypto/crypto.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "gateway/crypto/nonce.h"

enum { SEALED_VERSION = 1 };

struct aead {
    EVP_CIPHER_CTX *enc, *dec; /* hold the key; an operation sets the IV only */
    struct nonces *nonces;
};

static struct err set_key(struct slice key, void *arg)
{
    struct aead *a = arg;
    if (key.n != AEAD_KEY)
        return FAIL(E_CRYPTO);
    EVP_CIPHER *gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    bool good = gcm && EVP_EncryptInit_ex2(a->enc, gcm, key.p, NULL, NULL) == 1 &&
                EVP_DecryptInit_ex2(a->dec, gcm, key.p, NULL, NULL) == 1;
    EVP_CIPHER_free(gcm); /* the contexts keep references */
    return good ? OK : FAIL(E_CRYPTO);
}

struct err aead_new(struct aead **ret_a, const struct secret *key)
{
    struct aead *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL(E_NOMEM);
    a->enc = EVP_CIPHER_CTX_new();
    a->dec = EVP_CIPHER_CTX_new();
    struct err e = a->enc && a->dec ? nonces_new(&a->nonces) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = secret_use(key, set_key, a);
    if (!err_ok(e)) {
        aead_free(a);
        return e;
    }
    *ret_a = a;
    return OK;
}

void aead_free(struct aead *a)
{
    if (!a)
        return;
    EVP_CIPHER_CTX_free(a->enc); /* OpenSSL clears the key schedule */
    EVP_CIPHER_CTX_free(a->dec);
    nonces_free(a->nonces);
    free(a);
}

/* An absent part is skipped: for OpenSSL a call without output and without input is the end of the message. */
static bool sizes_ok(struct slice ad, struct slice in) { return ad.n <= INT_MAX && in.n <= INT_MAX; }

struct err aead_seal_raw(struct aead *a, struct slice iv, struct slice ad, struct slice in, uint8_t *out,
                         uint8_t tag[static AEAD_TAG])
{
    int n = 0;
    uint8_t none[1];
    if (iv.n != AEAD_NONCE || !sizes_ok(ad, in))
        return FAIL(E_CRYPTO);
    if (EVP_EncryptInit_ex2(a->enc, NULL, NULL, iv.p, NULL) != 1)
        return FAIL(E_CRYPTO);
    if (ad.n && EVP_EncryptUpdate(a->enc, NULL, &n, ad.p, (int)ad.n) != 1)
        return FAIL(E_CRYPTO);
    if (in.n && (EVP_EncryptUpdate(a->enc, out, &n, in.p, (int)in.n) != 1 || (size_t)n != in.n))
        return FAIL(E_CRYPTO);
    if (EVP_EncryptFinal_ex(a->enc, none, &n) != 1 || EVP_CIPHER_CTX_ctrl(a->enc, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG, tag) != 1)
        return FAIL(E_CRYPTO);
    return OK;
}

static struct err open_steps(struct aead *a, struct slice iv, struct slice ad, struct slice in, uint8_t *tag, uint8_t *out)
{
    int n = 0;
    uint8_t none[1];
    if (EVP_DecryptInit_ex2(a->dec, NULL, NULL, iv.p, NULL) != 1)
        return FAIL(E_CRYPTO);
    if (ad.n && EVP_DecryptUpdate(a->dec, NULL, &n, ad.p, (int)ad.n) != 1)
        return FAIL(E_CRYPTO);
    if (in.n && (EVP_DecryptUpdate(a->dec, out, &n, in.p, (int)in.n) != 1 || (size_t)n != in.n))
        return FAIL(E_CRYPTO);
    if (EVP_CIPHER_CTX_ctrl(a->dec, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG, tag) != 1)
        return FAIL(E_CRYPTO);
    return EVP_DecryptFinal_ex(a->dec, none, &n) == 1 ? OK : FAIL(E_SEAL);
}

struct err aead_open_raw(struct aead *a, struct slice iv, struct slice ad, struct slice in, struct slice tag, uint8_t *out)
{
    uint8_t copy[AEAD_TAG]; /* OpenSSL wants it writable */
    if (iv.n != AEAD_NONCE || tag.n != AEAD_TAG || !sizes_ok(ad, in))
        return FAIL(E_SEAL);
    memcpy(copy, tag.p, AEAD_TAG);
    struct err e = open_steps(a, iv, ad, in, copy, out);
    if (!err_ok(e) && in.n)
        explicit_bzero(out, in.n); /* what did not authenticate is nobody's to read */
    return e;
}

struct err aead_seal(struct aead *a, struct slice ad, struct slice plain, struct buf *out)
{
    uint8_t *at = buf_room(out, plain.n + AEAD_OVERHEAD);
    if (!at)
        return buf_check(out);
    uint8_t *nonce = at + 1, *text = nonce + AEAD_NONCE;
    at[0] = SEALED_VERSION;
    nonces_next(a->nonces, nonce);
    TRY(aead_seal_raw(a, slice_of(nonce, AEAD_NONCE), ad, plain, text, text + plain.n));
    buf_grew(out, plain.n + AEAD_OVERHEAD);
    return OK;
}

struct err aead_open(struct aead *a, struct slice ad, struct slice sealed, struct buf *out)
{
    struct slice version, iv, text;
    if (sealed.n < AEAD_OVERHEAD || !slice_take(&sealed, 1, &version) || version.p[0] != SEALED_VERSION ||
        !slice_take(&sealed, AEAD_NONCE, &iv) || !slice_take(&sealed, sealed.n - AEAD_TAG, &text))
        return FAIL(E_SEAL);
    uint8_t *at = text.n ? buf_room(out, text.n) : NULL;
    if (!at && text.n)
        return buf_check(out);
    TRY(aead_open_raw(a, iv, ad, text, sealed, at));
    buf_grew(out, text.n);
    return OK;
}
