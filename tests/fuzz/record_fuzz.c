/* Reaches record_decode, record_encode: what decodes encodes to the same bytes. */
#include "gateway/base/must.h"
#include "gateway/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct record r;
    struct slice muni;
    store_field_is_record(slice_of(p, n), &muni);
    if (!err_ok(record_decode(slice_of(p, n), &r)))
        return 0;
    struct buf b;
    buf_init(&b, STORE_RECORD_MAX);
    MUST(err_ok(record_encode(&r, &b)));
    MUST(slice_eq(buf_slice(&b), slice_of(p, n)));
    buf_done(&b);
    return 0;
}
