/* Reaches nz_registration_parse and nz_row_read over all forms: form tables, number_inside, row_record, row_rules, row_reader. The first byte
 * chooses the form and the check levels, the second the way in: a body, one JSON object, or cells. What is accepted encodes as a record, the row's
 * number is nowhere in it, and cells are judged as the JSON of the same row. */
#include "gateway/base/must.h"
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "keys/linkage/linkage.h"
#include "keys/registration/form.h"

enum { ROWS_MAX = 20, WAY_BODY = 0, WAY_CELLS = 1, WAY_JSON = 2, WAYS = 3 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

static struct err not_inside(struct slice digits, void *arg)
{
    const struct record *r = arg;
    MUST(!r->eligibility.n || memmem(r->eligibility.p, r->eligibility.n, digits.p, digits.n) == NULL);
    MUST(!r->basic.n || memmem(r->basic.p, r->basic.n, digits.p, digits.n) == NULL);
    return OK;
}

static void look_at(struct nz_row *r)
{
    struct buf b;
    MUST((r->verdict == NZ_ROW_FIELD) == (r->report.n_faults > 0));
    if (r->verdict == NZ_ROW_FIELD)
        return;
    buf_init(&b, STORE_RECORD_MAX);
    MUST(err_ok(record_encode(&r->record, &b)));
    MUST(err_ok(nz_mynum_use(r->number, not_inside, &r->record)));
    buf_done(&b);
}

struct bench {
    enum nz_form form;
    const struct check_levels *levels;
    struct arena *arena;
    struct nz_pool *pool;
};

static void try_body(const struct bench *b, struct slice body)
{
    struct nz_rows *rows;
    struct err e = nz_registration_parse(&rows, b->arena, b->pool, b->form, body, ROWS_MAX, "331007", b->levels);
    for (size_t i = 0; err_ok(e) && i < rows->n; i++)
        look_at(&rows->row[i]);
}

static ERR read_one(const struct bench *b, const struct nz_layout *l, const struct nz_linkage_row *in, struct nz_row *ret_row)
{
    struct nz_row_reader *r;
    MUST(err_ok(nz_row_reader_new(&r, b->form, l, "331007", b->levels, b->pool)));
    struct err e = nz_row_read(r, in, b->arena, ret_row);
    nz_row_reader_free(r);
    if (err_ok(e))
        look_at(ret_row);
    return e;
}

static void same(const struct nz_row *a, const struct nz_row *b)
{
    MUST(a->verdict == b->verdict && a->report.n_faults == b->report.n_faults && a->report.n_warnings == b->report.n_warnings);
    for (unsigned i = 0; i < a->report.n_faults; i++)
        MUST(a->report.faults[i].rule == b->report.faults[i].rule && slice_eq(slice_str(a->report.faults[i].field), slice_str(b->report.faults[i].field)));
    if (a->verdict == NZ_ROW_OK)
        MUST(record_same(&a->record, &b->record) && slice_eq(a->type_id, b->type_id) && slice_eq(a->history_key, b->history_key) &&
             slice_eq(a->resident_key, b->resident_key));
}

/* As one row of a file, and as a body of one row, which always goes through the JSON library. */
static void try_json(const struct bench *b, struct slice text)
{
    struct nz_row row;
    struct nz_rows *rows;
    struct nz_linkage_row in = { .row = 1, .json = text };
    if (!text.n || !err_ok(read_one(b, NULL, &in, &row)))
        return;
    struct buf body;
    buf_init(&body, text.n + 2);
    buf_putc(&body, '[');
    buf_put(&body, text);
    buf_putc(&body, ']');
    struct err e = nz_registration_parse(&rows, b->arena, b->pool, b->form, buf_slice(&body), ROWS_MAX, "331007", b->levels);
    if (err_ok(e) && rows->n == 1)
        same(&row, &rows->row[0]);
    else
        MUST(row.verdict == NZ_ROW_FIELD || err_is(e, E_FULL));
    nz_mynum_free(row.number);
    buf_done(&body);
}

/* Every field of the form but lists, which have another JSON. */
static struct nz_layout *layout_of(enum nz_form form)
{
    const struct nz_form_table *t = nz_form_table(form);
    struct nz_layout *l;
    struct buf b, bad;
    buf_init(&b, NZ_LAYOUT_FILE_MAX);
    buf_init(&bad, 1000);
    buf_puts(&b, "columns:\n");
    for (size_t i = 0; i < t->n_fields; i++) {
        const struct field *f = &t->fields[i];
        const bool open = f->cls == FC_ANY_OBJECT;
        for (size_t k = 0; f->cls != FC_ARRAY && k < (open ? 2u : f->cls == FC_OBJECT ? f->n_sub : 1u); k++) {
            buf_puts(&b, "  - field: ");
            buf_puts(&b, f->name);
            if (open || f->cls == FC_OBJECT)
                buf_putc(&b, '.');
            buf_puts(&b, open ? (k ? "two" : "one") : f->cls == FC_OBJECT ? f->sub[k].name : "");
            buf_puts(&b, "\n    default: x\n");
        }
    }
    MUST(err_ok(nz_layout_parse(&l, "layout", buf_slice(&b), &bad)));
    buf_done(&b);
    buf_done(&bad);
    return l;
}

/* Lines are cells, in the order of the layout: empty for none, "\x01t" and "\x01f" for booleans. */
static void try_cells(const struct bench *b, struct slice text)
{
    struct nz_value values[NZ_LAYOUT_COLUMNS_MAX];
    struct nz_linkage_row in = { .row = 1, .values = values }, json = { .row = 1 };
    struct nz_layout *l = layout_of(b->form);
    bool more = utf8_valid(text) && !memchr(text.n ? text.p : (const uint8_t *)"", 0, text.n);
    for (size_t i = 0; more && i < nz_layout_count(l); i++) {
        struct slice cell = text;
        more = slice_cut(text, '\n', &cell, &text);
        const bool flag = cell.n == 2 && cell.p[0] == 1;
        if (cell.n)
            values[in.n++] = (struct nz_value){ i, flag, flag && cell.p[1] == 't', flag ? SLICE_NONE : cell };
    }
    struct nz_row x, y;
    struct buf out;
    buf_init(&out, 1 << 20);
    nz_linkage_row_json(l, &in, &out);
    json.json = buf_slice(&out);
    struct err e = in.n ? read_one(b, l, &in, &x) : FAIL(E_NOTHING), f = err_ok(e) ? read_one(b, NULL, &json, &y) : e;
    if (err_ok(f) && b->form != NZ_FORM_HISTORY) /* JSON must have the empty list, cells need not */
        same(&x, &y);
    if (err_ok(e))
        nz_mynum_free(x.number);
    if (err_ok(f))
        nz_mynum_free(y.number);
    buf_done(&out);
    nz_layout_free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const struct check_levels LEVELS[2] = { { { [CK_MYNUMBER] = CHECK_WARN } }, { { [CK_MYNUMBER] = CHECK_REJECT, [CK_PAYER] = CHECK_REJECT } } };
    static void (*const TRIES[WAYS])(const struct bench *, struct slice) = { [WAY_BODY] = try_body, [WAY_CELLS] = try_cells, [WAY_JSON] = try_json };
    struct bench b = { 0 };
    if (n < 2)
        return 0;
    b.form = (enum nz_form)((p[0] >> 1) % NZ_FORM_CHANGE);
    b.levels = &LEVELS[p[0] & 1];
    b.arena = arena_new(1 << 20);
    MUST(err_ok(nz_pool_new(&b.pool, ROWS_MAX + 1)));
    TRIES[p[1] % WAYS](&b, slice_of(p + 2, n - 2));
    arena_free(b.arena);
    nz_pool_free(b.pool);
    return 0;
}
