#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/check/field.h"

static bool takes(const char *text, struct json_flat *ret_f) { return json_flat(slice_str(text), ret_f); }

static void plain_objects_are_read_without_a_tree(void **state)
{
    (void)state;
    struct json_flat f;
    assert_true(takes(" { \"a\" : \"x y\" ,\"n\":120,\t\"\":\"\"}\r\n", &f));
    assert_int_equal(f.n, 3);
    assert_true(slice_eq(json_flat_find(&f, LIT("a"))->text, LIT("x y")));
    assert_int_equal(json_flat_find(&f, LIT("n"))->number, 120);
    assert_int_equal(json_flat_find(&f, LIT(""))->text.n, 0);
    assert_null(json_flat_find(&f, LIT("b")));
    assert_true(takes("{}", &f) && f.n == 0);
}

static void what_is_not_plain_is_left_to_the_tree(void **state)
{
    (void)state;
    struct json_flat f;
    static const char *const NOT[] = {
        "", "{", "[]", "\"a\"", "{}x", "{} {}", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":\"x\",}", "{\"a\":\"x\"", "{\"a\":\"x", "{a:1}", "{\"a\":1,\"a\":1}",
        "{\"a\":\"\\n\"}", "{\"\\u0061\":1}", "{\"a\":\"\xe3\x81\x82\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\n\"}", "{\"a\":01}", "{\"a\":-1}", "{\"a\":1.0}",
        "{\"a\":1e3}", "{\"a\":1", "{\"a\":1000000000000000000000}", "{\"a\":true}", "{\"a\":null}", "{\"a\":{}}", "{\"a\":[]}", "{\"a\" \"x\"}", "{\"a\":\"x\" \"b\":1}",
    };
    for (size_t i = 0; i < sizeof NOT / sizeof NOT[0]; i++)
        assert_false(takes(NOT[i], &f));
    assert_true(takes("{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"10\":1,\"11\":1,\"12\":1,\"13\":1,\"14\":1,\"15\":1,\"16\":1}", &f));
    assert_false(takes("{\"1\":1,\"2\":1,\"3\":1,\"4\":1,\"5\":1,\"6\":1,\"7\":1,\"8\":1,\"9\":1,\"10\":1,\"11\":1,\"12\":1,\"13\":1,\"14\":1,\"15\":1,\"16\":1,\"17\":1}", &f));
}

static enum err_code of(const char *text, struct json_flat *ret_f, struct arena *a) { return json_flat_of(ret_f, a, slice_str(text)).code; }

static void any_object_is_read_one_way_or_the_other(void **state)
{
    (void)state;
    struct json_flat f;
    struct arena *a = arena_new(1 << 20);
    assert_int_equal(of("{\"a\":\"\\u0041\",\"n\":-7,\"o\":{\"x\":1},\"t\":true}", &f, a), E_OK);
    assert_true(slice_eq(json_flat_find(&f, LIT("a"))->text, LIT("A")));
    assert_int_equal(json_flat_find(&f, LIT("n"))->number, -7);
    assert_int_equal(json_flat_find(&f, LIT("o"))->kind, JF_OTHER);
    assert_non_null(json_object_get(json_flat_find(&f, LIT("o"))->other, "x"));
    assert_int_equal(json_flat_find(&f, LIT("t"))->kind, JF_OTHER);
    assert_int_equal(of("{\"a\":1,\"\\u0061\":1}", &f, a), E_JSON_DUPLICATE);
    assert_int_equal(of("[]", &f, a), E_JSON_SHAPE);
    assert_int_equal(of("{\"a\":\"\xff\"}", &f, a), E_BAD_UTF8);
    assert_int_equal(of("{\"a\":1,}", &f, a), E_BAD_JSON);
    arena_free(a);
}

struct form { struct field_value key, flag; };
static const struct field FORM[] = {
    { .name = "key", .offset = offsetof(struct form, key), .cls = FC_ALNUM, .min = 1, .max = 8, .required = true },
    { .name = "flag", .offset = offsetof(struct form, flag), .cls = FC_BOOL },
};

static unsigned faults(const char *text, enum err_code *ret_e, struct field_fault *ret_first, struct form *ret_form)
{
    struct err e;
    struct field_report r = { 0 };
    struct arena *a = arena_new(1 << 20);
    bool good = fields_read_text(&e, a, slice_str(text), FORM, 2, ret_form, &r);
    *ret_e = e.code;
    *ret_first = r.faults[0];
    assert_int_equal(good, err_ok(e) && r.n_faults == 0);
    if (good)
        assert_true(ret_form->key.text.n > 0);
    arena_free(a);
    return r.n_faults;
}

static void forms_are_judged_the_same_with_and_without_a_tree(void **state)
{
    (void)state;
    static const struct { const char *flat, *tree; enum err_code e; unsigned n; const char *field; enum field_rule rule; } CASES[] = {
        { "{\"key\":\"abc\"}", "{\"key\":\"ab\\u0063\"}", E_OK, 0, NULL, FR_NONE },
        { "{}", "{}", E_OK, 1, "key", FR_MISSING },
        { "{\"key\":1}", "{\"key\":1.0}", E_OK, 1, "key", FR_TYPE },
        { "{\"key\":\"\"}", "{\"k\\u0065y\":\"\"}", E_OK, 1, "key", FR_LENGTH },
        { "{\"key\":\"123456789\"}", "{\"key\":\"12345678\\u0039\"}", E_OK, 1, "key", FR_LENGTH },
        { "{\"key\":\"a b\"}", "{\"key\":\"a\\u0020b\"}", E_OK, 1, "key", FR_CLASS },
        { "{\"key\":\"a\",\"more\":1}", "{\"key\":\"a\",\"more\":{}}", E_OK, 1, "", FR_UNKNOWN },
        { "{\"key\":\"a\",\"flag\":\"true\"}", "{\"key\":\"\\u0061\",\"flag\":\"true\"}", E_OK, 1, "flag", FR_TYPE },
        { "{\"key\":\"a\",\"flag\":true}", "{\"key\":\"\\u0061\",\"flag\":true}", E_OK, 0, NULL, FR_NONE },
        { "{\"key\":\"a\",\"key\":\"a\"}", "{\"key\":\"a\",\"k\\u0065y\":\"a\"}", E_JSON_DUPLICATE, 0, NULL, FR_NONE },
        { "{\"key\":\"a\"", "[]x", E_BAD_JSON, 0, NULL, FR_NONE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (int tree = 0; tree < 2; tree++) {
            enum err_code e;
            struct form form;
            struct field_fault first;
            assert_int_equal(faults(tree ? CASES[i].tree : CASES[i].flat, &e, &first, &form), CASES[i].n);
            assert_int_equal(e, CASES[i].e);
            if (CASES[i].n) {
                assert_string_equal(first.field, CASES[i].field);
                assert_int_equal(first.rule, CASES[i].rule);
            }
        }
}

/* The judgement takes eight bytes at a time: none may hide behind its neighbours. */
static void every_byte_is_judged_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 20; n++)
        for (size_t at = 0; at < n; at++)
            for (unsigned c = 0; c < 256; c++) {
                char text[32];
                struct json_flat f;
                memcpy(text, "{\"a\":\"", 6);
                memset(text + 6, at % 2 ? ' ' : '~', n);
                text[6 + at] = (char)c;
                memcpy(text + 6 + n, "\"}", 2);
                bool plain = c >= 0x20 && c < 0x7f && c != '\\' && c != '"';
                assert_int_equal(json_flat(slice_of(text, n + 8), &f), plain);
                if (plain)
                    assert_int_equal(f.at[0].text.n, n);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_objects_are_read_without_a_tree), cmocka_unit_test(what_is_not_plain_is_left_to_the_tree),
        cmocka_unit_test(any_object_is_read_one_way_or_the_other), cmocka_unit_test(forms_are_judged_the_same_with_and_without_a_tree),
        cmocka_unit_test(every_byte_is_judged_wherever_it_stands),
    };
    return cmocka_run_group_tests_name("json_flat", tests, NULL, NULL);
}
