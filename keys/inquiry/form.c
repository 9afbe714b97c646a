#include "keys/inquiry/form.h"

#include "gateway/base/text.h"
#include "keys/registration/number_inside.h"

struct asked { struct field_value number, previous, basis, consent, key; };

#define AT(member) offsetof(struct asked, member)
static const struct field INQUIRY[] = {
    { "myNumber", AT(number), FC_DIGITS, NZ_MYNUM_DIGITS, NZ_MYNUM_DIGITS, true, CK_NONE, NULL, NULL, 0 },
    { "previousMunicipalityCode", AT(previous), FC_TEXT, 3, 6, true, CK_NONE, NULL, NULL, 0 },
    { "legalBasis", AT(basis), FC_DIGITS, 1, 4, true, CK_NONE, NULL, NULL, 0 },
    { "consentConfirmed", AT(consent), FC_BOOL, 0, 0, true, CK_NONE, NULL, NULL, 0 },
    { "municipalityIdentityKey", AT(key), FC_TEXT, 1, 100, false, CK_NONE, NULL, NULL, 0 },
};
#undef AT

static uint16_t basis_of(struct slice digits)
{
    unsigned id = 0;
    for (size_t i = 0; i < digits.n; i++)
        id = id * 10 + (unsigned)(digits.p[i] - '0');
    return (uint16_t)id;
}

static bool code_ok(struct slice s) { return s.n == 6 && all_digits(s) && check_muni(s); }

/* ---- asking ---- */

struct reader {
    struct arena *arena;
    struct nz_pool *pool;
    struct slice muni;
    const struct check_levels *levels;
};

static void judge_previous(const struct reader *rd, struct slice previous, struct nz_inq_person *p, struct field_report *report)
{
    p->everywhere = slice_eq(previous, LIT("all"));
    if (p->everywhere)
        return;
    if (!code_ok(previous))
        field_fault_add(report, "previousMunicipalityCode", FR_CODE);
    else if (slice_eq(previous, rd->muni))
        field_fault_add(report, "previousMunicipalityCode", FR_RANGE);
    else
        memcpy(p->peer, previous.p, sizeof p->peer);
}

static ERR errors_keep(const struct reader *rd, struct field_report *report, struct nz_inq_person *p)
{
    struct buf out;
    struct jsonw w;
    buf_init(&out, NZ_INQ_ERRORS_MAX);
    jsonw_init(&w, &out);
    jsonw_array(&w, NULL);
    for (unsigned i = 0; i < report->n_faults; i++)
        field_fault_write(&w, slice_str(report->faults[i].field), report->faults[i].rule);
    jsonw_end_array(&w);
    p->refused = true;
    p->errors = out.failed ? arena_dup(rd->arena, LIT("[]")) : arena_dup(rd->arena, buf_slice(&out));
    buf_done(&out);
    return arena_check(rd->arena);
}

static ERR person_read(const struct reader *rd, json_t *obj, struct nz_inq_person *p)
{
    struct asked v;
    struct field_report report;
    bool good = fields_read(obj, INQUIRY, sizeof INQUIRY / sizeof *INQUIRY, rd->levels, &v, &report), tellable = false;
    if (v.number.present && v.number.text.n == NZ_MYNUM_DIGITS && all_digits(v.number.text)) {
        TRY(nz_mynum_new(&p->number, rd->pool, v.number.text));
        field_check_judge(&report, "myNumber", CK_MYNUMBER, rd->levels, nz_mynum_check_digit(p->number));
    }
    if (v.previous.present)
        judge_previous(rd, v.previous.text, p, &report);
    if (good && v.key.present)
        TRY(nz_key_tellable(v.key.text, p->number, !p->number, rd->pool, &tellable));
    if (tellable)
        p->key = arena_dup(rd->arena, v.key.text);
    if (v.basis.present && good)
        p->basis = basis_of(v.basis.text);
    p->consented = v.consent.present && v.consent.flag;
    if (report.n_faults == 0)
        return arena_check(rd->arena);
    nz_mynum_free(p->number);
    p->number = NULL;
    return errors_keep(rd, &report, p);
}

ERR nz_inq_parse(struct slice body, struct arena *a, struct nz_pool *pool, size_t max, const char muni[static 6], const struct check_levels *levels,
                 struct nz_inq_person **ret_p, size_t *ret_n)
{
    const struct reader rd = { a, pool, slice_of(muni, 6), levels };
    json_t *rows;
    *ret_p = NULL;
    *ret_n = 0;
    TRY(json_in_array(&rows, a, body));
    size_t n = json_array_size(rows);
    if (n == 0)
        return FAIL(E_JSON_SHAPE);
    if (n > max)
        return FAIL(E_TOO_MANY_ROWS);
    struct nz_inq_person *p = arena_get(a, n * sizeof *p);
    if (!p)
        return FAIL(E_NOMEM);
    *ret_p = p;
    *ret_n = n;
    for (size_t i = 0; i < n; i++) {
        p[i].row = (uint32_t)i + 1;
        TRY(person_read(&rd, json_array_get(rows, i), &p[i]));
    }
    return OK;
}

void nz_inq_persons_free(struct nz_inq_person *p, size_t n)
{
    for (size_t i = 0; p && i < n; i++) {
        nz_mynum_free(p[i].number);
        p[i].number = NULL;
    }
}

/* ---- giving ---- */

struct provide { struct field_value id, inquirer, provider, basis, persons; };

#define AT(member) offsetof(struct provide, member)
static const struct field PROVIDE[] = {
    { "requestId", AT(id), FC_ALNUM, NZ_INQ_REQUEST_ID, NZ_INQ_REQUEST_ID, true, CK_NONE, NULL, NULL, 0 },
    { "inquirerMunicipalityCode", AT(inquirer), FC_DIGITS, 6, 6, true, CK_NONE, NULL, NULL, 0 },
    { "providerMunicipalityCode", AT(provider), FC_DIGITS, 6, 6, true, CK_NONE, NULL, NULL, 0 },
    { "legalBasis", AT(basis), FC_DIGITS, 1, 4, true, CK_NONE, NULL, NULL, 0 },
    { "persons", AT(persons), FC_ARRAY, 1, NZ_PROVIDE_MAX, true, CK_NONE, NULL, NULL, 0 },
};
static const struct field PROVIDE_PERSON[] = {
    { "myNumber", offsetof(struct asked, number), FC_DIGITS, NZ_MYNUM_DIGITS, NZ_MYNUM_DIGITS, true, CK_NONE, NULL, NULL, 0 },
};
#undef AT

/* Asked for twice, answered once. */
static bool is_there(const struct nz_provide_ask *ask, const struct nz_mynum *number)
{
    for (size_t i = 0; i < ask->n; i++)
        if (nz_mynum_equal(ask->number[i], number))
            return true;
    return false;
}

static ERR numbers_read(json_t *list, struct nz_pool *pool, struct nz_provide_ask *ask, struct field_report *report)
{
    size_t i;
    json_t *obj;
    json_array_foreach (list, i, obj) {
        struct asked v;
        if (!fields_read(obj, PROVIDE_PERSON, 1, NULL, &v, report))
            return FAIL(E_FIELD);
        TRY(nz_mynum_new(&ask->number[ask->n], pool, v.number.text));
        if (is_there(ask, ask->number[ask->n])) {
            nz_mynum_free(ask->number[ask->n]);
            ask->number[ask->n] = NULL;
        } else {
            ask->n++;
        }
    }
    return OK;
}

ERR nz_provide_parse(struct slice body, struct arena *a, struct nz_pool *pool, struct nz_provide_ask *ret_ask, struct field_report *ret_report)
{
    json_t *obj;
    struct provide v;
    *ret_ask = (struct nz_provide_ask){ .n = 0 };
    *ret_report = (struct field_report){ 0 };
    TRY(json_in_object(&obj, a, body));
    if (!fields_read(obj, PROVIDE, sizeof PROVIDE / sizeof *PROVIDE, NULL, &v, ret_report))
        return FAIL(E_FIELD);
    if (!code_ok(v.inquirer.text))
        field_fault_add(ret_report, "inquirerMunicipalityCode", FR_CHECK_DIGIT);
    if (!code_ok(v.provider.text))
        field_fault_add(ret_report, "providerMunicipalityCode", FR_CHECK_DIGIT);
    if (ret_report->n_faults)
        return FAIL(E_FIELD);
    memcpy(ret_ask->id, v.id.text.p, sizeof ret_ask->id);
    memcpy(ret_ask->inquirer, v.inquirer.text.p, sizeof ret_ask->inquirer);
    memcpy(ret_ask->provider, v.provider.text.p, sizeof ret_ask->provider);
    ret_ask->basis = basis_of(v.basis.text);
    return numbers_read(v.persons.json, pool, ret_ask, ret_report);
}

void nz_provide_free(struct nz_provide_ask *ask)
{
    for (size_t i = 0; i < ask->n; i++)
        nz_mynum_free(ask->number[i]);
    ask->n = 0;
}
