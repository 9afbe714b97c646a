/* The body of an order about held rows. */

#include <stdlib.h>

#include "keys/held/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct arena *a = arena_new(1 << 20);
    struct nz_held_ask ask = { 0 };
    struct field_fault bad = { NULL, FR_NONE };
    if (n > NZ_HELD_BODY_MAX || !a) {
        arena_free(a);
        return 0;
    }
    struct err e = nz_held_ask_parse(slice_of(data, n), SLICE_NONE, a, &ask, &bad);
    if (err_is(e, E_FIELD) && (!bad.field || bad.rule == FR_NONE))
        abort();
    if (err_ok(e)) {
        if (ask.all == (ask.n > 0) || !ask.officer.n || ask.officer.n > NZ_OFFICER_MAX || ask.n > NZ_HELD_ROWS_MAX)
            abort();
        for (size_t i = 0; i < ask.n; i++) {
            if (ask.row[i] == 0 || (i && ask.row[i] <= ask.row[i - 1]))
                abort();
        }
    }
    arena_free(a);
    return 0;
}
