/* Rows of a file: cells by their layout, without JSON in between; or the text of one JSON object, which becomes cells too when it is plain. */
#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "keys/linkage/linkage.h"
#include "keys/registration/plain_json.h"
#include "keys/registration/row_record.h"

enum {
    CELLS_MAX = 64, GROUPS_MAX = 2, INNER_NAMES_MAX = 16, MEMBERS_MAX = 128, NO_CELL = CELLS_MAX,
    INNER_MAX = GROUPS_MAX * (NZ_DETAIL_BYTES_MAX + 2 * 4 * (NZ_INNER_NAME_MAX + NZ_INNER_TEXT_MAX) + 16), /* each may pass its maximum by one member */
    TREE_MAX = 64 * 1024 /* it lives on the heap: the arena only frees it */
};

/* Where a value goes. */
struct place {
    size_t cell;
    size_t object;     /* the cell of basicFiveInfo, which is there as soon as one of its fields is; NO_CELL for none */
    struct slice name; /* a member of an object or array whose inner fields are not published; p NULL: the cell itself */
};

/* Such an object on its way into a buffer. */
struct group {
    size_t cell, from, to, items;
    enum field_rule rule;
    bool too_long; /* for any of them */
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
    struct slice name_of[CELLS_MAX];
    size_t object_of[CELLS_MAX];         /* inside of which it is; NO_CELL */
    size_t last_cell[MEMBERS_MAX];       /* of the member at this position in the row before: senders keep their order */
    /* of the row at hand */
    struct field_cell cells[CELLS_MAX];
    struct group groups[GROUPS_MAX];
    size_t n_groups;
    struct buf inner;
    struct arena *tree; /* of the JSON library; empty between rows, so that a file of bad rows takes no memory */
    struct slice inner_names[INNER_NAMES_MAX]; /* JSON */
    size_t n_inner_names;
};

/* ---- once a file ---- */

static void cells_lay(struct nz_row_reader *r, const struct field *table, size_t n, size_t object)
{
    for (size_t i = 0; i < n; i++) {
        MUST(r->n_cells < CELLS_MAX);
        const size_t cell = r->n_cells++;
        r->field_of[cell] = &table[i];
        r->name_of[cell] = slice_str(table[i].name);
        r->object_of[cell] = object;
        if (table[i].cls == FC_OBJECT)
            cells_lay(r, table[i].sub, table[i].n_sub, cell);
    }
}

static bool is_cell(const struct nz_row_reader *r, size_t cell, size_t object, struct slice name)
{
    return r->object_of[cell] == object && slice_eq(r->name_of[cell], name);
}

/* The cell of a field inside of an object; NO_CELL when there is none. guess: tried first. */
static size_t cell_find(const struct nz_row_reader *r, size_t object, struct slice name, size_t guess)
{
    if (guess < r->n_cells && is_cell(r, guess, object, name))
        return guess;
    size_t cell = 0;
    while (cell < r->n_cells && !is_cell(r, cell, object, name))
        cell++;
    return cell < r->n_cells ? cell : NO_CELL;
}

static bool is_open(const struct field *f) { return f->cls == FC_ANY_OBJECT || f->cls == FC_ARRAY; }

static ERR place_find(const struct nz_row_reader *r, const struct nz_column *c, struct place *ret_p)
{
    const size_t at = cell_find(r, NO_CELL, slice_str(c->group ? c->group : c->field), NO_CELL);
    const struct field *f = at == NO_CELL ? NULL : r->field_of[at];
    if (!f || (!c->group && (is_open(f) || f->cls == FC_OBJECT)) || (c->group && !is_open(f) && f->cls != FC_OBJECT))
        return FAIL(E_CONFIG);
    *ret_p = (struct place){ at, NO_CELL, c->group && is_open(f) ? slice_str(c->field) : SLICE_NONE };
    if (!c->group || is_open(f))
        return OK;
    *ret_p = (struct place){ cell_find(r, at, slice_str(c->field), NO_CELL), at, SLICE_NONE };
    return ret_p->cell != NO_CELL ? OK : FAIL(E_CONFIG);
}

static ERR places_fill(struct nz_row_reader *r)
{
    const struct nz_form_table *t = r->work.table;
    cells_lay(r, t->fields, t->n_fields, NO_CELL);
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
    buf_init(&r->inner, INNER_MAX);
    r->tree = arena_new(TREE_MAX);
    struct err e = r->tree ? places_fill(r) : FAIL(E_NOMEM);
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
    arena_free(r->tree);
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

/* Of a group that is refused the texts are judged on, and not written any more. */
static void inner_put(struct nz_row_reader *r, const struct place *p, const struct nz_value *v)
{
    struct group *g = group_of(r, p->cell);
    const bool first = g->items++ == 0;
    if (g->rule == FR_NONE)
        g->rule = nz_form_inner_text(p->name, NZ_INNER_NAME_MAX);
    if (g->rule == FR_NONE && !v->is_flag)
        g->rule = nz_form_inner_text(v->text, NZ_INNER_TEXT_MAX);
    if (g->rule != FR_NONE || g->too_long)
        return;
    if (!first)
        buf_putc(&r->inner, ',');
    inner_text(&r->inner, p->name);
    buf_putc(&r->inner, ':');
    if (v->is_flag)
        buf_puts(&r->inner, v->flag ? "true" : "false");
    else
        inner_text(&r->inner, v->text);
    g->too_long = r->inner.n - g->from > NZ_DETAIL_BYTES_MAX;
}

static enum field_rule group_rule(const struct group *g, size_t bytes_max)
{
    if (g->items > NZ_INNER_MEMBERS_MAX)
        return FR_LENGTH;
    return g->rule == FR_NONE && (g->too_long || g->to - g->from > bytes_max) ? FR_LENGTH : g->rule;
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

/* What the table cannot say of a field that it found good. One that is refused is like one that was not read. */
static void group_judge(const struct group *g, struct field_value *v, size_t bytes_max, enum field_rule *ret_rule)
{
    if (!v->present)
        return;
    *ret_rule = group_rule(g, bytes_max);
    v->present = *ret_rule == FR_NONE;
}

static void groups_judge(const struct nz_row_reader *r, struct nz_values *v)
{
    for (size_t i = 0; i < r->n_groups; i++) {
        const struct group *g = &r->groups[i];
        const size_t offset = r->field_of[g->cell]->offset;
        if (offset == offsetof(struct nz_values, copayment))
            group_judge(g, &v->copayment, NZ_COPAYMENT_BYTES_MAX, &v->copayment_inner);
        if (offset == offsetof(struct nz_values, detail))
            group_judge(g, &v->detail, NZ_DETAIL_BYTES_MAX, &v->detail_inner);
    }
}

/* ---- one row ---- */

static void cells_begin(struct nz_row_reader *r)
{
    buf_reset(&r->inner);
    r->n_groups = 0;
    r->n_inner_names = 0;
}

static void cell_put(struct nz_row_reader *r, const struct place *p, const struct nz_value *v)
{
    if (p->name.p) {
        inner_put(r, p, v);
        return;
    }
    struct field_cell *c = &r->cells[p->cell];
    c->kind = v->is_flag ? CELL_BOOL : CELL_TEXT;
    c->flag = v->flag;
    c->text = v->text;
    if (p->object != NO_CELL)
        r->cells[p->object].kind = CELL_OBJECT;
}

static void cells_of_columns(struct nz_row_reader *r, const struct nz_linkage_row *in)
{
    cells_begin(r);
    memcpy(r->cells, r->absent, r->n_cells * sizeof r->cells[0]);
    for (size_t i = 0; i < in->n; i++)
        cell_put(r, &r->places[in->values[i].column], &in->values[i]);
    groups_end(r);
}

static ERR read_cells(struct nz_row_reader *r, struct arena *a, struct nz_row *row)
{
    const struct nz_form_table *t = r->work.table;
    struct nz_values v = { 0 };
    TRY(buf_check(&r->inner));
    fields_read_cells(r->cells, t->fields, t->n_fields, &r->levels, &v, &row->report);
    groups_judge(r, &v);
    t->judge(&v, &row->report);
    return nz_row_make(&r->work, &v, a, row);
}

/* ---- JSON ---- */

/* Each name once; so many are rare. */
static bool inner_name_new(struct nz_row_reader *r, struct slice name)
{
    for (size_t i = 0; i < r->n_inner_names; i++)
        if (slice_eq(r->inner_names[i], name))
            return false;
    if (r->n_inner_names == INNER_NAMES_MAX)
        return false;
    r->inner_names[r->n_inner_names++] = name;
    return true;
}

/* guess: where the member at this position went in the row before. */
static size_t group_find(const struct nz_row_reader *r, struct slice group, size_t guess)
{
    const size_t object = guess < r->n_cells ? r->object_of[guess] : NO_CELL;
    return cell_find(r, NO_CELL, group, object != NO_CELL ? object : guess);
}

/* An object that was there already is the JSON library's to tell. */
static bool group_begin(struct nz_row_reader *r, size_t cell)
{
    if (r->cells[cell].kind != CELL_ABSENT)
        return false;
    r->cells[cell].kind = CELL_OBJECT;
    r->n_inner_names = 0;
    return true;
}

/* begins: the member is the first one of its group. false: not for us. */
static bool place_of_member(struct nz_row_reader *r, const struct nz_plain_member *m, size_t guess, bool begins, struct place *ret_p)
{
    const size_t object = m->group.p ? group_find(r, m->group, guess) : NO_CELL;
    if (m->group.p && (object == NO_CELL || (begins && !group_begin(r, object))))
        return false;
    if (m->group.p && r->field_of[object]->cls == FC_ANY_OBJECT) {
        *ret_p = (struct place){ object, NO_CELL, m->name };
        return m->kind != NZ_PLAIN_EMPTY_LIST && inner_name_new(r, m->name);
    }
    if (m->group.p && r->field_of[object]->cls != FC_OBJECT)
        return false;
    *ret_p = (struct place){ cell_find(r, object, m->name, guess), object, SLICE_NONE };
    return ret_p->cell != NO_CELL && r->cells[ret_p->cell].kind == CELL_ABSENT;
}

static void member_put(struct nz_row_reader *r, const struct nz_plain_member *m, const struct place *p)
{
    if (m->kind == NZ_PLAIN_EMPTY_LIST)
        r->cells[p->cell] = (struct field_cell){ .kind = CELL_ARRAY, .of_objects = true, .text = LIT("[]") };
    else
        cell_put(r, p, &(struct nz_value){ 0, m->kind == NZ_PLAIN_FLAG, m->flag, m->text });
}

/* false: the JSON library has to look at it. */
static bool cells_of_json(struct nz_row_reader *r, struct slice text)
{
    struct nz_plain p;
    struct nz_plain_member m;
    struct slice group = SLICE_NONE;
    enum nz_plain_ev ev = NZ_PLAIN_NOT;
    cells_begin(r);
    memset(r->cells, 0, r->n_cells * sizeof r->cells[0]); /* CELL_ABSENT */
    nz_plain_init(&p, text);
    for (size_t i = 0; i < MEMBERS_MAX && (ev = nz_plain_next(&p, &m)) == NZ_PLAIN_MEMBER; i++) {
        struct place at;
        if (!place_of_member(r, &m, r->last_cell[i], m.group.p && m.group.p != group.p, &at))
            return false;
        group = m.group;
        r->last_cell[i] = at.cell;
        member_put(r, &m, &at);
    }
    groups_end(r);
    return ev == NZ_PLAIN_END;
}

/* A text that is no good JSON is a fault of the row: the file goes on. */
static ERR judge_tree(struct nz_row_reader *r, struct slice text, struct arena *a, struct nz_row *row)
{
    json_t *obj;
    struct nz_values v;
    struct err e = json_in_object(&obj, r->tree, text);
    if (err_is(e, E_NOMEM) || err_is(e, E_FULL))
        return e;
    if (!err_ok(e)) {
        row->verdict = NZ_ROW_FIELD;
        field_fault_add(&row->report, "", FR_TYPE);
        return OK;
    }
    nz_form_read(r->form, obj, &r->levels, &v, &row->report);
    return nz_row_make(&r->work, &v, a, row);
}

/* Everything of the row is in its own arena then. jansson wipes what it frees. */
static ERR read_tree(struct nz_row_reader *r, struct slice text, struct arena *a, struct nz_row *row)
{
    struct err e = judge_tree(r, text, a, row);
    arena_reset(r->tree);
    return e;
}

static ERR read_json(struct nz_row_reader *r, struct slice text, struct arena *a, struct nz_row *row)
{
    return utf8_valid(text) && cells_of_json(r, text) ? read_cells(r, a, row) : read_tree(r, text, a, row);
}

static ERR read_columns(struct nz_row_reader *r, const struct nz_linkage_row *in, struct arena *a, struct nz_row *row)
{
    cells_of_columns(r, in);
    return read_cells(r, a, row);
}

ERR nz_row_read(struct nz_row_reader *r, const struct nz_linkage_row *in, struct arena *a, struct nz_row *ret_row)
{
    struct nz_row row = { .row = (unsigned)in->row };
    TRY(in->json.n ? read_json(r, in->json, a, &row) : read_columns(r, in, a, &row));
    *ret_row = row;
    return OK;
}
