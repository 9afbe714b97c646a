/* How many rows of a file one core reads, by the time that it worked: cells to records, or JSON texts to records.
 *   pmhgw-row-rate [seconds] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/must.h"
#include "gateway/check/json_in.h"
#include "keys/linkage/linkage.h"
#include "keys/registration/registration.h"

enum { BATCH = 64, LOOK = 16 };

static const struct { const char *field, *text; } CELLS[] = {
    { "orgSpecificCertificateTypeId", "CH-01" }, { "myNumber", "123456789018" }, { "basicFiveInfo.name", "岡山太郎" },
    { "basicFiveInfo.nameKana", "オカヤマタロウ" }, { "basicFiveInfo.address", "岡山県岡山市北区大供一丁目1番1号 メゾン大供101号" },
    { "basicFiveInfo.dateOfBirth", "2015-05-05" }, { "basicFiveInfo.sex", "1" }, { "isNotDisclosed", NULL }, { "medicalSubsidyInsurerNumber", "33120015" },
    { "certificationName", "子ども医療費受給資格者証" }, { "medicalSubsidyRecipientNumber", "1234567" }, { "municipalityIdentityKey", "0000123456" },
    { "certificationSubKey", "s1" }, { "segment", "A" }, { "incomeSegment", "B" }, { "additionalConditions", "01-02;03-04" },
    { "designatedMedicalInstitutions", "0110113719" }, { "isAlwaysReimbursement", "0" }, { "maxCopaymentAmount.maxCopaymentAmountId", "1" },
    { "maxCopaymentAmount.burdenRate", "0.1" }, { "maxCopaymentAmount.amount", "500" }, { "validFrom", "2024-04-01" }, { "validTo", "2025-03-31" },
    { "historyKey", "h1" }, { "isDeleted", NULL },
};
enum { N = sizeof CELLS / sizeof CELLS[0] };

static struct nz_layout *layout_new(void)
{
    struct nz_layout *l;
    struct buf b, bad;
    buf_init(&b, NZ_LAYOUT_FILE_MAX);
    buf_init(&bad, 1000);
    buf_puts(&b, "columns:\n");
    for (size_t i = 0; i < N; i++) {
        buf_puts(&b, "  - field: ");
        buf_puts(&b, CELLS[i].field);
        buf_puts(&b, "\n    headers: [");
        buf_puts(&b, CELLS[i].field);
        buf_puts(&b, CELLS[i].text ? "]\n" : "]\n    as: boolean\n");
    }
    MUST(err_ok(nz_layout_parse(&l, "layout", buf_slice(&b), &bad)));
    buf_done(&b);
    buf_done(&bad);
    return l;
}

static double worked(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double rate(const char *what, struct nz_row_reader *r, const struct nz_linkage_row *in, double seconds)
{
    struct arena *a = arena_new(1 << 20);
    uint64_t rows = 0;
    double from = worked(), now = from;
    while (now - from < seconds) {
        for (int k = 0; k < LOOK; k++) {
            struct nz_row row[BATCH];
            for (int i = 0; i < BATCH; i++)
                MUST(err_ok(nz_row_read(r, in, a, &row[i])) && row[i].verdict == NZ_ROW_OK);
            for (int i = 0; i < BATCH; i++)
                nz_mynum_free(row[i].number);
            arena_reset(a);
            rows += BATCH;
        }
        now = worked();
    }
    arena_free(a);
    double per_second = (double)rows / (now - from);
    printf("%s: %.0f rows/s\n", what, per_second);
    return per_second;
}

int main(int argc, char **argv)
{
    static const struct check_levels LEVELS = { { [CK_MYNUMBER] = CHECK_WARN, [CK_PAYER] = CHECK_WARN } };
    double seconds = argc > 1 ? atof(argv[1]) : 2;
    struct nz_layout *l = layout_new();
    struct nz_value values[N];
    struct nz_row_reader *cells, *json;
    struct nz_pool *pool;
    struct buf text;
    json_in_setup();
    MUST(err_ok(nz_pool_new(&pool, BATCH + 1)));
    MUST(err_ok(nz_row_reader_new(&cells, NZ_FORM_HISTORY, l, "331007", &LEVELS, pool)));
    MUST(err_ok(nz_row_reader_new(&json, NZ_FORM_SUBJECT, NULL, "331007", &LEVELS, pool)));
    for (size_t i = 0; i < N; i++)
        values[i] = (struct nz_value){ .column = i, .is_flag = !CELLS[i].text, .text = slice_str(CELLS[i].text) };
    struct nz_linkage_row in = { .row = 1, .values = values, .n = N }, in_json = { .row = 1 };
    buf_init(&text, 1 << 20);
    nz_linkage_row_json(l, &in, &text);
    in_json.json = buf_slice(&text);
    bool good = rate("cells", cells, &in, seconds) > 0 && rate("json", json, &in_json, seconds) > 0;
    nz_row_reader_free(cells);
    nz_row_reader_free(json);
    nz_layout_free(l);
    nz_pool_free(pool);
    buf_done(&text);
    return good ? 0 : 1;
}
