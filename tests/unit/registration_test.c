#include "tests/unit/registration_bench.h"

/* = docs/interfaces.md: the published sample */
#define SAMPLE                                                                                                   \
    "{\"orgSpecificCertificateTypeId\":\"XXXXX\",\"myNumber\":\"210987654321\",\"basicFiveInfo\":{\"name\":\"愛知花子\"," \
    "\"nameKana\":\"アイチハナコ\",\"address\":\"愛知県B市B町1-1-1 Bマンション101号室\",\"dateOfBirth\":\"2013-01-01\",\"sex\":\"2\"}," \
    "\"isNotDisclosed\":false,\"medicalSubsidyInsurerNumber\":\"87654321\",\"certificationName\":\"自立支援医療受給者証(育成医療)\"," \
    "\"medicalSubsidyRecipientNumber\":\"0000002\"}"

static const struct check_levels REJECT = { { [CK_MYNUMBER] = CHECK_REJECT, [CK_PAYER] = CHECK_REJECT } };

static bool has(struct slice text, const char *part) { return memmem(text.p, text.n, part, strlen(part)) != NULL; }

static void test_published_sample(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse(b, NZ_FORM_SUBJECT, "[" SAMPLE "]"), E_OK);
    const struct nz_row *r = &b->rows->row[0];
    assert_int_equal(b->rows->n, 1);
    assert_int_equal(r->verdict, NZ_ROW_OK);
    assert_int_equal(r->row, 1);
    assert_int_equal(r->report.n_faults, 0);
    assert_int_equal(r->report.n_warnings, 2);
    assert_non_null(r->number);
    assert_true(slice_eq(r->type_id, LIT("XXXXX")));
    assert_int_equal(r->history_key.n, 0);
    assert_false(r->has_resident_key);
    assert_true(slice_eq(r->record.eligibility,
                         LIT("{\"municipalityCode\":\"331007\",\"certificationName\":\"自立支援医療受給者証(育成医療)\","
                             "\"medicalSubsidyInsurerNumber\":\"87654321\",\"medicalSubsidyRecipientNumber\":\"0000002\"}")));
    assert_true(slice_eq(r->record.basic, LIT("{\"name\":\"愛知花子\",\"nameKana\":\"アイチハナコ\",\"address\":\"愛知県B市B町1-1-1 "
                                              "Bマンション101号室\",\"dateOfBirth\":\"2013-01-01\",\"sex\":\"2\"}")));
    assert_false(r->record.not_disclosed || r->record.deleted);
    assert_int_equal(r->record.from + r->record.to, 0);
}

static void test_published_sample_rejected_by_level(void **state)
{
    struct bench *b = *state;
    assert_int_equal(parse_with(b, NZ_FORM_SUBJECT, LIT("[" SAMPLE "]"), &REJECT), E_OK);
    assert_int_equal(b->rows->row[0].verdict, NZ_ROW_FIELD);
    assert_int_equal(b->rows->row[0].report.n_faults, 2);
    assert_null(b->rows->row[0].number);
    assert_int_equal(parse_with(b, NZ_FORM_SUBJECT, LIT("[" SAMPLE "]"), NULL), E_OK);
    assert_int_equal(b->rows->row[0].report.n_warnings, 0);
    /* the history form asks for more */
    assert_int_equal(parse(b, NZ_FORM_HISTORY, "[" SAMPLE "]"), E_OK);
    assert_int_equal(b->rows->row[0].verdict, NZ_ROW_FIELD);
    assert_int_equal(b->rows->row[0].report.n_faults, 6);
}

/* ---- rows made from a good one, with one member replaced, dropped or added ---- */

/* path: "name" or "basicFiveInfo.name"; value NULL drops the member. */
static void put(json_t *row, const char *path, const char *value)
{
    const char *dot = strchr(path, '.');
    json_t *obj = dot ? json_object_get(row, "basicFiveInfo") : row;
    const char *name = dot ? dot + 1 : path;
    if (!value) {
        assert_int_equal(json_object_del(obj, name), 0);
        return;
    }
    json_t *v = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    assert_int_equal(json_object_set_new(obj, name, v), 0);
}

static const struct nz_row *parse_one(struct bench *b, const char *path, const char *value)
{
    json_t *row = good_row();
    put(row, path, value);
    parse_rows(b, &row, 1);
    return &b->rows->row[0];
}

struct member_case {
    const char *path, *value, *field;
    enum field_rule rule;
};

static void run_case(struct bench *b, const struct member_case *c)
{
    const struct nz_row *r = parse_one(b, c->path, c->value);
    if (c->rule == FR_NONE) {
        if (r->verdict != NZ_ROW_OK || r->report.n_warnings)
            fail_msg("%s = %s: %s of %s", c->path, c->value, field_rule_slug(r->report.faults[0].rule), r->report.faults[0].field);
        return;
    }
    if (r->verdict != NZ_ROW_FIELD || r->report.faults[0].rule != c->rule || strcmp(r->report.faults[0].field, c->field) != 0)
        fail_msg("%s = %s: %s", c->path, c->value, r->report.n_faults ? field_rule_slug(r->report.faults[0].rule) : "no fault");
    assert_null(r->number);
}

static void test_required(void **state)
{
    static const char *const REQUIRED[] = { "orgSpecificCertificateTypeId", "myNumber", "basicFiveInfo", "isNotDisclosed", "isAlwaysReimbursement",
                                            "validFrom", "validTo", "historyKey", "isDeleted", "certificationDetail" };
    static const char *const INNER[] = { "name", "nameKana", "address", "dateOfBirth", "sex" };
    static const char *const OPTIONAL[] = { "medicalSubsidyInsurerNumber", "certificationName", "medicalSubsidyRecipientNumber", "certificationSubKey",
                                            "segment", "incomeSegment", "additionalConditions", "designatedMedicalInstitutions",
                                            "maxCopaymentAmount", "municipalityIdentityKey" };
    for (size_t i = 0; i < sizeof REQUIRED / sizeof REQUIRED[0]; i++)
        run_case(*state, &(struct member_case){ REQUIRED[i], NULL, REQUIRED[i], FR_MISSING });
    for (size_t i = 0; i < sizeof OPTIONAL / sizeof OPTIONAL[0]; i++)
        run_case(*state, &(struct member_case){ OPTIONAL[i], NULL, NULL, FR_NONE });
    for (size_t i = 0; i < sizeof INNER / sizeof INNER[0]; i++) {
        char path[64];
        snprintf(path, sizeof path, "basicFiveInfo.%s", INNER[i]);
        run_case(*state, &(struct member_case){ path, NULL, INNER[i], FR_MISSING });
    }
}

static void test_wrong_type(void **state)
{
    static const char *const TEXTS[] = { "orgSpecificCertificateTypeId", "myNumber", "medicalSubsidyInsurerNumber", "certificationName",
                                         "medicalSubsidyRecipientNumber", "certificationSubKey", "segment", "incomeSegment", "additionalConditions",
                                         "designatedMedicalInstitutions", "isAlwaysReimbursement", "validFrom", "validTo", "historyKey",
                                         "municipalityIdentityKey", "isNotDisclosed", "isDeleted", "basicFiveInfo", "certificationDetail", "maxCopaymentAmount" };
    static const char *const VALUES[] = { "210987654321", "null" };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        for (size_t k = 0; k < 2; k++)
            run_case(*state, &(struct member_case){ TEXTS[i], VALUES[k], TEXTS[i], FR_TYPE });
}

static void test_too_long(void **state)
{
    static const struct {
        const char *path;
        size_t max;
    } LIMITS[] = {
        { "orgSpecificCertificateTypeId", 50 }, { "certificationName", 100 }, { "medicalSubsidyRecipientNumber", 30 },
        { "municipalityIdentityKey", 100 }, { "historyKey", 100 }, { "segment", 100 }, { "incomeSegment", 100 }, { "certificationSubKey", 100 },
        { "designatedMedicalInstitutions", 2000 }, { "basicFiveInfo.name", 100 }, { "basicFiveInfo.nameKana", 100 }, { "basicFiveInfo.address", 300 },
    };
    static char value[2100];
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++)
        for (size_t extra = 0; extra < 2; extra++) {
            size_t n = LIMITS[i].max + extra;
            memset(value, 'x', n + 2);
            value[0] = value[n + 1] = '"';
            value[n + 2] = 0;
            const char *dot = strchr(LIMITS[i].path, '.');
            run_case(*state, &(struct member_case){ LIMITS[i].path, value, dot ? dot + 1 : LIMITS[i].path, extra ? FR_LENGTH : FR_NONE });
        }
}

static void test_members(void **state)
{
    static const struct member_case CASES[] = {
        { "myNumber", "\"1234567890189\"", "myNumber", FR_LENGTH },
        { "myNumber", "\"12345678901\"", "myNumber", FR_LENGTH },
        { "myNumber", "\"\"", "myNumber", FR_LENGTH },
        { "myNumber", "\"１２３４５６７８９０１８\"", "myNumber", FR_CLASS },
        { "myNumber", "\"1234-5678-90\"", "myNumber", FR_CLASS },
        { "myNumber", "\"12345678901 \"", "myNumber", FR_CLASS },
        { "orgSpecificCertificateTypeId", "\"\"", "orgSpecificCertificateTypeId", FR_LENGTH },
        { "orgSpecificCertificateTypeId", "\"証\"", "orgSpecificCertificateTypeId", FR_CLASS },
        { "medicalSubsidyInsurerNumber", "\"8765432\"", "medicalSubsidyInsurerNumber", FR_LENGTH },
        { "medicalSubsidyInsurerNumber", "\"３３１２００１５\"", "medicalSubsidyInsurerNumber", FR_CLASS },
        { "certificationName", "\"a\\u0001b\"", "certificationName", FR_CLASS },
        { "isNotDisclosed", "\"1\"", "isNotDisclosed", FR_TYPE },
        { "isNotDisclosed", "true", NULL, FR_NONE },
        { "isAlwaysReimbursement", "true", "isAlwaysReimbursement", FR_TYPE },
        { "isAlwaysReimbursement", "\"2\"", "isAlwaysReimbursement", FR_CODE },
        { "isAlwaysReimbursement", "\"1\"", NULL, FR_NONE },
        { "validFrom", "\"2024-02-30\"", "validFrom", FR_DATE },
        { "validFrom", "\"2025-04-01\"", "validTo", FR_RANGE },
        { "validFrom", "\"2025-03-31\"", NULL, FR_NONE },
        { "additionalConditions", "\"01\"", "additionalConditions", FR_CODE },
        { "additionalConditions", "\"\"", NULL, FR_NONE },
        { "additionalConditions", "\"01-02;\"", "additionalConditions", FR_CODE },
        { "additionalConditions", "\"-02\"", "additionalConditions", FR_CODE },
        { "additionalConditions", "\"01-\"", "additionalConditions", FR_CODE },
        { "additionalConditions", "\"01-02\"", NULL, FR_NONE },
        { "basicFiveInfo.sex", "\"12\"", "sex", FR_LENGTH },
        { "basicFiveInfo.sex", "\"F\"", "sex", FR_CLASS },
        { "basicFiveInfo.name", "\"\"", "name", FR_LENGTH },
        { "basicFiveInfo.name", "\"a\\nb\"", "name", FR_CLASS },
        { "basicFiveInfo.dateOfBirth", "\"平成25年1月1日\"", "dateOfBirth", FR_DATE },
        { "basicFiveInfo.phone", "\"1\"", "", FR_UNKNOWN },
        { "mynumber", "\"123456789018\"", "", FR_UNKNOWN },
        { "certificationDetail", "[]", NULL, FR_NONE },
        { "certificationDetail", "[1]", "certificationDetail", FR_TYPE },
        { "certificationDetail", "[{\"a\":null}]", "certificationDetail", FR_TYPE },
        { "certificationDetail", "[{\"a\":\"x\\ny\"}]", "certificationDetail", FR_CLASS },
        { "certificationDetail", "[{\"a\\u0007\":1}]", "certificationDetail", FR_CLASS },
        { "certificationDetail", "[{\"a\":[{\"b\":[1]}]}]", NULL, FR_NONE },
        { "certificationDetail", "[{\"a\":[{\"b\":[[1]]}]}]", "certificationDetail", FR_LENGTH },
        { "maxCopaymentAmount", "{\"rate\":0.1,\"amount\":500,\"free\":true}", NULL, FR_NONE },
        { "maxCopaymentAmount", "[]", "maxCopaymentAmount", FR_TYPE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        run_case(*state, &CASES[i]);
}

/* 123456789018 is the row's own number; 983205673214 is a good number of somebody else; 983205673215 is none. */
static void test_number_inside(void **state)
{
    static const struct member_case CASES[] = {
        { "basicFiveInfo.name", "\"123456789018\"", "name", FR_NUMBER_INSIDE },
        { "basicFiveInfo.nameKana", "\"１２３４５６７８９０１８\"", "nameKana", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"岡山市1234-5678-9018号\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"岡山市1234 5678 9018\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"岡山市１２３４－５６７８－９０１８\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"岡山市1234ー5678−9018\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"1-2-3-4-5-6-7-8-9-0-1-8\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"00123456789018\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"12345678901899\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"一二三四五六七八九〇一八\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"x983205673214\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"9832-0567-3214\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"９８３２ ０５６７ ３２１４番\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"983205673215\"", NULL, FR_NONE },
        { "basicFiveInfo.address", "\"9832056732140\"", NULL, FR_NONE },
        { "basicFiveInfo.address", "\"98320567321\"", NULL, FR_NONE },
        { "basicFiveInfo.address", "\"1234--5678--9018\"", "address", FR_NUMBER_INSIDE },
        { "basicFiveInfo.address", "\"1234の5678の9018\"", NULL, FR_NONE },
        { "basicFiveInfo.address", "\"9832--0567--3214\"", NULL, FR_NONE },
        { "basicFiveInfo.address", "\"大供1-1-1 メゾン101 電話086-803-1000\"", NULL, FR_NONE },
        { "certificationName", "\"証123456789018\"", "certificationName", FR_NUMBER_INSIDE },
        { "segment", "\"983205673214\"", "segment", FR_NUMBER_INSIDE },
        { "incomeSegment", "\"983205673214\"", "incomeSegment", FR_NUMBER_INSIDE },
        { "additionalConditions", "\"1-983205673214\"", "additionalConditions", FR_NUMBER_INSIDE },
        { "designatedMedicalInstitutions", "\"983205673214\"", "designatedMedicalInstitutions", FR_NUMBER_INSIDE },
        { "orgSpecificCertificateTypeId", "\"123456789018\"", "orgSpecificCertificateTypeId", FR_NUMBER_INSIDE },
        { "orgSpecificCertificateTypeId", "\"983205673214\"", NULL, FR_NONE },
        { "medicalSubsidyRecipientNumber", "\"123456789018\"", "medicalSubsidyRecipientNumber", FR_NUMBER_INSIDE },
        { "certificationSubKey", "\"123456789018\"", "certificationSubKey", FR_NUMBER_INSIDE },
        { "historyKey", "\"123456789018\"", "historyKey", FR_NUMBER_INSIDE },
        { "historyKey", "\"983205673214\"", NULL, FR_NONE },
        { "municipalityIdentityKey", "\"331007-123456789018\"", "municipalityIdentityKey", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"value\":\"123456789018\"}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"value\":123456789018}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"value\":1.23456789018e11}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"983205673214\":1}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"123456\":\"789018\"}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"a\":\"1234\\u200B56789018\"}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "certificationDetail", "[{\"a\":[{\"b\":\"9832 0567 3214\"}]}]", "certificationDetail", FR_NUMBER_INSIDE },
        { "maxCopaymentAmount", "{\"a\":-983205673214}", "maxCopaymentAmount", FR_NUMBER_INSIDE },
        { "maxCopaymentAmount", "{\"a\":983205673215}", NULL, FR_NONE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        run_case(*state, &CASES[i]);
}

/* 4-byte characters, variation sequences and private-use characters come out as they went in. */
static void test_names_byte_exact(void **state)
{
    static const char *const NAMES[] = { "𠮷野家", "辻󠄀", "葛󠄁城", "\xEE\x80\x80外字", "が が", "㈱①髙﨑", "O'Neill \\\\ \\\"x\\\" </script>", "é é" };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char quoted[128], want[160];
        snprintf(quoted, sizeof quoted, "\"%s\"", NAMES[i]);
        snprintf(want, sizeof want, "{\"name\":\"%s\",", NAMES[i]);
        const struct nz_row *r = parse_one(*state, "basicFiveInfo.name", quoted);
        assert_int_equal(r->verdict, NZ_ROW_OK);
        assert_true(has(r->record.basic, want));
    }
}

static void test_record(void **state)
{
    const struct nz_row *r = parse_one(*state, "isDeleted", "true");
    assert_int_equal(r->verdict, NZ_ROW_OK);
    assert_true(r->record.deleted && !r->record.not_disclosed);
    assert_int_equal(r->record.from, 20240401);
    assert_int_equal(r->record.to, 20250331);
    assert_true(slice_eq(r->history_key, LIT("h1")) && slice_eq(r->resident_key, LIT("R-1")) && r->has_resident_key);
    assert_true(slice_eq(r->record.eligibility,
                         LIT("{\"municipalityCode\":\"331007\",\"certificationName\":\"子ども医療費受給資格者証\",\"medicalSubsidyInsurerNumber\":\"33120015\","
                             "\"medicalSubsidyRecipientNumber\":\"1234567\",\"segment\":\"A\",\"incomeSegment\":\"B\",\"additionalConditions\":\"01-02;03-04\","
                             "\"designatedMedicalInstitutions\":\"0110113719\",\"isAlwaysReimbursement\":\"0\",\"maxCopaymentAmount\":{\"rate\":0.1,\"amount\":500},"
                             "\"validFrom\":\"2024-04-01\",\"validTo\":\"2025-03-31\",\"certificationSubKey\":\"s1\","
                             "\"certificationDetail\":[{\"label\":\"備考\",\"value\":\"なし\"}]}")));
    assert_false(has(r->record.basic, "123456789018"));
}

static void test_body_errors(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *body;
        enum err_code want;
    } CASES[] = {
        { "", E_BAD_JSON }, { "[]", E_JSON_SHAPE }, { "{}", E_JSON_SHAPE }, { "[" SAMPLE, E_BAD_JSON }, { "[\"\xFF\"]", E_BAD_UTF8 },
        { "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", E_JSON_DEPTH }, { "[{\"a\":1,\"a\":1}]", E_JSON_DUPLICATE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(parse(b, NZ_FORM_SUBJECT, CASES[i].body), CASES[i].want);
        assert_null(b->rows);
    }
    assert_int_equal(parse(b, NZ_FORM_SUBJECT, "[1,[],null]"), E_OK);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(b->rows->row[i].verdict, NZ_ROW_FIELD);
}

static void test_too_many_rows(void **state)
{
    struct bench *b = *state;
    json_t *array = json_array();
    for (int i = 0; i <= ROWS_MAX; i++)
        json_array_append_new(array, good_row());
    char *text = json_dumps(array, 0);
    assert_int_equal(parse(b, NZ_FORM_HISTORY, text), E_TOO_MANY_ROWS);
    free(text);
    json_array_remove(array, 0);
    text = json_dumps(array, 0);
    assert_int_equal(parse(b, NZ_FORM_HISTORY, text), E_OK); /* the pool has just one place more */
    assert_int_equal(nz_pool_used(b->pool), ROWS_MAX);
    nz_rows_free(b->rows);
    assert_int_equal(nz_pool_used(b->pool), 0);
    nz_rows_free(b->rows);
    nz_rows_free(NULL);
    free(text);
    json_decref(array);
}

/* A heap for jansson that can be searched. Blocks are never used twice, and wiped when they are given back. */
static struct { uint8_t mem[1 << 20]; size_t used; } heap;

static void *heap_malloc(size_t n)
{
    size_t *head = (size_t *)(void *)(heap.mem + heap.used);
    heap.used += (sizeof(size_t) * 2 + n + 15) / 16 * 16;
    assert_true(heap.used <= sizeof heap.mem);
    *head = n;
    return head + 2;
}

static void heap_free(void *p)
{
    if (p)
        explicit_bzero(p, ((size_t *)p)[-2]);
}

/* Once the rows are read, the number is in locked memory and nowhere else. */
static void test_number_leaves_the_json(void **state)
{
    struct bench *b = *state;
    json_set_alloc_funcs(heap_malloc, heap_free);
    enum err_code code = parse(b, NZ_FORM_SUBJECT, "[" SAMPLE "]");
    void *name = memmem(heap.mem, heap.used, "愛知花子", strlen("愛知花子"));
    void *number = memmem(heap.mem, heap.used, "210987654321", 12);
    arena_reset(b->arena);
    json_set_alloc_funcs(malloc, free);
    assert_int_equal(code, E_OK);
    assert_non_null(name); /* the search itself works */
    assert_null(number);
}

static void test_limits(void **state)
{
    struct bench *b = *state;
    struct nz_pool *small;
    struct nz_rows *rows = NULL;
    struct slice body = LIT("[" SAMPLE "," SAMPLE "]");
    assert_true(err_ok(nz_pool_new(&small, 1)));
    assert_int_equal(nz_registration_parse(&rows, b->arena, small, NZ_FORM_SUBJECT, body, ROWS_MAX, "331007", &WARN).code, E_FULL);
    assert_int_equal(nz_pool_used(small), 0);
    nz_pool_free(small);
    for (size_t cap = 1; cap < 20000; cap = cap * 3 / 2 + 1) {
        struct arena *a = arena_new(cap);
        struct err e = nz_registration_parse(&rows, a, b->pool, NZ_FORM_SUBJECT, body, ROWS_MAX, "331007", &WARN);
        assert_true(err_ok(e) || e.code == E_FULL || e.code == E_NOMEM);
        arena_free(a);
        assert_int_equal(nz_pool_used(b->pool), 0);
    }
}

static void test_slugs(void **state)
{
    (void)state;
    assert_string_equal(nz_row_slug(NZ_ROW_SAME_TWICE), "same_row_twice");
    assert_string_equal(nz_row_slug(NZ_PERSON_MISMATCH), "person_mismatch");
    assert_string_equal(nz_row_slug((enum nz_row_verdict)99), "field_invalid");
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_published_sample), T(test_published_sample_rejected_by_level), T(test_required), T(test_wrong_type), T(test_too_long),
        T(test_members), T(test_number_inside), T(test_names_byte_exact), T(test_record),
        T(test_body_errors), T(test_too_many_rows), T(test_limits), T(test_slugs),
        T(test_number_leaves_the_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
