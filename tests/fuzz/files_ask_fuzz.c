/* What the routes of files read. Reaches nz_file_ask_read, nz_results_query_read, nz_results_at_parse, nz_list_query_read. The first byte chooses. */

#include "gateway/base/must.h"
#include "keys/files/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void body(struct slice in)
{
    struct arena *a = arena_new(1 << 20);
    struct nz_pool *pool;
    MUST(a && err_ok(nz_pool_new(&pool, 4)));
    struct nz_file_ask ask;
    struct field_report report = { 0 };
    struct err e = nz_file_ask_read(in, a, pool, &ask, &report);
    MUST(!err_is(e, E_FIELD) || report.n_faults);
    if (err_ok(e))
        MUST(ask.meta.bytes && (ask.source != NZ_SOURCE_CSV || nz_file_layout_ok(slice_str(ask.layout))) && nz_file_encoding_ok(slice_str(ask.encoding)));
    arena_free(a);
    nz_pool_free(pool);
}

static void results(struct slice in)
{
    struct nz_results_query q;
    if (err_ok(nz_results_query_read(in, &q)))
        MUST(q.limit >= 1 && q.limit <= NZ_RESULTS_PAGE_MAX);
}

static void cursor(struct slice in)
{
    struct nz_results_at at;
    char text[96];
    if (nz_results_at_parse(in, &at))
        MUST(slice_eq(slice_of(text, nz_results_at_format(&at, text)), in));
}

static void list(struct slice in)
{
    uint64_t before;
    if (!err_ok(nz_list_query_read(in, &before)))
        return;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const WAYS[])(struct slice) = { body, results, cursor, list };
    if (size)
        WAYS[data[0] % (sizeof WAYS / sizeof WAYS[0])](slice_of(data + 1, size - 1));
    return 0;
}
