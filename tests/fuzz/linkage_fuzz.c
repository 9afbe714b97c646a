/* A linkage file from outside: what comes out is the same however the bytes are cut, and every row is one JSON text in UTF-8. The first
 * byte chooses the encoding and how the bytes are cut; the target then reads them whole as well. */

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "keys/linkage/linkage.h"

enum { OUT_MAX = 64 * 1024 * 1024, BAD_LINE_MAX = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct walk { const struct nz_layout *layout; struct buf *out; };

static void on_row(void *ctx, const struct nz_linkage_row *row)
{
    struct walk *w = ctx;
    size_t from = w->out->n;
    buf_u64(w->out, row->row);
    buf_u64(w->out, row->line);
    nz_linkage_row_json(w->layout, row, w->out);
    MUST(row->row > 0 && row->line > 1 && w->out->p[w->out->n - 1] == '}' && utf8_valid(slice_of(w->out->p + from, w->out->n - from)));
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

static void walk(const struct nz_layout *layout, enum nz_encoding enc, struct slice text, size_t step, struct buf *out)
{
    struct nz_linkage *l;
    struct walk w = { layout, out };
    struct nz_linkage_conf conf = { .layout = layout, .encoding = enc, .on_row = on_row, .on_fault = on_fault, .ctx = &w };
    struct slice piece;
    MUST(err_ok(nz_linkage_new(&l, &conf)));
    struct err e = OK;
    while (err_ok(e) && slice_take(&text, text.n < step ? text.n : step, &piece) && piece.n)
        e = nz_linkage_feed(l, piece);
    if (err_ok(e))
        e = nz_linkage_end(l);
    MUST(err_ok(e) || err_is(e, E_FIELD));
    nz_linkage_free(l);
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
                                                   "- {field: g.c, headers: [c], as: boolean}\n- {field: d, default: x}\n"), &bad)));
    enum nz_encoding enc = (enum nz_encoding)(p[0] % 3);
    struct slice text = slice_of(p + 1, n - 1);
    walk(layout, enc, text, n, &whole);
    walk(layout, enc, text, 1 + p[0] / 3 % 16, &cut);
    MUST(!whole.failed && slice_eq(buf_slice(&whole), buf_slice(&cut)));
    nz_layout_free(layout);
    buf_done(&bad);
    buf_done(&whole);
    buf_done(&cut);
    return 0;
}
