#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/clinic/key_list.h"

struct form {
    struct arena *a;
    struct key_list k;
    struct field_report report;
    struct buf text;
};

static int set_up(void **state)
{
    struct form *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->a = arena_new(8 << 20);
    assert_non_null(f->a);
    buf_init(&f->text, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct form *f = *state;
    arena_free(f->a);
    buf_done(&f->text);
    free(f);
    return 0;
}

static enum err_code reading(struct form *f, struct slice text) { return key_list_read(&f->k, f->a, text, &f->report).code; }

static void list_of(struct form *f, size_t n, size_t chars, const char *first)
{
    buf_reset(&f->text);
    buf_puts(&f->text, "{\"link_keys\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&f->text, i ? ",\"" : "\"");
        buf_puts(&f->text, i ? "" : first);
        for (size_t c = 0; c < chars; c++)
            buf_putc(&f->text, 'a');
        buf_puts(&f->text, "\"");
    }
    buf_puts(&f->text, "]}");
    assert_true(err_ok(buf_check(&f->text)));
}

static void keys_come_in_their_order_plain_or_not(void **state)
{
    struct form *f = *state;
    static const char *const TEXTS[] = { "{\"link_keys\":[\"a.b\",\"c\",\"a.b\"]}", " {\n\"link_keys\" : [ \"a.b\" ,\t\"c\",\"a.b\" ] } ", "{\"link_keys\":[\"\\u0061.b\",\"c\",\"a.b\"]}" };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        assert_int_equal(reading(f, slice_str(TEXTS[i])), E_OK);
        assert_true(f->k.n == 3 && slice_eq(f->k.key[0], LIT("a.b")) && slice_eq(f->k.key[1], LIT("c")) && slice_eq(f->k.key[2], LIT("a.b")));
        assert_int_equal(key_list_plain(&f->k, slice_str(TEXTS[i])), i < 2);
    }
}

static void there_are_bounds(void **state)
{
    struct form *f = *state;
    static const struct { size_t n, chars; const char *first; enum err_code want; } CASES[] = {
        { 1, 1, "", E_OK }, { 100, 40, "", E_OK }, { 1, JWE_MAX, "", E_OK }, { 1, JWE_MAX - 1, "\xc3\xa4", E_OK },
        { 101, 1, "", E_FIELD }, { 0, 0, "", E_FIELD }, { 1, 0, "", E_FIELD }, { 1, JWE_MAX + 1, "", E_FIELD }, { 1, JWE_MAX, "\xc3\xa4", E_FIELD }, { 2, 5, "\\u0007", E_FIELD },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        list_of(f, CASES[i].n, CASES[i].chars, CASES[i].first);
        assert_int_equal(reading(f, buf_slice(&f->text)), CASES[i].want);
        if (CASES[i].want == E_OK)
            assert_int_equal(f->k.n, CASES[i].n);
    }
}

static void faults_name_the_field_and_never_a_value(void **state)
{
    struct form *f = *state;
    static const struct { const char *text; enum err_code want; const char *field; enum field_rule rule; } CASES[] = {
        { "{}", E_FIELD, "link_keys", FR_MISSING },
        { "{\"link_keys\":\"a\"}", E_FIELD, "link_keys", FR_TYPE },
        { "{\"link_keys\":[\"a\",1]}", E_FIELD, "link_keys", FR_TYPE },
        { "{\"link_keys\":[\"a\",[\"b\"]]}", E_FIELD, "link_keys", FR_TYPE },
        { "{\"link_keys\":[]}", E_FIELD, "link_keys", FR_LENGTH },
        { "{\"link_keys\":[\"a\",\"\"]}", E_FIELD, "link_keys", FR_LENGTH },
        { "{\"link_keys\":[\"a\\n\"]}", E_FIELD, "link_keys", FR_CLASS },
        { "{\"link_keys\":[\"a\"],\"x\":1}", E_FIELD, "", FR_UNKNOWN },
        { "{\"link_keys\":[\"a\"],\"link_keys\":[\"b\"]}", E_JSON_DUPLICATE, NULL, FR_NONE },
        { "{\"link_keys\":[\"a\",]}", E_BAD_JSON, NULL, FR_NONE },
        { "{\"link_keys\":[\"a\"]", E_BAD_JSON, NULL, FR_NONE },
        { "{\"link_keys\":[\"a\"]}x", E_BAD_JSON, NULL, FR_NONE },
        { "[\"a\"]", E_JSON_SHAPE, NULL, FR_NONE },
        { "", E_BAD_JSON, NULL, FR_NONE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(reading(f, slice_str(CASES[i].text)), CASES[i].want);
        assert_int_equal(f->report.n_faults, CASES[i].want == E_FIELD);
        if (CASES[i].field)
            assert_true(f->report.faults[0].rule == CASES[i].rule && strcmp(f->report.faults[0].field, CASES[i].field) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(keys_come_in_their_order_plain_or_not), cmocka_unit_test(there_are_bounds),
                                        cmocka_unit_test(faults_name_the_field_and_never_a_value) };
    json_in_setup();
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
