/* Bad files: told with line and column, in constant memory, and nothing else is affected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/resource.h>

#include "keys/linkage/csv.h"
#include "keys/linkage/json_cut.h"
#include "keys/linkage/linkage.h"

enum { OUT_MAX = 4 * 1024 * 1024, KIB = 1024, MIB = 1024 * 1024, BLOCK = 64 * 1024 };

static const char LAYOUT[] =
    "operation: postRegistrationTasks\n"
    "columns:\n"
    "  - {field: n, headers: [番号, n], needed: true, as: digits}\n"
    "  - {field: name, headers: [氏名, name]}\n"
    "  - {field: sex, headers: [性別], as: sex}\n"
    "  - {field: seg, headers: [区分], words: {登録: \"1\", 削除: \"2\"}}\n"
    "  - {field: day, headers: [異動], words: {初日: 2024-04-01}, as: date}\n";

struct walk { struct nz_layout *layout; struct nz_linkage *l; struct buf out; };

/* Rows as "row@line json", faults as "row@line:column#cell field rule", each with a ';'. */
static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct walk *w = ctx;
    buf_u64(&w->out, row->row);
    buf_putc(&w->out, '@');
    buf_u64(&w->out, row->line);
    buf_putc(&w->out, ' ');
    nz_linkage_row_json(w->layout, row, &w->out);
    buf_putc(&w->out, ';');
}

static void on_fault(void *ctx, const struct nz_linkage_fault *f)
{
    struct walk *w = ctx;
    char text[200];
    snprintf(text, sizeof text, "%llu@%llu:%llu#%zu %s %s;", (unsigned long long)f->row, (unsigned long long)f->line, (unsigned long long)f->column,
             f->cell, f->field, nz_rule_info(f->rule)->name);
    buf_puts(&w->out, text);
}

static void begin(struct walk *w, enum nz_source source, enum nz_encoding enc, bool structure_only)
{
    struct buf bad;
    buf_init(&bad, 1024);
    buf_init(&w->out, OUT_MAX);
    if (!err_ok(nz_layout_parse(&w->layout, "-", slice_str(LAYOUT), &bad)))
        fail_msg("%s", buf_cstr(&bad));
    struct nz_linkage_conf conf = { source, w->layout, enc, structure_only, on_row, on_fault, w };
    assert_true(err_ok(nz_linkage_new(&w->l, &conf)));
    buf_done(&bad);
}

static void done(struct walk *w)
{
    nz_linkage_free(w->l);
    nz_layout_free(w->layout);
    buf_done(&w->out);
}

static bool feed_all(struct walk *w, struct slice text, size_t step)
{
    struct err e = OK;
    struct slice piece;
    while (err_ok(e) && text.n && slice_take(&text, text.n < step ? text.n : step, &piece))
        e = nz_linkage_feed(w->l, piece);
    if (err_ok(e))
        e = nz_linkage_end(w->l);
    return err_ok(e);
}

/* ---- small files, cut in every way ---- */

#define C_NO "\x94\xd4\x8d\x86"
#define C_NAME "\x8e\x81\x96\xbc"

static void test_files(void **state)
{
    static const struct { const char *name; struct slice text; const char *want; bool good; enum nz_encoding enc; } CASES[] = {
        { "CR only", LIT("n,name\r1,a\r2,\"b\rc\"\r3,d"), "1@2 {\"n\":\"1\",\"name\":\"a\"};2@3 {\"n\":\"2\",\"name\":\"b\\u000dc\"};3@5 {\"n\":\"3\",\"name\":\"d\"};", true, 0 },
        { "joined files", LIT("\xef\xbb\xbfn,name\n1,a\n\xef\xbb\xbfn,name\n2,b\n"), "1@2 {\"n\":\"1\",\"name\":\"a\"};2@3:1#1 n bom_inside;3@4 {\"n\":\"2\",\"name\":\"b\"};", true, 0 },
        { "lost leading zeros stay lost", LIT("n\n00123\n123\n"), "1@2 {\"n\":\"00123\"};2@3 {\"n\":\"123\"};", true, 0 },
        { "full-width digits", LIT("n,name\n０１２３,０１\n1２-x,９\n"), "1@2 {\"n\":\"0123\",\"name\":\"０１\"};2@3 {\"n\":\"12-x\",\"name\":\"９\"};", true, 0 },
        { "sex", LIT("n,性別\n1,男\n2,女\n3,１\n4,2\n5,女性\n6,9\n7,F\n8,12\n"),
          "1@2 {\"n\":\"1\",\"sex\":\"1\"};2@3 {\"n\":\"2\",\"sex\":\"2\"};3@4 {\"n\":\"3\",\"sex\":\"1\"};4@5 {\"n\":\"4\",\"sex\":\"2\"};"
          "5@6 {\"n\":\"5\",\"sex\":\"2\"};6@7 {\"n\":\"6\",\"sex\":\"9\"};7@8:3#2 sex sex;8@9:3#2 sex sex;", true, 0 },
        { "words", LIT("n,区分,異動\n1,登録,初日\n2,削除,R6.4.2\n3,2,\n4,消す,\n"),
          "1@2 {\"n\":\"1\",\"seg\":\"1\",\"day\":\"2024-04-01\"};2@3 {\"n\":\"2\",\"seg\":\"2\",\"day\":\"2024-04-02\"};3@4 {\"n\":\"3\",\"seg\":\"2\"};4@5 {\"n\":\"4\",\"seg\":\"消す\"};", true, 0 },
        { "what a spreadsheet left", LIT("n,氏名\n4.21E+11,a\n'012,b\n\"1\",\"1E-05\"\n"), "1@2:1#1 n scientific;2@3:1#1 n apostrophe;3@4:5#2 name scientific;", true, 0 },
        { "cut inside quotes", LIT("n,name\n1,\"a\nb,"), "0@2:3#0  quote_not_closed;", false, 0 },
        { "cut inside quotes behind a doubled one", LIT("n,name\n1,\"a\"\"b"), "0@2:3#0  quote_not_closed;", false, 0 },
        { "cut behind the closing quote", LIT("n,name\n1,\"a\""), "1@2 {\"n\":\"1\",\"name\":\"a\"};", true, 0 },
        { "cut behind a comma", LIT("n,name\n1,"), "1@2 {\"n\":\"1\"};", true, 0 },
        { "cut in a character inside quotes", LIT("n,name\n1,\"\xe6\xb0"), "0@2:4#0  encoding_invalid;", false, NZ_ENC_UTF8 },
        { "header only, without line end", LIT("n,name"), "0@1:7#0  no_rows;", false, 0 },
        { "a quoted header", LIT("\"n\",\"na\"\"me\"\n1,2\n"), "0@1:5#2  header_unknown;", false, 0 },
        { "UTF-16 LE without BOM", LIT("n\0,\0n\0"), "0@1:1#0  encoding_utf16;", false, 0 },
        { "UTF-8 in the middle of CP932", LIT(C_NO "," C_NAME "\n1," C_NAME "\n2,\"\xe5\xb1\xb1\xe6\x9c\xac\"\n3,x\n"), "1@2 {\"n\":\"1\",\"name\":\"氏名\"};0@3:8#0  encoding_mixed;", false, 0 },
        { "CP932 in the middle of UTF-8", LIT("番号,氏名\n1,氏名\n2,ab" C_NAME "\n"), "1@2 {\"n\":\"1\",\"name\":\"氏名\"};0@3:5#0  encoding_invalid;", false, 0 },
        { "a BOM in CP932", LIT("\xef\xbb\xbf" C_NO "\n1\n"), "0@1:1#0  encoding_invalid;", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t step = 1; step <= 5000; step = step < 8 ? step + 1 : step * 5) {
            struct walk w;
            begin(&w, NZ_SOURCE_CSV, CASES[i].enc, false);
            bool good = feed_all(&w, CASES[i].text, step);
            if (good != CASES[i].good || !slice_eq(buf_slice(&w.out), slice_str(CASES[i].want)))
                fail_msg("%s, %zu at a time: %s", CASES[i].name, step, buf_cstr(&w.out));
            done(&w);
        }
}

static void test_structure_only_converts_nothing(void **state)
{
    struct walk w;
    (void)state;
    begin(&w, NZ_SOURCE_CSV, NZ_ENC_AUTO, true);
    assert_true(feed_all(&w, LIT("n,性別\n4.21E+11,x\n1\n2,3\n"), 100));
    assert_true(slice_eq(buf_slice(&w.out), LIT("1@2 {};2@3:1#0  column_count;3@4 {};")));
    done(&w);
}

/* ---- exact maxima, wherever the pieces end ---- */

struct kept { size_t rows, cells, bytes; };

static enum nz_rule count_row(void *ctx, const struct nz_csv_row *row)
{
    struct kept *k = ctx;
    k->rows++;
    k->cells = row->n;
    for (size_t i = 0; i < row->n && i < NZ_CSV_CELLS_MAX; i++)
        k->bytes += row->cells[i].n;
    return NZ_RULE_NONE;
}

static void put_many(struct buf *b, const char *unit, size_t n)
{
    while (n--)
        buf_puts(b, unit);
}

static enum nz_rule csv_walk(struct slice text, size_t step, struct kept *ret_k, struct nz_place *ret_at)
{
    struct nz_csv *c;
    struct slice piece;
    struct buf copy;
    enum nz_rule bad = NZ_RULE_NONE;
    buf_init(&copy, 2 * OUT_MAX);
    *ret_k = (struct kept){ 0 };
    assert_true(err_ok(nz_csv_new(&c, count_row, ret_k)));
    while (bad == NZ_RULE_NONE && text.n && slice_take(&text, text.n < step ? text.n : step, &piece)) {
        buf_put(&copy, piece);
        bad = nz_csv_feed(c, copy.p, copy.n, ret_at);
        buf_reset(&copy);
    }
    if (bad == NZ_RULE_NONE)
        bad = nz_csv_end(c, ret_at);
    assert_true(err_ok(nz_csv_check(c)));
    nz_csv_free(c);
    buf_done(&copy);
    return bad;
}

static void test_exact_maxima(void **state)
{
    static const struct { const char *name, *head, *unit; size_t n; const char *tail; enum nz_rule want; size_t cells, bytes; uint64_t column; } CASES[] = {
        { "a cell of 64 KiB", "1,", "a", 64 * KIB, ",2\n", NZ_RULE_NONE, 3, 64 * KIB + 2, 0 },
        { "and one byte more", "1,", "a", 64 * KIB + 1, ",2\n", NZ_RULE_CELL_LONG, 0, 0, 3 },
        { "the same at the end of the file", "1,", "a", 64 * KIB, "", NZ_RULE_NONE, 2, 64 * KIB + 1, 0 },
        { "and one byte more there", "1,", "a", 64 * KIB + 1, "", NZ_RULE_CELL_LONG, 0, 0, 3 },
        { "a quoted cell of 64 KiB", "\"", "a", 64 * KIB - 2, "\"\n", NZ_RULE_NONE, 1, 64 * KIB - 2, 0 },
        { "and one more in quotes", "\"", "a", 64 * KIB - 1, "\"\n", NZ_RULE_CELL_LONG, 0, 0, 1 },
        { "doubled quotes count twice", "\"", "\"\"", 32 * KIB - 1, "\"\n", NZ_RULE_NONE, 1, 32 * KIB - 1, 0 },
        { "and one more pair", "\"", "\"\"", 32 * KIB, "\"\n", NZ_RULE_CELL_LONG, 0, 0, 1 },
        { "256 cells", "1", ",2", 255, "\n", NZ_RULE_NONE, 256, 256, 0 },
        { "257 cells", "1", ",2", 256, "\n", NZ_RULE_NONE, 257, 256, 0 },
        { "a row of 1 MiB", "12345678", ",2345678", MIB / 8 - 1, "\n", NZ_RULE_NONE, MIB / 8, 8 + 255 * 7, 0 },
        { "and one byte more", "123456789", ",2345678", MIB / 8 - 1, "\n", NZ_RULE_ROW_LONG, 0, 0, 1 },
        { "nothing but commas", "", ",", 2 * MIB, "\n", NZ_RULE_ROW_LONG, 0, 0, 1 },
    };
    static const size_t STEPS[] = { 4 * MIB, 64 * KIB, 64 * KIB + 1, 4093 };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t k = 0; k < sizeof STEPS / sizeof *STEPS; k++) {
            struct buf text;
            struct kept kept;
            struct nz_place at = NZ_PLACE_START;
            buf_init(&text, OUT_MAX);
            buf_puts(&text, CASES[i].head);
            put_many(&text, CASES[i].unit, CASES[i].n);
            buf_puts(&text, CASES[i].tail);
            enum nz_rule rule = csv_walk(buf_slice(&text), STEPS[k], &kept, &at);
            bool good = rule == CASES[i].want;
            good = good && (rule == NZ_RULE_NONE ? kept.cells == CASES[i].cells && kept.bytes == CASES[i].bytes : at.line == 1 && at.column == CASES[i].column);
            if (!good)
                fail_msg("%s, %zu at a time: rule %d, %zu cells, %zu bytes, column %u", CASES[i].name, STEPS[k], (int)rule, kept.cells, kept.bytes, (unsigned)at.column);
            buf_done(&text);
        }
}

/* ---- wiping ---- */

static void expect_wiped(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0 && p[i] != '\n' && p[i] != '\r')
            fail_msg("byte %zu is still '%c'", i, p[i]);
}

static void element_seen(void *ctx, const struct nz_cut_element *e) { *(size_t *)ctx += e->text.n; }

/* A number stays nowhere but where a row's reader has put it, not even in a row that is not whole yet. */
static void test_bytes_are_wiped_once_they_are_read(void **state)
{
    char rows[] = "990000000007,\"a\"\"b\"\r\n990000000007", lines[] = "{\"a\":\"990000000007\"}\n{\"a\":\"9900";
    struct kept kept = { 0 };
    size_t bytes = 0;
    struct nz_place at;
    struct nz_csv *c;
    struct nz_cut *j;
    (void)state;
    assert_true(err_ok(nz_csv_new(&c, count_row, &kept)));
    assert_int_equal(nz_csv_feed(c, (uint8_t *)rows, sizeof rows - 1, &at), NZ_RULE_NONE);
    assert_int_equal(kept.rows, 1);
    expect_wiped((const uint8_t *)rows, sizeof rows - 1);
    nz_csv_free(c);
    assert_true(err_ok(nz_cut_new(&j, true, element_seen, &bytes)));
    assert_int_equal(nz_cut_feed(j, (uint8_t *)lines, sizeof lines - 1, &at), NZ_RULE_NONE);
    assert_int_equal(bytes, 20);
    expect_wiped((const uint8_t *)lines, sizeof lines - 1);
    nz_cut_free(j);
}

/* ---- a gigabyte ---- */

static void test_a_gigabyte_in_one_line_is_told_early(void **state)
{
    static const struct { const char *name; enum nz_source source; const char *head, *unit, *want; } CASES[] = {
        { "plain", NZ_SOURCE_CSV, "n,name\n1,", "a", "0@2:3#0  cell_too_long;" },
        { "cells", NZ_SOURCE_CSV, "n,name\n1,a\n", "2,b,", "1@2 {\"n\":\"1\",\"name\":\"a\"};0@3:1#0  row_too_long;" },
        { "an open quote", NZ_SOURCE_CSV, "n,name\n1,\"", "a,b\n", "0@2:3#0  cell_too_long;" },
        { "a header", NZ_SOURCE_CSV, "", "n,", "0@1:1#0  row_too_long;" },
        { "an element", NZ_SOURCE_JSON, "[{\"a\":\"", "b", "0@1:2#0  element_too_long;" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        static uint8_t block[BLOCK];
        struct walk w;
        size_t fed = 0, k = strlen(CASES[i].unit);
        for (size_t b = 0; b < BLOCK; b++)
            block[b] = (uint8_t)CASES[i].unit[b % k];
        begin(&w, CASES[i].source, NZ_ENC_AUTO, false);
        struct err e = nz_linkage_feed(w.l, slice_str(CASES[i].head));
        for (; err_ok(e) && fed < 1024u * MIB; fed += BLOCK)
            e = nz_linkage_feed(w.l, ARR(block));
        assert_true(err_is(e, E_FIELD));
        assert_true(fed <= MIB + 2 * BLOCK);
        if (!slice_eq(buf_slice(&w.out), slice_str(CASES[i].want)))
            fail_msg("%s: %.200s", CASES[i].name, buf_cstr(&w.out));
        done(&w);
    }
}

static long peak_kib(void)
{
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}

static void ignore_row(void *ctx, const struct nz_linkage_row *row) { *(uint64_t *)ctx = row->row; }
static void ignore_fault(void *ctx, const struct nz_linkage_fault *f) { *(uint64_t *)ctx = f->row; }

/* 128 MiB of rows, with a fault in every second one. */
static void test_memory_does_not_grow_with_the_file(void **state)
{
    struct buf block;
    struct walk w;
    uint64_t rows = 0;
    (void)state;
    begin(&w, NZ_SOURCE_CSV, NZ_ENC_UTF8, false);
    nz_linkage_free(w.l);
    struct nz_linkage_conf conf = { NZ_SOURCE_CSV, w.layout, NZ_ENC_UTF8, false, ignore_row, ignore_fault, &rows };
    assert_true(err_ok(nz_linkage_new(&w.l, &conf)));
    buf_init(&block, 2 * MIB);
    put_many(&block, "0123,\"見本　\"\"花子\"\"\",女,登録,R6.4.1\n0123,見本　太郎,x,登録,R6.4.1\n", 10 * KIB);
    assert_true(err_ok(nz_linkage_feed(w.l, LIT("n,氏名,性別,区分,異動\n"))));
    assert_true(err_ok(nz_linkage_feed(w.l, buf_slice(&block))));
    long before = peak_kib();
    for (size_t fed = 0; fed < 128 * MIB; fed += block.n)
        assert_true(err_ok(nz_linkage_feed(w.l, buf_slice(&block))));
    assert_true(err_ok(nz_linkage_end(w.l)));
    assert_true(peak_kib() - before < 4 * KIB);
    assert_true(rows > MIB);
    buf_done(&block);
    done(&w);
}

static void fault_counted(void *ctx, const struct nz_linkage_fault *f)
{
    assert_int_equal(f->row, 1);
    ++*(size_t *)ctx;
}

static void row_unwanted(void *ctx, const struct nz_linkage_row *row) { (void)ctx, (void)row, fail(); }

/* Each place costs a walk over the row: of a row of 1 MiB where all is wrong, only the first are told. */
static void test_a_row_tells_its_first_faults(void **state)
{
    struct nz_layout *layout;
    struct nz_linkage *l;
    struct buf yaml, bad, csv;
    size_t told = 0;
    (void)state;
    buf_init(&yaml, NZ_LAYOUT_FILE_MAX);
    buf_init(&bad, KIB);
    buf_init(&csv, MIB);
    buf_puts(&yaml, "columns:\n");
    for (int i = 0; i < NZ_LAYOUT_COLUMNS_MAX; i++) {
        char text[100];
        snprintf(text, sizeof text, "  - {field: f%d, headers: [h%d], as: date}\n", i, i);
        buf_puts(&yaml, text);
        snprintf(text, sizeof text, "%sh%d", i ? "," : "", i);
        buf_puts(&csv, text);
    }
    for (int i = 0; i < NZ_LAYOUT_COLUMNS_MAX; i++)
        buf_puts(&csv, i ? ",x" : "\nx");
    assert_true(err_ok(nz_layout_parse(&layout, "-", buf_slice(&yaml), &bad)));
    assert_true(err_ok(nz_linkage_new(&l, &(struct nz_linkage_conf){ NZ_SOURCE_CSV, layout, NZ_ENC_UTF8, false, row_unwanted, fault_counted, &told })));
    assert_true(err_ok(nz_linkage_feed(l, buf_slice(&csv))) && err_ok(nz_linkage_end(l)));
    assert_int_equal(told, NZ_LINKAGE_ROW_FAULTS_MAX);
    nz_linkage_free(l);
    nz_layout_free(layout);
    buf_done(&yaml);
    buf_done(&bad);
    buf_done(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files), cmocka_unit_test(test_structure_only_converts_nothing), cmocka_unit_test(test_exact_maxima),
        cmocka_unit_test(test_bytes_are_wiped_once_they_are_read), cmocka_unit_test(test_a_row_tells_its_first_faults),
        cmocka_unit_test(test_a_gigabyte_in_one_line_is_told_early), cmocka_unit_test(test_memory_does_not_grow_with_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
