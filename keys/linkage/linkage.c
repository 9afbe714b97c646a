#include "keys/linkage/linkage.h"

#include <stdlib.h>

#include "gateway/base/json_write.h"
#include "keys/linkage/convert.h"
#include "keys/linkage/csv.h"

enum {
    PIECE = 16 * 1024,
    TEXT_MAX = 4 * PIECE + 2 * NZ_DECODE_HOLD * 3, /* what a piece can become, with what was held */
    /* Dates may grow by a few bytes, nothing else does. Taken once: slices point into it. */
    MADE_MAX = NZ_CSV_ROW_MAX + NZ_LAYOUT_COLUMNS_MAX * (NZ_LAYOUT_TEXT_MAX + 10),
    NOT_THERE = NZ_CSV_CELLS_MAX,
};

struct nz_linkage {
    struct nz_linkage_conf conf;
    struct nz_decode decode;
    struct nz_csv *csv;
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

static struct slice made_since(const struct nz_linkage *l, size_t from) { return slice_of(l->made.p + from, l->made.n - from); }

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
        size_t column = nz_layout_find(layout, row->cells[i].text);
        if (column == n)
            return header_fault(l, row->cells[i].at, i + 1, "", NZ_RULE_HEADER_UNKNOWN);
        if (l->cell_of[column] != NOT_THERE)
            return header_fault(l, row->cells[i].at, i + 1, nz_layout_column(layout, column)->path, NZ_RULE_HEADER_TWICE);
        l->cell_of[column] = i;
    }
    for (size_t i = 0; i < n; i++)
        if (nz_layout_column(layout, i)->needed && l->cell_of[i] == NOT_THERE)
            return header_fault(l, row->at, 0, nz_layout_column(layout, i)->path, NZ_RULE_HEADER_MISSING);
    l->header_seen = true;
    l->n_cells = row->n;
    return NZ_RULE_NONE;
}

/* ---- values ---- */

static enum nz_rule date_convert(struct nz_linkage *l, struct slice v, struct nz_value *ret_v)
{
    char date[10];
    if (!nz_convert_date(v, date))
        return NZ_RULE_DATE;
    size_t from = l->made.n;
    buf_put(&l->made, ARR(date));
    ret_v->text = made_since(l, from);
    return NZ_RULE_NONE;
}

static enum nz_rule boolean_convert(struct nz_linkage *l, struct slice v, struct nz_value *ret_v)
{
    (void)l;
    ret_v->is_flag = true;
    return nz_convert_choice(v, &ret_v->flag) ? NZ_RULE_NONE : NZ_RULE_CHOICE;
}

static enum nz_rule flag_convert(struct nz_linkage *l, struct slice v, struct nz_value *ret_v)
{
    bool yes;
    (void)l;
    if (!nz_convert_choice(v, &yes))
        return NZ_RULE_CHOICE;
    ret_v->text = yes ? LIT("1") : LIT("0");
    return NZ_RULE_NONE;
}

static enum nz_rule kana_convert(struct nz_linkage *l, struct slice v, struct nz_value *ret_v)
{
    size_t from = l->made.n;
    nz_convert_kana(v, &l->made);
    ret_v->text = made_since(l, from);
    return NZ_RULE_NONE;
}

static enum nz_rule text_convert(struct nz_linkage *l, struct slice v, struct nz_value *ret_v)
{
    (void)l;
    ret_v->text = v;
    return NZ_RULE_NONE;
}

static enum nz_rule convert(struct nz_linkage *l, enum nz_as as, struct slice v, struct nz_value *ret_v)
{
    static enum nz_rule (*const BY[])(struct nz_linkage *l, struct slice v, struct nz_value *ret_v) = {
        [NZ_AS_TEXT] = text_convert, [NZ_AS_KANA] = kana_convert, [NZ_AS_DATE] = date_convert, [NZ_AS_BOOLEAN] = boolean_convert, [NZ_AS_FLAG] = flag_convert,
    };
    enum nz_rule suspect = nz_convert_suspect(v);
    return suspect != NZ_RULE_NONE ? suspect : BY[as](l, v, ret_v);
}

/* Fills l->values; the number of faults that were told instead. */
static size_t row_convert(struct nz_linkage *l, const struct nz_csv_row *row)
{
    size_t faults = 0;
    l->n_values = 0;
    for (size_t i = 0; i < nz_layout_count(l->conf.layout); i++) {
        const struct nz_column *c = nz_layout_column(l->conf.layout, i);
        const struct nz_csv_cell *cell = l->cell_of[i] == NOT_THERE ? NULL : &row->cells[l->cell_of[i]];
        struct slice v = cell && cell->text.n ? cell->text : slice_str(c->otherwise);
        if (!v.n)
            continue;
        struct nz_value *to = &l->values[l->n_values];
        *to = (struct nz_value){ .column = i };
        enum nz_rule rule = convert(l, c->as, v, to);
        if (rule == NZ_RULE_NONE) {
            l->n_values++;
            continue;
        }
        tell(l, l->rows, cell ? cell->at : row->at, cell ? l->cell_of[i] + 1 : 0, c->path, rule);
        faults++;
    }
    return faults;
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
        l->conf.on_row(l->conf.ctx, &(struct nz_linkage_row){ .row = l->rows, .line = row->at.line, .values = l->values, .n = l->n_values });
    buf_reset(&l->made);
    return NZ_RULE_NONE;
}

/* ---- as JSON ---- */

static bool same_group(const char *a, const char *b) { return a == b || (a && b && slice_eq(slice_str(a), slice_str(b))); }

/* A group without a value is left out. */
void nz_linkage_row_json(const struct nz_layout *layout, const struct nz_linkage_row *row, struct buf *out)
{
    struct jsonw w;
    const char *open = NULL;
    if (row->json.n) {
        buf_put(out, row->json);
        return;
    }
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    for (size_t i = 0; i < row->n; i++) {
        const struct nz_value *v = &row->values[i];
        const struct nz_column *c = nz_layout_column(layout, v->column);
        if (open && !same_group(open, c->group))
            jsonw_end_object(&w);
        if (c->group && !same_group(open, c->group))
            jsonw_object(&w, c->group);
        open = c->group;
        if (v->is_flag)
            jsonw_bool(&w, c->field, v->flag);
        else
            jsonw_str(&w, c->field, v->text);
    }
    if (open)
        jsonw_end_object(&w);
    jsonw_end_object(&w);
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
    struct err e = nz_decode_init(&l->decode, conf->encoding);
    if (err_ok(e) && !buf_room(&l->made, MADE_MAX))
        e = FAIL(E_NOMEM);
    if (err_ok(e))
        e = nz_csv_new(&l->csv, on_csv_row, l);
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
    enum nz_rule rule = nz_csv_feed(l->csv, buf_slice(&l->text), &at);
    buf_reset(&l->text);
    TRY(nz_csv_check(l->csv));
    TRY(buf_check(&l->made));
    if (rule != NZ_RULE_NONE)
        return broken(l, at, rule);
    return encoding == NZ_RULE_NONE ? OK : broken(l, nz_csv_place(l->csv), encoding);
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
    enum nz_rule rule = nz_csv_end(l->csv, &at);
    TRY(nz_csv_check(l->csv));
    if (rule != NZ_RULE_NONE)
        return broken(l, at, rule);
    if (!l->header_seen)
        return broken(l, NZ_PLACE_START, NZ_RULE_EMPTY);
    if (l->rows == 0)
        return broken(l, nz_csv_place(l->csv), NZ_RULE_NO_ROWS);
    l->ended = true;
    return OK;
}
