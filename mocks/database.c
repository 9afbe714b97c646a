/* 予防接種データベース: doses under an ID5 and no other name of a person. What comes with a member too many is refused, and so is an ID5 that came before: the two
 * provisions could be joined by it. The HTTP form is ours. */
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/partners.h"
#include "mocks/routes.h"

enum { ROWS_MAX = 65536, ROWS_FIRST = 64, KEPT_LINE = 8192, TEXT_MAX = 300, STATUS_MAX = 16 };

struct provision_row {
    char id[MESSAGE_ID], replaced_by[MESSAGE_ID]; /* NULs: it holds */
    uint8_t body[SHA256_BYTES];
    char *json, *id5;
};

struct provision {
    struct slice id, replaces, id5, status;
    json_t *dose;
    uint8_t body[SHA256_BYTES];
};

/* ---- what came ---- */

static bool dose_ok(json_t *dose)
{
    static const char *const TEXTS[] = { "municipalityCode", "vaccinationProgramId", "doseNumber", "vaccinationDate", "gtin", "lotNumber", "expirationDate", "doseMicrolitres" };
    enum { NEEDED = 4 };
    size_t found = 0;
    struct slice text;
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        const bool there = json_object_get(dose, TEXTS[i]) != NULL;
        if ((there || i < NEEDED) && !member_text(dose, TEXTS[i], TEXT_MAX, &text))
            return false;
        found += there;
    }
    return json_is_boolean(json_object_get(dose, "isOverseas")) && json_object_size(dose) == found + 1;
}

static ERR provision_read(struct req *r, struct provision *ret_p)
{
    json_t *obj;
    struct provision p = { .replaces = SLICE_NONE };
    const struct slice body = req_body(r);
    TRY(json_in_object(&obj, req_arena(r), body));
    TRY(sha256(1, &body, p.body));
    p.dose = json_object_get(obj, "immunization");
    if (!member_text(obj, "provisionId", MESSAGE_ID, &p.id) || !is_message_id(p.id) || !member_text(obj, "id5", ID5_CHARS, &p.id5) || p.id5.n != ID5_CHARS ||
        !member_text(obj, "status", STATUS_MAX, &p.status))
        return FAIL(E_FIELD);
    if (json_object_get(obj, "replaces") && (!member_text(obj, "replaces", MESSAGE_ID, &p.replaces) || !is_message_id(p.replaces)))
        return FAIL(E_FIELD);
    const bool cancelled = slice_eq(p.status, LIT("cancelled"));
    if ((!cancelled && !slice_eq(p.status, LIT("completed"))) || cancelled != !p.dose || (cancelled && !p.replaces.n) || (p.dose && !dose_ok(p.dose)) ||
        json_object_size(obj) != 3u + (p.replaces.n > 0) + (p.dose != NULL))
        return FAIL(E_FIELD);
    *ret_p = p;
    return OK;
}

/* ---- what is there ---- */

static struct provision_row *row_of(const struct partners *p, struct slice id)
{
    for (size_t i = 0; i < p->database.n; i++)
        if (slice_eq(ARR(p->database.rows[i].id), id))
            return &p->database.rows[i];
    return NULL;
}

static bool id5_seen(const struct partners *p, struct slice id5)
{
    for (size_t i = 0; i < p->database.n; i++)
        if (slice_eq(slice_str(p->database.rows[i].id5), id5))
            return true;
    return false;
}

static ERR row_room(struct partners *p)
{
    if (p->database.n == ROWS_MAX)
        return FAIL(E_FULL);
    if (p->database.n < p->database.cap)
        return OK;
    const size_t cap = p->database.cap ? 2 * p->database.cap : ROWS_FIRST;
    struct provision_row *rows = realloc(p->database.rows, cap * sizeof *rows);
    if (!rows)
        return FAIL(E_NOMEM);
    p->database.rows = rows;
    p->database.cap = cap;
    return OK;
}

static ERR row_add(struct partners *p, const struct provision *v)
{
    char *dose = v->dose ? json_dumps(v->dose, JSON_COMPACT) : strdup("null"), *id5 = strndup((const char *)v->id5.p, v->id5.n);
    struct err e = dose && id5 ? row_room(p) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        free(dose);
        free(id5);
        return e;
    }
    struct provision_row *row = &p->database.rows[p->database.n++];
    *row = (struct provision_row){ .json = dose, .id5 = id5 };
    memcpy(row->id, v->id.p, sizeof row->id);
    memcpy(row->body, v->body, sizeof row->body);
    return OK;
}

/* The same again is taken again; anything else under a known name is a contradiction. */
static ERR take(struct partners *p, const struct provision *v)
{
    const struct provision_row *same = row_of(p, v->id);
    struct provision_row *old = v->replaces.n ? row_of(p, v->replaces) : NULL;
    if (same && slice_eq(ARR(same->body), ARR(v->body))) {
        p->database.repeated++;
        return OK;
    }
    if (v->replaces.n && !old)
        return FAIL(E_NOTHING);
    if (same || id5_seen(p, v->id5) || (old && old->replaced_by[0]))
        return FAIL(E_CONFLICT);
    if (old)
        memcpy(old->replaced_by, v->id.p, sizeof old->replaced_by);
    return row_add(p, v);
}

static void provision_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct provision v;
    const struct fault fx = faults_take(&n->faults, SYSTEM_DATABASE);
    n->partners->database.requests++;
    if (partner_stopped(n, r, &fx))
        return;
    struct err e = provision_read(r, &v);
    if (err_ok(e))
        e = take(n->partners, &v);
    if (err_ok(e)) {
        partner_answer(n, r, &fx, "provisionId", v.id, "accepted");
        return;
    }
    n->partners->database.refused++;
    if (err_is(e, E_NOTHING))
        partner_says(n, r, &fx, 404, "provisionId", v.id, "unknown"); /* what it would replace never came */
    else
        answer_fail(n, r, &fx, e);
}

/* ---- the control door ---- */

void database_kept(const struct partners *p, struct jsonw *w)
{
    jsonw_u64(w, "requests", p->database.requests);
    jsonw_u64(w, "repeated", p->database.repeated);
    jsonw_u64(w, "refused", p->database.refused);
    jsonw_array(w, "provisions");
    for (size_t i = 0; i < p->database.n; i++) {
        const struct provision_row *row = &p->database.rows[i];
        jsonw_object(w, NULL);
        jsonw_str(w, "provisionId", ARR(row->id));
        jsonw_cstr(w, "id5", row->id5);
        if (row->replaced_by[0])
            jsonw_str(w, "replacedBy", ARR(row->replaced_by));
        jsonw_raw(w, "immunization", slice_str(row->json));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

void database_forget(struct partners *p)
{
    for (size_t i = 0; i < p->database.n; i++) {
        free(p->database.rows[i].json);
        free(p->database.rows[i].id5);
    }
    free(p->database.rows);
    p->database.rows = NULL;
    p->database.n = p->database.cap = 0;
}

const struct route DATABASE_ROUTES[] = {
    { M_POST, "/vaccination-db/v1/provisions", { "takeProvision" }, CALLER_BIT(CALLER_GATEWAY), false, 16384, "application/json", 130000, provision_post },
    { M_POST, "/redirected", { "redirected" }, 0, false, 65536, "application/json", 1000, redirected },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t DATABASE_ROUTES_N = sizeof DATABASE_ROUTES / sizeof *DATABASE_ROUTES;
