#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/check/field.h"

struct target {
    struct field_value text, alnum, digits, date, code, flag, array, any, inner;
};

#define AT(m) offsetof(struct target, m)
static const struct field SUB[] = { { "inner", AT(inner), FC_TEXT, 1, 3, true, CK_NONE, NULL, NULL, 0 } };
static const struct field TABLE[] = {
    { "text", AT(text), FC_TEXT, 1, 4, true, CK_NONE, NULL, NULL, 0 },
    { "alnum", AT(alnum), FC_ALNUM, 1, 5, false, CK_NONE, NULL, NULL, 0 },
    { "digits", AT(digits), FC_DIGITS, 8, 8, false, CK_PAYER, NULL, NULL, 0 },
    { "date", AT(date), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "code", AT(code), FC_CODE, 0, 0, false, CK_NONE, "0|1|two", NULL, 0 },
    { "flag", AT(flag), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
    { "array", AT(array), FC_ARRAY, 1, 2, false, CK_NONE, NULL, NULL, 0 },
    { "any", AT(any), FC_ANY_OBJECT, 0, 2, false, CK_NONE, NULL, NULL, 0 },
    { "sub", 0, FC_OBJECT, 0, 0, false, CK_NONE, NULL, SUB, 1 },
};
static const struct check_levels REJECT = { { [CK_PAYER] = CHECK_REJECT } };
static const struct check_levels WARN = { { [CK_PAYER] = CHECK_WARN } };

static struct field_report read_with(const char *text, const struct check_levels *levels, struct target *t, struct arena *a)
{
    json_t *v;
    struct field_report r;
    assert_true(err_ok(json_in(&v, a, slice_str(text))));
    bool good = fields_read(v, TABLE, sizeof TABLE / sizeof TABLE[0], levels, t, &r);
    assert_true(good == (r.n_faults == 0));
    return r;
}

struct field_case {
    const char *json, *field;
    enum field_rule rule;
};

static void test_faults(void **state)
{
    static const struct field_case CASES[] = {
        { "{\"text\":\"abcd\"}", NULL, FR_NONE },
        { "{}", "text", FR_MISSING },
        { "[]", "", FR_TYPE },
        { "{\"text\":null}", "text", FR_TYPE },
        { "{\"text\":1}", "text", FR_TYPE },
        { "{\"text\":\"\"}", "text", FR_LENGTH },
        { "{\"text\":\"abcde\"}", "text", FR_LENGTH },
        { "{\"text\":\"\xF0\xA9\xB8\xBD\xF0\xA9\xB8\xBD\xF0\xA9\xB8\xBD\xF0\xA9\xB8\xBD\"}", NULL, FR_NONE },
        { "{\"text\":\"\xE8\xBE\xBB\xF3\xA0\x84\x80\"}", NULL, FR_NONE },
        { "{\"text\":\"a\\nb\"}", "text", FR_CLASS },
        { "{\"text\":\"a\\u007f\"}", "text", FR_CLASS },
        { "{\"text\":\"a\\u0085\"}", "text", FR_CLASS },
        { "{\"text\":\"a\\u202eb\"}", "text", FR_CLASS },
        { "{\"text\":\"a\\u00a0\"}", NULL, FR_NONE },
        { "{\"text\":\"\\ue000\"}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"alnum\":\"aZ0-_\"}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"alnum\":\"a b\"}", "alnum", FR_CLASS },
        { "{\"text\":\"a\",\"alnum\":\"\xEF\xBD\x81\"}", "alnum", FR_CLASS },
        { "{\"text\":\"a\",\"alnum\":\"@\"}", "alnum", FR_CLASS },
        { "{\"text\":\"a\",\"alnum\":\"[\"}", "alnum", FR_CLASS },
        { "{\"text\":\"a\",\"digits\":\"33120015\"}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"digits\":33120015}", "digits", FR_TYPE },
        { "{\"text\":\"a\",\"digits\":\"3312001\"}", "digits", FR_LENGTH },
        { "{\"text\":\"a\",\"digits\":\"3312001x\"}", "digits", FR_CLASS },
        { "{\"text\":\"a\",\"digits\":\"33120016\"}", "digits", FR_CHECK_DIGIT },
        { "{\"text\":\"a\",\"digits\":\"\xEF\xBC\x93\xEF\xBC\x93\xEF\xBC\x91\xEF\xBC\x92\xEF\xBC\x90\xEF\xBC\x90\xEF\xBC\x91\xEF\xBC\x95\"}", "digits", FR_CLASS },
        { "{\"text\":\"a\",\"date\":\"2024-02-29\"}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"date\":\"2023-02-29\"}", "date", FR_DATE },
        { "{\"text\":\"a\",\"date\":\"2023/02/28\"}", "date", FR_DATE },
        { "{\"text\":\"a\",\"date\":20230228}", "date", FR_TYPE },
        { "{\"text\":\"a\",\"code\":\"two\"}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"code\":\"tw\"}", "code", FR_CODE },
        { "{\"text\":\"a\",\"code\":\"\"}", "code", FR_CODE },
        { "{\"text\":\"a\",\"code\":\"0|1\"}", "code", FR_CODE },
        { "{\"text\":\"a\",\"code\":1}", "code", FR_TYPE },
        { "{\"text\":\"a\",\"flag\":true}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"flag\":\"1\"}", "flag", FR_TYPE },
        { "{\"text\":\"a\",\"flag\":1}", "flag", FR_TYPE },
        { "{\"text\":\"a\",\"array\":[{}]}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"array\":[]}", "array", FR_LENGTH },
        { "{\"text\":\"a\",\"array\":[{},{},{}]}", "array", FR_LENGTH },
        { "{\"text\":\"a\",\"array\":[1]}", "array", FR_TYPE },
        { "{\"text\":\"a\",\"array\":{}}", "array", FR_TYPE },
        { "{\"text\":\"a\",\"any\":{\"x\":1}}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"any\":[]}", "any", FR_TYPE },
        { "{\"text\":\"a\",\"any\":{\"x\":1,\"y\":1,\"z\":1}}", "any", FR_LENGTH },
        { "{\"text\":\"a\",\"sub\":{\"inner\":\"abc\"}}", NULL, FR_NONE },
        { "{\"text\":\"a\",\"sub\":{}}", "inner", FR_MISSING },
        { "{\"text\":\"a\",\"sub\":1}", "sub", FR_TYPE },
        { "{\"text\":\"a\",\"sub\":{\"inner\":\"a\",\"x\":1}}", "", FR_UNKNOWN },
        { "{\"text\":\"a\",\"210987654321\":1}", "", FR_UNKNOWN },
        { "{\"text\":\"a\",\"Text\":\"a\"}", "", FR_UNKNOWN },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct arena *a = arena_new(65536);
        struct target t;
        memset(&t, 0xff, sizeof t);
        struct field_report r = read_with(CASES[i].json, &REJECT, &t, a);
        bool good = CASES[i].rule == FR_NONE ? r.n_faults == 0
                                             : r.n_faults >= 1 && r.faults[0].rule == CASES[i].rule && strcmp(r.faults[0].field, CASES[i].field) == 0;
        if (!good)
            fail_msg("case %zu: %u faults, first %s", i, r.n_faults, r.n_faults ? field_rule_slug(r.faults[0].rule) : "none");
        arena_free(a);
    }
}

static void test_values(void **state)
{
    struct arena *a = arena_new(65536);
    struct target t;
    (void)state;
    memset(&t, 0xff, sizeof t);
    struct field_report r = read_with("{\"text\":\"ab\",\"date\":\"2024-02-29\",\"flag\":true,\"array\":[{\"q\":1}],\"sub\":{\"inner\":\"z\"}}", NULL, &t, a);
    assert_int_equal(r.n_faults, 0);
    assert_true(slice_eq(t.text.text, LIT("ab")) && t.text.present);
    assert_int_equal(t.date.date, 20240229);
    assert_true(t.flag.flag);
    assert_int_equal(json_array_size(t.array.json), 1);
    assert_true(slice_eq(t.inner.text, LIT("z")));
    assert_false(t.digits.present);
    assert_null(t.any.json);
    arena_free(a);
}

static void test_levels(void **state)
{
    struct arena *a = arena_new(65536);
    struct target t;
    (void)state;
    struct field_report r = read_with("{\"text\":\"a\",\"digits\":\"87654321\"}", &WARN, &t, a);
    assert_int_equal(r.n_faults, 0);
    assert_int_equal(r.n_warnings, 1);
    assert_int_equal(r.warnings[0].rule, FR_CHECK_DIGIT);
    assert_string_equal(r.warnings[0].field, "digits");
    r = read_with("{\"text\":\"a\",\"digits\":\"87654321\"}", NULL, &t, a);
    assert_int_equal(r.n_faults + r.n_warnings, 0);
    arena_free(a);
}

static void test_report_is_bounded(void **state)
{
    struct field_report r = { 0 };
    (void)state;
    for (int i = 0; i < 100; i++) {
        field_fault_add(&r, "f", FR_TYPE);
        field_warning_add(&r, "f", FR_TYPE);
    }
    assert_int_equal(r.n_faults, FIELD_FAULTS_MAX);
    assert_int_equal(r.n_warnings, FIELD_FAULTS_MAX);
    for (int i = FR_NONE + 1; i < FR__MAX; i++) {
        assert_true(strlen(field_rule_slug((enum field_rule)i)) > 0);
        assert_true(strlen(field_rule_ja((enum field_rule)i)) > 0);
        assert_true(strlen(field_rule_en((enum field_rule)i)) > 0);
    }
    assert_string_equal(field_rule_slug((enum field_rule)999), "none");
}

/* ---- texts of all lengths and offsets, against the plain way to say it ---- */

static uint32_t dice(uint32_t *state, uint32_t sides)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % sides;
}

static void test_scan(void **state)
{
    static const struct { const char *text; bool control; } PARTS[] = {
        { "a", false }, { "b", false }, { "\xC2\xA0", false }, { "\xC3\x85", false }, { "あ", false }, { "\xF0\xA9\xB8\xBD", false }, { "~", false },
        { " ", false }, { "−" /* E2 88 92 */, false }, { "\u200D", false }, { "\U000E0100", false }, { "\u2029", false }, { "\u2065", false },
        { "\x1f", true }, { "\x7f", true }, { "\xC2\x80", true }, { "\xC2\x9F", true }, { "\n", true }, { "\u202A", true }, { "\u202E", true },
        { "\u2066", true }, { "\u2069", true },
    };
    enum { GOOD = 8 /* how many others stand around it */, ALL = sizeof PARTS / sizeof PARTS[0] };
    uint32_t seed = 1;
    unsigned bad = 0;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[200];
        size_t n = 0, count = dice(&seed, 30), odd = dice(&seed, 2) ? dice(&seed, 30) : 30;
        bool control = false;
        for (size_t k = 0; k < count; k++) {
            uint32_t part = k == odd ? dice(&seed, ALL) : dice(&seed, GOOD);
            control |= PARTS[part].control;
            assert_true(n + strlen(PARTS[part].text) <= sizeof text);
            memcpy(text + n, PARTS[part].text, strlen(PARTS[part].text));
            n += strlen(PARTS[part].text);
        }
        struct field_value out;
        struct field_report r;
        const struct field_cell cell = { .kind = CELL_TEXT, .text = slice_of(text, n) };
        const struct field exact = { "x", 0, FC_TEXT, (uint16_t)count, (uint16_t)count, true, CK_NONE, NULL, NULL, 0 };
        assert_true(field_text_ok(slice_of(text, n)) == !control);
        assert_true(fields_read_cells(&cell, &exact, 1, NULL, &out, &r) == !control);
        assert_true(!control || r.faults[0].rule == FR_CLASS); /* the length is right in any case */
        bad += control;
    }
    assert_in_range(bad, 1000, 19000);
}

/* Wherever it stands in the eight bytes that are looked at at a time, also across two of them; its neighbours are no controls. */
static void test_a_control_is_found_at_every_place(void **state)
{
    static const struct { const char *text; bool control; } CASES[] = {
        { "\xC2\x80", true },    { "\xC2\x9F", true },    { "\xC2\xA0", false },
        { "\u202A", true },      { "\u202E", true },      { "\u2029", false },     { "\u202F", false },     { "\u2066", true },
        { "\u2069", true },      { "\u2065", false },     { "\u206A", false },     { "\u200D", false },     { "\uFE0F", false },
        { "\U000E0100", false }, { "\u3042", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (size_t before = 0; before < 18; before++)
            for (size_t behind = 0; behind < 18; behind++) {
                char text[64];
                const int n = snprintf(text, sizeof text, "%.*s%s%.*s", (int)before, "aaaaaaaaaaaaaaaaaa", CASES[i].text, (int)behind, "bbbbbbbbbbbbbbbbbb");
                assert_true(field_text_ok(slice_of(text, (size_t)n)) == !CASES[i].control);
            }
}

static void test_cells(void **state)
{
    static const char *const WANT[] = { "text", "inner", "array" };
    struct target t;
    struct field_report r;
    struct field_cell cells[10] = { { .kind = CELL_ABSENT } };
    (void)state;
    assert_int_equal(fields_count(TABLE, sizeof TABLE / sizeof TABLE[0]), 10);
    assert_false(fields_read_cells(cells, TABLE, 9, NULL, &t, &r)); /* text is required, sub is not */
    assert_int_equal(r.n_faults, 1);
    cells[8].kind = CELL_OBJECT; /* sub is there, and its inner field is not */
    cells[6] = (struct field_cell){ .kind = CELL_ARRAY, .items = 1, .of_objects = false };
    assert_false(fields_read_cells(cells, TABLE, 9, NULL, &t, &r));
    assert_int_equal(r.n_faults, 3);
    for (size_t i = 0; i < 3; i++) {
        bool found = false;
        for (unsigned k = 0; k < r.n_faults; k++)
            found |= strcmp(r.faults[k].field, WANT[i]) == 0;
        assert_true(found);
    }
    cells[0] = (struct field_cell){ .kind = CELL_TEXT, .text = LIT("abcd") };
    cells[5] = (struct field_cell){ .kind = CELL_BOOL, .flag = true };
    cells[6] = (struct field_cell){ .kind = CELL_ARRAY, .items = 1, .of_objects = true, .text = LIT("[{}]") };
    cells[7] = (struct field_cell){ .kind = CELL_OBJECT, .items = 2, .text = LIT("{\"a\":1,\"b\":2}") };
    cells[9] = (struct field_cell){ .kind = CELL_TEXT, .text = LIT("x") };
    assert_true(fields_read_cells(cells, TABLE, 9, NULL, &t, &r));
    assert_true(t.flag.flag && slice_eq(t.any.text, cells[7].text) && slice_eq(t.array.text, LIT("[{}]")) && slice_eq(t.inner.text, LIT("x")));
    cells[7].items = 3;
    assert_false(fields_read_cells(cells, TABLE, 9, NULL, &t, &r));
    assert_int_equal(r.faults[0].rule, FR_LENGTH);
    assert_false(fields_read(NULL, TABLE, 9, NULL, &t, &r));
    assert_int_equal(r.faults[0].rule, FR_TYPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults), cmocka_unit_test(test_values), cmocka_unit_test(test_levels), cmocka_unit_test(test_report_is_bounded), cmocka_unit_test(test_scan), cmocka_unit_test(test_a_control_is_found_at_every_place), cmocka_unit_test(test_cells),
    };
    json_in_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
