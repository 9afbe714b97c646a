/* Rows of a file: cells by their layout, without JSON in between; or the text of one JSON object. */
#include <stdlib.h>

#include "gateway/base/must.h"
#include "keys/linkage/linkage.h"
#include "keys/registration/row_record.h"

enum { CELLS_MAX = 64, GROUPS_MAX = 2, NO_CELL = CELLS_MAX };

/* Where a column of the layout goes. */
struct place {
    size_t cell;
    size_t object;    /* the cell of basicFiveInfo, which is there as soon as one of its fields is; NO_CELL for none */
    const char *name; /* a member of an object or array whose inner fields are not published; NULL: the cell itself */
};

/* Such an object on its way into a buffer. */
struct group {
    size_t cell, from, to, items;
    enum field_rule rule;
};

struct nz_row_reader {
    enum nz_form form;
    const struct nz_layout *layout;
    char muni[6];
    struct check_levels levels;
    struct nz_row_work work;
    struct place places[NZ_LAYOUT_COLUMNS_MAX];
    size_t n_cells;
    struct field_cell absent[CELLS_MAX]; /* a row without any value */
    const struct field *field_of[CELLS_MAX];
    /* of the row at hand */
    struct field_cell cells[CELLS_MAX];
    struct group groups[GROUPS_MAX];
    size_t n_groups;
    struct buf inner;
};

/* ---- once a file ---- */

static void cells_lay(struct nz_row_reader *r, const struct field *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        MUST(r->n_cells < CELLS_MAX);
        r->field_of[r->n_cells++] = &table[i];
        if (table[i].cls == FC_OBJECT)
            cells_lay(r, table[i].sub, table[i].n_sub);
    }
}

/* The cell of a field among [from, to), not inside of objects; to when there is none. */
static size_t cell_find(const struct nz_row_reader *r, size_t from, size_t to, const char *name)
{
    while (from < to && !slice_eq(slice_str(r->field_of[from]->name), slice_str(name))) {
        const struct field *f = r->field_of[from];
        from += 1 + (f->cls == FC_OBJECT ? fields_count(f->sub, f->n_sub) : 0);
    }
    return from < to ? from : to;
}

static bool is_open(const struct field *f) { return f->cls == FC_ANY_OBJECT || f->cls == FC_ARRAY; }

static ERR place_find(const struct nz_row_reader *r, const struct nz_column *c, struct place *ret_p)
{
    size_t at = cell_find(r, 0, r->n_cells, c->group ? c->group : c->field);
    const struct field *f = at < r->n_cells ? r->field_of[at] : NULL;
    if (!f || (!c->group && (is_open(f) || f->cls == FC_OBJECT)) || (c->group && !is_open(f) && f->cls != FC_OBJECT))
        return FAIL(E_CONFIG);
    *ret_p = (struct place){ at, NO_CELL, c->group && is_open(f) ? c->field : NULL };
    if (!c->group || is_open(f))
        return OK;
    const size_t end = at + 1 + f->n_sub;
    *ret_p = (struct place){ cell_find(r, at + 1, end, c->field), at, NULL };
    return ret_p->cell < end ? OK : FAIL(E_CONFIG);
}

static ERR places_fill(struct nz_row_reader *r)
{
    const struct nz_form_table *t = r->work.table;
    cells_lay(r, t->fields, t->n_fields);
    /* A column cannot say that a list is empty; one that is needed and not there is meant so. */
    for (size_t i = 0; i < r->n_cells; i++)
        if (r->field_of[i]->cls == FC_ARRAY && r->field_of[i]->required)
            r->absent[i] = (struct field_cell){ .kind = CELL_ARRAY, .of_objects = true, .text = LIT("[]") };
    for (size_t i = 0; r->layout && i < nz_layout_count(r->layout); i++)
        TRY(place_find(r, nz_layout_column(r->layout, i), &r->places[i]));
    return OK;
}

ERR nz_row_reader_new(struct nz_row_reader **ret_r, enum nz_form form, const struct nz_layout *layout, const char muni[static 6],
                      const struct check_levels *levels, struct nz_pool *pool)
{
    if (!nz_form_table(form)->fields)
        return FAIL(E_CONFIG);
    struct nz_row_reader *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(E_NOMEM);
    r->form = form;
    r->layout = layout;
    memcpy(r->muni, muni, sizeof r->muni);
    if (levels)
        r->levels = *levels; /* all off otherwise */
    nz_row_work_init(&r->work, form, r->muni, &r->levels, pool);
    buf_init(&r->inner, STORE_RECORD_MAX);
    struct err e = places_fill(r);
    if (!err_ok(e)) {
        nz_row_reader_free(r);
        return e;
    }
    *ret_r = r;
    return OK;
}

void nz_row_reader_free(struct nz_row_reader *r)
{
    if (!r)
        return;
    nz_row_work_done(&r->work);
    buf_done(&r->inner);
    free(r);
}

/* ---- objects whose inner fields are not published ---- */

/* One character, as jansson would write it, so that both ways see the same bytes. */
static void inner_escape(struct buf *out, uint8_t c)
{
    static const char HEX[] = "0123456789ABCDEF", SHORT[] = "\b\f\n\r\t", LETTERS[] = "bfnrt";
    const char *is_short = c && c < 0x20 ? strchr(SHORT, c) : NULL;
    buf_putc(out, '\\');
    if (is_short || c >= 0x20) {
        buf_putc(out, is_short ? (uint8_t)LETTERS[is_short - SHORT] : c);
        return;
    }
    buf_puts(out, "u00");
    buf_putc(out, (uint8_t)HEX[c >> 4]);
    buf_putc(out, (uint8_t)HEX[c & 15]);
}

static void inner_text(struct buf *out, struct slice s)
{
    size_t from = 0;
    buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\')
            continue;
        buf_put(out, slice_of(s.p + from, i - from));
        inner_escape(out, s.p[i]);
        from = i + 1;
    }
    if (from < s.n)
        buf_put(out, slice_of(s.p + from, s.n - from));
    buf_putc(out, '"');
}

static bool is_array(const struct nz_row_reader *r, const struct group *g) { return r->field_of[g->cell]->cls == FC_ARRAY; }

/* Columns of one group stand together: another group, or the end of the row, closes the one before. */
static void group_close(struct nz_row_reader *r)
{
    if (!r->n_groups)
        return;
    struct group *g = &r->groups[r->n_groups - 1];
    buf_puts(&r->inner, is_array(r, g) ? "}]" : "}");
    g->to = r->inner.n;
}

static struct group *group_of(struct nz_row_reader *r, size_t cell)
{
    if (r->n_groups && r->groups[r->n_groups - 1].cell == cell)
        return &r->groups[r->n_groups - 1];
    group_close(r);
    MUST(r->n_groups < GROUPS_MAX);
    struct group *g = &r->groups[r->n_groups++];
    *g = (struct group){ .cell = cell, .from = r->inner.n };
    buf_puts(&r->inner, is_array(r, g) ? "[{" : "{");
    return g;
}

static void inner_put(struct nz_row_reader *r, const struct place *p, const struct nz_value *v)
{
    struct group *g = group_of(r, p->cell);
    if (g->items++)
        buf_putc(&r->inner, ',');
    inner_text(&r->inner, slice_str(p->name));
    buf_putc(&r->inner, ':');
    if (v->is_flag)
        buf_puts(&r->inner, v->flag ? "true" : "false");
    else
        inner_text(&r->inner, v->text);
    if (g->rule == FR_NONE)
        g->rule = nz_form_inner_text(slice_str(p->name), NZ_INNER_NAME_MAX);
    if (g->rule == FR_NONE && !v->is_flag)
        g->rule = nz_form_inner_text(v->text, NZ_INNER_TEXT_MAX);
}

static enum field_rule group_rule(const struct group *g, size_t bytes_max)
{
    if (g->items > NZ_INNER_MEMBERS_MAX)
        return FR_LENGTH;
    return g->rule == FR_NONE && g->to - g->from > bytes_max ? FR_LENGTH : g->rule;
}

static void groups_end(struct nz_row_reader *r)
{
    group_close(r);
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct group *g = &r->groups[i];
        const bool array = is_array(r, g);
        r->cells[g->cell] = (struct field_cell){ .kind = array ? CELL_ARRAY : CELL_OBJECT, .of_objects = array, .items = array ? 1 : g->items,
                                                 .text = slice_of(r->inner.p + g->from, g->to - g->from) };
    }
}

/* What the table cannot say of a field that it found good. */
static void groups_judge(const struct nz_row_reader *r, struct nz_values *v)
{
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct group *g = &r->groups[i];
        const size_t offset = r->field_of[g->cell]->offset;
        if (offset == offsetof(struct nz_values, copayment) && v->copayment.present)
            v->copayment_inner = group_rule(g, NZ_COPAYMENT_BYTES_MAX);
        if (offset == offsetof(struct nz_values, detail) && v->detail.present)
            v->detail_inner = group_rule(g, NZ_DETAIL_BYTES_MAX);
    }
}

/* ---- one row ---- */

static void cells_fill(struct nz_row_reader *r, const struct nz_linkage_row *in)
{
    memcpy(r->cells, r->absent, r->n_cells * sizeof r->cells[0]);
    buf_reset(&r->inner);
    r->n_groups = 0;
    for (size_t i = 0; i < in->n; i++) {
        const struct nz_value *v = &in->values[i];
        const struct place *p = &r->places[v->column];
        if (p->name) {
            inner_put(r, p, v);
            continue;
        }
        struct field_cell *c = &r->cells[p->cell];
        c->kind = v->is_flag ? CELL_BOOL : CELL_TEXT;
        c->flag = v->flag;
        c->text = v->text;
        if (p->object != NO_CELL)
            r->cells[p->object].kind = CELL_OBJECT;
    }
    groups_end(r);
}

static ERR read_cells(struct nz_row_reader *r, const struct nz_linkage_row *in, struct arena *a, struct nz_row *row)
{
    const struct nz_form_table *t = r->work.table;
    struct nz_values v = { 0 };
    cells_fill(r, in);
    TRY(buf_check(&r->inner));
    fields_read_cells(r->cells, t->fields, t->n_fields, &r->levels, &v, &row->report);
    groups_judge(r, &v);
    t->judge(&v, &row->report);
    return nz_row_make(&r->work, &v, a, row);
}

/* A text that is no good JSON is a fault of the row: the file goes on. */
static ERR read_json(struct nz_row_reader *r, struct slice text, struct arena *a, struct nz_row *row)
{
    json_t *obj;
    struct nz_values v;
    struct err e = json_in_object(&obj, a, text);
    if (err_is(e, E_NOMEM) || err_is(e, E_FULL))
        return e;
    if (!err_ok(e)) {
        row->verdict = NZ_ROW_FIELD;
        field_fault_add(&row->report, "", FR_TYPE);
        return OK;
    }
    nz_form_read(r->form, obj, &r->levels, &v, &row->report);
    e = nz_row_make(&r->work, &v, a, row);
    json_object_del(obj, "myNumber"); /* jansson wipes what it frees */
    return e;
}

ERR nz_row_read(struct nz_row_reader *r, const struct nz_linkage_row *in, struct arena *a, struct nz_row *ret_row)
{
    struct nz_row row = { .row = (unsigned)in->row };
    TRY(in->json.n ? read_json(r, in->json, a, &row) : read_cells(r, in, a, &row));
    *ret_row = row;
    return OK;
}
