#include "keys/linkage/linkage.h"

#include <stdlib.h>

#include "keys/linkage/cell.h"
#include "keys/linkage/csv.h"
#include "keys/linkage/json_cut.h"

enum {
    PIECE = 16 * 1024,
    TEXT_MAX = 4 * PIECE + 2 * NZ_DECODE_HOLD * 3, /* what a piece can become, with what was held */
    /* Dates may grow by a few bytes, nothing else does. Taken once: slices point into it. */
    MADE_MAX = NZ_CSV_ROW_MAX + NZ_LAYOUT_COLUMNS_MAX * (NZ_LAYOUT_TEXT_MAX + NZ_CELL_GROWS_MAX),
    NOT_THERE = NZ_CSV_CELLS_MAX,
};

struct nz_linkage {
    struct nz_linkage_conf conf;
    struct nz_decode decode;
    struct nz_csv *csv;                      /* or */
    struct nz_cut *cut;
    struct buf text;
    struct buf made;                         /* converted cells of a row */
    struct nz_value values[NZ_LAYOUT_COLUMNS_MAX];
    size_t n_values;
    bool header_seen, ended;
    size_t n_cells;                          /* of the header */
    size_t cell_of[NZ_LAYOUT_COLUMNS_MAX];   /* of each column of the layout; NOT_THERE */
    uint64_t rows;
};

static void tell(struct nz_linkage *l, uint64_t row, struct nz_place at, size_t cell, const char *field, enum nz_rule rule)
{
    struct nz_linkage_fault f = { row, at.line, at.column, cell, field, rule };
    l->conf.on_fault(l->conf.ctx, &f);
}

/* ---- header ---- */

static enum nz_rule header_fault(struct nz_linkage *l, struct nz_place at, size_t cell, const char *field, enum nz_rule rule)
{
    tell(l, 0, at, cell, field, rule);
    l->ended = true;
    return rule;
}

static enum nz_rule header_read(struct nz_linkage *l, const struct nz_csv_row *row)
{
    const struct nz_layout *layout = l->conf.layout;
    size_t n = nz_layout_count(layout);
    if (row->n > NZ_CSV_CELLS_MAX)
        return header_fault(l, row->at, 0, "", NZ_RULE_HEADER_UNKNOWN);
    for (size_t i = 0; i < row->n; i++) {
        size_t column = nz_layout_find(layout, row->cells[i]);
        if (column == n)
            return header_fault(l, nz_csv_cell_place(row, i), i + 1, "", NZ_RULE_HEADER_UNKNOWN);
        if (l->cell_of[column] != NOT_THERE)
            return header_fault(l, nz_csv_cell_place(row, i), i + 1, nz_layout_column(layout, column)->path, NZ_RULE_HEADER_TWICE);
        l->cell_of[column] = i;
    }
    for (size_t i = 0; i < n; i++)
        if (nz_layout_column(layout, i)->needed && l->cell_of[i] == NOT_THERE)
            return header_fault(l, row->at, 0, nz_layout_column(layout, i)->path, NZ_RULE_HEADER_MISSING);
    l->header_seen = true;
    l->n_cells = row->n;
    return NZ_RULE_NONE;
}

/* ---- rows ---- */

/* Fills l->values; the number of faults that were told instead, of which there may be more. */
static size_t row_convert(struct nz_linkage *l, const struct nz_csv_row *row)
{
    size_t faults = 0;
    l->n_values = 0;
    for (size_t i = 0; i < nz_layout_count(l->conf.layout) && faults < NZ_LINKAGE_ROW_FAULTS_MAX; i++) {
        const struct nz_column *c = nz_layout_column(l->conf.layout, i);
        size_t cell = l->cell_of[i];
        bool there = cell != NOT_THERE;
        struct slice v = there && row->cells[cell].n ? row->cells[cell] : slice_str(c->otherwise);
        if (!v.n)
            continue;
        struct nz_value *to = &l->values[l->n_values];
        *to = (struct nz_value){ .column = i };
        enum nz_rule rule = nz_cell_convert(c, v, &l->made, to);
        if (rule == NZ_RULE_NONE) {
            l->n_values++;
            continue;
        }
        tell(l, l->rows, there ? nz_csv_cell_place(row, cell) : row->at, there ? cell + 1 : 0, c->path, rule);
        faults++;
    }
    return faults;
}

bool nz_linkage_place(const struct nz_linkage_row *row, const char *field, struct nz_place *ret_at)
{
    const struct nz_linkage *l = row->from;
    for (size_t i = 0; row->cells && i < nz_layout_count(l->conf.layout); i++) {
        const struct nz_column *c = nz_layout_column(l->conf.layout, i);
        bool named = slice_eq(slice_str(field), slice_str(c->path)) || slice_eq(slice_str(field), slice_str(c->field)) ||
                     (c->group && slice_eq(slice_str(field), slice_str(c->group)));
        if (!named || l->cell_of[i] == NOT_THERE)
            continue;
        *ret_at = nz_csv_cell_place(row->cells, l->cell_of[i]);
        return true;
    }
    return false;
}

static enum nz_rule on_csv_row(void *ctx, const struct nz_csv_row *row)
{
    struct nz_linkage *l = ctx;
    if (!l->header_seen)
        return header_read(l, row);
    l->rows++;
    if (row->n != l->n_cells) {
        tell(l, l->rows, row->at, 0, "", NZ_RULE_COLUMNS);
        return NZ_RULE_NONE;
    }
    l->n_values = 0;
    if ((l->conf.structure_only || row_convert(l, row) == 0) && !l->made.failed)
        l->conf.on_row(l->conf.ctx, &(struct nz_linkage_row){
            .row = l->rows, .line = row->at.line, .values = l->values, .n = l->n_values, .from = l, .cells = row });
    buf_reset(&l->made);
    return NZ_RULE_NONE;
}

static void on_element(void *ctx, const struct nz_cut_element *e)
{
    struct nz_linkage *l = ctx;
    l->rows++;
    if (e->rule != NZ_RULE_NONE) {
        tell(l, l->rows, e->at, 0, "", e->rule);
        return;
    }
    struct slice json = l->conf.structure_only ? SLICE_NONE : e->text;
    l->conf.on_row(l->conf.ctx, &(struct nz_linkage_row){ .row = l->rows, .line = e->at.line, .json = json });
}

/* ---- CSV or JSON ---- */

static struct err reader_new(struct nz_linkage *l)
{
    bool lines = l->conf.source == NZ_SOURCE_JSON_LINES;
    return l->conf.source == NZ_SOURCE_CSV ? nz_csv_new(&l->csv, on_csv_row, l) : nz_cut_new(&l->cut, lines, on_element, l);
}

static struct err reader_check(const struct nz_linkage *l) { return l->csv ? nz_csv_check(l->csv) : nz_cut_check(l->cut); }
static struct nz_place reader_place(const struct nz_linkage *l) { return l->csv ? nz_csv_place(l->csv) : nz_cut_place(l->cut); }
static bool reader_blank(const struct nz_linkage *l) { return l->csv ? !l->header_seen : nz_cut_blank(l->cut); }

static enum nz_rule reader_feed(struct nz_linkage *l, struct nz_place *ret_at)
{
    return l->csv ? nz_csv_feed(l->csv, l->text.p, l->text.n, ret_at) : nz_cut_feed(l->cut, l->text.p, l->text.n, ret_at);
}

static enum nz_rule reader_end(struct nz_linkage *l, struct nz_place *ret_at)
{
    return l->csv ? nz_csv_end(l->csv, ret_at) : nz_cut_end(l->cut, ret_at);
}

/* ---- the file ---- */

ERR nz_linkage_new(struct nz_linkage **ret_l, const struct nz_linkage_conf *conf)
{
    struct nz_linkage *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL(E_NOMEM);
    l->conf = *conf;
    for (size_t i = 0; i < NZ_LAYOUT_COLUMNS_MAX; i++)
        l->cell_of[i] = NOT_THERE;
    buf_init(&l->text, TEXT_MAX);
    buf_init(&l->made, MADE_MAX);
    struct err e = nz_decode_init(&l->decode, conf->source == NZ_SOURCE_CSV ? conf->encoding : NZ_ENC_UTF8);
    if (err_ok(e) && conf->source == NZ_SOURCE_CSV && !buf_room(&l->made, MADE_MAX))
        e = FAIL(E_NOMEM);
    if (err_ok(e))
        e = reader_new(l);
    if (!err_ok(e)) {
        nz_linkage_free(l);
        return e;
    }
    *ret_l = l;
    return OK;
}

void nz_linkage_free(struct nz_linkage *l)
{
    if (!l)
        return;
    nz_decode_done(&l->decode);
    nz_csv_free(l->csv);
    nz_cut_free(l->cut);
    buf_done(&l->text);
    buf_done(&l->made);
    free(l);
}

static struct err broken(struct nz_linkage *l, struct nz_place at, enum nz_rule rule)
{
    if (!l->ended)
        tell(l, 0, at, 0, "", rule);
    l->ended = true;
    return FAIL(E_FIELD);
}

/* The good text before a fault of the encoding is read first: its end is where the fault is. */
static struct err text_read(struct nz_linkage *l, enum nz_rule encoding)
{
    struct nz_place at = NZ_PLACE_START;
    TRY(buf_check(&l->text));
    enum nz_rule rule = reader_feed(l, &at);
    buf_reset(&l->text);
    TRY(reader_check(l));
    TRY(buf_check(&l->made));
    if (rule != NZ_RULE_NONE)
        return broken(l, at, rule);
    return encoding == NZ_RULE_NONE ? OK : broken(l, reader_place(l), encoding);
}

ERR nz_linkage_feed(struct nz_linkage *l, struct slice bytes)
{
    struct slice piece;
    if (l->ended)
        return FAIL(E_FIELD);
    while (bytes.n) {
        piece = slice_of(bytes.p, bytes.n < PIECE ? bytes.n : PIECE);
        bytes = slice_of(bytes.p + piece.n, bytes.n - piece.n);
        TRY(text_read(l, nz_decode_feed(&l->decode, piece, &l->text)));
    }
    return OK;
}

ERR nz_linkage_end(struct nz_linkage *l)
{
    struct nz_place at = NZ_PLACE_START;
    if (l->ended)
        return FAIL(E_FIELD);
    TRY(text_read(l, nz_decode_end(&l->decode, &l->text)));
    enum nz_rule rule = reader_end(l, &at);
    TRY(reader_check(l));
    if (rule != NZ_RULE_NONE)
        return broken(l, at, rule);
    if (reader_blank(l))
        return broken(l, NZ_PLACE_START, NZ_RULE_EMPTY);
    if (l->rows == 0)
        return broken(l, reader_place(l), NZ_RULE_NO_ROWS);
    l->ended = true;
    return OK;
}
