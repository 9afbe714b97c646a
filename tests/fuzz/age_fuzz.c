/* The header of a sealed file, and keys as text. */
#include "keys/ctl/age.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct age_who w;
    uint8_t key[16];
    size_t used;
    struct slice text = slice_of(p, n);
    if (age_identity_read(text, &w) && age_recipient_read(text, &w))
        __builtin_trap(); /* nothing is both */
    w = (struct age_who){ .by_passphrase = false, .key = { 1 } };
    if (err_ok(age_header_read(text, &w, key, &used)) && used > n)
        __builtin_trap();
    return 0;
}
