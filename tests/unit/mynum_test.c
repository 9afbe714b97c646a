/* Individual numbers: what becomes one, the check digit, the pool. The numbers are published samples, of nobody. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/number/mynum.h"

static void test_texts(void **state)
{
    static const struct { const char *name, *text; } BAD[] = {
        { "empty", "" },
        { "11 digits", "12345678901" },
        { "13 digits", "1234567890123" },
        { "a sign", "+12345678901" },
        { "a space in front", " 23456789018" },
        { "a space behind", "12345678901 " },
        { "grouped", "1234 5678 9018" },
        { "a letter", "12345678901a" },
        { "full width", "１２３４５６７８９０１８" },
        { "full width, 12 bytes", "１２３４" },
        { "a minus", "12345678-018" },
    };
    (void)state;
    struct nz_pool *p = NULL;
    struct nz_mynum *m = NULL;
    assert_true(err_ok(nz_pool_new(&p, 4)));
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        print_message("%s\n", BAD[i].name);
        assert_int_equal(nz_mynum_new(&m, p, slice_str(BAD[i].text)).code, E_FIELD);
    }
    uint8_t with_nul[12] = "12345678901";
    assert_int_equal(nz_mynum_new(&m, p, ARR(with_nul)).code, E_FIELD);
    assert_null(m);
    assert_int_equal(nz_pool_used(p), 0);
    nz_pool_free(p);
}

static void test_check_digit(void **state)
{
    static const struct { const char *text; bool good; } CASES[] = {
        { "983205673214", true },  { "123456789018", true },  { "123456789010", false }, { "123456789012", false },
        { "210987654321", false }, { "000000000000", true },  { "000000000001", false },
    };
    (void)state;
    struct nz_pool *p = NULL;
    assert_true(err_ok(nz_pool_new(&p, 1)));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_mynum *m = NULL;
        assert_true(err_ok(nz_mynum_new(&m, p, slice_str(CASES[i].text))));
        assert_int_equal(nz_mynum_check_digit(m), CASES[i].good);
        nz_mynum_free(m);
    }
    nz_pool_free(p);
}

/* Of the ten last digits exactly one fits: every body has a check digit and no two. */
static void test_check_digit_is_unique(void **state)
{
    (void)state;
    struct nz_pool *p = NULL;
    assert_true(err_ok(nz_pool_new(&p, 1)));
    uint64_t x = 1;
    for (int i = 0; i < 2000; i++) {
        uint8_t d[12];
        int fits = 0;
        for (size_t k = 0; k < 11; k++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            d[k] = (uint8_t)('0' + (x >> 33) % 10);
        }
        for (uint8_t c = '0'; c <= '9'; c++) {
            struct nz_mynum *m = NULL;
            d[11] = c;
            assert_true(err_ok(nz_mynum_new(&m, p, ARR(d))));
            fits += nz_mynum_check_digit(m);
            nz_mynum_free(m);
        }
        assert_int_equal(fits, 1);
    }
    nz_pool_free(p);
}

static struct err same_text(struct slice digits, void *arg)
{
    return slice_eq(digits, slice_str(arg)) ? OK : FAIL(E_FIELD);
}

static void test_pool(void **state)
{
    (void)state;
    struct nz_pool *p = NULL;
    struct nz_mynum *m[3] = { 0 }, *extra = NULL;
    assert_int_equal(nz_pool_new(&p, 0).code, E_FULL);
    assert_int_equal(nz_pool_new(&p, SIZE_MAX).code, E_FULL);
    assert_true(err_ok(nz_pool_new(&p, 3)));
    for (int i = 0; i < 3; i++)
        assert_true(err_ok(nz_mynum_new(&m[i], p, i == 2 ? LIT("983205673214") : LIT("123456789018"))));
    assert_int_equal(nz_mynum_new(&extra, p, LIT("123456789018")).code, E_FULL);
    assert_int_equal(nz_pool_used(p), 3);
    assert_true(nz_mynum_equal(m[0], m[1]));
    assert_false(nz_mynum_equal(m[0], m[2]));
    char text[] = "983205673214";
    assert_true(err_ok(nz_mynum_use(m[2], same_text, text)));
    assert_int_equal(nz_mynum_use(m[0], same_text, text).code, E_FIELD); /* what fn returns is returned */

    /* A freed slot holds nothing of the number; the allocator's own pointers are not digits. */
    const uint8_t *slot = (const uint8_t *)m[2];
    nz_mynum_free(m[2]);
    for (size_t i = 0; i + 4 <= 20; i++)
        assert_memory_not_equal(slot + i, "3205", 4);
    assert_true(err_ok(nz_mynum_new(&extra, p, LIT("123456789018"))));
    nz_mynum_free(extra);
    nz_mynum_free(NULL);
    nz_mynum_free(m[0]);
    nz_mynum_free(m[1]);
    assert_int_equal(nz_pool_used(p), 0);
    nz_pool_free(p);
    nz_pool_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_texts), cmocka_unit_test(test_check_digit),
                                        cmocka_unit_test(test_check_digit_is_unique), cmocka_unit_test(test_pool) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
