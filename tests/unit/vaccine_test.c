/* Days and ages as the law counts them, GS1, ticket lines, the vaccine table and its faults. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/vaccine/gs1.h"
#include "gateway/vaccine/table.h"
#include "gateway/vaccine/ticket_line.h"

#define TODAY 20261121

static struct span span(const char *text)
{
    struct span s;
    assert_true(span_parse(slice_str(text), &s));
    return s;
}

/* ---- days ---- */

static void test_a_number_of_a_day_leads_back_to_the_day(void **state)
{
    (void)state;
    int64_t before = day_number(18991231);
    for (int64_t n = before + 1; n < before + 366 * 250; n++) {
        const ymd_t d = day_of(n);
        char text[10];
        ymd_t same;
        ymd_format(d, text);
        assert_true(ymd_parse(ARR(text), &same));
        assert_int_equal(same, d);
        assert_int_equal(day_number(d), n);
    }
    assert_int_equal(day_number(20240301) - day_number(20240228), 2);
    assert_int_equal(day_number(21000301) - day_number(21000228), 1);
    assert_int_equal(day_of(day_number(99991231)), 99991231);
}

static void test_an_age_is_reached_on_the_day_before_the_birthday(void **state)
{
    static const struct { ymd_t birth; const char *age; ymd_t day; } CASES[] = {
        { 20200401, "1y", 20210331 }, { 20200402, "6y", 20260401 }, { 20200101, "1y", 20201231 }, { 20200301, "1y", 20210228 }, { 20200301, "4y", 20240229 },
        { 20200229, "1y", 20210228 }, { 20200229, "4y", 20240228 }, { 20200228, "1y", 20210227 }, { 20200831, "6m", 20210228 }, { 20230831, "6m", 20240229 },
        { 20230830, "6m", 20240229 }, { 20230829, "6m", 20240228 }, { 20250115, "2m", 20250314 }, { 20250131, "2m", 20250330 }, { 20250131, "1m", 20250228 },
        { 20250101, "6w", 20250212 }, { 20250101, "24w", 20250618 }, { 20180601, "90m", 20251130 }, { 19601122, "66y", 20261121 }, { 20000101, "0m", 20000101 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(age_reached(CASES[i].birth, span(CASES[i].age)), CASES[i].day);
}

static void test_days_between_doses_are_whole_days_and_months_go_from_day_to_day(void **state)
{
    (void)state;
    assert_int_equal(interval_over(20250101, span("27d")), 20250129);
    assert_int_equal(interval_over(20250101, span("6d")), 20250108);
    assert_int_equal(interval_over(20250131, span("1m")), 20250228);
    assert_int_equal(interval_over(20250831, span("6m")), 20260228);
    assert_int_equal(interval_over(20250101, (struct span){ 0 }), 20250101);
    assert_int_equal(day_add_months(99991201, 1), 0);
}

static void test_a_span_has_one_number_and_one_unit(void **state)
{
    static const char *const BAD[] = { "", "d", "27", "27D", "-1d", "1 d", "027d", "1501d", "99999999999d", "2mm", "２m", "151y" };
    struct span s;
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(span_parse(slice_str(BAD[i]), &s));
}

/* ---- GS1 ---- */

#define GTIN "14987035184611"
#define GS_CHAR "\x1d"

static void good(const char *text, const char *lot, ymd_t expiry)
{
    struct gs1 g;
    assert_int_equal(gs1_parse(slice_str(text), TODAY, &g), GS1_OK);
    assert_memory_equal(g.gtin, GTIN, sizeof g.gtin);
    assert_int_equal(g.expiry, expiry);
    assert_true(slice_eq(g.lot, slice_str(lot)));
}

static void test_element_strings_are_read_as_scanners_give_them(void **state)
{
    (void)state;
    good("01" GTIN "1727123110A1B2C3", "A1B2C3", 20271231);
    good("]d201" GTIN "1727123110A1B2C3" GS_CHAR, "A1B2C3", 20271231);
    good("]C110A1B2C3" GS_CHAR "01" GTIN "17271231", "A1B2C3", 20271231);
    good("]Q3" GS_CHAR "01" GTIN GS_CHAR "17271231" GS_CHAR "10A1B2C3" GS_CHAR "21S1", "A1B2C3", 20271231);
    good("(01)" GTIN "(17)271231(10)A1B2C3", "A1B2C3", 20271231);
    good("(01)" GTIN "(10)A(1)B(17)271231", "A(1)B", 20271231);
    good("(10)A1(30)5(01)" GTIN "(11)250101(17)270200", "A1", 20270228);
    good("01" GTIN "17280200", "", 20280229);
}

static void test_a_year_is_the_one_within_fifty_years(void **state)
{
    struct gs1 g;
    (void)state;
    assert_int_equal(gs1_parse(LIT("01" GTIN "17760101"), TODAY, &g), GS1_OK);
    assert_int_equal(g.expiry, 20760101);
    assert_int_equal(gs1_parse(LIT("01" GTIN "17770101"), TODAY, &g), GS1_OK);
    assert_int_equal(g.expiry, 19770101);
    assert_int_equal(gs1_parse(LIT("01" GTIN "17000101"), 20770101, &g), GS1_OK);
    assert_int_equal(g.expiry, 21000101);
}

static void test_every_malformed_element_string_has_a_name(void **state)
{
    static const struct { const char *text; enum gs1_fault fault; } CASES[] = {
        { "", GS1_EMPTY }, { "]E0" GTIN, GS1_SYMBOLOGY }, { "]", GS1_SYMBOLOGY }, { "]d2", GS1_NO_GTIN }, { "99123", GS1_AI }, { "0", GS1_AI },
        { "01" GTIN "01" GTIN, GS1_TWICE }, { "01149870351846", GS1_LENGTH }, { "01" GTIN "172712", GS1_LENGTH }, { "01" GTIN "10", GS1_LENGTH },
        { "01" GTIN "10123456789012345678901", GS1_LENGTH }, { "01" GTIN "10A B", GS1_CHARACTER }, { "01" GTIN "10ロット", GS1_CHARACTER },
        { "011498703518461A", GS1_CHARACTER }, { "0114987035184612", GS1_GTIN_CHECK }, { "01" GTIN "17271301", GS1_DATE }, { "01" GTIN "17270229", GS1_DATE },
        { "01" GTIN "17271300", GS1_DATE }, { "17271231", GS1_NO_GTIN }, { "(01" GTIN, GS1_PARENTHESIS }, { "(01)" GTIN "17271231", GS1_LENGTH },
        { "(1)" GTIN, GS1_AI }, { "(01)" GTIN "(10)", GS1_LENGTH }, { "（01）" GTIN, GS1_AI },
    };
    char longest[GS1_TEXT_MAX + 2];
    struct gs1 g = { .made = 1 };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        if (gs1_parse(slice_str(CASES[i].text), TODAY, &g) != CASES[i].fault)
            fail_msg("%s: %s, not %s", CASES[i].text, gs1_fault_slug(gs1_parse(slice_str(CASES[i].text), TODAY, &g)), gs1_fault_slug(CASES[i].fault));
    memset(longest, '0', sizeof longest);
    assert_int_equal(gs1_parse(ARR(longest), TODAY, &g), GS1_TOO_LONG);
    assert_int_equal(g.made, 1); /* nothing is written without GS1_OK */
}

static void test_a_gtin_becomes_fourteen_digits_by_zeros_in_front(void **state)
{
    char out[GS1_GTIN];
    (void)state;
    assert_true(gtin_14(LIT("4987035184614"), out));
    assert_memory_equal(out, "04987035184614", sizeof out);
    assert_true(gtin_14(LIT("49123456"), out));
    assert_memory_equal(out, "00000049123456", sizeof out);
    assert_false(gtin_14(LIT("498703518461"  "45x"), out));
    assert_false(gtin_14(LIT("498703518"), out));
    assert_false(gtin_14(LIT("498703518461a"), out));
}

/* ---- the line of a ticket ---- */

static void test_a_ticket_line_is_eighteen_digits_of_a_municipality_that_can_be(void **state)
{
    struct ticket_line t = { .kind = '9' };
    (void)state;
    assert_int_equal(ticket_line_parse(LIT("213310070000012345"), &t), TICKET_LINE_OK);
    assert_int_equal(t.kind, '2');
    assert_int_equal(t.dose, '1');
    assert_memory_equal(t.muni, "331007", 6);
    assert_memory_equal(t.number, "0000012345", 10);
    assert_int_equal(ticket_line_parse(LIT("21331007000001234"), &t), TICKET_LINE_LENGTH);
    assert_int_equal(ticket_line_parse(LIT("2133100700000123456"), &t), TICKET_LINE_LENGTH);
    assert_int_equal(ticket_line_parse(SLICE_NONE, &t), TICKET_LINE_LENGTH);
    assert_int_equal(ticket_line_parse(LIT("21331007000001234x"), &t), TICKET_LINE_CHARACTER);
    assert_int_equal(ticket_line_parse(LIT("21331007 00001234 "), &t), TICKET_LINE_CHARACTER);
    assert_int_equal(ticket_line_parse(LIT("２13310070000012345"), &t), TICKET_LINE_CHARACTER);
    assert_int_equal(ticket_line_parse(LIT("213310080000012345"), &t), TICKET_LINE_MUNI);
}

/* ---- the table ---- */

static void test_the_shipped_table_is_read(void **state)
{
    struct vaccine_table *t;
    (void)state;
    assert_int_equal(vaccine_table_load(&t, SHIPPED).code, E_OK);
    const struct vaccine_program *p = vaccine_program(t, LIT("bcg"));
    assert_non_null(p);
    assert_int_equal(p->live, VACCINE_LIVE_INJECTED);
    assert_int_equal(p->n_doses, 1);
    assert_null(vaccine_program(t, LIT("bcg2")));
    assert_true(vaccine_programs(t) >= 16);
    for (size_t i = 0; i < vaccine_products(t); i++) {
        const struct vaccine_product *v = vaccine_product_at(t, i);
        assert_ptr_equal(vaccine_product(t, ARR(v->gtin[0])), v);
    }
    assert_int_equal(vaccine_program(t, LIT("pneumococcal-elderly"))->level[VR_AGE_TOO_YOUNG], VL_WARN);
    assert_int_equal(p->level[VR_AGE_TOO_YOUNG], VL_REJECT);
    vaccine_table_free(t);
}

#define PROGRAM "programs: [{ id: a, name: { ja: x, en: x }, kind: inactivated, doses: [{ to: 1y }] }]\n"
#define PRODUCT "products: [{ programs: [a], gtins: [\"4987035184614\"], product: { ja: x, en: x }, vaccine: { ja: x, en: x }, maker: { ja: x, en: x } }]\n"

static void test_a_fault_of_the_table_has_its_line_and_column(void **state)
{
    static const struct { const char *text, *where; } CASES[] = {
        { "", "t.yaml:1:1: " },
        { "programs: []\nproducts: []\n", "t.yaml:1:1: " },
        { PROGRAM, "t.yaml:1:1: " },
        { "rules: { gtin_unknown: maybe }\n" PROGRAM PRODUCT, "t.yaml:1:24: " },
        { "rules: { no_such_rule: warn }\n" PROGRAM PRODUCT, "t.yaml:1:10: " },
        { PROGRAM "products: [{ programs: [b] }]\n", "t.yaml:2:25: " },
        { PROGRAM "products: [{ programs: [a], gtins: [\"4987035184615\"] }]\n", "t.yaml:2:37: " },
        { "programs: [{ id: a, name: { ja: x, en: x }, kind: dead }]\n", "t.yaml:1:51: " },
        { "programs: [{ id: a, name: { ja: x, en: x }, kind: live_oral, doses: [{ from: 2y, to: 1y }] }]\n", "t.yaml:1:70: " },
        { "programs: [{ id: a, name: { ja: x, en: x }, kind: live_oral, doses: [{ after: 27d }] }]\n", "t.yaml:1:70: " },
        { "programs: [{ id: a, name: { ja: x, en: x }, kind: live_oral, doses: [{ from: 27 days }] }]\n", "t.yaml:1:78: " },
        { "programs: [{ id: a b }]\n", "t.yaml:1:18: " },
        { "programs: [\n", "t.yaml:2:1: " },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct vaccine_table *t = NULL;
        struct buf line;
        buf_init(&line, 1024);
        assert_int_equal(vaccine_table_parse(&t, "t.yaml", slice_str(CASES[i].text), &line).code, E_CONFIG);
        assert_null(t);
        if (!slice_starts(buf_slice(&line), slice_str(CASES[i].where)))
            fail_msg("case %zu: %s", i, buf_cstr(&line));
        buf_done(&line);
    }
}

static void test_the_least_table_is_a_table(void **state)
{
    struct vaccine_table *t;
    struct buf line;
    (void)state;
    buf_init(&line, 1024);
    assert_int_equal(vaccine_table_parse(&t, "t.yaml", LIT(PROGRAM PRODUCT), &line).code, E_OK);
    assert_int_equal(line.n, 0);
    assert_non_null(vaccine_product(t, LIT("04987035184614")));
    assert_null(vaccine_product(t, LIT("4987035184614")));
    vaccine_table_free(t);
    buf_done(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_of_a_day_leads_back_to_the_day),
        cmocka_unit_test(test_an_age_is_reached_on_the_day_before_the_birthday),
        cmocka_unit_test(test_days_between_doses_are_whole_days_and_months_go_from_day_to_day),
        cmocka_unit_test(test_a_span_has_one_number_and_one_unit),
        cmocka_unit_test(test_element_strings_are_read_as_scanners_give_them),
        cmocka_unit_test(test_a_year_is_the_one_within_fifty_years),
        cmocka_unit_test(test_every_malformed_element_string_has_a_name),
        cmocka_unit_test(test_a_gtin_becomes_fourteen_digits_by_zeros_in_front),
        cmocka_unit_test(test_a_ticket_line_is_eighteen_digits_of_a_municipality_that_can_be),
        cmocka_unit_test(test_the_shipped_table_is_read),
        cmocka_unit_test(test_a_fault_of_the_table_has_its_line_and_column),
        cmocka_unit_test(test_the_least_table_is_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
