/* The splitter of an import file: rows lie inside the text, in order, and it always ends. */

#include "gateway/base/must.h"
#include "keys/ctl/split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nz_split s = nz_split_of(slice_of(data, size));
    struct slice row;
    const uint8_t *from = data;
    size_t rows = 0;
    while (nz_split_next(&s, &row) == NZ_SPLIT_ROW) {
        MUST(row.n > 0 && row.p >= from && row.n <= (size_t)(data + size - row.p));
        from = row.p + row.n;
        MUST(++rows <= size);
    }
    return 0;
}
