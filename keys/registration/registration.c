#include "keys/registration/registration.h"

#include "keys/registration/form.h"
#include "keys/registration/row_record.h"
#include "keys/registration/row_rules.h"

const char *nz_row_slug(enum nz_row_verdict v)
{
    static const char *const SLUGS[NZ_ROW__MAX] = {
#define X(sym, slug) [sym] = slug,
        NZ_ROW_VERDICTS(X)
#undef X
    };
    return SLUGS[(unsigned)v < NZ_ROW__MAX ? v : NZ_ROW_FIELD];
}

void nz_rows_free(struct nz_rows *rows)
{
    for (size_t i = 0; rows && i < rows->n; i++) {
        nz_mynum_free(rows->row[i].number);
        rows->row[i].number = NULL;
    }
}

static void rows_reset(void *arg) { nz_rows_free(arg); }

static ERR rows_new(struct nz_rows **ret_rows, struct arena *a, size_t n)
{
    struct nz_rows *rows = arena_get(a, sizeof *rows);
    struct nz_row *row = arena_get(a, n * sizeof *row);
    if (!rows || !row || !arena_on_reset(a, rows_reset, rows))
        return FAIL(E_FULL);
    *rows = (struct nz_rows){ n, row };
    *ret_rows = rows;
    return OK;
}

struct parse {
    enum nz_form form;
    const char *muni;
    const struct check_levels *levels;
    struct arena *arena;
    struct nz_pool *pool;
    struct buf scratch;
    struct nz_entry *entries; /* of the rows without faults */
    size_t n_entries;
};

/* Everything the record needs, once the fields are known to be good. */
static ERR fill(struct parse *p, struct nz_row *row, const struct nz_values *v)
{
    row->type_id = v->type_id.text;
    row->history_key = v->history_key.text;
    row->resident_key = v->resident_key.text;
    row->has_resident_key = v->resident_key.present;
    TRY(nz_row_record(v, p->muni, p->arena, &p->scratch, &row->record));
    p->entries[p->n_entries++] = (struct nz_entry){ .row = row, .name = v->name.text, .birth = v->birth.text };
    return OK;
}

static ERR judge_number(struct parse *p, struct nz_row *row, const struct nz_values *v)
{
    if (!v->number.present)
        return OK;
    TRY(nz_mynum_new(&row->number, p->pool, v->number.text));
    field_check_judge(&row->report, "myNumber", CK_MYNUMBER, p->levels, nz_mynum_check_digit(row->number));
    return nz_row_number_inside(v, row->number, p->pool, &p->scratch, &row->report);
}

static ERR read_row(struct parse *p, struct nz_row *row, json_t *obj)
{
    struct nz_values v;
    nz_form_read(p->form, obj, p->levels, &v, &row->report);
    TRY(judge_number(p, row, &v));
    /* From here on the number is in locked memory only; jansson wipes what it frees. */
    json_object_del(obj, "myNumber");
    if (row->report.n_faults == 0)
        return fill(p, row, &v);
    row->verdict = NZ_ROW_FIELD;
    nz_mynum_free(row->number);
    row->number = NULL;
    return OK;
}

static ERR read_rows(struct parse *p, struct nz_rows *rows, json_t *array)
{
    p->entries = arena_get(p->arena, rows->n * sizeof *p->entries);
    if (!p->entries)
        return FAIL(E_FULL);
    for (size_t i = 0; i < rows->n; i++) {
        rows->row[i].row = (unsigned)(i + 1);
        TRY(read_row(p, &rows->row[i], json_array_get(array, i)));
    }
    return nz_rules_judge(p->entries, p->n_entries);
}

struct err nz_registration_parse(struct nz_rows **ret_rows, struct arena *a, struct nz_pool *pool, enum nz_form form, struct slice body,
                                 size_t rows_max, const char muni[static 6], const struct check_levels *levels)
{
    json_t *array;
    struct nz_rows *rows;
    TRY(json_in_array(&array, a, body));
    size_t n = json_array_size(array);
    if (n == 0)
        return FAIL(E_JSON_SHAPE);
    if (n > rows_max)
        return FAIL(E_TOO_MANY_ROWS);
    TRY(rows_new(&rows, a, n));
    struct parse p = { .form = form, .muni = muni, .levels = levels, .arena = a, .pool = pool };
    buf_init(&p.scratch, STORE_RECORD_MAX);
    struct err e = read_rows(&p, rows, array);
    buf_done(&p.scratch);
    if (!err_ok(e)) {
        nz_rows_free(rows);
        return e;
    }
    *ret_rows = rows;
    return OK;
}
