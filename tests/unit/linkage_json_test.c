#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/linkage/json_cut.h"
#include "keys/linkage/linkage.h"

enum { OUT_MAX = 4 * 1024 * 1024, MIB = 1024 * 1024 };

/* Rows as "row@line json", faults as "row@line:column rule", each with a ';'. */
static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    assert_int_equal(row->n, 0);
    buf_u64(ctx, row->row);
    buf_putc(ctx, '@');
    buf_u64(ctx, row->line);
    buf_putc(ctx, ' ');
    nz_linkage_row_json(NULL, row, ctx);
    buf_putc(ctx, ';');
}

static void on_fault(void *ctx, const struct nz_linkage_fault *f)
{
    buf_u64(ctx, f->row);
    buf_putc(ctx, '@');
    buf_u64(ctx, f->line);
    buf_putc(ctx, ':');
    buf_u64(ctx, f->column);
    buf_putc(ctx, ' ');
    buf_puts(ctx, nz_rule_info(f->rule)->name);
    buf_putc(ctx, ';');
}

static struct nz_linkage *begin(enum nz_source source, bool structure_only, struct buf *out)
{
    struct nz_linkage *l;
    struct nz_linkage_conf conf = { .source = source, .structure_only = structure_only, .on_row = on_row, .on_fault = on_fault, .ctx = out };
    assert_true(err_ok(nz_linkage_new(&l, &conf)));
    return l;
}

static bool walk(enum nz_source source, struct slice text, size_t step, struct buf *out)
{
    struct nz_linkage *l = begin(source, false, out);
    struct err e = OK;
    struct slice piece;
    while (err_ok(e) && text.n && slice_take(&text, text.n < step ? text.n : step, &piece))
        e = nz_linkage_feed(l, piece);
    if (err_ok(e))
        e = nz_linkage_end(l);
    assert_true(err_ok(e) || (err_is(nz_linkage_feed(l, LIT("[")), E_FIELD) && err_is(nz_linkage_end(l), E_FIELD)));
    nz_linkage_free(l);
    return err_ok(e);
}

struct file_case { const char *name; struct slice text; const char *want; bool good; };

/* However the bytes are cut, the same comes out. */
static void judge(enum nz_source source, const struct file_case *c)
{
    for (size_t step = 1; step <= 5000; step = step < 8 ? step + 1 : step * 5) {
        struct buf out;
        buf_init(&out, OUT_MAX);
        bool good = walk(source, c->text, step, &out);
        if (good != c->good || !slice_eq(buf_slice(&out), slice_str(c->want)))
            fail_msg("%s, %zu at a time: %s", c->name, step, buf_cstr(&out));
        buf_done(&out);
    }
}

#define DEEP16 "{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}"
#define DEEP17 "{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}"

static void test_arrays(void **state)
{
    static const struct file_case CASES[] = {
        { "one", LIT("[{\"a\":1}]"), "1@1 {\"a\":1};", true },
        { "two, over lines", LIT("[\n  {\"a\": 1,\n   \"b\": 2},\n  {}\n]\n"), "1@2 {\"a\": 1,\n   \"b\": 2};2@4 {};", true },
        { "CR LF", LIT("[\r\n{\"a\":\r\n1},\r\n{}\r\n]\r\n"), "1@2 {\"a\":\r\n1};2@4 {};", true },
        { "BOM", LIT("\xef\xbb\xbf[{}]"), "1@1 {};", true },
        { "brackets, commas and quotes in a string", LIT("[{\"a\":\"]},{\\\"\\\\\"},{}]"), "1@1 {\"a\":\"]},{\\\"\\\\\"};2@1 {};", true },
        { "a line end in a string", LIT("[{\"a\":\"x\ny\"},\n{}]"), "1@1 {\"a\":\"x\ny\"};2@3 {};", true },
        { "nested", LIT("[{\"a\":[{\"b\":[1,2]},[]]} , {}]"), "1@1 {\"a\":[{\"b\":[1,2]},[]]};2@1 {};", true },
        { "as deep as may be", LIT("[" DEEP16 "]"), "1@1 " DEEP16 ";", true },
        { "variants, private use, 4 bytes", LIT("[{\"a\":\"葛\xf3\xa0\x84\x80\xee\x80\x80𠮷\"}]"), "1@1 {\"a\":\"葛\xf3\xa0\x84\x80\xee\x80\x80𠮷\"};", true },
        /* rows: nothing else is affected */
        { "too deep a row", LIT("[{},\n " DEEP17 ",{}]"), "1@1 {};2@2:2 json_too_deep;3@2 {};", true },
        { "elements that are no objects", LIT("[1,\"a,]\", [{}] ,true,{},null]"),
          "1@1:2 not_object;2@1:4 not_object;3@1:11 not_object;4@1:17 not_object;5@1 {};6@1:25 not_object;", true },
        { "brackets that do not match", LIT("[{\"a\":1],{}]"), "1@1:2 not_object;2@1 {};", true },
        /* files */
        { "empty", LIT(""), "0@1:1 file_empty;", false },
        { "blanks", LIT(" \n"), "0@1:1 file_empty;", false },
        { "no rows", LIT("[ ]\n"), "0@2:1 no_rows;", false },
        { "an object", LIT("\n {\"a\":1}"), "0@2:2 json_no_array;", false },
        { "CSV", LIT("a,b\n1,2\n"), "0@1:1 json_no_array;", false },
        { "text behind", LIT("[{}]\n氏x"), "1@1 {};0@2:1 json_text_behind;", false },
        { "a second array", LIT("[{}][{}]"), "1@1 {};0@1:5 json_text_behind;", false },
        { "a comma too many", LIT("[{},]"), "1@1 {};0@1:5 json_syntax;", false },
        { "two commas", LIT("[{},,{}]"), "1@1 {};0@1:5 json_syntax;", false },
        { "a comma first", LIT("[,{}]"), "0@1:2 json_syntax;", false },
        { "no comma", LIT("[{} {}]"), "1@1 {};0@1:5 json_syntax;", false },
        { "a brace too many", LIT("[{}}]"), "1@1 {};0@1:4 json_syntax;", false },
        { "closed by a brace", LIT("[1}"), "0@1:3 json_syntax;", false },
        { "cut between rows", LIT("[{},\n"), "1@1 {};0@2:1 json_truncated;", false },
        { "cut behind a row", LIT("[{}"), "1@1 {};0@1:4 json_truncated;", false },
        { "cut in a row", LIT("[{},{\"a\":"), "1@1 {};0@1:10 json_truncated;", false },
        { "cut in a string", LIT("[{\"氏"), "0@1:5 json_truncated;", false },
        { "cut in a character", LIT("[{\"\xe6\xb0"), "0@1:4 encoding_invalid;", false },
        { "CP932", LIT("[{},\n{\"a\":\"\x8e\x81\"}]"), "1@1 {};0@2:7 encoding_invalid;", false },
        { "surrogate", LIT("[{\"a\":\"\xed\xa0\x80\"}]"), "0@1:8 encoding_invalid;", false },
        { "NUL", LIT("[{}\0]"), "1@1 {};0@1:4 nul_byte;", false },
        { "UTF-16", LIT("[\0{\0}\0]\0"), "0@1:1 encoding_utf16;", false },
        { "BOM in the middle", LIT("[{},\xef\xbb\xbf{}]"), "1@1 {};2@1:5 not_object;", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        judge(NZ_SOURCE_JSON, &CASES[i]);
}

static void test_lines(void **state)
{
    static const struct file_case CASES[] = {
        { "two", LIT("{\"a\":1}\n{\"b\":2}\n"), "1@1 {\"a\":1};2@2 {\"b\":2};", true },
        { "no end of the last line", LIT("{}\n{\"a\":2}"), "1@1 {};2@2 {\"a\":2};", true },
        { "CR LF, blanks, empty lines", LIT("{}\r\n\r\n  {\"a\":2} \t\r\n \n{}\r\n"), "1@1 {};2@3 {\"a\":2};3@5 {};", true },
        { "CR only", LIT("{}\r{\"a\":2}\r"), "1@1 {};2@2 {\"a\":2};", true },
        { "BOM", LIT("\xef\xbb\xbf{}\n"), "1@1 {};", true },
        { "a quoted brace", LIT("{\"a\":\"}{\\\"\"}\n"), "1@1 {\"a\":\"}{\\\"\"};", true },
        { "lines that are no objects", LIT("{}\n[1]\n 1\n\"}\"\n{\"a\n{\"b\":[}\n{\n}\n{}"),
          "1@1 {};2@2:1 not_object;3@3:2 not_object;4@4:1 not_object;5@5:1 not_object;6@6:1 not_object;7@7:1 not_object;8@8:1 not_object;9@9 {};", true },
        { "an escape at the end of a line", LIT("{\"a\\\n{}"), "1@1:1 not_object;2@2 {};", true },
        { "too deep", LIT(DEEP17 "\n" DEEP16 "\n"), "1@1:1 json_too_deep;2@2 " DEEP16 ";", true },
        { "empty", LIT(""), "0@1:1 file_empty;", false },
        { "empty lines", LIT("\n\n"), "0@1:1 file_empty;", false },
        { "not UTF-8", LIT("{}\n{\"a\":\"\x8e\x81\"}\n"), "1@1 {};0@2:7 encoding_invalid;", false },
        { "NUL", LIT("{}\n\0{}"), "1@1 {};0@2:1 nul_byte;", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        judge(NZ_SOURCE_JSON_LINES, &CASES[i]);
}

/* ---- maxima ---- */

static struct err feed_many(struct nz_linkage *l, const char *unit, size_t bytes)
{
    enum { BLOCK = 64 * 1024 };
    static uint8_t block[BLOCK];
    size_t k = strlen(unit);
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (uint8_t)unit[i % k];
    for (; bytes; bytes -= bytes < BLOCK ? bytes : BLOCK)
        TRY(nz_linkage_feed(l, slice_of(block, bytes < BLOCK ? bytes : BLOCK)));
    return OK;
}

static void test_maxima(void **state)
{
    static const struct { const char *name; enum nz_source source; const char *head, *unit; size_t n; const char *tail, *want; } CASES[] = {
        { "longest element", NZ_SOURCE_JSON, "[{\"a\":\"", "b", MIB - 8, "\"},{}]", NULL },
        { "one byte more", NZ_SOURCE_JSON, "[\n{\"a\":\"", "b", MIB - 7, "\"},{}]", "0@2:1 element_too_long;" },
        { "a string without end", NZ_SOURCE_JSON, "[{},{\"a\":\"", "b},{", 64 * MIB, "", "1@1 {};0@1:5 element_too_long;" },
        { "brackets without end", NZ_SOURCE_JSON, "[", "[", 4 * MIB, "", "0@1:2 element_too_long;" },
        { "blanks without end", NZ_SOURCE_JSON, "[{}", "\n ", 4 * MIB, "]", "1@1 {};" },
        { "longest line", NZ_SOURCE_JSON_LINES, "{\"a\":\"", "b", MIB - 8, "\"}\n{}", NULL },
        { "a line of one byte more", NZ_SOURCE_JSON_LINES, "{}\n{\"a\":\"", "b", MIB - 7, "\"}\n{}", "1@1 {};2@2:1 line_too_long;3@3 {};" },
        { "a line of 64 MiB", NZ_SOURCE_JSON_LINES, "{}\n{\"a\":\"", "b", 64 * MIB, "\"}\n{}", "1@1 {};2@2:1 line_too_long;3@3 {};" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf out;
        buf_init(&out, OUT_MAX);
        struct nz_linkage *l = begin(CASES[i].source, false, &out);
        struct err e = nz_linkage_feed(l, slice_str(CASES[i].head));
        if (err_ok(e))
            e = feed_many(l, CASES[i].unit, CASES[i].n);
        if (err_ok(e))
            e = nz_linkage_feed(l, slice_str(CASES[i].tail));
        if (err_ok(e))
            e = nz_linkage_end(l);
        if (CASES[i].want && !slice_eq(buf_slice(&out), slice_str(CASES[i].want)))
            fail_msg("%s: %.200s", CASES[i].name, buf_cstr(&out));
        if (!CASES[i].want)
            assert_true(out.n > MIB && slice_starts(buf_slice(&out), LIT("1@1 {\"a\":\"bbb")) && out.p[out.n - 3] == '{');
        nz_linkage_free(l);
        buf_done(&out);
    }
}

static void test_structure_only(void **state)
{
    struct buf out;
    (void)state;
    buf_init(&out, OUT_MAX);
    struct nz_linkage *l = begin(NZ_SOURCE_JSON, true, &out);
    assert_true(err_ok(nz_linkage_feed(l, LIT("[{\"a\":1},2]"))));
    assert_true(err_ok(nz_linkage_end(l)));
    assert_true(slice_eq(buf_slice(&out), LIT("1@1 {};2@1:10 not_object;")));
    nz_linkage_free(l);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays), cmocka_unit_test(test_lines), cmocka_unit_test(test_maxima), cmocka_unit_test(test_structure_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
