/* Reaches caller_parse: whatever the certificate says, an identity holds only what we allow. */

#include <stdlib.h>

#include "gateway/tls/caller.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char ALLOWED[] = "abcdefghijklmnopqrstuvwxyz0123456789-/";
    struct caller c = { 0 };
    bool good = caller_parse(&c, slice_of(p, n));
    if (good != (c.role != CALLER_NONE) || good != (c.identity[0] != 0))
        abort();
    if (strspn(c.identity, ALLOWED) != strlen(c.identity) || (good && strlen(c.identity) + 6 != n))
        abort();
    if (strlen(c.code) >= sizeof c.code || strlen(c.system) >= sizeof c.system)
        abort();
    return 0;
}
