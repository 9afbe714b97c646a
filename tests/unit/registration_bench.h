#ifndef TESTS_UNIT_REGISTRATION_BENCH_H
#define TESTS_UNIT_REGISTRATION_BENCH_H

/* Between registration_test and registration_rules_test: an arena, a pool, and a good row to change. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "keys/registration/registration.h"

enum { ROWS_MAX = 50 };

static const struct check_levels WARN = { { [CK_MYNUMBER] = CHECK_WARN, [CK_PAYER] = CHECK_WARN } };

struct bench {
    struct arena *arena;
    struct nz_pool *pool;
    struct nz_rows *rows;
};

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->arena = arena_new(4 << 20);
    assert_true(err_ok(nz_pool_new(&b->pool, ROWS_MAX + 1)));
    *state = b;
    return 0;
}

static inline int teardown(void **state)
{
    struct bench *b = *state;
    arena_free(b->arena);
    assert_int_equal(nz_pool_used(b->pool), 0); /* every number came back with the arena */
    nz_pool_free(b->pool);
    free(b);
    return 0;
}

static inline enum err_code parse_with(struct bench *b, enum nz_form form, struct slice body, const struct check_levels *levels)
{
    arena_reset(b->arena);
    b->rows = NULL;
    return nz_registration_parse(&b->rows, b->arena, b->pool, form, body, ROWS_MAX, "331007", levels).code;
}

static inline enum err_code parse(struct bench *b, enum nz_form form, const char *body) { return parse_with(b, form, slice_str(body), &WARN); }

static inline json_t *good_row(void)
{
    json_error_t why;
    json_t *v = json_loads("{\"orgSpecificCertificateTypeId\":\"CH-01\",\"myNumber\":\"123456789018\",\"basicFiveInfo\":{\"name\":\"岡山太郎\","
                           "\"nameKana\":\"オカヤマタロウ\",\"address\":\"岡山県岡山市北区大供一丁目1番1号\",\"dateOfBirth\":\"2015-05-05\",\"sex\":\"1\"},"
                           "\"isNotDisclosed\":false,\"medicalSubsidyInsurerNumber\":\"33120015\",\"certificationName\":\"子ども医療費受給資格者証\","
                           "\"medicalSubsidyRecipientNumber\":\"1234567\",\"certificationSubKey\":\"s1\",\"segment\":\"A\",\"incomeSegment\":\"B\","
                           "\"additionalConditions\":\"01-02;03-04\",\"designatedMedicalInstitutions\":\"0110113719\",\"isAlwaysReimbursement\":\"0\","
                           "\"maxCopaymentAmount\":{\"rate\":0.1,\"amount\":500},\"validFrom\":\"2024-04-01\",\"validTo\":\"2025-03-31\","
                           "\"historyKey\":\"h1\",\"isDeleted\":false,\"certificationDetail\":[{\"label\":\"備考\",\"value\":\"なし\"}],"
                           "\"municipalityIdentityKey\":\"R-1\"}", 0, &why);
    assert_non_null(v);
    return v;
}

static inline void parse_rows(struct bench *b, json_t **rows, size_t n)
{
    json_t *array = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(array, rows[i]);
    char *text = json_dumps(array, 0);
    assert_int_equal(parse(b, NZ_FORM_HISTORY, text), E_OK);
    free(text);
    json_decref(array);
    assert_int_equal(b->rows->n, n);
}

#endif
