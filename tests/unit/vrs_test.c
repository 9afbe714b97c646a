#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "connectors/number/vrs.h"
#include "gateway/check/json_in.h"

#define A "123456789018"
#define B "790000000006"
#define C "983205673214"
#define HEAD "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"providerMunicipalityCode\":\"271403\",\"persons\":["
#define TAIL "]}"
#define DOSE_OF(muni, more) DOSE_ID("00000000000000000000000000000001", muni, more)
#define DOSE_ID(id, muni, more) "{\"immunizationId\":\"" id "\",\"version\":\"1\",\"status\":\"completed\",\"municipalityCode\":\"" muni \
    "\",\"vaccinationProgramId\":\"mr-1\",\"doseNumber\":\"1\",\"vaccinationDate\":\"2021-05-06\"" more "}"
#define DOSE DOSE_OF("271403", "")
#define P(number, list) "{\"myNumber\":\"" number "\",\"immunizations\":[" list "]}"

enum { N = 2 };
struct bench { struct nz_pool *pool; struct nz_mynum *number[N]; struct nz_vrs_person person[N]; struct nz_vrs_ask ask; };

static int setup(void **state)
{
    static const char *const NUMBERS[N] = { A, B };
    struct bench *b = calloc(1, sizeof *b);
    json_in_setup();
    assert_int_equal(nz_pool_new(&b->pool, 8).code, E_OK);
    for (int i = 0; i < N; i++) {
        assert_int_equal(nz_mynum_new(&b->number[i], b->pool, slice_str(NUMBERS[i])).code, E_OK);
        b->person[i].number = b->number[i];
        buf_init(&b->person[i].json, NZ_VRS_JSON_MAX);
    }
    memcpy(b->ask.id, "0123456789abcdef0123456789abcdef", 32);
    memcpy(b->ask.inquirer, "331007", 6);
    memcpy(b->ask.provider, "271403", 6);
    b->ask.basis = 90;
    b->ask.person = b->person;
    b->ask.n = N;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    nz_vrs_persons_done(b->person, N);
    for (int i = 0; i < N; i++)
        nz_mynum_free(b->number[i]);
    nz_pool_free(b->pool);
    free(b);
    return 0;
}

static void test_the_question_is_what_was_agreed(void **state)
{
    struct bench *b = *state;
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(nz_vrs_write(&b->ask, &out).code, E_OK);
    static const char WANT[] = "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"inquirerMunicipalityCode\":\"331007\",\"providerMunicipalityCode\":\"271403\","
                               "\"legalBasis\":\"90\",\"persons\":[{\"myNumber\":\"" A "\"},{\"myNumber\":\"" B "\"}]}";
    assert_true(slice_eq(buf_slice(&out), slice_str(WANT)));
    buf_done(&out);
}

static void test_answers(void **state)
{
    struct bench *b = *state;
    enum { W = NZ_VRS_WAITS, F = NZ_VRS_FOUND, O = NZ_VRS_NOTHING, Q = NZ_VRS_QUARANTINE };
    static const struct { const char *body; enum err_code code; int a, b; bool strange; } CASES[] = {
        { HEAD P(A, DOSE) "," P(B, "") TAIL, E_OK, F, O, false },
        { HEAD P(B, "") "," P(A, DOSE "," DOSE) TAIL, E_OK, F, O, false },
        { HEAD P(B, DOSE) TAIL, E_OK, W, F, false },
        { HEAD TAIL, E_OK, W, W, false },
        /* about somebody else, twice, or altered: nobody's */
        { HEAD P(A, DOSE) "," P(C, "") TAIL, E_OK, Q, Q, true },
        { HEAD P(A, DOSE) "," P(A, "") TAIL, E_OK, Q, Q, true },
        { HEAD P("123456789019", DOSE) TAIL, E_OK, Q, Q, true },
        { HEAD P("12345678901", DOSE) TAIL, E_OK, Q, Q, true },
        { HEAD "{\"immunizations\":[]}" TAIL, E_OK, Q, Q, true },
        { HEAD "7" TAIL, E_OK, Q, Q, true },
        { HEAD "{\"myNumber\":123456789018,\"immunizations\":[]}" TAIL, E_OK, Q, Q, true },
        /* random ids have twelve digits now and then, that is no number; the person's own is one anywhere */
        { HEAD P(A, DOSE_ID("abcdef" C "abcdefabcdefab", "271403", "")) "," P(B, DOSE) TAIL, E_OK, F, F, false },
        { HEAD P(A, DOSE_ID("abcdef" A "abcdefabcdefab", "271403", "")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, DOSE_ID("abcdef" C "abcdefabcdefab", "271403", ",\"place\":\"" C "\"")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        /* wrong in one person only */
        { HEAD "{\"myNumber\":\"" A "\"}," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD "{\"myNumber\":\"" A "\",\"immunizations\":[],\"name\":\"x\"}," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD "{\"myNumber\":\"" A "\",\"immunizations\":null}," P(B, "") TAIL, E_OK, Q, O, false },
        { HEAD P(A, DOSE_OF("131016", "")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, DOSE_OF("271403", ",\"name\":\"x\"")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, DOSE_OF("271403", ",\"isOverseas\":\"1\"")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, DOSE_OF("271403", ",\"place\":\"" C "\"")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, DOSE_OF("271403", ",\"place\":\"1234 5678 9018\"")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, DOSE_OF("271403", ",\"place\":\"１２３４５６７８９０１８\"")) "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, "{}") "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        { HEAD P(A, "1") "," P(B, DOSE) TAIL, E_OK, Q, F, false },
        /* not an answer at all */
        { "", E_UPSTREAM_BAD, W, W, false },
        { "[]", E_UPSTREAM_BAD, W, W, false },
        { "{}", E_UPSTREAM_BAD, W, W, false },
        { "<html>", E_UPSTREAM_BAD, W, W, false },
        { "{\"requestId\":\"1123456789abcdef0123456789abcdef\",\"providerMunicipalityCode\":\"271403\",\"persons\":[" P(A, DOSE) "]}", E_UPSTREAM_BAD, W, W, false },
        { "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"providerMunicipalityCode\":\"331007\",\"persons\":[" P(A, DOSE) "]}", E_UPSTREAM_BAD, W, W, false },
        { HEAD P(A, DOSE) "],\"more\":1}", E_UPSTREAM_BAD, W, W, false },
        { HEAD P(A, DOSE) "," "{\"myNumber\":\"" B "\",\"myNumber\":\"" B "\",\"immunizations\":[]}" TAIL, E_UPSTREAM_BAD, W, W, false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        bool strange = true;
        print_message("%zu\n", i);
        assert_int_equal(nz_vrs_judge(&b->ask, b->pool, slice_str(CASES[i].body), &strange).code, CASES[i].code);
        assert_int_equal(b->person[0].outcome, CASES[i].a);
        assert_int_equal(b->person[1].outcome, CASES[i].b);
        assert_int_equal(strange, CASES[i].strange);
        for (int k = 0; k < N; k++)
            assert_int_equal(b->person[k].json.n > 0, b->person[k].outcome == NZ_VRS_FOUND);
    }
}

static void test_what_is_kept_is_what_came(void **state)
{
    struct bench *b = *state;
    bool strange;
    assert_int_equal(nz_vrs_judge(&b->ask, b->pool, slice_str(HEAD P(A, DOSE "," DOSE) TAIL), &strange).code, E_OK);
    assert_int_equal(b->person[0].records, 2);
    assert_true(slice_eq(buf_slice(&b->person[0].json), LIT("[" DOSE "," DOSE "]")));
}

static void test_a_number_that_is_asked_for_twice_has_one_answer(void **state)
{
    struct bench *b = *state;
    bool strange;
    b->person[1].number = b->number[0];
    struct buf once;
    size_t numbers = 0;
    buf_init(&once, 1024);
    assert_int_equal(nz_vrs_write(&b->ask, &once).code, E_OK);
    for (size_t i = 0; i + 8 <= once.n; i++)
        numbers += memcmp(once.p + i, "myNumber", 8) == 0;
    buf_done(&once);
    assert_int_equal(numbers, b->ask.n - 1);
    assert_int_equal(nz_vrs_judge(&b->ask, b->pool, slice_str(HEAD P(A, DOSE) TAIL), &strange).code, E_OK);
    assert_false(strange);
    assert_int_equal(b->person[0].outcome, NZ_VRS_FOUND);
    assert_int_equal(b->person[1].outcome, NZ_VRS_FOUND);
    assert_true(slice_eq(buf_slice(&b->person[0].json), buf_slice(&b->person[1].json)));
    b->person[1].number = b->number[1];
}

static void test_lists_of_municipalities(void **state)
{
    (void)state;
    static const struct { const char *body; enum err_code code; size_t n; } CASES[] = {
        { "{\"municipalities\":[\"331007\",\"271403\"]}", E_OK, 2 }, { "{\"municipalities\":[]}", E_OK, 0 },
        { "{\"municipalities\":[\"331007\",\"271403\",\"331007\"]}", E_UPSTREAM_BAD, 0 } /* twice */,
        { "{\"municipalities\":[\"331008\"]}", E_UPSTREAM_BAD, 0 },  { "{\"municipalities\":[331007]}", E_UPSTREAM_BAD, 0 },
        { "{\"municipalities\":[\"331007\",\"271403\",\"131016\",\"011002\"]}", E_UPSTREAM_BAD, 0 }, { "[]", E_UPSTREAM_BAD, 0 },
        { "{\"municipalities\":[],\"more\":1}", E_UPSTREAM_BAD, 0 }, { "", E_UPSTREAM_BAD, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char munis[3][6];
        size_t n = 0;
        assert_int_equal(nz_vrs_judge_munis(slice_str(CASES[i].body), munis, 3, &n).code, CASES[i].code);
        assert_int_equal(n, CASES[i].n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_question_is_what_was_agreed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_kept_is_what_came, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_number_that_is_asked_for_twice_has_one_answer, setup, teardown),
        cmocka_unit_test(test_lists_of_municipalities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
