#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "keys/inquiry/entry.h"
#include "keys/inquiry/work.h"

enum { MAX_ROWS = 10 };

struct bench { struct arena *a; struct nz_pool *pool; };

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    json_in_setup();
    b->a = arena_new(1 << 20);
    assert_int_equal(nz_pool_new(&b->pool, 64).code, E_OK);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    arena_free(b->a);
    nz_pool_free(b->pool); /* all numbers are back, a bug otherwise */
    free(b);
    return 0;
}

static void test_persons_and_their_faults(void **state)
{
    struct bench *b = *state;
    static const char BODY[] =
        "[{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"271403\",\"legalBasis\":\"90\",\"consentConfirmed\":true,\"municipalityIdentityKey\":\"K-1\"},"
        "{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"all\",\"legalBasis\":\"7\",\"consentConfirmed\":false},"
        "{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"331007\",\"legalBasis\":\"90\",\"consentConfirmed\":false},"
        "{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"271404\",\"legalBasis\":\"90\",\"consentConfirmed\":false},"
        "{\"myNumber\":\"12345678901\",\"previousMunicipalityCode\":\"271403\",\"legalBasis\":\"90\",\"consentConfirmed\":false},"
        "{\"myNumber\":123456789018,\"previousMunicipalityCode\":\"271403\",\"legalBasis\":\"90\",\"consentConfirmed\":false},"
        "{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"271403\",\"legalBasis\":90,\"consentConfirmed\":false},"
        "{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"271403\",\"legalBasis\":\"90\"},"
        "7,"
        "{\"myNumber\":\"123456789018\",\"previousMunicipalityCode\":\"271403\",\"legalBasis\":\"90\",\"consentConfirmed\":false,\"municipalityIdentityKey\":\"123456789018\"}]";
    static const struct check_levels LEVELS;
    struct nz_inq_person *p;
    size_t n;
    assert_int_equal(nz_inq_parse(slice_str(BODY), b->a, b->pool, MAX_ROWS, "331007", &LEVELS, &p, &n).code, E_OK);
    assert_int_equal(n, MAX_ROWS);
    assert_true(!p[0].refused && !p[0].everywhere && p[0].basis == 90 && p[0].consented && slice_eq(p[0].key, LIT("K-1")) && slice_eq(ARR(p[0].peer), LIT("271403")));
    assert_true(!p[1].refused && p[1].everywhere && p[1].basis == 7 && !p[1].consented);
    for (size_t i = 2; i < 9; i++)
        assert_true(p[i].refused && !p[i].number && p[i].errors.n > 2);
    assert_true(!p[9].refused && p[9].key.n == 0); /* a key that is a number is not told */
    nz_inq_persons_free(p, n);
    nz_inq_persons_free(p, n);
}

static void test_bodies_that_are_none(void **state)
{
    struct bench *b = *state;
    static const struct check_levels LEVELS;
    static const struct { const char *body; enum err_code code; } CASES[] = {
        { "[]", E_JSON_SHAPE }, { "{}", E_JSON_SHAPE }, { "", E_BAD_JSON }, { "[1,2,3,4,5,6,7,8,9,10,11]", E_TOO_MANY_ROWS }, { "[\"\xff\"]", E_BAD_UTF8 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_inq_person *p;
        size_t n;
        assert_int_equal(nz_inq_parse(slice_str(CASES[i].body), b->a, b->pool, MAX_ROWS, "331007", &LEVELS, &p, &n).code, CASES[i].code);
        nz_inq_persons_free(p, n);
    }
}

static void test_a_person_comes_back_as_it_was_kept(void **state)
{
    struct bench *b = *state;
    struct nz_mynum *number, *same;
    struct nz_inq_person back = { .row = 0 };
    struct buf out;
    assert_int_equal(nz_mynum_new(&number, b->pool, LIT("123456789018")).code, E_OK);
    assert_int_equal(nz_mynum_new(&same, b->pool, LIT("123456789018")).code, E_OK);
    const struct nz_inq_person one = { .row = 7, .number = number, .peer = "271403", .basis = 90, .key = LIT("K-1") };
    const struct nz_inq_person bad = { .row = 8, .refused = true, .errors = LIT("[1]") };
    buf_init(&out, 2 * NZ_INQ_PERSON_MAX);
    assert_int_equal(nz_inq_person_encode(&one, &out).code, E_OK);
    assert_int_equal(nz_inq_person_encode(&bad, &out).code, E_OK);
    struct slice in = buf_slice(&out);
    assert_int_equal(nz_inq_person_decode(&in, b->pool, &back).code, E_OK);
    assert_true(back.row == 7 && back.basis == 90 && slice_eq(back.key, LIT("K-1")) && !back.errors.n && nz_mynum_equal(back.number, same));
    nz_mynum_free(back.number);
    assert_int_equal(nz_inq_person_decode(&in, b->pool, &back).code, E_OK);
    assert_true(back.row == 8 && back.refused && !back.number && slice_eq(back.errors, LIT("[1]")));
    assert_int_equal(nz_inq_person_decode(&in, b->pool, &back).code, E_NOTHING);
    for (size_t cut = 1; cut < 2 + 27 + 3; cut++) {
        struct slice torn = slice_of(out.p, cut);
        assert_int_equal(nz_inq_person_decode(&torn, b->pool, &back).code, E_SEAL);
    }
    nz_mynum_free(number);
    nz_mynum_free(same);
    buf_done(&out);
}

static void test_a_result_comes_back_and_is_told(void **state)
{
    (void)state;
    const struct nz_inq_result one = { .kind = NZ_INQ_ANSWER, .row = 3, .peer = "271403", .outcome = NZ_INQ_FOUND, .at_ms = 1, .key = LIT("K"), .json = LIT("[{}]") };
    const struct nz_inq_result two = { .kind = NZ_INQ_ANSWER, .row = 4, .peer = "271403", .outcome = NZ_INQ_FAILED, .reason = NZ_INQ_BECAUSE_AWAY };
    struct nz_inq_result back;
    struct buf out, json;
    struct jsonw w;
    buf_init(&out, 4096), buf_init(&json, 4096);
    nz_inq_result_encode(&one, &out);
    nz_inq_result_encode(&two, &out);
    struct slice in = buf_slice(&out);
    jsonw_init(&w, &json);
    jsonw_array(&w, NULL);
    assert_int_equal(nz_inq_result_decode(&in, &back).code, E_OK);
    nz_inq_result_json(&back, &w);
    assert_int_equal(nz_inq_result_decode(&in, &back).code, E_OK);
    nz_inq_result_json(&back, &w);
    jsonw_end_array(&w);
    assert_int_equal(nz_inq_result_decode(&in, &back).code, E_NOTHING);
    buf_putc(&json, 0);
    assert_non_null(strstr((char *)json.p, "\"resident_key\":\"K\",\"municipalityCode\":\"271403\",\"result\":\"found\""));
    assert_non_null(strstr((char *)json.p, "\"immunizations\":[{}]"));
    assert_non_null(strstr((char *)json.p, "\"result\":\"failed\",\"code\":\"municipality_not_answering\""));
    out.p[2] = 9; /* no such kind */
    in = buf_slice(&out);
    assert_int_equal(nz_inq_result_decode(&in, &back).code, E_SEAL);
    buf_done(&out), buf_done(&json);
}

static void test_a_question_of_another_municipality(void **state)
{
    struct bench *b = *state;
    static const char HEAD[] = "{\"requestId\":\"0123456789abcdef0123456789abcdef\",\"inquirerMunicipalityCode\":\"331007\",\"providerMunicipalityCode\":\"271403\",\"legalBasis\":\"90\",\"persons\":";
    static const struct { const char *tail; enum err_code code; size_t n; } CASES[] = {
        { "[{\"myNumber\":\"123456789018\"},{\"myNumber\":\"123456789018\"}]}", E_OK, 1 /* answered once */ }, { "[]}", E_FIELD, 0 }, { "[{}]}", E_FIELD, 0 },
        { "[{\"myNumber\":\"12345678901x\"}]}", E_FIELD, 0 }, { "[{\"myNumber\":\"123456789018\"},7]}", E_FIELD, 0 }, { "7}", E_FIELD, 0 },
        { "[{\"myNumber\":\"123456789018\"}],\"more\":1}", E_FIELD, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_provide_ask ask;
        struct field_report report;
        char body[1024];
        snprintf(body, sizeof body, "%s%s", HEAD, CASES[i].tail);
        assert_int_equal(nz_provide_parse(slice_str(body), b->a, b->pool, &ask, &report).code, CASES[i].code);
        if (CASES[i].code == E_OK)
            assert_int_equal(ask.n, CASES[i].n);
        else
            assert_true(report.n_faults > 0);
        nz_provide_free(&ask);
    }
}

static void test_a_municipality_that_fails_is_left_alone_for_a_while(void **state)
{
    (void)state;
    struct nz_inq_peer p = { .out = 1 };
    assert_true(nz_inq_peer_may(&p, 2, 0));
    p.out = 2;
    assert_false(nz_inq_peer_may(&p, 2, 0));
    p.out = 0;
    for (int i = 0; i < NZ_INQ_OPEN_AFTER - 1; i++)
        nz_inq_peer_failed(&p, 1000, 0);
    assert_true(nz_inq_peer_may(&p, 2, 1000));
    nz_inq_peer_failed(&p, 1000, 0);
    assert_false(nz_inq_peer_may(&p, 2, 1000 + NZ_INQ_OPEN_MIN_MS / 2 - 1));
    assert_true(nz_inq_peer_may(&p, 2, 1000 + NZ_INQ_OPEN_MIN_MS));
    p.out = 1; /* one that tries */
    assert_false(nz_inq_peer_may(&p, 2, 1000 + NZ_INQ_OPEN_MIN_MS));
    nz_inq_peer_answered(&p);
    assert_true(nz_inq_peer_may(&p, 2, 1001));
    for (int i = 0; i < 100; i++)
        nz_inq_peer_failed(&p, 0, UINT64_MAX);
    assert_true(p.open_until <= NZ_INQ_OPEN_MAX_MS);
    for (unsigned tries = 0; tries < 100; tries++)
        assert_in_range(nz_inq_retry_ms(tries, UINT64_MAX - tries), NZ_INQ_RETRY_MIN_MS / 2, NZ_INQ_RETRY_MAX_MS);
}

static void test_the_table_of_municipalities_never_overflows(void **state)
{
    (void)state;
    struct nz_inq_peers *ps = calloc(1, sizeof *ps);
    char code[16];
    for (unsigned i = 0; i < 2 * NZ_INQ_PEERS_MAX; i++) {
        snprintf(code, sizeof code, "%06u", i);
        struct nz_inq_peer *p = nz_inq_peer_of(ps, code, i);
        assert_memory_equal(p->code, code, 6);
        assert_ptr_equal(nz_inq_peer_of(ps, code, i), p);
    }
    free(ps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_persons_and_their_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_person_comes_back_as_it_was_kept, setup, teardown),
        cmocka_unit_test(test_a_result_comes_back_and_is_told),
        cmocka_unit_test_setup_teardown(test_a_question_of_another_municipality, setup, teardown),
        cmocka_unit_test(test_a_municipality_that_fails_is_left_alone_for_a_while),
        cmocka_unit_test(test_the_table_of_municipalities_never_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
