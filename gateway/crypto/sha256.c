/* The low-level functions: they need no fetch, no lock and no allocation, a third of the cost for short inputs. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "gateway/crypto/crypto.h"

#include <openssl/sha.h>
#include <stdlib.h>

struct err sha256(size_t n, const struct slice *parts, uint8_t out[static SHA256_BYTES])
{
    SHA256_CTX c;
    bool good = SHA256_Init(&c) == 1;
    for (size_t i = 0; good && i < n; i++)
        good = parts[i].n == 0 || SHA256_Update(&c, parts[i].p, parts[i].n) == 1;
    good = good && SHA256_Final(out, &c) == 1;
    explicit_bzero(&c, sizeof c);
    return good ? OK : FAIL(E_CRYPTO);
}

struct sha256 { SHA256_CTX c; };

struct err sha256_new(struct sha256 **ret_h)
{
    struct sha256 *h = calloc(1, sizeof *h);
    if (!h)
        return FAIL(E_NOMEM);
    if (SHA256_Init(&h->c) != 1) {
        free(h);
        return FAIL(E_CRYPTO);
    }
    *ret_h = h;
    return OK;
}

struct err sha256_put(struct sha256 *h, struct slice part)
{
    return part.n == 0 || SHA256_Update(&h->c, part.p, part.n) == 1 ? OK : FAIL(E_CRYPTO);
}

struct err sha256_done(struct sha256 *h, uint8_t out[static SHA256_BYTES])
{
    return SHA256_Final(out, &h->c) == 1 ? OK : FAIL(E_CRYPTO);
}

void sha256_free(struct sha256 *h)
{
    if (!h)
        return;
    explicit_bzero(h, sizeof *h);
    free(h);
}
