/* Rows of exports: the published columns, who is due by the days of the law, counts that are not told; and queries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/base/csv_write.h"
#include "keys/vaccination/rows.h"

#define NEW_YEAR UINT64_C(1640962799000) /* 2021-12-31 23:59:59 in Japan */

static struct immun dose(unsigned n, ymd_t day)
{
    struct immun d = { .status = IMMUN_COMPLETED, .muni = { '3', '3', '1', '0', '0', '7' }, .program = LIT("P"), .dose = n, .date = day, .ticket = LIT("0000000012"),
                       .maker = LIT("ファイザー"), .lot = LIT("777"), .doctor = LIT("=1+1"), .place = LIT("会場\"A\",B"), .recorded_ms = NEW_YEAR };
    return d;
}

static void expect(struct buf *out, const char *text)
{
    assert_int_equal(buf_check(out).code, E_OK);
    assert_string_equal(out->n ? buf_cstr(out) : "", text);
    buf_reset(out);
}

static void ledger(const struct nz_vacc_ask *ask, const struct nz_vacc_person *p, const char *text)
{
    struct buf out;
    uint64_t rows = 0;
    buf_init(&out, NZ_ROW_MAX);
    nz_ledger_row(ask, p, &out, &rows);
    assert_int_equal(rows, text[0] != '\0');
    expect(&out, text);
    buf_done(&out);
}

static void the_ledger_has_two_doses_in_seventeen_columns(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_vacc_ask ask = { .program = "P", .first = 1 };
#define ONE "20211231235959,20211231,0000000012,331007,\"会場\"\"A\"\",B\",\"'=1+1\",\"ファイザー\",\"777\""
    ledger(&ask, p, "");
    p->doses[p->n_doses++] = dose(1, 20211231);
    ledger(&ask, p, "," ONE ",,,,,,,,\r\n");
    p->doses[p->n_doses++] = dose(2, 20220131);
    p->doses[1].place = p->doses[1].doctor = p->doses[1].maker = p->doses[1].lot = p->doses[1].ticket = SLICE_NONE;
    ledger(&ask, p, "," ONE ",20211231235959,20220131,,331007,,,,\r\n");
    ask.first = 2;
    ledger(&ask, p, ",20211231235959,20220131,,331007,,,,,,,,,,,,\r\n");
    ask.first = 3;
    ledger(&ask, p, "");
    ask.first = 1;
    memcpy(ask.program, "Q", 2);
    ledger(&ask, p, "");
    free(p);
}

static void cells_are_cut_and_aligned_as_published(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_vacc_ask ask = { .program = "P", .first = 1, .aligned = true };
    p->doses[p->n_doses++] = dose(1, 20211231);
    p->doses[0].place = LIT("あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみ"); /* 32 characters */
    p->doses[0].doctor = LIT("医");
    p->doses[0].maker = LIT("武田/モデルナ");
    ledger(&ask, p, ",20211231235959,20211231,0000000012,331007,\"あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほ\","
                    "\"医                   \",\"武田/モデルナ             \",\"                 777\",,,,,,,,\r\n");
    p->doses[0].lot = LIT("FC9880");
    ask.aligned = false;
    ledger(&ask, p, ",20211231235959,20211231,0000000012,331007,\"あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほ\","
                    "\"医\",\"武田/モデルナ\",\"FC9880\",,,,,,,,\r\n");
    free(p);
}

static void the_titles_are_seventeen(void **state)
{
    (void)state;
    struct buf out;
    unsigned commas = 0;
    buf_init(&out, NZ_ROW_MAX);
    nz_ledger_header(&out);
    for (size_t i = 0; i < out.n; i++)
        commas += out.p[i] == ',';
    assert_int_equal(commas, NZ_LEDGER_COLUMNS - 1);
    assert_true(slice_starts(buf_slice(&out), LIT("個別宛名番号(空欄),1回目接種履歴登録日時,1回目接種日,")));
    buf_done(&out);
}

static void formulas_are_disarmed(void **state)
{
    (void)state;
    static const struct { const char *in, *out; } CASES[] = {
        { "=1", "\"'=1\"" }, { "+1", "\"'+1\"" }, { "-1", "\"'-1\"" }, { "@x", "\"'@x\"" }, { "\tx", "\"'\tx\"" }, { "\rx", "\"'\rx\"" },
        { "＝1", "\"'＝1\"" }, { "＋1", "\"'＋1\"" }, { "－1", "\"'－1\"" }, { "＠x", "\"'＠x\"" }, { "a=1", "\"a=1\"" }, { "", "\"\"" }, { "a\"b", "\"a\"\"b\"" },
    };
    struct buf out;
    buf_init(&out, 64);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        csv_text(&out, slice_str(CASES[i].in));
        expect(&out, CASES[i].out);
    }
    buf_done(&out);
}

/* ---- due ---- */

static const struct vaccine_program TWO = { .id = "P", .n_doses = 2, .dose = { { .from = { 12, 0 }, .to = { 24, 0 } }, { .from = { 12, 0 }, .after = { 0, 27 } } } };
static const struct vaccine_program YEARLY = { .id = "P", .n_doses = 1, .yearly = true, .dose = { { .from = { 780, 0 } } } };

static void the_next_dose_is_due_on_the_days_of_the_law(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_due d;
    assert_false(nz_due_of(&TWO, p, 20261121, &d)); /* nothing can be said without a day of birth */
    p->birth = 20200401;
    assert_true(nz_due_of(&TWO, p, 20210101, &d));
    assert_int_equal(d.dose, 1);
    assert_int_equal(d.from, 20210331); /* one year old on the day before the birthday */
    assert_int_equal(d.to, 20220331);
    p->doses[p->n_doses++] = dose(1, 20210601);
    assert_true(nz_due_of(&TWO, p, 20210602, &d));
    assert_int_equal(d.dose, 2);
    assert_int_equal(d.from, 20210629); /* 27 whole days between */
    assert_int_equal(d.to, 0);
    assert_int_equal(d.last, 20210601);
    assert_true(nz_due_of(&TWO, p, 20210531, &d)); /* as it was before that dose */
    assert_int_equal(d.dose, 1);
    p->doses[p->n_doses++] = dose(2, 20210701);
    assert_false(nz_due_of(&TWO, p, 20210702, &d));
    free(p);
}

static void yearly_doses_begin_anew_in_april(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_due d;
    p->birth = 19500601;
    p->doses[p->n_doses++] = dose(1, 20260331);
    assert_false(nz_due_of(&YEARLY, p, 20260331, &d));
    assert_true(nz_due_of(&YEARLY, p, 20260401, &d));
    assert_int_equal(d.dose, 1);
    assert_int_equal(d.from, 20260401);
    p->birth = 19620101; /* not 65 yet */
    assert_true(nz_due_of(&YEARLY, p, 20260401, &d));
    assert_int_equal(d.from, 20261231);
    free(p);
}

static uint64_t due(const struct nz_vacc_ask *ask, const struct nz_vacc_person *p, struct buf *out)
{
    uint64_t rows = 0;
    buf_reset(out);
    nz_due_row(ask, &TWO, p, out, &rows);
    assert_int_equal(buf_check(out).code, E_OK);
    return rows;
}

static void lists_of_due_have_whom_they_are_for(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_vacc_ask ask = { .program = "P", .on = 20210331 };
    struct buf out;
    buf_init(&out, NZ_ROW_MAX);
    p->birth = 20200401, p->name = LIT("-試験"), p->number = LIT("V-1");
    assert_int_equal(due(&ask, p, &out), 0); /* no subject */
    p->subject = true;
    assert_int_equal(due(&ask, p, &out), 1);
    expect(&out, "\"V-1\",,\"'-試験\",,2020-04-01,,\"P\",1,2021-03-31,2022-03-31,,,,0,0\r\n");
    p->silent = true;
    p->reduction = LIT("免除");
    p->n_tickets = 2;
    p->tickets[0] = (struct ticket){ .program = LIT("Q"), .number = LIT("1111111111"), .dose = 1 };
    p->tickets[1] = (struct ticket){ .program = LIT("P"), .number = LIT("2222222222"), .dose = 1 };
    assert_int_equal(due(&ask, p, &out), 1);
    expect(&out, "\"V-1\",2222222222,\"'-試験\",,2020-04-01,,\"P\",1,2021-03-31,2022-03-31,,,\"免除\",0,1\r\n");
    ask.on = 20210330;
    assert_int_equal(due(&ask, p, &out), 0);
    ask.on = 20220401;
    assert_int_equal(due(&ask, p, &out), 0);
    ask.list = NZ_DUE_RECALL, ask.on = 20210429;
    assert_int_equal(due(&ask, p, &out), 0);
    ask.on = 20210430; /* thirty days */
    assert_int_equal(due(&ask, p, &out), 1);
    ask.list = NZ_DUE_REDUCTION;
    assert_int_equal(due(&ask, p, &out), 1);
    p->reduction = SLICE_NONE;
    assert_int_equal(due(&ask, p, &out), 0);
    ask.list = NZ_DUE_ALL, p->left = true;
    assert_int_equal(due(&ask, p, &out), 0);
    buf_done(&out);
    free(p);
}

/* ---- statistics ---- */

static void age_groups_follow_the_law(void **state)
{
    (void)state;
    static const struct { ymd_t birth, on; const char *name; } CASES[] = {
        { 20200401, 20210330, "0" }, { 20200401, 20210331, "1" }, { 20160401, 20210330, "4" }, { 20160401, 20210331, "5..9" }, { 20040229, 20240228, "20..24" },
        { 20040229, 20240227, "15..19" }, { 19210401, 20210331, "100.." }, { 0, 20210331, "unknown" }, { 20220101, 20210331, "unknown" }, { 19260402, 20210401, "95..99" },
        { 19260402, 20210331, "90..94" },
    };
    char name[16];
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        nz_age_group_name(nz_age_group(CASES[i].birth, CASES[i].on), name);
        assert_string_equal(name, CASES[i].name);
    }
}

static void small_counts_are_not_told(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_vacc_ask ask = { .from_month = 202101, .to_month = 202112 };
    struct nz_stat *s = nz_stat_new();
    struct buf out;
    uint64_t rows = 0;
    buf_init(&out, NZ_ROW_MAX);
    p->birth = 20200401;
    p->doses[p->n_doses++] = dose(1, 20210601), p->doses[p->n_doses++] = dose(2, 20210701), p->doses[p->n_doses++] = dose(1, 20220101);
    for (int i = 0; i < NZ_STAT_SMALL; i++) {
        assert_int_equal(nz_stat_add(s, &ask, p).code, E_OK);
        p->n_doses = i < NZ_STAT_SMALL - 2 ? 3 : 1; /* the second dose one time less */
    }
    nz_stat_write(s, &ask, &out, &rows);
    assert_int_equal(rows, 2);
    expect(&out, "vaccinationProgramId,doseNumber,ageGroup,month,count\r\n\"P\",1,1,2021-06,5\r\n\"P\",2,1,2021-07,*\r\n");
    ask.exact = true;
    nz_stat_write(s, &ask, &out, &rows);
    expect(&out, "vaccinationProgramId,doseNumber,ageGroup,month,count\r\n\"P\",1,1,2021-06,5\r\n\"P\",2,1,2021-07,4\r\n");
    nz_stat_free(s);
    buf_done(&out);
    free(p);
}

static void more_cells_than_fit_are_an_error(void **state)
{
    (void)state;
    struct nz_vacc_person *p = calloc(1, sizeof *p);
    struct nz_vacc_ask ask = { .from_month = 0, .to_month = 999912 };
    struct nz_stat *s = nz_stat_new();
    struct err e = OK;
    unsigned n = 0;
    p->n_doses = 1;
    for (unsigned y = 1000; err_ok(e) && y < 9999; y++)
        for (unsigned m = 1; err_ok(e) && m <= 12; m++, n++) {
            p->doses[0] = dose(1, y * 10000 + m * 100 + 1);
            e = nz_stat_add(s, &ask, p);
        }
    assert_int_equal(e.code, E_FULL);
    assert_int_equal(n, NZ_STAT_CELLS_MAX + 1);
    nz_stat_free(s);
    free(p);
}

/* ---- queries ---- */

static void queries_are_read_strictly(void **state)
{
    (void)state;
    struct nz_vacc_ask a;
    assert_int_equal(nz_ledger_ask_read(LIT("program=P-1&first=3&aligned=yes&header=yes"), &a).code, E_OK);
    assert_true(a.first == 3 && a.aligned && a.header && strcmp(a.program, "P-1") == 0);
    assert_int_equal(nz_due_ask_read(LIT("program=P&on=2026-02-28&list=recall"), &a).code, E_OK);
    assert_true(a.on == 20260228 && a.list == NZ_DUE_RECALL);
    assert_int_equal(nz_statistics_ask_read(LIT("from=2025-04&to=2026-03&small=exact"), &a).code, E_OK);
    assert_true(a.from_month == 202504 && a.to_month == 202603 && a.exact);
    assert_int_equal(nz_statistics_ask_read(SLICE_NONE, &a).code, E_OK);
    static const char *const BAD_LEDGER[] = { "", "program=", "program=a%20b", "program=P&program=P", "program=P&first=0", "program=P&first=99", "program=P&first=x",
                                              "program=P&header=no", "program=P&header=yes&header=yes", "program=P&on=2026-01-01", "first=1" };
    static const char *const BAD_DUE[] = { "", "program=P&on=2026-02-30", "program=P&on=0001-01-01", "program=P&list=all", "program=P&list=recall&list=recall", "on=2026-01-01" };
    static const char *const BAD_STAT[] = { "from=2025-04", "to=2025-04", "from=2025-05&to=2025-04", "from=2024-01&to=2026-01", "from=2025-4&to=2025-05", "from=2025-13&to=2025-13",
                                            "small=no", "small=exact&small=exact", "program=P" };
    for (size_t i = 0; i < sizeof BAD_LEDGER / sizeof *BAD_LEDGER; i++)
        assert_int_equal(nz_ledger_ask_read(slice_str(BAD_LEDGER[i]), &a).code, E_BAD_URL);
    for (size_t i = 0; i < sizeof BAD_DUE / sizeof *BAD_DUE; i++)
        assert_int_equal(nz_due_ask_read(slice_str(BAD_DUE[i]), &a).code, E_BAD_URL);
    for (size_t i = 0; i < sizeof BAD_STAT / sizeof *BAD_STAT; i++)
        assert_int_equal(nz_statistics_ask_read(slice_str(BAD_STAT[i]), &a).code, E_BAD_URL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ledger_has_two_doses_in_seventeen_columns), cmocka_unit_test(cells_are_cut_and_aligned_as_published),
        cmocka_unit_test(the_titles_are_seventeen), cmocka_unit_test(formulas_are_disarmed), cmocka_unit_test(the_next_dose_is_due_on_the_days_of_the_law),
        cmocka_unit_test(yearly_doses_begin_anew_in_april), cmocka_unit_test(lists_of_due_have_whom_they_are_for), cmocka_unit_test(age_groups_follow_the_law),
        cmocka_unit_test(small_counts_are_not_told), cmocka_unit_test(more_cells_than_fit_are_an_error), cmocka_unit_test(queries_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
