/* VRS: what municipalities register there, and what of it an inquiry finds. */

#include "mocks/vrs.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/routes.h"

enum { NUMBER_DIGITS = 12, REQUEST_ID = 32, ID_HEX = 32, ANSWER_MAX = 1 << 20, TOLD_ANSWER_MAX = 16 << 20, VERSION_MAX = 20 };

struct told_kind { const char *rows, *id, *content; bool record; };
static const struct told_kind REGISTRATIONS = { "registrations", "registrationId", "registration", false };
static const struct told_kind RECORDS = { "records", "immunizationId", "immunization", true };

struct vrs_told {
    bool record;
    char number[NUMBER_DIGITS], id[ID_HEX], muni[6], request[REQUEST_ID];
    uint64_t version;
    char *json;
};

void vrs_told_free(struct vrs *v)
{
    for (size_t i = 0; i < v->n_told; i++) {
        explicit_bzero(v->told[i].number, sizeof v->told[i].number);
        free(v->told[i].json);
    }
    free(v->told);
}

struct telling { struct nation *n; const struct told_kind *k; struct fault fx; struct slice id, muni; json_t *rows; };

static struct err told_keep(struct telling *t, json_t *row, uint64_t version)
{
    struct vrs *v = t->n->vrs;
    struct slice id = SLICE_NONE, number = SLICE_NONE;
    if (v->n_told >= VRS_TOLD_MAX)
        return FAIL(E_FULL);
    if (v->n_told == v->told_cap) {
        const size_t cap = v->told_cap ? 2 * v->told_cap : 256;
        struct vrs_told *more = realloc(v->told, cap * sizeof *more);
        if (!more)
            return FAIL(E_NOMEM);
        v->told = more;
        v->told_cap = cap;
    }
    (void)member_text(row, t->k->id, ID_HEX, &id);
    (void)member_text(row, "myNumber", NUMBER_DIGITS, &number);
    struct vrs_told *x = &v->told[v->n_told];
    *x = (struct vrs_told){ .record = t->k->record, .version = version, .json = json_dumps(json_object_get(row, t->k->content), JSON_COMPACT) };
    if (!x->json)
        return FAIL(E_NOMEM);
    memcpy(x->number, number.p, sizeof x->number);
    memcpy(x->id, id.p, sizeof x->id);
    memcpy(x->muni, t->muni.p, sizeof x->muni);
    memcpy(x->request, t->id.p, sizeof x->request);
    v->n_told++;
    return OK;
}

/* Not below a version that was accepted: such a row is old, and is accepted and forgotten. */
static bool is_newer(const struct telling *t, struct slice id, uint64_t version)
{
    const struct vrs *v = t->n->vrs;
    for (size_t i = 0; i < v->n_told; i++)
        if (v->told[i].record == t->k->record && slice_eq(ARR(v->told[i].id), id) && v->told[i].version > version)
            return false;
    return true;
}

static struct err row_read(const struct telling *t, json_t *row, struct slice *ret_id, uint64_t *ret_version)
{
    struct slice number, version;
    uint8_t bytes[ID_HEX / 2];
    if (json_object_size(row) != 4 || !member_text(row, "myNumber", NUMBER_DIGITS, &number) || number.n != NUMBER_DIGITS || !all_digits(number) ||
        !member_text(row, t->k->id, ID_HEX, ret_id) || !hex_decode(*ret_id, bytes, sizeof bytes) || !member_text(row, "version", VERSION_MAX, &version) ||
        !u64_parse(version, ret_version) || !json_is_object(json_object_get(row, t->k->content)))
        return FAIL(E_FIELD);
    return OK;
}

static struct err all_read(struct telling *t)
{
    struct slice id;
    uint64_t version;
    json_t *row;
    size_t i;
    json_array_foreach (t->rows, i, row)
        TRY(row_read(t, row, &id, &version));
    return OK;
}

static struct err telling_read(struct req *r, struct telling *t)
{
    json_t *obj;
    struct slice basis;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    t->rows = json_object_get(obj, t->k->rows);
    if (json_object_size(obj) != 4 || !member_text(obj, "requestId", REQUEST_ID, &t->id) || t->id.n != REQUEST_ID || !member_text(obj, "legalBasis", 4, &basis) ||
        !member_text(obj, "municipalityCode", 6, &t->muni) || t->muni.n != 6 || !all_digits(t->muni) || !json_is_array(t->rows) ||
        json_array_size(t->rows) < 1 || json_array_size(t->rows) > VRS_PERSONS_MAX)
        return FAIL(E_FIELD);
    return all_read(t);
}

static struct err verdict(struct telling *t, size_t at, json_t *row, struct jsonw *w)
{
    struct vrs *v = t->n->vrs;
    struct slice id, version;
    uint64_t number;
    char shown[ID_HEX];
    TRY(row_read(t, row, &id, &number));
    (void)member_text(row, "version", VERSION_MAX, &version);
    const bool refused = v->refuse > 0;
    v->refuse -= refused;
    if (!refused && is_newer(t, id, number))
        TRY(told_keep(t, row, number));
    memcpy(shown, id.p, sizeof shown);
    if ((t->fx.wrong_number || t->fx.other_person) && at == 0)
        shown[0] = shown[0] == '0' ? '1' : '0';
    jsonw_object(w, NULL);
    jsonw_str(w, t->k->id, ARR(shown));
    if (!(t->fx.missing_field && at == 0))
        jsonw_str(w, "version", version);
    jsonw_cstr(w, "result", refused ? "refused" : "accepted");
    if (refused)
        jsonw_cstr(w, "code", "not_a_subject");
    if (t->fx.extra_field && at == 0)
        jsonw_cstr(w, "name", "somebody");
    jsonw_end_object(w);
    return OK;
}

static void told_post(struct req *r, const struct told_kind *k)
{
    struct nation *n = req_ctx(r);
    struct telling t = { .n = n, .k = k, .fx = faults_take(&n->faults, SYSTEM_VRS) };
    struct buf body;
    struct jsonw w;
    json_t *row;
    size_t i;
    n->vrs->reports++;
    struct err e = telling_read(r, &t);
    buf_init(&body, ANSWER_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", t.id);
    jsonw_str(&w, "municipalityCode", t.muni);
    jsonw_array(&w, k->rows);
    const bool keeps = t.fx.status == 0; /* one that says no has taken nothing; one whose answer is lost has */
    json_array_foreach (t.rows, i, row)
        if (err_ok(e) && keeps && !(t.fx.partial && i >= json_array_size(t.rows) / 2))
            e = verdict(&t, i, row, &w);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    t.fx.extra_field = t.fx.missing_field = false; /* done above */
    if (err_ok(e))
        answer_send(n, r, &t.fx, 200, &body);
    else
        answer_fail(n, r, &t.fx, e);
    buf_done(&body);
}

void vrs_registrations_post(struct req *r) { told_post(r, &REGISTRATIONS); }
void vrs_records_post(struct req *r) { told_post(r, &RECORDS); }

/* ---- found by inquiries ---- */

static bool is_newest(const struct vrs *v, size_t at)
{
    for (size_t i = at + 1; i < v->n_told; i++)
        if (v->told[i].record && slice_eq(ARR(v->told[i].id), ARR(v->told[at].id)))
            return false;
    return true;
}

bool vrs_told_records(const struct vrs *v, struct slice number, const struct vrs_muni *m, struct buf *out)
{
    size_t found = 0;
    for (size_t i = 0; i < v->n_told; i++) {
        const struct vrs_told *x = &v->told[i];
        if (!x->record || !slice_eq(ARR(x->number), number) || !slice_eq(ARR(x->muni), slice_of(m->code, 6)) || !is_newest(v, i))
            continue;
        json_t *obj = json_loads(x->json, 0, NULL);
        const char *status = json_string_value(json_object_get(obj, "status"));
        if (status && strcmp(status, "completed") == 0) {
            buf_puts(out, found++ ? "," : "[");
            buf_puts(out, x->json);
        }
        json_decref(obj);
    }
    if (found)
        buf_putc(out, ']');
    return found > 0;
}

/* ---- the control door ---- */

/* Everything that was accepted, in its order. */
void vrs_told_get(struct req *r)
{
    const struct vrs *v = ((struct nation *)req_ctx(r))->vrs;
    struct buf body;
    struct jsonw w;
    buf_init(&body, TOLD_ANSWER_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "requests", v->reports);
    jsonw_array(&w, "rows");
    for (size_t i = 0; i < v->n_told; i++) {
        const struct vrs_told *x = &v->told[i];
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "kind", x->record ? "record" : "registration");
        jsonw_str(&w, "requestId", ARR(x->request));
        jsonw_str(&w, "municipalityCode", ARR(x->muni));
        jsonw_str(&w, "myNumber", ARR(x->number));
        jsonw_str(&w, "id", ARR(x->id));
        jsonw_u64(&w, "version", x->version);
        jsonw_raw(&w, "content", slice_str(x->json));
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    control_answer(r, &body);
}

/* {"rows": n}: the next n rows that are registered are refused. */
void vrs_refuse_put(struct req *r)
{
    json_t *obj, *rows;
    struct err e = json_in_object(&obj, req_arena(r), req_body(r));
    rows = err_ok(e) ? json_object_get(obj, "rows") : NULL;
    if (err_ok(e) && (!json_is_integer(rows) || json_integer_value(rows) < 0 || json_integer_value(rows) > VRS_TOLD_MAX))
        e = FAIL(E_FIELD);
    if (err_ok(e))
        ((struct nation *)req_ctx(r))->vrs->refuse = (unsigned)json_integer_value(rows);
    control_end(r, e);
}
