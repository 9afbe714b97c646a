/* Reaches fhir_form_read(): the first byte says how much of the rest is the query. What is taken is within its bounds. */

#include "gateway/fhir/fhir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct fhir_ask ASK = { .who = "session", .min = 8, .max = 64 };
    struct slice all = slice_of(data, n), cut, query;
    struct fhir_form f;
    struct field_report report;
    if (!slice_take(&all, 1, &cut) || !slice_take(&all, *cut.p < all.n ? *cut.p : all.n, &query))
        return 0;
    struct arena *a = arena_new(1 << 20);
    struct err e = fhir_form_read(all, query, &ASK, a, &f, &report);
    if (err_ok(e) && (f.who.n < ASK.min || f.who.n > ASK.max || !f.count || f.count > FHIR_COUNT_MAX || report.n_faults))
        __builtin_trap();
    if (err_is(e, E_FIELD) && !report.n_faults)
        __builtin_trap();
    if (err_ok(e) && query.n && memmem(query.p, query.n, "session=", 8) == query.p)
        __builtin_trap();
    arena_free(a);
    return 0;
}
