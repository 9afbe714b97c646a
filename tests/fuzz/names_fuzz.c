/* Reaches name_latin, name_own and the tables: what is taken is a passport name, and taken again it stays what it is. */
#include "gateway/base/must.h"
#include "gateway/cert/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf once, twice;
    struct slice family, given;
    buf_init(&once, 256);
    buf_init(&twice, 256);
    if (err_ok(name_latin(slice_of(data, n), &once))) {
        MUST(once.n >= 1 && once.n <= NAME_LATIN_MAX);
        MUST(err_ok(name_latin(buf_slice(&once), &twice)) && slice_eq(buf_slice(&once), buf_slice(&twice)));
    }
    if (err_ok(name_own(slice_of(data, n), 100, &family, &given)))
        MUST(family.n > 0 && family.n + given.n <= n);
    buf_done(&once);
    buf_done(&twice);
    return 0;
}
