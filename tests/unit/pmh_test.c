#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "connectors/number/pmh.h"
#include "gateway/check/json_in.h"

#define A "123456789018"
#define B "983205673214"
#define C "111111111111"

enum { K = NZ_PMH_KEY, R = NZ_PMH_RETRY, Q = NZ_PMH_QUARANTINE };

static void make_rows(struct nz_pool *pool, const char *const *numbers, size_t n, struct nz_pmh_row *rows, struct nz_mynum **owned)
{
    for (size_t i = 0; i < n; i++) {
        assert_true(err_ok(nz_mynum_new(&owned[i], pool, slice_str(numbers[i]))));
        rows[i] = (struct nz_pmh_row){ .number = owned[i], .outcome = NZ_PMH_KEY, .pmh_key = "stale" };
    }
}

struct judge_case {
    const char *name, *body;
    enum err_code code;
    int outcome[3]; /* for rows A, B, C */
};

#define EL(key, number) "{\"pmhKey\":\"" key "\",\"myNumber\":\"" number "\"}"

static void test_judge(void **state)
{
    static const struct judge_case CASES[] = {
        { "in order", "[" EL("ka", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { K, K, K } },
        { "out of order", "[" EL("kc", C) "," EL("ka", A) "," EL("kb", B) "]", E_OK, { K, K, K } },
        { "other member order", "[{\"myNumber\":\"" A "\",\"pmhKey\":\"ka\"}," EL("kb", B) "," EL("kc", C) "]", E_OK, { K, K, K } },
        { "empty reply", "[]", E_OK, { R, R, R } },
        { "one lacking", "[" EL("ka", A) "," EL("kc", C) "]", E_OK, { K, R, K } },
        { "extra member", "[{\"pmhKey\":\"ka\",\"myNumber\":\"" A "\",\"name\":\"x\"}," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "no key", "[{\"myNumber\":\"" A "\"}," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "no number", "[{\"pmhKey\":\"ka\"}," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "number changed", "[" EL("ka", "210987654321") "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "a stranger besides", "[" EL("ka", A) "," EL("kb", B) "," EL("kc", C) "," EL("kd", "210987654321") "]", E_OK, { K, K, K } },
        { "a stranger instead of two", "[" EL("ka", A) "," EL("kd", "210987654321") "]", E_OK, { K, Q, Q } },
        { "a stranger with our key", "[" EL("ka", A) "," EL("kb", B) "," EL("kc", C) "," EL("ka", "210987654321") "]", E_OK, { Q, K, K } },
        { "number twice, same key", "[" EL("ka", A) "," EL("ka", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "number twice, two keys", "[" EL("ka", A) "," EL("kx", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "one key for two numbers", "[" EL("ka", A) "," EL("ka", B) "," EL("kc", C) "]", E_OK, { Q, Q, K } },
        { "a key that a bad element has too", "[{\"pmhKey\":\"kb\",\"myNumber\":\"" A "\",\"x\":1}," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, Q, K } },
        { "number as JSON number", "[{\"pmhKey\":\"ka\",\"myNumber\":" A "}," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "full-width number", "[" EL("ka", "１２３４５６７８９０１８") "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "key as JSON number", "[{\"pmhKey\":1,\"myNumber\":\"" A "\"}," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "empty key", "[" EL("", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "key with a space", "[" EL("k a", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "key with kanji", "[" EL("鍵", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { Q, K, K } },
        { "key characters", "[" EL("aZ0._~-", A) "," EL("kb", B) "," EL("kc", C) "]", E_OK, { K, K, K } },
        { "elements are not objects", "[1,\"x\",null]", E_OK, { Q, Q, Q } },
        { "not an array", "{\"pmhKey\":\"ka\",\"myNumber\":\"" A "\"}", E_UPSTREAM_BAD, { R, R, R } },
        { "duplicate member", "[{\"pmhKey\":\"ka\",\"pmhKey\":\"kb\",\"myNumber\":\"" A "\"}]", E_UPSTREAM_BAD, { R, R, R } },
        { "not JSON", "<html>busy</html>", E_UPSTREAM_BAD, { R, R, R } },
        { "cut off", "[" EL("ka", A), E_UPSTREAM_BAD, { R, R, R } },
        { "white space", " [ {\n\"pmhKey\" : \"ka\" ,\t\"myNumber\":\"" A "\" } , " EL("kb", B) "\r\n," EL("kc", C) " ] \n", E_OK, { K, K, K } },
        { "escapes", "[{\"pmhKey\":\"k\\u0061\",\"my\\u004eumber\":\"" A "\"}," EL("ka", B) "," EL("kc", C) "]", E_OK, { Q, Q, K } },
        { "something behind it", "[" EL("ka", A) "," EL("kb", B) "," EL("kc", C) "] []", E_UPSTREAM_BAD, { R, R, R } },
        { "comma at the end", "[" EL("ka", A) "," EL("kb", B) ",]", E_UPSTREAM_BAD, { R, R, R } },
        { "no comma", "[" EL("ka", A) EL("kb", B) "]", E_UPSTREAM_BAD, { R, R, R } },
        { "nothing", "", E_UPSTREAM_BAD, { R, R, R } },
        { "bytes", "[\"\xFF\xFE\"]", E_UPSTREAM_BAD, { R, R, R } },
    };
    static const char *const NUMBERS[] = { A, B, C };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_pool *pool;
        struct nz_pmh_row rows[3];
        struct nz_mynum *owned[3];
        assert_true(err_ok(nz_pool_new(&pool, 3)));
        make_rows(pool, NUMBERS, 3, rows, owned);
        struct err e = nz_pmh_judge(slice_str(CASES[i].body), rows, 3);
        if (e.code != CASES[i].code)
            fail_msg("%s: %s", CASES[i].name, err_slug(e.code));
        for (size_t k = 0; k < 3; k++) {
            if ((int)rows[k].outcome != CASES[i].outcome[k])
                fail_msg("%s: row %zu is %d", CASES[i].name, k, (int)rows[k].outcome);
            assert_true((rows[k].pmh_key[0] != 0) == (rows[k].outcome == NZ_PMH_KEY));
            nz_mynum_free(owned[k]);
        }
        nz_pool_free(pool);
    }
}

static void test_keys_go_to_their_rows(void **state)
{
    static const char *const NUMBERS[] = { A, B, C };
    struct nz_pool *pool;
    struct nz_pmh_row rows[3];
    struct nz_mynum *owned[3];
    (void)state;
    assert_true(err_ok(nz_pool_new(&pool, 3)));
    make_rows(pool, NUMBERS, 3, rows, owned);
    assert_true(err_ok(nz_pmh_judge(LIT("[" EL("kc", C) "," EL("ka", A) "," EL("kb", B) "]"), rows, 3)));
    assert_string_equal(rows[0].pmh_key, "ka");
    assert_string_equal(rows[1].pmh_key, "kb");
    assert_string_equal(rows[2].pmh_key, "kc");
    for (int i = 0; i < 3; i++)
        nz_mynum_free(owned[i]);
    nz_pool_free(pool);
}

/* Two certificates of one resident in one batch: one answer or two equal ones will do for both. */
static void test_one_number_in_two_rows(void **state)
{
    static const char *const NUMBERS[] = { A, B, A };
    static const struct judge_case CASES[] = {
        { "twice", "[" EL("ka", A) "," EL("kb", B) "," EL("ka", A) "]", E_OK, { K, K, K } },
        { "once", "[" EL("ka", A) "," EL("kb", B) "]", E_OK, { K, K, K } },
        { "two keys", "[" EL("ka", A) "," EL("kb", B) "," EL("kx", A) "]", E_OK, { Q, K, Q } },
        { "thrice", "[" EL("ka", A) "," EL("ka", A) "," EL("kb", B) "," EL("ka", A) "]", E_OK, { Q, K, Q } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_pool *pool;
        struct nz_pmh_row rows[3];
        struct nz_mynum *owned[3];
        assert_true(err_ok(nz_pool_new(&pool, 3)));
        make_rows(pool, NUMBERS, 3, rows, owned);
        assert_true(err_ok(nz_pmh_judge(slice_str(CASES[i].body), rows, 3)));
        for (size_t k = 0; k < 3; k++) {
            if ((int)rows[k].outcome != CASES[i].outcome[k])
                fail_msg("%s: row %zu is %d", CASES[i].name, k, (int)rows[k].outcome);
            nz_mynum_free(owned[k]);
        }
        nz_pool_free(pool);
    }
}

static void judge_big(struct buf *body, enum err_code want, enum nz_pmh_outcome outcome)
{
    static const char *const NUMBERS[] = { A };
    struct nz_pool *pool;
    struct nz_pmh_row row;
    struct nz_mynum *owned;
    assert_true(err_ok(buf_check(body)));
    assert_true(err_ok(nz_pool_new(&pool, 1)));
    make_rows(pool, NUMBERS, 1, &row, &owned);
    assert_int_equal(nz_pmh_judge(buf_slice(body), &row, 1).code, want);
    assert_int_equal(row.outcome, outcome);
    nz_mynum_free(owned);
    nz_pool_free(pool);
    buf_done(body);
}

static void test_big(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, 16 << 20);
    buf_puts(&b, "[");
    for (int i = 0; i < 200000; i++)
        buf_puts(&b, EL("some-key-of-a-stranger", "210987654321") ",");
    buf_puts(&b, EL("ka", A) "]");
    judge_big(&b, E_OK, NZ_PMH_KEY);
    buf_init(&b, 16 << 20);
    for (int i = 0; i < 1000000; i++)
        buf_putc(&b, '[');
    judge_big(&b, E_UPSTREAM_BAD, NZ_PMH_RETRY);
    char longer[PMH_KEY_MAX + 2];
    memset(longer, 'k', sizeof longer - 1);
    longer[PMH_KEY_MAX + 1] = 0;
    for (int extra = 1; extra >= 0; extra--) {
        longer[PMH_KEY_MAX + extra] = 0;
        buf_init(&b, 4096);
        buf_puts(&b, "[{\"myNumber\":\"" A "\",\"pmhKey\":\"");
        buf_puts(&b, longer);
        buf_puts(&b, "\"}]");
        judge_big(&b, E_OK, extra ? NZ_PMH_QUARANTINE : NZ_PMH_KEY);
    }
}

static void test_write(void **state)
{
    static const char *const NUMBERS[] = { A, B };
    struct nz_pool *pool;
    struct nz_pmh_row rows[2];
    struct nz_mynum *owned[2];
    struct buf b;
    (void)state;
    assert_true(err_ok(nz_pool_new(&pool, 2)));
    make_rows(pool, NUMBERS, 2, rows, owned);
    buf_init(&b, 4096);
    assert_true(err_ok(nz_pmh_write(rows, 2, &b)));
    assert_true(slice_eq(buf_slice(&b), LIT("[{\"myNumber\":\"" A "\"},{\"myNumber\":\"" B "\"}]")));
    buf_done(&b);
    buf_init(&b, 8);
    assert_int_equal(nz_pmh_write(rows, 2, &b).code, E_FULL);
    buf_done(&b);
    nz_mynum_free(owned[0]);
    nz_mynum_free(owned[1]);
    nz_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge), cmocka_unit_test(test_keys_go_to_their_rows), cmocka_unit_test(test_one_number_in_two_rows),
        cmocka_unit_test(test_big), cmocka_unit_test(test_write),
    };
    json_in_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
