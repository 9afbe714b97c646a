/* Reaches fault_parse and fault_write: what is read can be written, and reads the same again. */

#include "gateway/base/must.h"
#include "gateway/check/json_in.h"
#include "mocks/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(256 * 1024);
    struct fault f, again;
    if (a && err_ok(fault_parse(&f, a, slice_of(data, size)))) {
        struct buf out;
        struct jsonw w;
        buf_init(&out, 4096);
        jsonw_init(&w, &out);
        fault_write(&f, &w, NULL);
        MUST(err_ok(fault_parse(&again, a, buf_slice(&out))));
        MUST(again.delay_ms == f.delay_ms && again.status == f.status && again.count == f.count && again.swap == f.swap && again.reset == f.reset);
        buf_done(&out);
    }
    arena_free(a);
    return 0;
}
