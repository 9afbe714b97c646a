/* Reaches cert_decode, cert_encode, shc_of_numeric, shc_inflate: what is read is written back to the same bytes; a bomb ends at the limit. */
#include "gateway/base/must.h"
#include "gateway/cert/shc.h"
#include "gateway/cert/stored.h"

enum { INFLATED_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct cert_stored c;
    struct buf out;
    struct slice in = slice_of(data, n);
    buf_init(&out, INFLATED_MAX);
    if (err_ok(cert_decode(in, &c))) {
        MUST(err_ok(cert_encode(&c, &out)) && slice_eq(buf_slice(&out), in));
        buf_reset(&out);
    }
    if (err_ok(shc_of_numeric(in, &out))) {
        struct buf digits;
        buf_init(&digits, 2 * n);
        MUST(err_ok(shc_numeric(buf_slice(&out), &digits)) && slice_eq(buf_slice(&digits), in));
        buf_done(&digits);
    }
    buf_done(&out);
    buf_init(&out, INFLATED_MAX);
    (void)!err_ok(shc_inflate(in, &out));
    MUST(out.n <= INFLATED_MAX);
    buf_done(&out);
    return 0;
}
