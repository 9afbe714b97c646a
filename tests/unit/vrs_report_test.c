#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "connectors/number/vrs_report.h"
#include "gateway/check/json_in.h"

#define A "123456789018"
#define B "790000000006"
#define ID_A "000102030405060708090a0b0c0d0e0f"
#define ID_B "ff0102030405060708090a0b0c0d0e0f"
#define HEAD "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"municipalityCode\":\"331007\",\"records\":["
#define TAIL "]}"
#define R(id, version, more) "{\"immunizationId\":\"" id "\",\"version\":\"" version "\",\"result\":" more "}"
#define YES "\"accepted\""
#define NO "\"refused\""

enum { N = 2, W = NZ_VRS_LATER, Y = NZ_VRS_ACCEPTED, F = NZ_VRS_REFUSED, Q = NZ_VRS_BREACH };
struct bench { struct nz_pool *pool; struct nz_mynum *number[N]; struct nz_vrs_row row[N]; struct nz_vrs_report r; };

static int setup(void **state)
{
    static const char *const NUMBERS[N] = { A, B };
    struct bench *b = calloc(1, sizeof *b);
    json_in_setup();
    assert_int_equal(nz_pool_new(&b->pool, 8).code, E_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(nz_mynum_new(&b->number[i], b->pool, slice_str(NUMBERS[i])).code, E_OK);
        b->row[i] = (struct nz_vrs_row){ .number = b->number[i], .version = 3, .json = LIT("{\"a\":\"b\"}") };
        for (uint8_t k = 0; k < NZ_VRS_ROW_ID; k++)
            b->row[i].id[k] = k;
    }
    b->row[1].id[0] = 0xff;
    b->r = (struct nz_vrs_report){ .kind = NZ_VRS_RECORDS, .basis = 116, .row = b->row, .n = N };
    memcpy(b->r.id, "0123456789abcdef0123456789abcdef", 32);
    memcpy(b->r.muni, "331007", 6);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < N; i++)
        nz_mynum_free(b->number[i]);
    nz_pool_free(b->pool);
    free(b);
    return 0;
}

static void assert_written(struct bench *b, const char *want)
{
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(nz_vrs_report_write(&b->r, &out).code, E_OK);
    assert_true(slice_eq(buf_slice(&out), slice_str(want)));
    buf_done(&out);
}

static void test_what_is_told_is_what_was_agreed(void **state)
{
    struct bench *b = *state;
    assert_written(b, "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"municipalityCode\":\"331007\",\"legalBasis\":\"116\",\"records\":["
                      "{\"myNumber\":\"" A "\",\"immunizationId\":\"" ID_A "\",\"version\":\"3\",\"immunization\":{\"a\":\"b\"}},"
                      "{\"myNumber\":\"" B "\",\"immunizationId\":\"" ID_B "\",\"version\":\"3\",\"immunization\":{\"a\":\"b\"}}]}");
    b->r.kind = NZ_VRS_REGISTRATIONS;
    b->r.n = 1;
    assert_written(b, "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"municipalityCode\":\"331007\",\"legalBasis\":\"116\",\"registrations\":["
                      "{\"myNumber\":\"" A "\",\"registrationId\":\"" ID_A "\",\"version\":\"3\",\"registration\":{\"a\":\"b\"}}]}");
}

static void test_answers(void **state)
{
    struct bench *b = *state;
    static const struct { const char *body; enum err_code code; int a, b; } CASES[] = {
        { HEAD R(ID_A, "3", YES) "," R(ID_B, "3", YES) TAIL, E_OK, Y, Y },
        { HEAD R(ID_B, "3", NO) "," R(ID_A, "3", "\"later\"") TAIL, E_OK, W, F },
        { HEAD R(ID_B, "3", NO ",\"code\":\"not_a_subject\"") "," R(ID_A, "3", "\"later\",\"code\":\"busy\"") TAIL, E_OK, W, F },
        { HEAD R(ID_B, "3", YES) TAIL, E_OK, W, Y },
        { HEAD TAIL, E_OK, W, W },
        /* wrong about one row */
        { HEAD R(ID_A, "2", YES) "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", "\"done\"") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", "true") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", YES ",\"code\":\"x\"") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", YES ",\"myNumber\":\"" A "\"") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", NO ",\"code\":\"" A "\"") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", NO ",\"code\":\"\"") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD R(ID_A, "3", NO ",\"code\":\"abcdefghijklmnopqrstuvwxyzabcdefg\"") "," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        { HEAD "{\"immunizationId\":\"" ID_A "\"}," R(ID_B, "3", YES) TAIL, E_OK, Q, Y },
        /* wrong as a whole: nothing of it counts */
        { HEAD R("aa0102030405060708090a0b0c0d0e0f", "3", YES) "," R(ID_B, "3", YES) TAIL, E_UPSTREAM_BAD, W, W },
        { HEAD R(ID_B, "3", YES) "," R(ID_B, "3", YES) TAIL, E_UPSTREAM_BAD, W, W },
        { HEAD R(ID_B, "3", YES) ",7" TAIL, E_UPSTREAM_BAD, W, W },
        { HEAD R(ID_A, "3", YES) "],\"more\":[]}", E_UPSTREAM_BAD, W, W },
        { "{\"requestId\":\"0123456789abcdef0123456789abcdee\",\"municipalityCode\":\"331007\",\"records\":[]}", E_UPSTREAM_BAD, W, W },
        { "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"municipalityCode\":\"271403\",\"records\":[]}", E_UPSTREAM_BAD, W, W },
        { "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"municipalityCode\":\"331007\",\"registrations\":[]}", E_UPSTREAM_BAD, W, W },
        { "[]", E_UPSTREAM_BAD, W, W }, { "", E_UPSTREAM_BAD, W, W }, { "\xff", E_UPSTREAM_BAD, W, W },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct err e = nz_vrs_report_judge(&b->r, slice_str(CASES[i].body));
        if (e.code != CASES[i].code || (int)b->row[0].said != CASES[i].a || (int)b->row[1].said != CASES[i].b)
            fail_msg("case %zu: %d %d %d", i, (int)e.code, (int)b->row[0].said, (int)b->row[1].said);
    }
}

static void test_why_a_row_was_refused_is_kept(void **state)
{
    struct bench *b = *state;
    assert_int_equal(nz_vrs_report_judge(&b->r, LIT(HEAD R(ID_B, "3", NO ",\"code\":\"not_a_subject\"") TAIL)).code, E_OK);
    assert_string_equal(b->row[1].code, "not_a_subject");
    assert_int_equal(nz_vrs_report_judge(&b->r, LIT(HEAD TAIL)).code, E_OK);
    assert_string_equal(b->row[1].code, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_told_is_what_was_agreed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_why_a_row_was_refused_is_kept, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
