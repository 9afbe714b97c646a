/* What a municipality owes its clinics: prices, reductions, what is taken back in a later month. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/vaccine/day.h"
#include "keys/vaccination/claims.h"
#include "keys/vaccination/rows.h"

#define MUNI "331007"
#define A LIT("3319900019")
#define B LIT("2719900017")
#define HEAD "claimMonth,municipalityCode,medicalInstitutionCode,vaccinationProgramId,vaccinationMonth,kind,count,unitPrice,ownShare,amount,note,state\r\n"

static const char TABLE[] =
    "prices:\n"
    "  - { municipality: all, program: flu, from: 2026-04-01, price: 5000, own_share: 1500 }\n"
    "  - { municipality: all, program: flu, from: 2026-10-15, price: 5200, own_share: 1600 }\n"
    "  - { municipality: \"331007\", program: mr, from: 2020-01-01, price: 12400, own_share: 0 }\n"
    "  - { municipality: all, program: mr, from: 2026-01-01, price: 99, own_share: 0 }\n"
    "reductions:\n"
    "  - { municipality: all, segment: 生活保護, own_share: 0 }\n"
    "  - { municipality: \"331007\", segment: 非課税, own_share: 700 }\n"
    "  - { municipality: \"331007\", segment: 非課税, program: mr, own_share: 9000 }\n";

/* A wall time in Japan. */
static uint64_t at(ymd_t day, unsigned hour) { return (uint64_t)(day_number(day) - day_number(19700101)) * 86400000 + hour * UINT64_C(3600000) - UINT64_C(32400000); }

static struct nz_fees *fees(void)
{
    struct nz_fees *f;
    struct buf bad;
    buf_init(&bad, 1024);
    const struct err e = nz_fees_parse(&f, "t", slice_str(TABLE), &bad);
    if (!err_ok(e))
        print_message("%.*s\n", (int)bad.n, (const char *)bad.p);
    assert_int_equal(e.code, E_OK);
    buf_done(&bad);
    return f;
}

struct bench { struct nz_fees *fees; struct nz_vacc_person *p; struct immun_record *rec; };

static struct immun *version(struct bench *b, size_t record, uint64_t recorded_ms)
{
    struct immun_record *r = &b->rec[record];
    struct immun *v = &r->versions[r->n_versions++];
    *v = r->n_versions > 1 ? r->versions[r->n_versions - 2] : (struct immun){ .status = IMMUN_COMPLETED, .program = LIT("flu"), .dose = 1, .date = 20261001, .clinic = A };
    memcpy(v->muni, MUNI, 6);
    v->recorded_ms = recorded_ms;
    if (record >= b->p->n_records)
        b->p->n_records = record + 1;
    return v;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->fees = fees();
    b->p = calloc(1, sizeof *b->p);
    b->rec = calloc(4, sizeof *b->rec);
    for (size_t i = 0; i < 4; i++)
        b->p->records[i] = &b->rec[i];
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    nz_fees_free(b->fees);
    free(b->p);
    free(b->rec);
    free(b);
    return 0;
}

static void claims(const struct bench *b, uint32_t month, const char *text)
{
    struct nz_claims *c = nz_claims_new();
    struct buf out;
    uint64_t rows = 0;
    size_t lines = 0;
    buf_init(&out, NZ_ROW_MAX);
    assert_int_equal(nz_claims_add(c, b->fees, month, b->p).code, E_OK);
    nz_claims_write(c, MUNI, month, true, &out, &rows);
    assert_int_equal(buf_check(&out).code, E_OK);
    assert_string_equal(buf_cstr(&out) + strlen(HEAD), text);
    for (const char *t = text; *t; t++)
        lines += *t == '\n';
    assert_int_equal(rows, lines);
    buf_done(&out);
    nz_claims_free(c);
}

static void a_dose_is_claimed_in_the_month_in_which_it_was_recorded(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261031, 24) - 1); /* the last millisecond of October in Japan, still 14:59 in London */
    claims(b, 202609, "");
    claims(b, 202610, "2026-10,331007,3319900019,flu,2026-10,charge,1,5000,1500,3500,,final\r\n");
    claims(b, 202611, "");
    b->rec[0].versions[0].recorded_ms = at(20261101, 0);
    claims(b, 202610, "");
    claims(b, 202611, "2026-11,331007,3319900019,flu,2026-10,charge,1,5000,1500,3500,,final\r\n");
}

static void what_is_cancelled_later_is_taken_back_in_that_month(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261220, 9));
    version(b, 0, at(20270103, 9))->status = IMMUN_CANCELLED;
    claims(b, 202612, "2026-12,331007,3319900019,flu,2026-10,charge,1,5000,1500,3500,,final\r\n");
    claims(b, 202701, "2027-01,331007,3319900019,flu,2026-10,cancellation,-1,5000,1500,-3500,,final\r\n");
    claims(b, 202702, "");
}

static void a_month_before_there_were_records_has_no_lines(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261102, 9));
    claims(b, 196912, "");
    claims(b, 197001, ""); /* begins before the first millisecond of the clock */
    claims(b, 190001, "");
}

static void a_month_is_over_when_nobody_writes_into_it_any_more(void **state)
{
    (void)state;
    assert_false(nz_claims_are_final(202612, at(20261231, 23)));
    assert_false(nz_claims_are_final(202612, at(20270101, 0)));
    assert_false(nz_claims_are_final(202612, at(20270101, 0) + NZ_CLAIMS_SETTLE_MS - 1));
    assert_true(nz_claims_are_final(202612, at(20270101, 0) + NZ_CLAIMS_SETTLE_MS));
    assert_true(nz_claims_are_final(202611, at(20270101, 0)));
    assert_false(nz_claims_are_final(202701, at(20270101, 0) + NZ_CLAIMS_SETTLE_MS));
}

static void what_is_cancelled_in_the_same_month_leaves_nothing(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261102, 9));
    version(b, 0, at(20261130, 23))->status = IMMUN_CANCELLED;
    claims(b, 202611, "");
    claims(b, 202612, "");
}

static void a_correction_takes_the_old_line_back_and_puts_the_new_one(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261102, 9));
    version(b, 0, at(20261203, 9))->clinic = B;
    version(b, 0, at(20270104, 9))->lot = LIT("other"); /* costs the same: no line */
    claims(b, 202612, "2026-12,331007,2719900017,flu,2026-10,charge,1,5000,1500,3500,,final\r\n"
                      "2026-12,331007,3319900019,flu,2026-10,cancellation,-1,5000,1500,-3500,,final\r\n");
    claims(b, 202701, "");
    version(b, 0, at(20270205, 9))->date = 20261101; /* another month, and the price of then */
    claims(b, 202702, "2027-02,331007,2719900017,flu,2026-10,cancellation,-1,5000,1500,-3500,,final\r\n"
                      "2027-02,331007,2719900017,flu,2026-11,charge,1,5200,1600,3600,,final\r\n");
}

static void equal_doses_are_one_line(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261102, 9));
    version(b, 1, at(20261103, 9));
    version(b, 2, at(20261103, 9))->program = LIT("mr");
    version(b, 3, at(20261103, 9))->overseas = true; /* nobody here is paid for it */
    claims(b, 202611, "2026-11,331007,3319900019,flu,2026-10,charge,2,5000,1500,7000,,final\r\n"
                      "2026-11,331007,3319900019,mr,2026-10,charge,1,12400,0,12400,,final\r\n");
    b->rec[2].versions[0].clinic = SLICE_NONE;
    b->rec[1].versions[0].clinic = LIT("331990001");
    claims(b, 202611, "2026-11,331007,3319900019,flu,2026-10,charge,1,5000,1500,3500,,final\r\n");
}

static void a_reduction_is_the_one_of_the_version(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261102, 9))->reduction = LIT("生活保護");
    version(b, 1, at(20261102, 9))->reduction = LIT("非課税");
    version(b, 2, at(20261102, 9))->reduction = LIT("知らない");
    struct immun *gone = version(b, 0, at(20261203, 9)); /* its subject was registered without a reduction meanwhile: what was claimed is taken back */
    gone->status = IMMUN_CANCELLED;
    gone->reduction = SLICE_NONE;
    claims(b, 202611, "2026-11,331007,3319900019,flu,2026-10,charge,1,5000,0,5000,,final\r\n"
                      "2026-11,331007,3319900019,flu,2026-10,charge,1,5000,700,4300,,final\r\n"
                      "2026-11,331007,3319900019,flu,2026-10,charge,1,5000,1500,3500,unknown_reduction,final\r\n");
    claims(b, 202612, "2026-12,331007,3319900019,flu,2026-10,cancellation,-1,5000,0,-5000,,final\r\n");
}

static void a_dose_without_a_price_is_told_and_costs_nothing(void **state)
{
    struct bench *b = *state;
    version(b, 0, at(20261102, 9))->program = LIT("unheard-of");
    version(b, 1, at(20261102, 9))->date = 20260331; /* the day before the first price */
    claims(b, 202611, "2026-11,331007,3319900019,flu,2026-03,charge,1,0,0,0,no_price,final\r\n"
                      "2026-11,331007,3319900019,unheard-of,2026-10,charge,1,0,0,0,no_price,final\r\n");
}

/* ---- whatever happens to records, all months together are what they cost now ---- */

static long long total_of(const struct bench *b, uint32_t month)
{
    enum { AMOUNT = 9 };
    struct nz_claims *c = nz_claims_new();
    struct buf out;
    uint64_t rows = 0;
    long long sum = 0;
    buf_init(&out, NZ_ROW_MAX);
    assert_int_equal(nz_claims_add(c, b->fees, month, b->p).code, E_OK);
    nz_claims_write(c, MUNI, month, true, &out, &rows);
    struct slice line, text = buf_slice(&out), cell = SLICE_NONE;
    assert_true(slice_cut(text, '\n', &line, &text));
    for (; slice_cut(text, '\n', &line, &text); rows--) {
        for (int i = 0; i <= AMOUNT; i++)
            assert_true(slice_cut(line, ',', &cell, &line));
        sum += strtoll((const char *)cell.p, NULL, 10); /* a comma follows */
    }
    assert_int_equal(rows, 0);
    buf_done(&out);
    nz_claims_free(c);
    return sum;
}

static void change_somehow(struct immun *v, unsigned dice)
{
    static const char *const PROGRAMS[] = { "flu", "mr", "none" }, *const REDUCTIONS[] = { "", "生活保護", "非課税", "x" };
    v->status = dice % 4 ? IMMUN_COMPLETED : IMMUN_CANCELLED;
    v->program = slice_str(PROGRAMS[dice / 4 % 3]);
    v->reduction = slice_str(REDUCTIONS[dice / 12 % 4]);
    v->clinic = dice / 48 % 2 ? A : B;
    v->date = dice / 96 % 2 ? 20261001 : 20261101;
    v->overseas = dice / 192 % 8 == 0;
}

static void all_months_together_are_what_the_records_cost_now(void **state)
{
    struct bench *b = *state;
    unsigned seed = 5;
    for (unsigned round = 0; round < 30; round++) {
        long long sum = 0, now = 0;
        memset(b->rec, 0, 4 * sizeof *b->rec);
        b->p->n_records = 0;
        for (size_t r = 0; r < 4; r++) {
            uint64_t when = at(20261001, 0);
            for (unsigned n = 1 + (unsigned)rand_r(&seed) % 6; n; n--) {
                when += (uint64_t)rand_r(&seed) % UINT64_C(2000000000); /* up to 23 days */
                change_somehow(version(b, r, when), (unsigned)rand_r(&seed) % 1536);
            }
            const struct immun *v = &b->rec[r].versions[b->rec[r].n_versions - 1];
            const struct nz_fee f = nz_fee_of(b->fees, MUNI, v->program, v->date, v->reduction);
            if (v->status == IMMUN_COMPLETED && !v->overseas)
                now += (long long)f.price - f.share;
        }
        for (uint32_t n = 9; n < 24; n++) /* October 2026 to December 2027 */
            sum += total_of(b, 100 * (2026 + n / 12) + n % 12 + 1);
        assert_true(sum == now);
    }
}

static void the_newest_row_of_the_nearest_place_counts(void **state)
{
    struct bench *b = *state;
    static const struct { const char *muni, *program; ymd_t day; const char *reduction; uint32_t price, share; enum nz_fee_note note; } CASES[] = {
        { MUNI, "flu", 20260401, "", 5000, 1500, NZ_FEE_PLAIN },       { MUNI, "flu", 20261014, "", 5000, 1500, NZ_FEE_PLAIN },
        { MUNI, "flu", 20261015, "", 5200, 1600, NZ_FEE_PLAIN },       { MUNI, "mr", 20261015, "", 12400, 0, NZ_FEE_PLAIN },
        { "271403", "mr", 20261015, "", 99, 0, NZ_FEE_PLAIN },         { "271403", "mr", 20251231, "", 0, 0, NZ_FEE_NO_PRICE },
        { MUNI, "mr", 20261015, "非課税", 12400, 0, NZ_FEE_PLAIN }, /* never more than without */
        { "271403", "flu", 20261015, "非課税", 5200, 1600, NZ_FEE_UNKNOWN_REDUCTION },
        { "271403", "flu", 20261015, "生活保護", 5200, 0, NZ_FEE_PLAIN }, { MUNI, "", 20261015, "", 0, 0, NZ_FEE_NO_PRICE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct nz_fee f = nz_fee_of(b->fees, CASES[i].muni, slice_str(CASES[i].program), CASES[i].day, slice_str(CASES[i].reduction));
        print_message("%zu\n", i);
        assert_int_equal(f.price, CASES[i].price);
        assert_int_equal(f.share, CASES[i].share);
        assert_int_equal(f.note, CASES[i].note);
    }
}

static void a_table_with_a_fault_is_refused(void **state)
{
    (void)state;
#define PRICE "prices:\n  - { municipality: all, program: flu, from: 2026-04-01, price: 5000, own_share: 1500 }\n"
    static const char *const BAD[] = {
        "", "prices: x\n", "reductions: []\n", "{}", "prices:\n  - { municipality: all, program: flu, from: 2026-04-31, price: 5000, own_share: 1500 }\n",
        "prices:\n  - { municipality: \"331008\", program: flu, from: 2026-04-01, price: 5000, own_share: 1500 }\n",
        "prices:\n  - { municipality: every, program: flu, from: 2026-04-01, price: 5000, own_share: 1500 }\n",
        "prices:\n  - { municipality: all, program: f lu, from: 2026-04-01, price: 5000, own_share: 1500 }\n",
        "prices:\n  - { municipality: all, program: flu, from: 2026-04-01, price: 5000, own_share: 5001 }\n",
        "prices:\n  - { municipality: all, program: flu, from: 2026-04-01, price: 1000001, own_share: 0 }\n",
        "prices:\n  - { municipality: all, program: flu, from: 2026-04-01, price: -1, own_share: 0 }\n",
        "prices:\n  - { municipality: all, program: flu, from: 2026-04-01, price: 5000 }\n",
        PRICE "  - { municipality: all, program: flu, from: 2026-04-01, price: 1, own_share: 1 }\n",
        PRICE "reductions:\n  - { municipality: all, segment: a, own_share: 1 }\n  - { municipality: all, segment: a, own_share: 2 }\n",
        PRICE "reductions:\n  - { municipality: all, own_share: 1 }\n", PRICE "more: 1\n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct nz_fees *f = NULL;
        struct buf bad;
        buf_init(&bad, 4096);
        print_message("%zu\n", i);
        assert_int_equal(nz_fees_parse(&f, "t", slice_str(BAD[i]), &bad).code, E_CONFIG);
        assert_true(bad.n > 0);
        buf_done(&bad);
    }
}

static void the_table_that_is_shipped_is_good(void **state)
{
    (void)state;
    struct nz_fees *f;
    assert_int_equal(nz_fees_load(&f, SHIPPED).code, E_OK);
    assert_int_equal(nz_fee_of(f, MUNI, LIT("mr-1"), 20261121, SLICE_NONE).note, NZ_FEE_PLAIN);
    nz_fees_free(f);
}

static void only_one_month_is_asked_for(void **state)
{
    (void)state;
    static const struct { const char *query; uint32_t month; } CASES[] = {
        { "month=2026-10", 202610 }, { "", 0 }, { "month=2026-13", 0 }, { "month=2026-1", 0 }, { "month=2026-10&month=2026-11", 0 }, { "month=202610", 0 },
        { "month=2026-10&small=exact", 0 }, { "from=2026-10&to=2026-10", 0 }, { "month=", 0 }, { "month=1899-12", 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_vacc_ask ask = { 0 };
        print_message("%zu\n", i);
        assert_int_equal(nz_claims_ask_read(slice_str(CASES[i].query), &ask).code, CASES[i].month ? E_OK : E_BAD_URL);
        assert_int_equal(ask.month, CASES[i].month);
    }
}

#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BENCH(a_dose_is_claimed_in_the_month_in_which_it_was_recorded), WITH_BENCH(what_is_cancelled_later_is_taken_back_in_that_month),
        WITH_BENCH(what_is_cancelled_in_the_same_month_leaves_nothing), WITH_BENCH(a_correction_takes_the_old_line_back_and_puts_the_new_one),
        WITH_BENCH(equal_doses_are_one_line), WITH_BENCH(a_reduction_is_the_one_of_the_version), WITH_BENCH(a_dose_without_a_price_is_told_and_costs_nothing),
        WITH_BENCH(a_month_before_there_were_records_has_no_lines), cmocka_unit_test(a_month_is_over_when_nobody_writes_into_it_any_more),
        WITH_BENCH(all_months_together_are_what_the_records_cost_now),
        WITH_BENCH(the_newest_row_of_the_nearest_place_counts), cmocka_unit_test(a_table_with_a_fault_is_refused), cmocka_unit_test(the_table_that_is_shipped_is_good),
        cmocka_unit_test(only_one_month_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
