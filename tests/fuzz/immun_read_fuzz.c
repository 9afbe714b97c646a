/* Reaches immun_read(): what is taken is kept, opened and the same, and holds no twelve digits in a row but in its GTIN. */
#include <stdlib.h>

#include "gateway/vaccine/immun.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void keep(const struct immun *i, struct arena *a)
{
    struct immun_record *rec = arena_get(a, sizeof *rec), *back = arena_get(a, sizeof *back);
    struct buf plain;
    if (!rec || !back)
        return;
    rec->n_versions = 1;
    rec->versions[0] = *i;
    buf_init(&plain, IMMUN_PLAIN_MAX);
    if (!err_ok(immun_encode(rec, &plain)) || !err_ok(immun_decode(buf_slice(&plain), back)) || !immun_same(&rec->versions[0], &back->versions[0]))
        __builtin_trap();
    buf_done(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool ready;
    struct immun i;
    struct field_report report;
    struct arena *a = arena_new(1 << 20);
    if (!ready)
        json_in_setup();
    ready = true;
    struct err e = immun_read(slice_of(data, n), a, &i, &report);
    if (err_is(e, E_FIELD) && !report.n_faults)
        __builtin_trap();
    if (err_ok(e))
        keep(&i, a);
    arena_free(a);
    return 0;
}
