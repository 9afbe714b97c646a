/* Reaches the queries of exports: what is accepted is within its bounds. */
#include "gateway/base/must.h"
#include "keys/vaccination/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nz_vacc_ask a;
    struct slice query = slice_of(data, n);
    if (err_ok(nz_ledger_ask_read(query, &a)))
        MUST(a.program[0] && !a.program[VACCINE_ID_MAX] && a.first >= 1 && a.first < 99);
    if (err_ok(nz_due_ask_read(query, &a)))
        MUST(a.program[0] && !a.program[VACCINE_ID_MAX]);
    if (err_ok(nz_statistics_ask_read(query, &a)))
        MUST(a.from_month <= a.to_month && !a.from_month == !a.to_month);
    return 0;
}
