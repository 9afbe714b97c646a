#include "tests/unit/registration_bench.h"

#include "gateway/base/json_write.h"
#include "keys/linkage/linkage.h"
#include "keys/registration/form.h"

enum { PAIRS = 20000, VALUES_MAX = 64 };

static const enum nz_form FORMS[] = { NZ_FORM_SUBJECT, NZ_FORM_HISTORY, NZ_FORM_CHECKUP, NZ_FORM_VACCINATION, NZ_FORM_TICKET };

/* ---- layouts ---- */

static void put_column(struct buf *b, const char *group, const char *field, enum field_class cls)
{
    buf_puts(b, "  - field: ");
    if (group) {
        buf_puts(b, group);
        buf_putc(b, '.');
    }
    buf_puts(b, field);
    buf_puts(b, "\n    headers: [");
    buf_puts(b, group ? group : "");
    buf_puts(b, field);
    buf_puts(b, cls == FC_BOOL ? "]\n    as: boolean\n" : "]\n");
}

static void put_columns(struct buf *b, const char *group, const struct field *f, size_t n)
{
    static const char *const INNER[] = { "label", "value", "flag", "amount" };
    for (size_t i = 0; i < n; i++) {
        if (f[i].cls == FC_OBJECT)
            put_columns(b, f[i].name, f[i].sub, f[i].n_sub);
        else if (f[i].cls == FC_ANY_OBJECT || f[i].cls == FC_ARRAY)
            for (size_t k = 0; k < sizeof INNER / sizeof INNER[0]; k++)
                put_column(b, f[i].name, INNER[k], k == 2 ? FC_BOOL : FC_TEXT);
        else
            put_column(b, group, f[i].name, f[i].cls);
    }
}

static struct nz_layout *layout_of_text(const char *yaml)
{
    struct nz_layout *l;
    struct buf bad;
    buf_init(&bad, 1000);
    if (!err_ok(nz_layout_parse(&l, "layout", slice_str(yaml), &bad)))
        fail_msg("%s", buf_cstr(&bad));
    buf_done(&bad);
    return l;
}

/* Every field of the form. */
static struct nz_layout *layout_of(enum nz_form form)
{
    const struct nz_form_table *t = nz_form_table(form);
    struct buf b;
    buf_init(&b, NZ_LAYOUT_FILE_MAX);
    buf_puts(&b, "columns:\n");
    put_columns(&b, NULL, t->fields, t->n_fields);
    struct nz_layout *l = layout_of_text(buf_cstr(&b));
    buf_done(&b);
    return l;
}

/* ---- rows ---- */

static uint32_t dice(uint32_t *state, uint32_t sides)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % sides;
}

/* Good values first, so that many rows have no fault. */
struct pool_of { const char *name; const char *good[3]; };
static const struct pool_of GOOD[] = {
    { "myNumber", { "123456789018", "983205673214", "210987654321" } }, { "dateOfBirth", { "2015-05-05", "1931-12-31", "2024-02-29" } },
    { "sex", { "1", "2", "9" } }, { "medicalSubsidyInsurerNumber", { "33120015", "87654321", "54016027" } },
    { "additionalConditions", { "01-02;03-04", "", "1-2" } }, { "isAlwaysReimbursement", { "0", "1", "0" } },
    { "validFrom", { "2024-04-01", "2025-04-01", "2024-04-02" } }, { "validTo", { "2025-03-31", "2026-03-31", "2025-04-01" } },
    { "modificationSeg", { "1", "2", "1" } }, { "fiscalYear", { "2025", "2026", "0000" } }, { "ticketNumber", { "0123456789", "9999999999", "1234567890" } },
    { "doseNumber", { "1", "02", "10" } }, { "checkupDate", { "2025-06-01", "2025-06-02", "2025-06-03" } },
    { "forcedExpiryDate", { "2025-06-01", "2025-06-02", "2025-06-03" } }, { "removalDate", { "2025-06-01", "2025-06-02", "2025-06-03" } },
    { "orgSpecificCertificateTypeId", { "CH-01", "a_b", "X" } }, { "checkupTypeId", { "CH-01", "a_b", "X" } },
    { "vaccinationProgramId", { "P1", "P2", "P-3" } }, { "vaccinationSubjectNumber", { "12345", "A-1", "x" } },
};
static const char *const PLAIN[] = { "岡山太郎", "オカヤマタロウ", "R-1", "a \"quoted\" \\ text", "𠮷野家辻󠄀" };
static const char *const ODD[] = { "", "a\nb", "\x01", "x\x7fy", "\xC2\x85", "\xC2\xA0", "123456789018", "１２３４-5678-9018", "983205673214", "12345678901",
                                   "2024-02-30", "true", "\"", "\\\"\\", "一二三四五六七八九〇一八", "\tx\b\f\r", "\037123456789018" };

static struct slice value_for(const char *field, uint32_t *seed, struct buf *room)
{
    uint32_t how = dice(seed, 60);
    if (how == 0) {
        size_t from = room->n, n = dice(seed, 3) == 0 ? 1001 : 97 + dice(seed, 8);
        for (size_t i = 0; i < n; i++)
            buf_puts(room, how ? "x" : "長");
        return slice_of(room->p + from, room->n - from);
    }
    if (how == 1)
        return slice_str(ODD[dice(seed, sizeof ODD / sizeof ODD[0])]);
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++)
        if (strcmp(GOOD[i].name, field) == 0)
            return slice_str(GOOD[i].good[dice(seed, 3)]);
    return slice_str(PLAIN[dice(seed, sizeof PLAIN / sizeof PLAIN[0])]);
}

struct made { struct nz_value values[VALUES_MAX]; size_t n; struct buf room; };

static void row_make(const struct nz_layout *l, uint32_t *seed, struct made *m)
{
    uint32_t sparse = 3 + dice(seed, 60);
    m->n = 0;
    buf_reset(&m->room);
    assert_non_null(buf_room(&m->room, 64 * 1024 * 4)); /* slices into it stay */
    for (size_t i = 0; i < nz_layout_count(l); i++) {
        const struct nz_column *c = nz_layout_column(l, i);
        struct nz_value *v = &m->values[m->n];
        if (dice(seed, sparse) == 0)
            continue;
        if (strcmp(c->field, "removalDate") == 0 && dice(seed, 2)) /* belongs to some rows only */
            continue;
        *v = (struct nz_value){ .column = i, .is_flag = c->as == NZ_AS_BOOLEAN && dice(seed, 80) };
        v->flag = v->is_flag && dice(seed, 2);
        if (!v->is_flag)
            v->text = value_for(c->field, seed, &m->room);
        if (v->is_flag || v->text.n || dice(seed, 4) == 0)
            m->n++;
    }
}

/* The object that a sender of JSON would write for the same row. A list has the one item, or none where one is needed. */
static void json_make(enum nz_form form, const struct nz_layout *l, const struct made *m, struct buf *out)
{
    struct buf text;
    struct nz_linkage_row row = { .values = m->values, .n = m->n };
    buf_init(&text, 1 << 20);
    nz_linkage_row_json(l, &row, &text);
    json_t *v = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(v);
    json_t *detail = json_object_get(v, "certificationDetail");
    if (detail)
        json_object_set_new(v, "certificationDetail", json_pack("[O]", detail));
    else if (form == NZ_FORM_HISTORY)
        json_object_set_new(v, "certificationDetail", json_array());
    char *all = json_dumps(v, 0);
    buf_puts(out, all);
    free(all);
    json_decref(v);
    buf_done(&text);
}

static void assert_same_faults(const struct field_fault *a, unsigned na, const struct field_fault *b, unsigned nb)
{
    assert_int_equal(na, nb);
    for (unsigned i = 0; i < na; i++) {
        assert_int_equal(a[i].rule, b[i].rule);
        assert_string_equal(a[i].field, b[i].field);
    }
}

static void assert_same_rows(const struct nz_row *a, const struct nz_row *b)
{
    assert_int_equal(a->verdict, b->verdict);
    assert_same_faults(a->report.faults, a->report.n_faults, b->report.faults, b->report.n_faults);
    assert_same_faults(a->report.warnings, a->report.n_warnings, b->report.warnings, b->report.n_warnings);
    if (a->verdict == NZ_ROW_FIELD) {
        assert_null(a->number);
        assert_null(b->number);
        return;
    }
    assert_true(nz_mynum_equal(a->number, b->number));
    assert_true(slice_eq(a->type_id, b->type_id) && slice_eq(a->history_key, b->history_key) && slice_eq(a->resident_key, b->resident_key));
    assert_int_equal(a->has_resident_key, b->has_resident_key);
    struct buf x, y;
    buf_init(&x, STORE_RECORD_MAX);
    buf_init(&y, STORE_RECORD_MAX);
    assert_true(err_ok(record_encode(&a->record, &x)) && err_ok(record_encode(&b->record, &y)));
    assert_true(slice_eq(buf_slice(&x), buf_slice(&y)));
    buf_done(&x);
    buf_done(&y);
}

/* A whole body always goes through the JSON library. */
static void same_as_the_tree(struct bench *b, enum nz_form form, struct slice text, const struct nz_row *row)
{
    struct buf body;
    struct nz_rows *rows;
    buf_init(&body, 1 << 20);
    buf_putc(&body, '[');
    buf_put(&body, text);
    buf_putc(&body, ']');
    assert_int_equal(nz_registration_parse(&rows, b->arena, b->pool, form, buf_slice(&body), ROWS_MAX, "331007", &WARN).code, E_OK);
    assert_int_equal(rows->n, 1);
    assert_same_rows(row, &rows->row[0]);
    buf_done(&body);
}

struct readers { struct nz_row_reader *cells, *json; };

static void both_ways(struct bench *b, const struct readers *rd, enum nz_form form, const struct nz_layout *l, const struct made *m, bool *ret_ok)
{
    struct nz_row x, y;
    struct buf text;
    buf_init(&text, 1 << 20);
    json_make(form, l, m, &text);
    struct nz_linkage_row row = { .row = 7, .values = m->values, .n = m->n }, json = { .row = 7, .json = buf_slice(&text) };
    assert_int_equal(nz_row_read(rd->cells, &row, b->arena, &x).code, E_OK);
    assert_int_equal(nz_row_read(rd->json, &json, b->arena, &y).code, E_OK);
    assert_int_equal(x.row, 7);
    assert_same_rows(&x, &y);
    same_as_the_tree(b, form, buf_slice(&text), &y);
    *ret_ok = x.verdict == NZ_ROW_OK;
    nz_mynum_free(x.number);
    nz_mynum_free(y.number);
    arena_reset(b->arena);
    buf_done(&text);
}

/* Cells and JSON are judged alike, and become the same record to the byte. */
static void cells_and_json_are_one(void **state)
{
    struct made m;
    buf_init(&m.room, 1 << 20);
    for (size_t f = 0; f < sizeof FORMS / sizeof FORMS[0]; f++) {
        struct nz_layout *l = layout_of(FORMS[f]);
        struct readers rd;
        unsigned good = 0;
        uint32_t seed = (uint32_t)f + 1;
        struct bench *b = *state;
        assert_true(err_ok(nz_row_reader_new(&rd.cells, FORMS[f], l, "331007", &WARN, b->pool)));
        assert_true(err_ok(nz_row_reader_new(&rd.json, FORMS[f], NULL, "331007", &WARN, b->pool)));
        for (size_t i = 0; i < PAIRS / 5; i++) {
            bool ok;
            row_make(l, &seed, &m);
            both_ways(b, &rd, FORMS[f], l, &m, &ok);
            good += ok;
        }
        assert_in_range(good, 100, PAIRS / 5 - 100); /* there are rows of both sorts */
        nz_row_reader_free(rd.cells);
        nz_row_reader_free(rd.json);
        nz_layout_free(l);
    }
    buf_done(&m.room);
}

/* ---- what a layout may name ---- */

static void layout_outside_the_form(void **state)
{
    static const char *const BAD[] = { "nonsense", "basicFiveInfo", "basicFiveInfo.phone", "segment.x", "maxCopaymentAmount", "certificationDetail",
                                       "modificationSeg", "phone.x" };
    static const char *const GOOD_ONES[] = { "segment", "basicFiveInfo.sex", "maxCopaymentAmount.anything", "certificationDetail.anything" };
    struct bench *b = *state;
    struct nz_row_reader *r;
    char yaml[200];
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        snprintf(yaml, sizeof yaml, "columns:\n  - field: myNumber\n    headers: [n]\n  - field: %s\n    headers: [x]\n", BAD[i]);
        struct nz_layout *l = layout_of_text(yaml);
        assert_int_equal(nz_row_reader_new(&r, NZ_FORM_SUBJECT, l, "331007", NULL, b->pool).code, E_CONFIG);
        nz_layout_free(l);
    }
    for (size_t i = 0; i < sizeof GOOD_ONES / sizeof GOOD_ONES[0]; i++) {
        snprintf(yaml, sizeof yaml, "columns:\n  - field: %s\n    headers: [x]\n", GOOD_ONES[i]);
        struct nz_layout *l = layout_of_text(yaml);
        assert_int_equal(nz_row_reader_new(&r, NZ_FORM_SUBJECT, l, "331007", NULL, b->pool).code, E_OK);
        nz_row_reader_free(r);
        nz_layout_free(l);
    }
    assert_int_equal(nz_row_reader_new(&r, NZ_FORM_CHANGE, NULL, "331007", NULL, b->pool).code, E_CONFIG);
    nz_row_reader_free(NULL);
}

/* ---- JSON ---- */

static void json_that_is_no_row(void **state)
{
    static const char *const BAD[] = { "{", "[]", "1", "{\"a\":1,\"a\":2}", "{\"a\":\"\xFF\"}", "{}x", "[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]", "null" };
    struct bench *b = *state;
    struct nz_row_reader *r;
    struct nz_row row;
    assert_true(err_ok(nz_row_reader_new(&r, NZ_FORM_SUBJECT, NULL, "331007", NULL, b->pool)));
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct nz_linkage_row in = { .row = 3, .json = slice_str(BAD[i]) };
        assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
        assert_int_equal(row.verdict, NZ_ROW_FIELD);
        assert_int_equal(row.report.n_faults, 1);
        assert_int_equal(row.report.faults[0].rule, FR_TYPE);
        assert_string_equal(row.report.faults[0].field, "");
        assert_null(row.number);
    }
    nz_row_reader_free(r);
}

/* Plain texts are read without the JSON library, all others by it: nobody can tell which. */
static void plain_or_not(void **state)
{
#define GOOD_PART "\"orgSpecificCertificateTypeId\":\"a\",\"myNumber\":\"123456789018\",\"isNotDisclosed\":false"
#define BASIC_PART "\"basicFiveInfo\":{\"name\":\"n\",\"nameKana\":\"k\",\"address\":\"a\",\"dateOfBirth\":\"2015-05-05\",\"sex\":\"1\"}"
    static const char *const TEXTS[] = {
        "{" GOOD_PART "," BASIC_PART "}",
        " { " GOOD_PART " , " BASIC_PART " } \n",
        "{" BASIC_PART "," GOOD_PART ",\"segment\":\"\\u0041\"}",
        "{" BASIC_PART "," GOOD_PART ",\"segment\":\"a\\\"b\"}",
        "{" BASIC_PART "," GOOD_PART ",\"segment\":null}",
        "{" BASIC_PART "," GOOD_PART ",\"segment\":{\"a\":\"b\"}}",
        "{" BASIC_PART "," GOOD_PART ",\"segment\":[]}",
        "{" BASIC_PART "," GOOD_PART ",\"certificationDetail\":[]}",
        "{" BASIC_PART "," GOOD_PART ",\"certificationDetail\":[{\"a\":\"b\"}]}",
        "{" BASIC_PART "," GOOD_PART ",\"certificationDetail\":{\"a\":\"b\"}}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{}}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":[]}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":\"x\"}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{\"a\":\"b\",\"c\":true}}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{\"a\":[]}}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{\"a\":{\"b\":\"c\"}}}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{\"rate\":0.1}}",
        "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{\"983205673214\":\"x\"}}",
        "{" BASIC_PART "," GOOD_PART ",\"phone\":\"x\"}",
        "{" BASIC_PART "," GOOD_PART ",\"\":\"x\"}",
        "{" BASIC_PART "," GOOD_PART ",\"name\":\"x\"}",
        "{" GOOD_PART ",\"basicFiveInfo\":{\"name\":\"n\",\"phone\":\"1\"}}",
        "{" GOOD_PART ",\"basicFiveInfo\":{}}",
        "{" GOOD_PART ",\"basicFiveInfo\":\"x\"}",
        "{" GOOD_PART ",\"basicFiveInfo\":true}",
        "{}",
    };
    static const char *const TWICE[] = {
        "{" BASIC_PART "," BASIC_PART "}", "{\"segment\":\"a\",\"segment\":\"a\"}", "{\"maxCopaymentAmount\":{\"a\":\"b\",\"a\":\"b\"}}",
        "{\"maxCopaymentAmount\":{\"a\":\"b\"},\"maxCopaymentAmount\":\"x\"}", "{\"basicFiveInfo\":\"x\"," BASIC_PART "}",
        "{\"basicFiveInfo\":{\"name\":\"n\",\"name\":\"n\"}}", "{\"segment\":\"a\"}{}", "{\"segment\":\"a\"", "{\"segment\":\"a\",}", "{\"segment\"}",
        "{\"segment\":tru}", "{\"segment\":truefalse}", "{\"segment\" \"a\"}", "{,\"segment\":\"a\"}", "{\"segment\":\"a\" \"b\":\"c\"}", "{\"segment\":\"a\nb\"}",
        "{\"basicFiveInfo\":{\"name\":\"n\"", "{\"basicFiveInfo\":{\"name\":\"n\"}", "{\"basicFiveInfo\":{\"name\":\"n\",}}", "{\"segment\":\"\xC3\"}",
    };
    struct bench *b = *state;
    struct nz_row_reader *r;
    struct nz_row row;
    assert_true(err_ok(nz_row_reader_new(&r, NZ_FORM_SUBJECT, NULL, "331007", &WARN, b->pool)));
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct nz_linkage_row in = { .row = 1, .json = slice_str(TEXTS[i]) };
        assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
        same_as_the_tree(b, NZ_FORM_SUBJECT, in.json, &row);
        nz_mynum_free(row.number);
        arena_reset(b->arena);
    }
    for (size_t i = 0; i < sizeof TWICE / sizeof TWICE[0]; i++) {
        struct nz_linkage_row in = { .row = 1, .json = slice_str(TWICE[i]) };
        assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
        if (row.verdict != NZ_ROW_FIELD || row.report.faults[0].rule != FR_TYPE || row.report.faults[0].field[0] || row.report.n_faults != 1)
            fail_msg("%s", TWICE[i]);
    }
    nz_row_reader_free(r);
}

/* A row that finds no room leaves no number behind. */
static void no_room(void **state)
{
    struct bench *b = *state;
    struct nz_row_reader *r;
    struct nz_row row;
    json_t *good = good_row();
    char *text = json_dumps(good, 0);
    struct nz_linkage_row in = { .row = 1, .json = slice_str(text) };
    assert_true(err_ok(nz_row_reader_new(&r, NZ_FORM_HISTORY, NULL, "331007", NULL, b->pool)));
    for (size_t cap = 64; cap < 1200; cap += 100) {
        struct arena *a = arena_new(cap);
        struct err e = nz_row_read(r, &in, a, &row);
        assert_true(err_ok(e) || err_is(e, E_FULL) || err_is(e, E_NOMEM));
        if (err_ok(e))
            nz_mynum_free(row.number);
        arena_free(a);
        assert_int_equal(nz_pool_used(b->pool), 0);
    }
    assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
    assert_int_equal(row.verdict, NZ_ROW_OK);
    nz_mynum_free(row.number);
    nz_row_reader_free(r);
    free(text);
    json_decref(good);
}

static void forms_by_operation(void **state)
{
    (void)state;
    enum nz_form form;
    for (int i = 0; i < NZ_FORM__MAX; i++) {
        assert_true(nz_form_by_operation(slice_str(nz_form_info((enum nz_form)i)->operation), &form));
        assert_int_equal(form, i);
        assert_non_null(nz_form_table(form)); /* a new one: form.c */
    }
    assert_false(nz_form_by_operation(LIT("postNothing"), &form));
    assert_false(nz_form_by_operation(SLICE_NONE, &form));
    assert_non_null(nz_form_info((enum nz_form)99));
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { T(cells_and_json_are_one), T(layout_outside_the_form), T(json_that_is_no_row), T(plain_or_not), T(no_room), T(forms_by_operation) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
