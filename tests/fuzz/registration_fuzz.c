/* Reaches nz_registration_parse: form tables, number_inside, row_record, row_rules. What is accepted encodes as a record,
 * and the row's number is nowhere in it. The first byte chooses the form and the check levels. */
#include "gateway/base/must.h"
#include "gateway/check/json_in.h"
#include "keys/registration/registration.h"

enum { ROWS_MAX = 20 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

static struct err not_inside(struct slice digits, void *arg)
{
    const struct record *r = arg;
    MUST(memmem(r->eligibility.p, r->eligibility.n, digits.p, digits.n) == NULL);
    MUST(memmem(r->basic.p, r->basic.n, digits.p, digits.n) == NULL);
    return OK;
}

static void look_at(struct nz_row *r)
{
    struct buf b;
    MUST((r->verdict == NZ_ROW_FIELD) == (r->report.n_faults > 0));
    if (r->verdict == NZ_ROW_FIELD)
        return;
    buf_init(&b, STORE_RECORD_MAX);
    MUST(err_ok(record_encode(&r->record, &b)));
    MUST(err_ok(nz_mynum_use(r->number, not_inside, &r->record)));
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct check_levels LEVELS[2] = { { { [CK_MYNUMBER] = CHECK_WARN } }, { { [CK_MYNUMBER] = CHECK_REJECT, [CK_PAYER] = CHECK_REJECT } } };
    struct nz_pool *pool;
    struct nz_rows *rows;
    if (n < 1)
        return 0;
    struct arena *a = arena_new(1 << 20);
    MUST(err_ok(nz_pool_new(&pool, ROWS_MAX + 1)));
    struct err e = nz_registration_parse(&rows, a, pool, p[0] & 1 ? NZ_FORM_HISTORY : NZ_FORM_SUBJECT, slice_of(p + 1, n - 1), ROWS_MAX, "331007",
                                         &LEVELS[p[0] >> 1 & 1]);
    for (size_t i = 0; err_ok(e) && i < rows->n; i++)
        look_at(&rows->row[i]);
    arena_free(a);
    nz_pool_free(pool);
    return 0;
}
