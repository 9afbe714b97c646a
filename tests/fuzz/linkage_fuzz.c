/* A linkage file from outside, of any source: what comes out is the same however the bytes are cut, every row is UTF-8, and the scanner of CSV
 * finds the rows that libcsv finds. The first byte chooses source, encoding and how the bytes are cut; the target then reads them whole as well. */

#include <csv.h>

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "keys/linkage/csv.h"
#include "keys/linkage/linkage.h"

enum { OUT_MAX = 64 * 1024 * 1024, BAD_LINE_MAX = 1024, COMPARED_MAX = NZ_CSV_CELL_MAX /* libcsv knows no maxima */, CELL_END = 0x1f, ROW_END = 0x1e };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct walk { const struct nz_layout *layout; struct buf *out; };

static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct walk *w = ctx;
    size_t from = w->out->n;
    buf_u64(w->out, row->row);
    buf_u64(w->out, row->line);
    nz_linkage_row_json(w->layout, row, w->out);
    MUST(row->row > 0 && row->line > 0 && w->out->p[w->out->n - 1] == '}' && utf8_valid(slice_of(w->out->p + from, w->out->n - from)));
}

static void on_fault(void *w, const struct nz_linkage_fault *f)
{
    struct buf *ctx = ((struct walk *)w)->out;
    MUST(f->line > 0 && f->column > 0);
    buf_puts(ctx, nz_rule_info(f->rule)->name);
    buf_u64(ctx, f->row);
    buf_u64(ctx, f->line);
    buf_putc(ctx, ':');
    buf_u64(ctx, f->column);
}

/* ---- what becomes of it, whole and cut ---- */

static void walk(const struct nz_linkage_conf *base, struct slice text, size_t step, struct buf *out)
{
    struct nz_linkage *l;
    struct walk w = { base->layout, out };
    struct nz_linkage_conf conf = *base;
    struct slice piece;
    conf.ctx = &w;
    MUST(err_ok(nz_linkage_new(&l, &conf)));
    struct err e = OK;
    while (err_ok(e) && slice_take(&text, text.n < step ? text.n : step, &piece) && piece.n)
        e = nz_linkage_feed(l, piece);
    if (err_ok(e))
        e = nz_linkage_end(l);
    MUST(err_ok(e) || err_is(e, E_FIELD));
    nz_linkage_free(l);
}

/* ---- beside libcsv ---- */

static enum nz_rule our_row(void *ctx, const struct nz_csv_row *row)
{
    for (size_t i = 0; i < row->n && i < NZ_CSV_CELLS_MAX; i++) {
        buf_put(ctx, row->cells[i]);
        buf_putc(ctx, CELL_END);
    }
    buf_putc(ctx, ROW_END);
    return NZ_RULE_NONE;
}

static bool ours(struct slice text, size_t step, struct buf *out)
{
    struct nz_csv *c;
    struct nz_place at;
    struct slice piece;
    enum nz_rule bad = NZ_RULE_NONE;
    MUST(err_ok(nz_csv_new(&c, our_row, out)));
    while (bad == NZ_RULE_NONE && text.n && slice_take(&text, text.n < step ? text.n : step, &piece)) {
        struct buf copy;
        buf_init(&copy, OUT_MAX);
        buf_put(&copy, piece);
        bad = nz_csv_feed(c, copy.p, copy.n, &at);
        buf_done(&copy);
    }
    if (bad == NZ_RULE_NONE)
        bad = nz_csv_end(c, &at);
    MUST(err_ok(nz_csv_check(c)));
    nz_csv_free(c);
    return bad == NZ_RULE_NONE;
}

struct theirs { struct buf *out; size_t from, cells; };

static void their_cell(void *text, size_t n, void *ctx)
{
    struct theirs *t = ctx;
    if (t->cells++ >= NZ_CSV_CELLS_MAX)
        return;
    buf_put(t->out, slice_of(text, n));
    buf_putc(t->out, CELL_END);
}

static void their_row(int end, void *ctx)
{
    struct theirs *t = ctx;
    (void)end;
    buf_putc(t->out, ROW_END);
    t->cells = 0;
    t->from = t->out->n;
}

static int no_space(unsigned char c)
{
    (void)c;
    return 0; /* RFC 4180: blanks are part of a cell */
}

/* On a fault the cells of the unfinished row are dropped: our scanner gives none. */
static bool libcsv(struct slice text, struct buf *out)
{
    struct csv_parser p;
    struct theirs t = { out, 0, 0 };
    MUST(csv_init(&p, CSV_STRICT | CSV_STRICT_FINI) == 0);
    csv_set_space_func(&p, no_space);
    bool good = csv_parse(&p, text.p, text.n, their_cell, their_row, &t) == text.n && csv_fini(&p, their_cell, their_row, &t) == 0;
    csv_free(&p);
    if (!good)
        out->n = t.from;
    return good;
}

static void scanner_judge(struct slice text, size_t step)
{
    struct buf a, b;
    if (!text.n || text.n > COMPARED_MAX || !utf8_valid(text) || memchr(text.p, 0, text.n))
        return;
    buf_init(&a, OUT_MAX);
    buf_init(&b, OUT_MAX);
    MUST(ours(text, step, &a) == libcsv(text, &b));
    MUST(slice_eq(buf_slice(&a), buf_slice(&b)));
    buf_done(&a);
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct nz_layout *layout;
    struct buf bad, whole, cut;
    if (n == 0)
        return 0;
    buf_init(&bad, BAD_LINE_MAX);
    buf_init(&whole, OUT_MAX);
    buf_init(&cut, OUT_MAX);
    MUST(err_ok(nz_layout_parse(&layout, "-", LIT("columns:\n- {field: a, headers: [a, 氏名], as: kana}\n- {field: g.b, headers: [b], as: date}\n"
                                                   "- {field: g.c, headers: [c], as: boolean}\n- {field: d, default: x}\n"
                                                   "- {field: e, headers: [e], as: digits, words: {y: \"1\"}}\n- {field: f, headers: [f], as: sex}\n"), &bad)));
    size_t step = 1 + p[0] / 18 % 14;
    struct slice text = slice_of(p + 1, n - 1);
    struct nz_linkage_conf conf = { .source = (enum nz_source)(p[0] % 3), .layout = layout, .encoding = (enum nz_encoding)(p[0] / 3 % 3),
                                    .structure_only = p[0] / 9 % 2, .on_row = on_row, .on_fault = on_fault };
    walk(&conf, text, n, &whole);
    walk(&conf, text, step, &cut);
    MUST(!whole.failed && slice_eq(buf_slice(&whole), buf_slice(&cut)));
    scanner_judge(text, step);
    nz_layout_free(layout);
    buf_done(&bad);
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
