/* Reaches http_next, http_content_range, guard_see, guard_target and llhttp. The stream must read the same whole and in pieces. */

#include <stdlib.h>

#include "tests/unit/http_trace.h"

enum { HEADER_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct buf whole, cut;
    buf_init(&whole, 1 << 20);
    buf_init(&cut, 1 << 20);
    if (n < 2)
        return 0;
    struct slice in = slice_of(p + 1, n - 1);
    struct http_range range;
    if (http_content_range(in, &range) && (range.first > range.last || range.last >= range.total))
        abort();
    trace_stream(in, HEADER_MAX, 0, in.n, &whole);
    trace_stream(in, HEADER_MAX, p[0] % in.n, p[0] % 7 + 1, &cut);
    if (!slice_eq(buf_slice(&whole), buf_slice(&cut)))
        abort();
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
