#include "keys/registration/registration.h"

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
    struct nz_row_work work;
    struct arena *arena;
    struct nz_entry *entries; /* of the rows without faults */
    size_t n_entries;
};

static ERR read_row(struct parse *p, struct nz_row *row, json_t *obj)
{
    struct nz_values v;
    nz_form_read(p->form, obj, p->work.levels, &v, &row->report);
    struct err e = nz_row_make(&p->work, &v, p->arena, row);
    /* From here on the number is in locked memory only; jansson wipes what it frees. */
    json_object_del(obj, "myNumber");
    TRY(e);
    if (row->verdict == NZ_ROW_OK)
        p->entries[p->n_entries++] = (struct nz_entry){ .row = row, .name = v.name.text, .birth = v.birth.text };
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
    if (!nz_form_table(form)->fields)
        return FAIL(E_CONFIG);
    TRY(json_in_array(&array, a, body));
    size_t n = json_array_size(array);
    if (n == 0)
        return FAIL(E_JSON_SHAPE);
    if (n > rows_max)
        return FAIL(E_TOO_MANY_ROWS);
    TRY(rows_new(&rows, a, n));
    struct parse p = { .form = form, .arena = a };
    nz_row_work_init(&p.work, form, muni, levels, pool);
    struct err e = read_rows(&p, rows, array);
    nz_row_work_done(&p.work);
    if (!err_ok(e)) {
        nz_rows_free(rows);
        return e;
    }
    *ret_rows = rows;
    return OK;
}
