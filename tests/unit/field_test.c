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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults), cmocka_unit_test(test_values), cmocka_unit_test(test_levels), cmocka_unit_test(test_report_is_bounded),
    };
    json_in_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
