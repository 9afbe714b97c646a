/* Two stored objects, cut at a zero byte. Reaches nz_changed_members: whatever they are it ends, and an object does not differ from itself. */

#include "gateway/base/must.h"
#include "keys/bulk/changed.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL;
    const size_t n = cut ? (size_t)(cut - data) : size;
    const struct slice a = slice_of(data, n), b = cut ? slice_of(cut + 1, size - n - 1) : SLICE_NONE;
    struct buf names;
    buf_init(&names, 2048);
    nz_changed_members(a, a, &names);
    MUST(!names.n);
    nz_changed_members(a, b, &names);
    buf_done(&names);
    return 0;
}
