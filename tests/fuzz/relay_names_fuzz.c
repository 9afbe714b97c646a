/* Commands on their way to a Cluster: in one piece or byte by byte the same comes out, and it is as long as it may be. */

#include <stdint.h>
#include <stdlib.h>

#include "gateway/relay/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { ROOM = 16 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf whole, parts;
    struct names *a = names_new(LIT("tag")), *b = names_new(LIT("tag"));
    buf_init(&whole, ROOM);
    buf_init(&parts, ROOM);
    bool good = a && b, same = good && names_feed(a, slice_of(data, n), &whole);
    for (size_t i = 0; i < n && good; i++)
        good = names_feed(b, slice_of(data + i, 1), &parts);
    if (a && b && (same != good || !slice_eq(buf_slice(&whole), buf_slice(&parts))))
        abort();
    names_free(a);
    names_free(b);
    buf_done(&whole);
    buf_done(&parts);
    return 0;
}
