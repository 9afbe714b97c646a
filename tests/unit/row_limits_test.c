#include "tests/unit/registration_bench.h"

#include "keys/linkage/linkage.h"
#include "keys/registration/form.h"

#define GOOD_PART "\"orgSpecificCertificateTypeId\":\"a\",\"myNumber\":\"123456789018\",\"isNotDisclosed\":false"
#define BASIC_PART "\"basicFiveInfo\":{\"name\":\"n\",\"nameKana\":\"k\",\"address\":\"a\",\"dateOfBirth\":\"2015-05-05\",\"sex\":\"1\"}"

enum { BIG = 200 * 1000 };

static void put_many(struct buf *b, char c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_putc(b, (uint8_t)c);
}

static void expect_refused(const struct nz_row *row, const char *field)
{
    assert_int_equal(row->verdict, NZ_ROW_FIELD);
    assert_int_equal(row->report.n_faults, 1);
    assert_string_equal(row->report.faults[0].field, field);
    assert_int_equal(row->report.faults[0].rule, FR_LENGTH);
    assert_null(row->number);
}

static void in_a_request(struct bench *b, struct slice row, const char *field)
{
    struct buf body;
    buf_init(&body, 1 << 20);
    buf_putc(&body, '[');
    buf_put(&body, row);
    buf_putc(&body, ']');
    assert_int_equal(parse_with(b, NZ_FORM_SUBJECT, buf_slice(&body), NULL), E_OK);
    expect_refused(&b->rows->row[0], field);
    buf_done(&body);
}

static void put_detail(struct buf *b, bool one_text)
{
    buf_puts(b, "{" BASIC_PART "," GOOD_PART ",\"certificationDetail\":[");
    for (size_t i = 0; i < (one_text ? 1 : 100); i++) {
        buf_puts(b, i ? ",{\"a\":\"" : "{\"a\":\"");
        put_many(b, 'x', one_text ? BIG : 990);
        buf_puts(b, "\"}");
    }
    buf_puts(b, "]}");
}

/* One row that nobody can store is one fault: neither its file nor its request ends there. */
static void far_too_much_in_one_row(void **state)
{
    struct bench *b = *state;
    struct nz_row_reader *r;
    struct nz_row row;
    struct buf text[3];
    static const char *const FIELDS[] = { "certificationDetail", "certificationDetail", "maxCopaymentAmount" };
    for (int i = 0; i < 3; i++)
        buf_init(&text[i], 1 << 20);
    put_detail(&text[0], false);
    put_detail(&text[1], true);
    buf_puts(&text[2], "{" BASIC_PART "," GOOD_PART ",\"maxCopaymentAmount\":{\"a\":\"");
    put_many(&text[2], 'x', BIG);
    buf_puts(&text[2], "\"}}");
    assert_true(err_ok(nz_row_reader_new(&r, NZ_FORM_SUBJECT, NULL, "331007", NULL, b->pool)));
    for (int i = 0; i < 3; i++) {
        struct nz_linkage_row in = { .row = 1, .json = buf_slice(&text[i]) };
        assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
        expect_refused(&row, FIELDS[i]);
        in_a_request(b, in.json, FIELDS[i]);
        buf_done(&text[i]);
    }
    nz_row_reader_free(r);
}

/* Of cells: many texts that are good each, and one that is not. */
static void far_too_much_in_cells(void **state)
{
    struct bench *b = *state;
    struct nz_row_reader *r;
    struct nz_row row;
    struct buf yaml, text, long_text, bad;
    struct nz_value v[100];
    buf_init(&yaml, NZ_LAYOUT_FILE_MAX);
    buf_init(&text, 1000);
    buf_init(&bad, 1000);
    buf_init(&long_text, BIG);
    put_many(&text, '"', 1000); /* each becomes two */
    put_many(&long_text, 'x', BIG);
    buf_puts(&yaml, "columns:\n");
    for (int i = 0; i < 100; i++) {
        char line[100];
        snprintf(line, sizeof line, "  - field: certificationDetail.f%d\n    headers: [h%d]\n", i, i);
        buf_puts(&yaml, line);
        v[i] = (struct nz_value){ .column = (size_t)i, .text = buf_slice(&text) };
    }
    struct nz_layout *l;
    assert_int_equal(nz_layout_parse(&l, "layout", buf_slice(&yaml), &bad).code, E_OK);
    assert_true(err_ok(nz_row_reader_new(&r, NZ_FORM_SUBJECT, l, "331007", NULL, b->pool)));
    for (size_t n = 1; n <= 100; n += 33) {
        struct nz_linkage_row in = { .row = 1, .values = v, .n = n };
        for (int twice = 0; twice < 2; twice++) {
            v[0].text = twice ? buf_slice(&long_text) : buf_slice(&text);
            assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
            assert_int_equal(row.verdict, NZ_ROW_FIELD); /* fields are missing, too */
            const struct field_fault *last = &row.report.faults[row.report.n_faults - 1];
            assert_int_equal(strcmp(last->field, "certificationDetail") == 0 && last->rule == FR_LENGTH, n > 1 || twice);
        }
    }
    nz_row_reader_free(r);
    nz_layout_free(l);
    buf_done(&yaml);
    buf_done(&text);
    buf_done(&long_text);
    buf_done(&bad);
}

static size_t live; /* pieces of memory that the JSON library has */

static void *live_malloc(size_t n)
{
    live++;
    return malloc(n);
}

static void live_free(void *p)
{
    live -= p != NULL;
    free(p);
}

/* Rows wait together in one arena: what they were read from must not wait with them. */
static void a_row_keeps_no_json(void **state)
{
    static const char *const TEXTS[] = {
        "{" GOOD_PART ",\"basicFiveInfo\":{},\"phone\":[1,2,3,4]}", "{" BASIC_PART "," GOOD_PART ",\"segment\":\"\\u0041\"}", "{\"myNumber\":\"123456789018\",",
    };
    struct bench *b = *state;
    struct nz_row_reader *r;
    struct nz_row row;
    assert_true(err_ok(nz_row_reader_new(&r, NZ_FORM_SUBJECT, NULL, "331007", &WARN, b->pool)));
    json_set_alloc_funcs(live_malloc, live_free);
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct nz_linkage_row in = { .row = 1, .json = slice_str(TEXTS[i]) };
        live = 0;
        assert_int_equal(nz_row_read(r, &in, b->arena, &row).code, E_OK);
        assert_int_equal(row.verdict, i == 1 ? NZ_ROW_OK : NZ_ROW_FIELD);
        assert_int_equal(live, 0);
        nz_mynum_free(row.number);
    }
    json_set_alloc_funcs(malloc, free);
    nz_row_reader_free(r);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { T(far_too_much_in_one_row), T(far_too_much_in_cells), T(a_row_keeps_no_json) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
