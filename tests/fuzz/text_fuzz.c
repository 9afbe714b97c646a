/* Reaches utf8_valid, utf8_count, b64url_decode and back, hex_decode, u64_parse, ymd_parse. */
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size);
    struct buf raw, again;
    uint8_t hex[8];
    uint64_t v;
    ymd_t d;
    buf_init(&raw, 4096);
    buf_init(&again, 8192);
    if (utf8_valid(in) && utf8_count(in) > size)
        abort();
    if (b64url_decode(in, &raw)) {
        b64url_encode(buf_slice(&raw), &again);
        if (!slice_eq(buf_slice(&again), in))
            abort(); /* one text, one value */
    }
    (void)hex_decode(in, hex, sizeof hex);
    if (u64_parse(in, &v)) {
        buf_reset(&again);
        buf_u64(&again, v);
        if (!slice_eq(buf_slice(&again), in))
            abort();
    }
    if (ymd_parse(in, &d)) {
        char back[10];
        ymd_format(d, back);
        if (!slice_eq(ARR(back), in))
            abort();
    }
    buf_done(&raw);
    buf_done(&again);
    return 0;
}
