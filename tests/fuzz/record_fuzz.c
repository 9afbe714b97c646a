/* Reaches record_decode, record_encode, store_end_decode: what decodes encodes to the same bytes, records of an older version to the present one. */
#include "gateway/base/must.h"
#include "gateway/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct record r;
    struct slice muni;
    enum store_kind kind;
    struct store_end end;
    store_field_kind(slice_of(p, n), &kind, &muni);
    store_field_is_end(slice_of(p, n), &muni);
    (void)err_ok(store_end_decode(slice_of(p, n), &end));
    if (!err_ok(record_decode(slice_of(p, n), &r)))
        return 0;
    struct buf b;
    buf_init(&b, STORE_RECORD_MAX);
    MUST(err_ok(record_encode(&r, &b)));
    struct record back;
    MUST(p[0] < 2 || slice_eq(buf_slice(&b), slice_of(p, n)));
    MUST(err_ok(record_decode(buf_slice(&b), &back)) && record_same(&r, &back));
    buf_done(&b);
    return 0;
}
