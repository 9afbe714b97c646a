#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/linkage/csv.h"
#include "keys/linkage/linkage.h"

enum { OUT_MAX = 1024 * 1024 };

static const char LAYOUT[] =
    "columns:\n"
    "  - {field: n, headers: [番号, n], needed: true}\n"
    "  - {field: g.name, headers: [氏名, name]}\n"
    "  - {field: g.kana, headers: [カナ, kana], as: kana}\n"
    "  - {field: born, headers: [生年月日, born], as: date}\n"
    "  - {field: open, headers: [開示, open], as: boolean}\n"
    "  - {field: flag, headers: [flag], as: flag, default: \"0\"}\n"
    "  - {field: type, default: T1}\n";

/* Rows as "row@line json", faults as "row@line:column#cell field rule", each with a ';'. */
struct walk { const struct nz_layout *layout; struct buf *out; };

static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct walk *w = ctx;
    buf_u64(w->out, row->row);
    buf_putc(w->out, '@');
    buf_u64(w->out, row->line);
    buf_putc(w->out, ' ');
    nz_linkage_row_json(w->layout, row, w->out);
    buf_putc(w->out, ';');
}

static void on_fault(void *w, const struct nz_linkage_fault *f)
{
    struct buf *ctx = ((struct walk *)w)->out;
    buf_u64(ctx, f->row);
    buf_putc(ctx, '@');
    buf_u64(ctx, f->line);
    buf_putc(ctx, ':');
    buf_u64(ctx, f->column);
    buf_putc(ctx, '#');
    buf_u64(ctx, f->cell);
    buf_putc(ctx, ' ');
    buf_puts(ctx, f->field);
    buf_putc(ctx, ' ');
    buf_puts(ctx, nz_rule_info(f->rule)->name);
    buf_putc(ctx, ';');
}

static struct err layout_of(const char *yaml, struct nz_layout **ret_l, struct buf *bad_line)
{
    return nz_layout_parse(ret_l, "-", slice_str(yaml), bad_line);
}

static struct err walk(enum nz_encoding enc, struct slice text, size_t step, struct buf *out)
{
    struct nz_layout *layout;
    struct nz_linkage *l;
    struct buf bad;
    buf_init(&bad, 1024);
    assert_true(err_ok(layout_of(LAYOUT, &layout, &bad)));
    struct walk w = { layout, out };
    struct nz_linkage_conf conf = { .layout = layout, .encoding = enc, .on_row = on_row, .on_fault = on_fault, .ctx = &w };
    assert_true(err_ok(nz_linkage_new(&l, &conf)));
    struct err e = OK;
    struct slice piece;
    while (err_ok(e) && text.n && slice_take(&text, text.n < step ? text.n : step, &piece))
        e = nz_linkage_feed(l, piece);
    if (err_ok(e))
        e = nz_linkage_end(l);
    assert_true(err_ok(e) || (err_is(nz_linkage_feed(l, LIT("x")), E_FIELD) && err_is(nz_linkage_end(l), E_FIELD)));
    nz_linkage_free(l);
    nz_layout_free(layout);
    buf_done(&bad);
    return e;
}

#define TAIL "\"flag\":\"0\",\"type\":\"T1\"};"
#define FULL "1@2 {\"n\":\"1\",\"g\":{\"name\":\"髙橋\",\"kana\":\"タカハシ\"},\"born\":\"2024-04-01\",\"open\":true," TAIL
/* CP932 of 番号, 氏名, 髙橋, ﾀｶﾊｼ */
#define C_NO "\x94\xd4\x8d\x86"
#define C_NAME "\x8e\x81\x96\xbc"
#define C_TAKAHASHI "\xfb\xfc\x8b\xb4"
#define C_KANA "\xc0\xb6\xca\xbc"

static void test_files(void **state)
{
    static const struct { const char *name; struct slice text; const char *want; bool good; enum nz_encoding enc; } CASES[] = {
        { "all", LIT("番号,氏名,カナ,生年月日,開示\n1,髙橋,ﾀｶﾊｼ,R6.4.1,有\n"), FULL, true, 0 },
        { "BOM", LIT("\xef\xbb\xbf番号,氏名,カナ,生年月日,開示\n1,髙橋,ﾀｶﾊｼ,R6.4.1,有\n"), FULL, true, 0 },
        { "CP932", LIT(C_NO "," C_NAME ",kana,born,open\n1," C_TAKAHASHI "," C_KANA ",R6.4.1,1\n"), FULL, true, 0 },
        { "CP932, told", LIT("n,name,kana,born,open\n1," C_TAKAHASHI "," C_KANA ",R6.4.1,1\n"), FULL, true, NZ_ENC_CP932 },
        { "CP932 below an ASCII header", LIT("n,name,kana,born,open\n1," C_TAKAHASHI "," C_KANA ",R6.4.1,1\n"), FULL, true, 0 },
        { "UTF-8 below an ASCII header", LIT("n,name\n1,髙橋"), "1@2 {\"n\":\"1\",\"g\":{\"name\":\"髙橋\"}," TAIL, true, 0 },
        { "other order, published names", LIT("kana,name,n\nﾀ,a,7\n"), "1@2 {\"n\":\"7\",\"g\":{\"name\":\"a\",\"kana\":\"タ\"}," TAIL, true, 0 },
        { "CR LF, no end of the last line", LIT("n,name\r\n1,a\r\n2,b"),
          "1@2 {\"n\":\"1\",\"g\":{\"name\":\"a\"}," TAIL "2@3 {\"n\":\"2\",\"g\":{\"name\":\"b\"}," TAIL, true, 0 },
        { "quotes and a line end in a cell", LIT("n,name\n\"1\",\"a\"\"b,\r\nc\"\n2,d\n"),
          "1@2 {\"n\":\"1\",\"g\":{\"name\":\"a\\\"b,\\u000d\\u000ac\"}," TAIL "2@4 {\"n\":\"2\",\"g\":{\"name\":\"d\"}," TAIL, true, 0 },
        { "blanks stay", LIT("n,name\n 1 ,\" a \"\n"), "1@2 {\"n\":\" 1 \",\"g\":{\"name\":\" a \"}," TAIL, true, 0 },
        { "empty lines", LIT("\nn\n\n\n1\n"), "1@5 {\"n\":\"1\"," TAIL, true, 0 },
        { "a group without a value", LIT("n,name\n1,\n"), "1@2 {\"n\":\"1\"," TAIL, true, 0 },
        { "default and cell", LIT("n,flag\n1,\n2,有\n"), "1@2 {\"n\":\"1\"," TAIL "2@3 {\"n\":\"2\",\"flag\":\"1\",\"type\":\"T1\"};", true, 0 },
        { "formulas", LIT("n,name\n1,=1+1\n2,+81\n3,-1\n4,@a\n"),
          "1@2 {\"n\":\"1\",\"g\":{\"name\":\"=1+1\"}," TAIL "2@3 {\"n\":\"2\",\"g\":{\"name\":\"+81\"}," TAIL
          "3@4 {\"n\":\"3\",\"g\":{\"name\":\"-1\"}," TAIL "4@5 {\"n\":\"4\",\"g\":{\"name\":\"@a\"}," TAIL, true, 0 },
        { "variants, private use, 4 bytes", LIT("n,name\n1,葛\xf3\xa0\x84\x80\xee\x80\x80𠮷\n"),
          "1@2 {\"n\":\"1\",\"g\":{\"name\":\"葛\xf3\xa0\x84\x80\xee\x80\x80𠮷\"}," TAIL, true, 0 },
        /* rows */
        { "wrong number of cells", LIT("n,name\n1\n2,b\n3,c,d\n"), "1@2:1#0  column_count;2@3 {\"n\":\"2\",\"g\":{\"name\":\"b\"}," TAIL "3@4:1#0  column_count;", true, 0 },
        { "two faults in a row", LIT("n,氏名,born,open\n4.21E+11,髙橋,R6.2.30,x\n"),
          "1@2:1#1 n scientific;1@2:13#3 born date;1@2:21#4 open choice;", true, 0 },
        { "apostrophe behind a line end in a cell", LIT("name,n\n\"a\nb\",'1\n"), "1@3:4#2 n apostrophe;", true, 0 },
        /* files */
        { "empty", LIT(""), "0@1:1#0  file_empty;", false, 0 },
        { "only a BOM", LIT("\xef\xbb\xbf"), "0@1:1#0  file_empty;", false, 0 },
        { "only line ends", LIT("\n\n"), "0@1:1#0  file_empty;", false, 0 },
        { "header only", LIT("n,name\n"), "0@2:1#0  no_rows;", false, 0 },
        { "unknown header", LIT("n,氏名,名前\n"), "0@1:6#3  header_unknown;", false, 0 },
        { "empty header", LIT("n,,name\n"), "0@1:3#2  header_unknown;", false, 0 },
        { "nothing but empty cells", LIT(","), "0@1:1#1  header_unknown;", false, 0 },
        { "header twice", LIT("n,name,番号\n"), "0@1:8#3 n header_twice;", false, 0 },
        { "header missing", LIT("name\n1\n"), "0@1:1#0 n header_missing;", false, 0 },
        { "quote not closed", LIT("n,name\n1,a\n2,\"b\n3,c\n"), "1@2 {\"n\":\"1\",\"g\":{\"name\":\"a\"}," TAIL "0@3:3#0  quote_not_closed;", false, 0 },
        { "quote in a cell", LIT("n\na\"b\n"), "0@2:2#0  quote_misplaced;", false, 0 },
        { "text behind a quote", LIT("n\n\"a\"b\n"), "0@2:4#0  quote_misplaced;", false, 0 },
        { "NUL", LIT("n\n1\0" "2\n"), "0@2:2#0  nul_byte;", false, 0 },
        { "NUL in CP932", LIT(C_NO "\n" C_NAME "\0\n"), "0@2:3#0  nul_byte;", false, 0 },
        { "UTF-16 LE", LIT("\xff\xfen\0\n\0"), "0@1:1#0  encoding_utf16;", false, 0 },
        { "UTF-16 BE", LIT("\xfe\xff\0n\0\n"), "0@1:1#0  encoding_utf16;", false, 0 },
        { "UTF-16 without BOM", LIT("n\0\n\0"), "0@1:1#0  encoding_utf16;", false, 0 },
        { "CP932 in UTF-8", LIT("番号,氏名\n1," C_TAKAHASHI "\n"), "0@2:3#0  encoding_invalid;", false, 0 },
        { "UTF-8 in CP932", LIT(C_NO "," C_NAME "\n1,\xe5\xb1\xb1\xe6\x9c\xac\n"), "0@2:7#0  encoding_mixed;", false, 0 },
        { "no UTF-8 where it was told", LIT("n\n" C_KANA "\n"), "0@2:1#0  encoding_invalid;", false, NZ_ENC_UTF8 },
        { "BOM where CP932 was told", LIT("\xef\xbb\xbfn\n1\n"), "0@1:1#0  encoding_mixed;", false, NZ_ENC_CP932 },
        { "cut in a character, UTF-8", LIT("n\n1,\xe6\xb0"), "0@2:3#0  encoding_invalid;", false, NZ_ENC_UTF8 },
        { "cut in a character, CP932", LIT("n\nab\x8e"), "0@2:3#0  encoding_invalid;", false, 0 },
        { "no character of CP932", LIT("n\nab\x85\x9f\n"), "0@2:3#0  encoding_invalid;", false, 0 },
        { "surrogate", LIT("番号\n\xed\xa0\x80\n"), "0@2:1#0  encoding_invalid;", false, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t step = 1; step <= 5000; step = step < 8 ? step + 1 : step * 5) {
            struct buf out;
            buf_init(&out, OUT_MAX);
            struct err e = walk(CASES[i].enc, CASES[i].text, step, &out);
            if (err_ok(e) != CASES[i].good || !slice_eq(buf_slice(&out), slice_str(CASES[i].want)))
                fail_msg("%s, %zu at a time: %s", CASES[i].name, step, buf_cstr(&out));
            buf_done(&out);
        }
}

/* ---- maxima ---- */

static void put_many(struct buf *b, const char *text, size_t n)
{
    while (n--)
        buf_puts(b, text);
}

static void test_maxima(void **state)
{
    static const struct { const char *name, *head, *unit; size_t n; const char *tail, *want; } CASES[] = {
        { "longest cell", "n\n", "a", NZ_CSV_CELL_MAX - 1, "\n", NULL },
        { "too long a cell", "n\n1\n", "a", NZ_CSV_CELL_MAX + 1, "\n", "0@3:1#0  cell_too_long;" },
        { "a quote that is not closed", "n,name\n1,\"", "b,c\n", NZ_CSV_CELL_MAX, "", "0@2:3#0  cell_too_long;" },
        { "too long a row", "n\n", "1234567,", NZ_CSV_ROW_MAX / 8 + 1, "\n", "0@2:1#0  row_too_long;" },
        { "many cells", "n\n", "1,", 100 * 1000, "\n", "1@2:1#0  column_count;" },
        { "many headers", "n", ",x", 1000, "\n", "0@1:1#0  header_unknown;" },
        { "a long line of CP932", "n\n", "\x8e\x81", 100 * 1000, "\n", "0@2:1#0  cell_too_long;" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf text, out;
        buf_init(&text, 4 * OUT_MAX);
        buf_init(&out, OUT_MAX);
        buf_puts(&text, CASES[i].head);
        put_many(&text, CASES[i].unit, CASES[i].n);
        buf_puts(&text, CASES[i].tail);
        (void)walk(NZ_ENC_AUTO, buf_slice(&text), 1 << 20, &out);
        struct slice want = slice_str(CASES[i].want), got = buf_slice(&out);
        if (CASES[i].want && (got.n < want.n || !slice_eq(slice_of(got.p + got.n - want.n, want.n), want)))
            fail_msg("%s: %.200s", CASES[i].name, buf_cstr(&out));
        if (!CASES[i].want)
            assert_true(slice_starts(got, LIT("1@2 {\"n\":\"aaa")));
        buf_done(&text);
        buf_done(&out);
    }
}

/* ---- layouts ---- */

static void test_layouts(void **state)
{
    static const struct { const char *name, *yaml, *want; } CASES[] = {
        { "empty", "", "-:1:1: " },
        { "no columns", "columns: []\n", "-:1:1: " },
        { "not YAML", "columns: [\n", "-:2:1: " },
        { "unknown name", "columns: []\ncolour: 1\n", "-:2:1: " },
        { "twice", "columns: [{field: a, default: x}]\ncolumns: []\n", "-:2:1: " },
        { "no field", "columns:\n- {headers: [a]}\n", "-:2:3: " },
        { "neither headers nor default", "columns:\n- {field: a}\n", "-:2:3: " },
        { "needed without headers", "columns:\n- {field: a, default: b, needed: true}\n", "-:2:3: " },
        { "needed maybe", "columns:\n- {field: a, headers: [b], needed: maybe}\n", "-:2:36: " },
        { "unknown as", "columns:\n- {field: a, headers: [b], as: money}\n", "-:2:32: " },
        { "field twice", "columns:\n- {field: a, headers: [b]}\n- {field: a, headers: [c]}\n", "-:3:3: " },
        { "header twice", "columns:\n- {field: a, headers: [b]}\n- {field: c, headers: [b]}\n", "-:3:24: " },
        { "two dots", "columns:\n- {field: a.b.c, headers: [b]}\n", "-:2:11: " },
        { "a field that is a group", "columns:\n- {field: a, headers: [b]}\n- {field: a.c, headers: [d]}\n", "-:3:3: " },
        { "group torn apart", "columns:\n- {field: a.b, headers: [b]}\n- {field: c, headers: [c]}\n- {field: a.d, headers: [d]}\n", "-:4:3: " },
        { "headers no list", "columns:\n- {field: a, headers: b}\n", "-:2:23: " },
        { "an operation with a slash", "operation: a/b\ncolumns: []\n", "-:1:12: " },
        { "operation twice", "operation: a\noperation: b\n", "-:2:1: " },
        { "words no mapping", "columns:\n- {field: a, headers: [b], words: [c]}\n", "-:2:35: " },
        { "a word twice", "columns:\n- {field: a, headers: [b], words: {c: x, d: y, c: z}}\n", "-:2:48: " },
        { "an empty word", "columns:\n- {field: a, headers: [b], words: {'': x}}\n", "-:2:36: " },
        { "a word that means a list", "columns:\n- {field: a, headers: [b], words: {c: [x]}}\n", "-:2:39: " },
        { "empty header", "columns:\n- {field: a, headers: ['']}\n", "-:2:24: " },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct nz_layout *l = NULL;
        struct buf bad;
        buf_init(&bad, 1024);
        struct err e = layout_of(CASES[i].yaml, &l, &bad);
        if (!err_is(e, E_CONFIG) || l || !slice_starts(buf_slice(&bad), slice_str(CASES[i].want)))
            fail_msg("%s: %s", CASES[i].name, buf_cstr(&bad));
        buf_done(&bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_files), cmocka_unit_test(test_maxima), cmocka_unit_test(test_layouts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
