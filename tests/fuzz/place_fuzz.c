/* Addresses of Redis: whatever it is, it is understood or refused; what was understood has its parts in their limits. */

#include <stdint.h>
#include <stdlib.h>

#include "gateway/relay/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct place p;
    if (!err_ok(place_parse(slice_of(data, n), &p)))
        return 0;
    if (p.n == 0 || p.n > PLACE_ASKED_MAX || (p.kind == PLACE_ONE && p.n != 1) || (p.kind == PLACE_SENTINEL) != (p.name[0] != 0))
        abort();
    for (size_t i = 0; i < p.n; i++)
        if (!p.at[i].ip[0] || p.at[i].port == 0 || p.at[i].port > 65535)
            abort();
    return 0;
}
