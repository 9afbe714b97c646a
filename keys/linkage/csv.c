#include "keys/linkage/csv.h"

#include <csv.h>
#include <stdlib.h>

struct nz_csv {
    struct csv_parser parser;
    nz_csv_row_fn *on_row;
    void *ctx;
    struct nz_place at, cell_at, row_at; /* the next byte; where this cell and this row begin */
    bool in_row, open;                   /* something of the row was read; an odd number of quotes in this cell */
    size_t cell_bytes, row_bytes;
    struct buf text;                     /* of the cells, one after the other */
    size_t ends[NZ_CSV_CELLS_MAX];       /* where each ends in text */
    struct nz_csv_cell cells[NZ_CSV_CELLS_MAX];
    size_t n_cells;
    bool no_memory;
    enum nz_rule bad; /* of on_row */
    struct nz_place bad_at;
};

static int no_space(unsigned char c)
{
    (void)c;
    return 0; /* RFC 4180: blanks are part of a cell. libcsv would cut them off */
}

ERR nz_csv_new(struct nz_csv **ret_c, nz_csv_row_fn *on_row, void *ctx)
{
    struct nz_csv *c = calloc(1, sizeof *c);
    if (!c || csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        free(c);
        return FAIL(E_NOMEM);
    }
    csv_set_space_func(&c->parser, no_space);
    csv_set_blk_size(&c->parser, NZ_CSV_CELL_MAX + 1); /* taken once: it never grows, so no copy of a cell is left behind */
    c->on_row = on_row;
    c->ctx = ctx;
    c->at = c->cell_at = c->row_at = NZ_PLACE_START;
    buf_init(&c->text, NZ_CSV_ROW_MAX);
    *ret_c = c;
    return OK;
}

void nz_csv_free(struct nz_csv *c)
{
    if (!c)
        return;
    if (c->parser.entry_buf)
        explicit_bzero(c->parser.entry_buf, c->parser.entry_size);
    csv_free(&c->parser);
    buf_done(&c->text);
    free(c);
}

struct nz_place nz_csv_place(const struct nz_csv *c) { return c->at; }

ERR nz_csv_check(const struct nz_csv *c) { return c->no_memory ? FAIL(E_NOMEM) : OK; }

static void on_cell(void *text, size_t n, void *ctx)
{
    struct nz_csv *c = ctx;
    if (c->n_cells < NZ_CSV_CELLS_MAX) {
        buf_put(&c->text, slice_of(text, n));
        c->ends[c->n_cells] = c->text.n;
        c->cells[c->n_cells].at = c->cell_at;
    }
    c->n_cells++;
    c->cell_bytes = 0;
    c->open = false;
}

static void on_row_end(int end, void *ctx)
{
    struct nz_csv *c = ctx;
    size_t kept = c->n_cells < NZ_CSV_CELLS_MAX ? c->n_cells : NZ_CSV_CELLS_MAX;
    (void)end;
    c->no_memory = c->no_memory || c->text.failed;
    for (size_t i = 0, from = 0; i < kept && !c->no_memory; from = c->ends[i++])
        c->cells[i].text = c->ends[i] > from ? slice_of(c->text.p + from, c->ends[i] - from) : SLICE_NONE;
    struct nz_csv_row row = { c->cells, c->n_cells, c->row_at };
    if (!c->no_memory && c->bad == NZ_RULE_NONE) {
        c->bad_at = c->row_at;
        c->bad = c->on_row(c->ctx, &row);
    }
    buf_reset(&c->text);
    c->n_cells = c->row_bytes = 0;
    c->in_row = false;
}

static enum nz_rule fault(struct nz_place *ret_at, struct nz_place at, enum nz_rule rule)
{
    *ret_at = at;
    return rule;
}

/* A run of plain bytes, or one byte that means something. */
static enum nz_rule parse(struct nz_csv *c, struct slice run, struct nz_place *ret_at)
{
    uint8_t first = run.p[0];
    bool line_end = first == '\r' || first == '\n';
    if (!c->in_row && !line_end) {
        c->in_row = true;
        c->row_at = c->cell_at = c->at;
    }
    c->cell_bytes += run.n;
    c->row_bytes += run.n;
    if (c->row_bytes > NZ_CSV_ROW_MAX)
        return fault(ret_at, c->row_at, NZ_RULE_ROW_LONG);
    if (c->cell_bytes > NZ_CSV_CELL_MAX)
        return fault(ret_at, c->cell_at, NZ_RULE_CELL_LONG);
    c->open ^= first == '"';
    size_t cells = c->n_cells;
    if (csv_parse(&c->parser, run.p, run.n, on_cell, on_row_end, c) != run.n) {
        c->no_memory = csv_error(&c->parser) != CSV_EPARSE;
        return fault(ret_at, c->at, c->no_memory ? NZ_RULE_NONE : NZ_RULE_QUOTE);
    }
    for (size_t i = 0; i < run.n; i++)
        nz_place_step(&c->at, run.p[i]);
    if (c->n_cells > cells)
        c->cell_at = c->at; /* behind a comma */
    if (!c->in_row)
        c->cell_bytes = c->row_bytes = 0;
    return c->bad == NZ_RULE_NONE ? NZ_RULE_NONE : fault(ret_at, c->bad_at, c->bad);
}

static bool special(uint8_t b) { return b == ',' || b == '"' || b == '\n' || b == '\r'; }

enum nz_rule nz_csv_feed(struct nz_csv *c, struct slice utf8, struct nz_place *ret_at)
{
    while (utf8.n && !c->no_memory) {
        size_t n = 1;
        if (!special(utf8.p[0]))
            while (n < utf8.n && n < NZ_CSV_CELL_MAX && !special(utf8.p[n]))
                n++;
        enum nz_rule bad = parse(c, slice_of(utf8.p, n), ret_at);
        utf8 = slice_of(utf8.p + n, utf8.n - n);
        if (bad != NZ_RULE_NONE)
            return bad;
    }
    return NZ_RULE_NONE;
}

enum nz_rule nz_csv_end(struct nz_csv *c, struct nz_place *ret_at)
{
    if (c->open)
        return fault(ret_at, c->cell_at, NZ_RULE_QUOTE_OPEN);
    if (csv_fini(&c->parser, on_cell, on_row_end, c) != 0)
        return fault(ret_at, c->cell_at, NZ_RULE_QUOTE_OPEN);
    return c->bad == NZ_RULE_NONE ? NZ_RULE_NONE : fault(ret_at, c->bad_at, c->bad);
}
