#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/check/json_in.h"
#include "mocks/faults.h"

static enum err_code parse(const char *json, struct fault *f)
{
    struct arena *a = arena_new(64 * 1024);
    *f = (struct fault){ .count = 77 };
    enum err_code code = fault_parse(f, a, slice_str(json)).code;
    arena_free(a);
    return code;
}

static void test_parse(void **state)
{
    (void)state;
    static const struct { const char *json; enum err_code code; bool any; } CASES[] = {
        { "{}", E_OK, false },
        { "{\"count\":3}", E_OK, false },
        { "{\"delay_ms\":1}", E_OK, true },
        { "{\"status\":503,\"count\":2}", E_OK, true },
        { "{\"reset\":true}", E_OK, true },
        { "{\"reset\":false}", E_OK, false },
        { "{\"garbage\":true,\"wrong_number\":true,\"extra_field\":true,\"missing_field\":true,\"swap\":true}", E_OK, true },
        { "{\"delay_ms\":120001}", E_FIELD, false },
        { "{\"delay_ms\":-1}", E_FIELD, false },
        { "{\"delay_ms\":1.5}", E_FIELD, false },
        { "{\"delay_ms\":\"1\"}", E_FIELD, false },
        { "{\"status\":199}", E_FIELD, false },
        { "{\"status\":600}", E_FIELD, false },
        { "{\"reset\":1}", E_FIELD, false },
        { "{\"unknown\":true}", E_FIELD, false },
        { "{\"reset\":true,\"reset\":true}", E_JSON_DUPLICATE, false },
        { "[]", E_JSON_SHAPE, false },
        { "", E_BAD_JSON, false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct fault f;
        enum err_code code = parse(CASES[i].json, &f);
        if (code != CASES[i].code)
            fail_msg("%s: %s", CASES[i].json, err_slug(code));
        if (code == E_OK)
            assert_int_equal(fault_any(&f), CASES[i].any);
        else
            assert_int_equal(f.count, 77); /* written on success only */
    }
}

static void test_count_limits_the_answers(void **state)
{
    (void)state;
    struct faults f = { .of = { [SYSTEM_PMH] = { .status = 500, .count = 2 } } };
    assert_int_equal(faults_take(&f, SYSTEM_ONSHI).status, 0);
    assert_int_equal(faults_take(&f, SYSTEM_PMH).status, 500);
    assert_int_equal(faults_take(&f, SYSTEM_PMH).status, 500);
    assert_int_equal(faults_take(&f, SYSTEM_PMH).status, 0);
    assert_false(fault_any(&f.of[SYSTEM_PMH]));
    assert_int_equal(f.hits[SYSTEM_PMH], 2);
    assert_int_equal(f.hits[SYSTEM_ONSHI], 0);
}

static void test_without_count_for_ever(void **state)
{
    (void)state;
    struct faults f = { .of = { [SYSTEM_PORTAL] = { .reset = true } } };
    for (int i = 0; i < 1000; i++)
        assert_true(faults_take(&f, SYSTEM_PORTAL).reset);
}

static void test_join(void **state)
{
    (void)state;
    struct fault both = fault_join((struct fault){ .delay_ms = 5, .swap = true }, (struct fault){ .delay_ms = 9, .status = 502 });
    assert_int_equal(both.delay_ms, 9);
    assert_int_equal(both.status, 502);
    assert_true(both.swap);
    assert_false(both.reset);
}

static void test_write(void **state)
{
    (void)state;
    struct faults f = { .of = { [SYSTEM_PMH] = { .delay_ms = 5, .count = 2, .swap = true }, [SYSTEM_VRS] = { .count = 9 } } };
    struct buf out;
    struct jsonw w;
    buf_init(&out, 1024);
    jsonw_init(&w, &out);
    faults_write(&f, &w, NULL);
    assert_true(slice_eq(buf_slice(&out), LIT("{\"pmh\":{\"delay_ms\":5,\"count\":2,\"swap\":true}}")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_count_limits_the_answers),
        cmocka_unit_test(test_without_count_for_ever),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_write),
    };
    json_in_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
