/* The parts of SHA-256 that depend on the key only are reckoned once. OpenSSL's HMAC copies two contexts on the heap for each sum, which costs more than
 * the sum of a short text; what is used instead is its own SHA-256 without a context, deprecated since 3.0 and there in every 3.x. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "gateway/crypto/crypto.h"

#include <endian.h>
#include <openssl/sha.h>
#include <stdlib.h>

enum { BLOCK = 64, INNER = 0x36, OUTER = 0x5c };

struct mac {
    SHA256_CTX inner, outer; /* behind the block of the key */
};

static bool start(SHA256_CTX *c, const uint8_t key[static BLOCK], uint8_t pad)
{
    uint8_t block[BLOCK];
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = key[i] ^ pad;
    bool good = SHA256_Init(c) == 1 && SHA256_Update(c, block, BLOCK) == 1;
    explicit_bzero(block, sizeof block);
    return good;
}

static struct err set_key(struct slice key, void *arg)
{
    struct mac *m = arg;
    uint8_t block[BLOCK] = { 0 };
    struct err e = OK;
    if (key.n > BLOCK)
        e = sha256(1, &key, block);
    else if (key.n)
        memcpy(block, key.p, key.n);
    if (err_ok(e) && (!start(&m->inner, block, INNER) || !start(&m->outer, block, OUTER)))
        e = FAIL(E_CRYPTO);
    explicit_bzero(block, sizeof block);
    return e;
}

struct err mac_new(struct mac **ret_m, const struct secret *key)
{
    struct mac *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL(E_NOMEM);
    struct err e = secret_use(key, set_key, m);
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
    explicit_bzero(m, sizeof *m);
    free(m);
}

/* Of parts: gathered, because a call for four bytes costs as much as one for a block. */
struct text {
    SHA256_CTX c;
    size_t n;
    uint8_t b[2 * BLOCK];
};

static bool put(struct text *t, const void *p, size_t n)
{
    if (n > sizeof t->b - t->n) {
        if (SHA256_Update(&t->c, t->b, t->n) != 1)
            return false;
        t->n = 0;
    }
    if (n > sizeof t->b)
        return SHA256_Update(&t->c, p, n) == 1;
    if (n)
        memcpy(t->b + t->n, p, n);
    t->n += n;
    return true;
}

static bool add_part(struct text *t, struct slice part)
{
    const uint32_t len = htobe32((uint32_t)part.n);
    return part.n <= UINT32_MAX && put(t, &len, sizeof len) && put(t, part.p, part.n);
}

struct err mac_sum(struct mac *m, size_t n, const struct slice *parts, uint8_t out[static MAC_BYTES])
{
    struct text t;
    uint8_t sum[MAC_BYTES];
    bool good = true;
    t.c = m->inner;
    t.n = 0;
    for (size_t i = 0; i < n; i++)
        good = good && add_part(&t, parts[i]);
    good = good && SHA256_Update(&t.c, t.b, t.n) == 1 && SHA256_Final(sum, &t.c) == 1;
    t.c = m->outer;
    good = good && SHA256_Update(&t.c, sum, sizeof sum) == 1 && SHA256_Final(out, &t.c) == 1;
    explicit_bzero(&t, sizeof t);
    explicit_bzero(sum, sizeof sum);
    return good ? OK : FAIL(E_CRYPTO);
}
