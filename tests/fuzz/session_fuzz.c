/* Reaches session_decode() and session_encode(): what decodes encodes to the same bytes, and from the form before to the same ones behind the version. */

#include "gateway/base/must.h"
#include "gateway/clinic/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct session s;
    struct buf back;
    buf_init(&back, SESSION_PLAIN_MAX);
    if (err_ok(session_decode(slice_of(data, n), &s))) {
        MUST(err_ok(session_encode(&s, &back)) && back.n >= n);
        MUST(slice_eq(slice_of(back.p + 1, n - 1), slice_of(data + 1, n - 1)) && (back.n > n) == (data[0] < back.p[0]));
    }
    buf_done(&back);
    return 0;
}
