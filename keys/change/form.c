#include "keys/change/form.h"

#include "keys/registration/number_inside.h"

enum { KEY_MAX = 100, OPERATION_KEY_MAX = 50 };


static const struct { const char *word; } TYPES[NZ_CH__MAX] = {
#define X(sym, number, word) [number] = { word },
    NZ_CHANGE_TYPES(X)
#undef X
};

struct values {
    struct field_value type, key, number, new_number, other, date, operation;
};

#define AT(member) offsetof(struct values, member)
static const struct field FIELDS[] = {
    { "changeType", AT(type), FC_TEXT, 1, 30, true, CK_NONE, NULL, NULL, 0 },
    { "municipalityIdentityKey", AT(key), FC_TEXT, 1, KEY_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "myNumber", AT(number), FC_DIGITS, NZ_MYNUM_DIGITS, NZ_MYNUM_DIGITS, false, CK_MYNUMBER, NULL, NULL, 0 },
    { "newMyNumber", AT(new_number), FC_DIGITS, NZ_MYNUM_DIGITS, NZ_MYNUM_DIGITS, false, CK_MYNUMBER, NULL, NULL, 0 },
    { "otherMunicipalityIdentityKey", AT(other), FC_TEXT, 1, KEY_MAX, false, CK_NONE, NULL, NULL, 0 },
    { "effectiveDate", AT(date), FC_DATE, 10, 10, true, CK_NONE, NULL, NULL, 0 },
    { "operationKey", AT(operation), FC_TEXT, 1, OPERATION_KEY_MAX, true, CK_NONE, NULL, NULL, 0 },
};
#undef AT

static enum nz_change_type type_of(struct slice word)
{
    for (int t = NZ_CH_NONE + 1; t < NZ_CH__MAX; t++) {
        if (slice_eq(word, slice_str(TYPES[t].word)))
            return (enum nz_change_type)t;
    }
    return NZ_CH_NONE;
}

/* A field belongs to some types only, and those need it. */
static void judge_belongs(struct field_report *r, const char *field, bool present, bool wanted)
{
    if (present != wanted)
        field_fault_add(r, field, wanted ? FR_MISSING : FR_RANGE);
}

static void judge_type(struct field_report *r, const struct values *v, enum nz_change_type type)
{
    if (v->type.present && type == NZ_CH_NONE)
        field_fault_add(r, "changeType", FR_CODE);
    if (type == NZ_CH_NONE)
        return;
    judge_belongs(r, "newMyNumber", v->new_number.present, type == NZ_CH_NUMBER);
    judge_belongs(r, "otherMunicipalityIdentityKey", v->other.present, type == NZ_CH_MERGED || type == NZ_CH_UNMERGED);
}

/* ---- numbers ---- */

static ERR take_number(json_t *obj, const char *field, const struct field_value *v, const struct check_levels *levels, struct nz_pool *pool,
                       struct nz_mynum **ret_m, struct field_report *r)
{
    struct err e = OK;
    if (v->present) {
        e = nz_mynum_new(ret_m, pool, v->text);
        if (err_ok(e))
            field_check_judge(r, field, CK_MYNUMBER, levels, nz_mynum_check_digit(*ret_m));
    }
    json_object_del(obj, field); /* jansson wipes what it frees */
    return e;
}

/* The texts of a row go downstream (as keyed sums and in results): none may be its number. */
static ERR judge_inside(const struct nz_change *c, struct nz_pool *pool, struct field_report *r)
{
    const struct { const char *field; struct slice text; } texts[] = {
        { "municipalityIdentityKey", c->resident_key }, { "otherMunicipalityIdentityKey", c->other_key }, { "operationKey", c->operation_key } };
    const struct nz_mynum *const numbers[] = { c->number, c->new_number };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        bool inside = false;
        for (size_t k = 0; k < 2 && !inside; k++) {
            if (numbers[k])
                TRY(nz_number_inside(texts[i].text, numbers[k], NZ_INSIDE_OWN, pool, &inside));
        }
        if (inside)
            field_fault_add(r, texts[i].field, FR_NUMBER_INSIDE);
    }
    return OK;
}

static ERR read_numbers(json_t *obj, const struct values *v, const struct check_levels *levels, struct nz_pool *pool, struct nz_change *c,
                        struct field_report *r)
{
    struct err e = take_number(obj, "myNumber", &v->number, levels, pool, &c->number, r);
    struct err f = take_number(obj, "newMyNumber", &v->new_number, levels, pool, &c->new_number, r);
    TRY(e);
    TRY(f);
    if (c->number && c->new_number && nz_mynum_equal(c->number, c->new_number))
        field_fault_add(r, "newMyNumber", FR_RANGE);
    return judge_inside(c, pool, r);
}

void nz_change_done(struct nz_change *c)
{
    if (!c)
        return;
    nz_mynum_free(c->number);
    nz_mynum_free(c->new_number);
    c->number = c->new_number = NULL;
}

ERR nz_change_read(json_t *obj, const struct check_levels *levels, struct nz_pool *pool, struct arena *a, struct nz_change *ret_c,
                   struct field_report *ret_report)
{
    struct values v;
    struct nz_change c = { 0 };
    struct field_report *r = ret_report;
    fields_read(obj, FIELDS, sizeof FIELDS / sizeof FIELDS[0], levels, &v, r);
    c.type = v.type.present ? type_of(v.type.text) : NZ_CH_NONE;
    judge_type(r, &v, c.type);
    c.resident_key = arena_dup(a, v.key.text);
    c.other_key = arena_dup(a, v.other.text);
    c.operation_key = arena_dup(a, v.operation.text);
    c.effective = v.date.date;
    struct err e = arena_check(a);
    if (err_ok(e))
        e = read_numbers(obj, &v, levels, pool, &c, r);
    if (!err_ok(e) || r->n_faults)
        nz_change_done(&c);
    if (err_ok(e))
        *ret_c = c;
    return e;
}

enum { ROW_JSON_MAX = 16 * 1024 };

/* jansson keeps what it made until the arena is reset; the numbers are taken out of it before. */
ERR nz_change_read_row(const struct nz_layout *layout, const struct nz_linkage_row *in, const struct check_levels *levels, struct nz_pool *pool,
                       struct arena *a, struct nz_change *ret_c, struct field_report *ret_report)
{
    struct buf text;
    json_t *obj = NULL;
    buf_init(&text, ROW_JSON_MAX);
    if (in->json.n)
        buf_put(&text, in->json);
    else
        nz_linkage_row_json(layout, in, &text);
    struct err e = buf_check(&text);
    if (err_ok(e))
        e = json_in_object(&obj, a, buf_slice(&text));
    buf_done(&text);
    if (err_is(e, E_NOMEM))
        return e;
    if (!err_ok(e)) {
        *ret_c = (struct nz_change){ 0 };
        field_fault_add(ret_report, "", FR_TYPE);
        return OK;
    }
    return nz_change_read(obj, levels, pool, a, ret_c, ret_report);
}
