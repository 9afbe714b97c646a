/* What partners were told, for the control door. */
#include "mocks/partners.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "mocks/routes.h"

enum { STATE_MAX = 32 << 20, ANSWER_MAX = 1024, KEPT_FIRST = 64 };

ERR partners_new(struct partners **ret_p)
{
    *ret_p = calloc(1, sizeof **ret_p);
    return *ret_p ? OK : FAIL(E_NOMEM);
}

void partners_free(struct partners *p)
{
    if (!p)
        return;
    clinic_app_forget(p);
    for (size_t i = 0; i < p->clinic.n_keys; i++)
        es256_verifier_free(p->clinic.keys[i].verifier);
    kept_clear(&p->portal.notices);
    kept_clear(&p->id5.given);
    database_forget(p);
    kept_clear(&p->claims.files);
    free(p);
}

/* ---- lists ---- */

ERR kept_add(struct kept *k, struct slice json)
{
    if (k->n == KEPT_MAX)
        return FAIL(E_FULL);
    if (k->n == k->cap) {
        const size_t cap = k->cap ? 2 * k->cap : KEPT_FIRST;
        char **line = realloc(k->line, cap * sizeof *line);
        if (!line)
            return FAIL(E_NOMEM);
        k->line = line;
        k->cap = cap;
    }
    char *copy = malloc(json.n + 1);
    if (!copy)
        return FAIL(E_NOMEM);
    memcpy(copy, json.p, json.n);
    copy[json.n] = '\0';
    k->line[k->n++] = copy;
    return OK;
}

void kept_write(const struct kept *k, struct jsonw *w, const char *name)
{
    jsonw_array(w, name);
    for (size_t i = 0; i < k->n; i++)
        jsonw_raw(w, NULL, slice_str(k->line[i]));
    jsonw_end_array(w);
}

void kept_clear(struct kept *k)
{
    for (size_t i = 0; i < k->n; i++)
        free(k->line[i]);
    free(k->line);
    *k = (struct kept){ 0 };
}

/* ---- answers ---- */

bool is_message_id(struct slice s)
{
    uint8_t bytes[MESSAGE_ID / 2];
    return s.n == MESSAGE_ID && hex_decode(s, bytes, sizeof bytes);
}

bool partner_stopped(struct nation *n, struct req *r, const struct fault *fx)
{
    const bool stops = fx->status || fx->redirect;
    if (stops)
        answer_fail(n, r, fx, FAIL(E_BUSY)); /* the fault decides what is heard */
    return stops;
}

void partner_answer(struct nation *n, struct req *r, const struct fault *fx, const char *name, struct slice id, const char *status)
{
    partner_says(n, r, fx, 200, name, id, status);
}

void partner_says(struct nation *n, struct req *r, const struct fault *fx, int http, const char *name, struct slice id, const char *status)
{
    struct buf body;
    struct jsonw w;
    buf_init(&body, ANSWER_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_str(&w, name, fx->other_person ? LIT("00000000000000000000000000000000") : id);
    if (status)
        jsonw_cstr(&w, "status", status);
    jsonw_end_object(&w);
    answer_send(n, r, fx, http, &body);
    buf_done(&body);
}

/* Nobody should come here: a redirect (fault) names this place. */
void redirected(struct req *r)
{
    struct nation *n = req_ctx(r);
    n->partners->followed++;
    req_json(r, 200, LIT("{}"));
}

/* ---- the control door ---- */

static void portal_kept(const struct partners *p, struct jsonw *w)
{
    jsonw_u64(w, "requests", p->portal.requests);
    jsonw_u64(w, "repeated", p->portal.repeated);
    kept_write(&p->portal.notices, w, "notices");
}

static void portal_forget(struct partners *p) { kept_clear(&p->portal.notices); }

static void id5_kept(const struct partners *p, struct jsonw *w)
{
    jsonw_u64(w, "requests", p->id5.requests);
    jsonw_u64(w, "unknown", p->id5.unknown);
    kept_write(&p->id5.given, w, "given");
}

static void id5_forget(struct partners *p) { kept_clear(&p->id5.given); }

static void claims_kept(const struct partners *p, struct jsonw *w)
{
    jsonw_u64(w, "requests", p->claims.requests);
    jsonw_u64(w, "refused", p->claims.refused);
    kept_write(&p->claims.files, w, "files");
}

static void claims_forget(struct partners *p) { kept_clear(&p->claims.files); }

static const struct {
    enum system_id system;
    void (*write)(const struct partners *p, struct jsonw *w);
    void (*forget)(struct partners *p);
} KEEPERS[] = {
    { SYSTEM_CLINIC_APP, clinic_app_kept, clinic_app_forget }, { SYSTEM_PORTAL, portal_kept, portal_forget }, { SYSTEM_ID5, id5_kept, id5_forget },
    { SYSTEM_DATABASE, database_kept, database_forget },       { SYSTEM_CLAIMS, claims_kept, claims_forget },
};
enum { KEEPERS_N = sizeof KEEPERS / sizeof KEEPERS[0] };

static size_t keeper_of(struct slice name)
{
    size_t i = 0;
    while (i < KEEPERS_N && !slice_eq(name, slice_str(SYSTEM_INFO[KEEPERS[i].system].name)))
        i++;
    return i;
}

void kept_get(struct req *r)
{
    const struct partners *p = ((struct nation *)req_ctx(r))->partners;
    const size_t at = keeper_of(req_param(r));
    struct buf body;
    struct jsonw w;
    if (at == KEEPERS_N) {
        req_fail(r, FAIL(E_NO_ROUTE));
        return;
    }
    buf_init(&body, STATE_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    KEEPERS[at].write(p, &w);
    jsonw_u64(&w, "followed", p->followed);
    jsonw_end_object(&w);
    control_answer(r, &body);
}

void kept_delete(struct req *r)
{
    const size_t at = keeper_of(req_param(r));
    if (at == KEEPERS_N) {
        req_fail(r, FAIL(E_NO_ROUTE));
        return;
    }
    KEEPERS[at].forget(((struct nation *)req_ctx(r))->partners);
    control_end(r, OK);
}
