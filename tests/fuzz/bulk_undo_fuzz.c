/* What a file replaced, as it is read back for an undo. Reaches nz_undo_decode, nz_undo_encode: what is read is written the same. */

#include "gateway/base/must.h"
#include "keys/bulk/undo_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size), before = in;
    struct nz_undo_entry e;
    while (err_ok(nz_undo_decode(&in, &e))) {
        struct slice taken = slice_of(before.p, before.n - in.n);
        struct buf b;
        buf_init(&b, NZ_UNDO_ENTRY_MAX + 4);
        nz_undo_encode(&e, &b);
        MUST(slice_eq(buf_slice(&b), taken));
        buf_done(&b);
        before = in;
    }
    return 0;
}
