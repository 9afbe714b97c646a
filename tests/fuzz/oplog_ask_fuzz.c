/* Reaches nz_oplog_query_read and nz_oplog_range_read: what is accepted is within its bounds. */
#include "gateway/base/must.h"
#include "keys/oplog/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nz_oplog_query q;
    struct nz_oplog_range r;
    if (err_ok(nz_oplog_query_read(slice_of(data, n), &q)))
        MUST(q.limit >= 1 && q.limit <= NZ_OPLOG_PAGE_MAX && q.before < UINT64_MAX);
    if (err_ok(nz_oplog_range_read(slice_of(data, n), &r)))
        MUST(r.from_ms <= r.to_ms);
    return 0;
}
