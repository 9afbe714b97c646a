#include "keys/linkage/linkage.h"

#include <stdlib.h>

#include "gateway/base/json_write.h"
#include "keys/linkage/convert.h"
#include "keys/linkage/csv.h"

enum {
    PIECE = 16 * 1024,
    TEXT_MAX = 4 * PIECE + 2 * NZ_DECODE_HOLD * 3, /* what a piece can become, with what was held */
    JSON_MAX = 8 * 1024 * 1024,                    /* every byte of the longest row escaped */
    NOT_THERE = NZ_CSV_CELLS_MAX,
};

struct nz_linkage {
    struct nz_linkage_conf conf;
    struct nz_decode decode;
    struct nz_csv *csv;
    struct buf text, json, kana;
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

static enum nz_rule put_date(struct jsonw *w, const char *name, struct slice v)
{
    char date[10];
    if (!nz_convert_date(v, date))
        return NZ_RULE_DATE;
    jsonw_str(w, name, ARR(date));
    return NZ_RULE_NONE;
}

static enum nz_rule put_choice(struct jsonw *w, const char *name, enum nz_as as, struct slice v)
{
    bool yes;
    if (!nz_convert_choice(v, &yes))
        return NZ_RULE_CHOICE;
    if (as == NZ_AS_BOOLEAN)
        jsonw_bool(w, name, yes);
    else
        jsonw_cstr(w, name, yes ? "1" : "0");
    return NZ_RULE_NONE;
}

static enum nz_rule put_value(struct nz_linkage *l, struct jsonw *w, const struct nz_column *c, struct slice v)
{
    enum nz_rule suspect = nz_convert_suspect(v);
    if (suspect != NZ_RULE_NONE)
        return suspect;
    if (c->as == NZ_AS_DATE)
        return put_date(w, c->field, v);
    if (c->as == NZ_AS_BOOLEAN || c->as == NZ_AS_FLAG)
        return put_choice(w, c->field, c->as, v);
    if (c->as == NZ_AS_KANA) {
        buf_reset(&l->kana);
        nz_convert_kana(v, &l->kana);
        v = buf_slice(&l->kana);
    }
    jsonw_str(w, c->field, v);
    return NZ_RULE_NONE;
}

static bool same_group(const char *a, const char *b) { return a == b || (a && b && slice_eq(slice_str(a), slice_str(b))); }

/* The object of a row; the number of faults that were told instead. A group without a value is left out. */
static size_t row_write(struct nz_linkage *l, const struct nz_csv_row *row)
{
    struct jsonw w;
    const char *open = NULL;
    size_t faults = 0;
    jsonw_init(&w, &l->json);
    jsonw_object(&w, NULL);
    for (size_t i = 0; i < nz_layout_count(l->conf.layout); i++) {
        const struct nz_column *c = nz_layout_column(l->conf.layout, i);
        const struct nz_csv_cell *cell = l->cell_of[i] == NOT_THERE ? NULL : &row->cells[l->cell_of[i]];
        struct slice v = cell && cell->text.n ? cell->text : slice_str(c->otherwise);
        if (!v.n)
            continue;
        if (open && !same_group(open, c->group))
            jsonw_end_object(&w);
        if (c->group && !same_group(open, c->group))
            jsonw_object(&w, c->group);
        open = c->group;
        enum nz_rule rule = put_value(l, &w, c, v);
        if (rule == NZ_RULE_NONE)
            continue;
        tell(l, l->rows, cell ? cell->at : row->at, cell ? l->cell_of[i] + 1 : 0, c->path, rule);
        faults++;
    }
    if (open)
        jsonw_end_object(&w);
    jsonw_end_object(&w);
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
    if (row_write(l, row) == 0 && !l->json.failed && !l->kana.failed)
        l->conf.on_row(l->conf.ctx, l->rows, row->at.line, buf_slice(&l->json));
    buf_reset(&l->json);
    return NZ_RULE_NONE;
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
    buf_init(&l->json, JSON_MAX);
    buf_init(&l->kana, NZ_CSV_CELL_MAX + 1);
    struct err e = nz_decode_init(&l->decode, conf->encoding);
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
    buf_done(&l->json);
    buf_done(&l->kana);
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
    TRY(buf_check(&l->json));
    TRY(buf_check(&l->kana));
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
