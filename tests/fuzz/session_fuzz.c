/* Reaches session_decode() and session_encode(): what decodes encodes to the same bytes. */

#include "gateway/clinic/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct session s;
    struct buf back;
    buf_init(&back, SESSION_PLAIN_MAX);
    if (err_ok(session_decode(slice_of(data, n), &s)) && err_ok(session_encode(&s, &back)) && !slice_eq(buf_slice(&back), slice_of(data, n)))
        __builtin_trap();
    buf_done(&back);
    return 0;
}
