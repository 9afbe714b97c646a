#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mocks/people.h"

enum { MANY = 50000 };

static int setup(void **state)
{
    struct people *p = malloc(sizeof *p);
    people_init(p);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    people_done(*state);
    free(*state);
    return 0;
}

static void number_make(unsigned i, char out[static 13]) { snprintf(out, 13, "99%010u", i); }
static void serial_make(unsigned i, char out[static 9]) { snprintf(out, 9, "A%07X", i); }

static void test_find_many(void **state)
{
    struct people *p = *state;
    char number[13], serial[9];
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t at;
        number_make(i, number);
        serial_make(i, serial);
        assert_int_equal(people_add(p, slice_str(number), slice_str(serial), &at).code, E_OK);
        assert_int_equal(at, i);
    }
    for (unsigned i = 0; i < MANY; i++) {
        number_make(i, number);
        serial_make(i, serial);
        assert_int_equal(people_by_number(p, slice_str(number)), i);
        assert_int_equal(people_by_serial(p, slice_str(serial)), i);
        assert_string_equal(people_at(p, i)->number, number);
    }
    number_make(MANY, number);
    assert_int_equal(people_by_number(p, slice_str(number)), TABLE_NONE);
    assert_int_equal(people_by_serial(p, LIT("A")), TABLE_NONE);
}

static void test_refusals(void **state)
{
    struct people *p = *state;
    static const struct { const char *number, *serial; enum err_code code; } CASES[] = {
        { "990000000001", "A1", E_OK },
        { "990000000001", "A2", E_CONFLICT },
        { "990000000002", "A1", E_CONFLICT },
        { "99000000000", "A3", E_FIELD },
        { "9900000000023", "A3", E_FIELD },
        { "99000000000x", "A3", E_FIELD },
        { "990000000002", "A-3", E_FIELD },
        { "990000000002", "123456789012345678901", E_FIELD },
        { "990000000002", "A3", E_OK }, /* a refusal before it has left nothing behind */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        uint32_t at;
        struct err e = people_add(p, slice_str(CASES[i].number), slice_str(CASES[i].serial), &at);
        if (e.code != CASES[i].code)
            fail_msg("case %zu: %s", i, err_slug(e.code));
    }
    assert_int_equal(p->n, 2);
}

static void test_serial_of_our_making(void **state)
{
    struct people *p = *state;
    uint32_t a, b;
    assert_int_equal(people_add(p, LIT("990000000001"), SLICE_NONE, &a).code, E_OK);
    assert_int_equal(people_add(p, LIT("990000000002"), SLICE_NONE, &b).code, E_OK);
    assert_string_not_equal(people_at(p, a)->serial, people_at(p, b)->serial);
    assert_int_equal(people_at(p, a)->serial[0], 'F');
    assert_int_equal(people_by_serial(p, slice_str(people_at(p, a)->serial)), a);
}

static void test_renewal_ends_the_old_serial(void **state)
{
    struct people *p = *state;
    uint32_t at;
    assert_int_equal(people_add(p, LIT("990000000001"), LIT("A1"), &at).code, E_OK);
    assert_int_equal(people_renew(p, at, SLICE_NONE).code, E_OK);
    assert_int_equal(people_by_serial(p, LIT("A1")), TABLE_NONE);
    assert_int_equal(people_by_serial(p, slice_str(people_at(p, at)->serial)), at);
    assert_int_equal(people_renew(p, at, LIT("B2")).code, E_OK);
    assert_int_equal(people_by_serial(p, LIT("B2")), at);
    assert_int_equal(people_renew(p, at, LIT("B2")).code, E_CONFLICT);
    assert_int_equal(people_renew(p, at, LIT("B 2")).code, E_FIELD);
    assert_int_equal(people_by_serial(p, LIT("B2")), at);
}

/* Removals in long runs of colliding slots must leave everybody else reachable. */
static void test_renew_everybody(void **state)
{
    struct people *p = *state;
    char number[13], serial[9];
    uint32_t at;
    for (unsigned i = 0; i < 3000; i++) {
        number_make(i, number);
        serial_make(i, serial);
        assert_int_equal(people_add(p, slice_str(number), slice_str(serial), &at).code, E_OK);
    }
    for (unsigned i = 0; i < 3000; i += 2) {
        serial_make(i + 100000, serial);
        assert_int_equal(people_renew(p, i, slice_str(serial)).code, E_OK);
    }
    for (unsigned i = 0; i < 3000; i++) {
        serial_make(i, serial);
        assert_int_equal(people_by_serial(p, slice_str(serial)), i % 2 ? i : TABLE_NONE);
        assert_int_equal(people_by_serial(p, slice_str(people_at(p, i)->serial)), i);
    }
    assert_int_equal(p->by_serial.n, 3000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_find_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_serial_of_our_making, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewal_ends_the_old_serial, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renew_everybody, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
