/* Reaches nz_vrs_report_judge: a reply that breaks the agreement as a whole says nothing about any row, and what is kept of a refusal is a word without digits. */
#include "connectors/number/vrs_report.h"
#include "gateway/base/must.h"
#include "gateway/check/json_in.h"

enum { N = 2 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct nz_vrs_row row[N] = { { .version = 1 }, { .version = 2, .id = { 0xff } } };
    struct nz_vrs_report r = { .kind = NZ_VRS_RECORDS, .basis = 116, .row = row, .n = N };
    memcpy(r.id, "0123456789abcdef0123456789abcdef", sizeof r.id);
    memcpy(r.muni, "331007", sizeof r.muni);
    struct err e = nz_vrs_report_judge(&r, slice_of(p, n));
    for (int i = 0; i < N; i++) {
        MUST(err_ok(e) || row[i].said == NZ_VRS_LATER);
        MUST(row[i].said == NZ_VRS_REFUSED || !row[i].code[0]);
        for (size_t k = 0; row[i].code[k]; k++)
            MUST(k < NZ_VRS_CODE_MAX && (row[i].code[k] == '_' || (row[i].code[k] >= 'a' && row[i].code[k] <= 'z')));
    }
    return 0;
}
