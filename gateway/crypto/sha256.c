/* The low-level functions: they need no fetch, no lock and no allocation, a third of the cost for short inputs. */
#define OPENSSL_API_COMPAT 0x10100000L

#include "gateway/crypto/crypto.h"

#include <openssl/sha.h>

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
