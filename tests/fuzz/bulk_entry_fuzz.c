/* Results of a file as they are read back. Reaches nz_entry_decode, nz_entry_encode, nz_entry_json: what is read is written the same. */

#include "gateway/base/must.h"
#include "keys/bulk/result_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size), before = in;
    struct nz_result_entry e;
    while (err_ok(nz_entry_decode(&in, &e))) {
        struct slice taken = slice_of(before.p, before.n - in.n);
        struct buf b;
        struct jsonw w;
        buf_init(&b, 1 << 20);
        nz_entry_encode(&e, &b);
        MUST(slice_eq(buf_slice(&b), taken));
        buf_reset(&b);
        jsonw_init(&w, &b);
        nz_entry_json(&e, &w);
        MUST(err_ok(buf_check(&b)));
        buf_done(&b);
        before = in;
    }
    return 0;
}
