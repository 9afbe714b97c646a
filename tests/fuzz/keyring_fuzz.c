/* Reaches keyring_parse: first with the bytes as they are, then as names in entries that are truly sealed, so that the
 * fuzzer gets past the tag. */

#include <stdlib.h>

#include "gateway/crypto/keyring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAME = 1 + KEY_ID_MAX };

static struct aead *master_of_zeros(void)
{
    static const uint8_t ZEROS[AEAD_KEY];
    struct secret *s = NULL;
    struct aead *a = NULL;
    if (!err_ok(secret_new(&s, ARR(ZEROS))) || !err_ok(aead_new(&a, s)))
        abort();
    secret_free(s);
    return a;
}

static void parse(enum keyring_zone zone, struct slice file, struct aead *master)
{
    struct keyring *r = NULL;
    if (!err_ok(keyring_parse(&r, zone, file, master)))
        return;
    for (int kind = 0; kind < 256; kind++) {
        size_t at = 0;
        struct slice id;
        const struct secret *key;
        while (keyring_each(r, (enum key_kind)kind, &at, &id, &key))
            if (id.n == 0 || id.n > KEY_ID_MAX || keyring_find(r, (enum key_kind)kind, id) != key)
                abort(); /* a name that is not unique, or cannot be found again */
    }
    keyring_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t KEY[AEAD_KEY] = { 1 };
    struct aead *master = master_of_zeros();
    struct slice in = slice_of(data, size), name;
    struct buf file;
    parse(RING_VAULT, in, master);
    parse(RING_LINK, in, master);
    buf_init(&file, 65536);
    buf_puts(&file, "PMHGWKR1");
    while (slice_take(&in, NAME, &name) && !file.failed) {
        buf_put(&file, name);
        if (!err_ok(aead_seal(master, name, ARR(KEY), &file)))
            break;
    }
    parse(RING_VAULT, buf_slice(&file), master);
    parse(RING_LINK, buf_slice(&file), master);
    buf_done(&file);
    aead_free(master);
    return 0;
}
