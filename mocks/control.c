/* The control door: who knows what, faults, cards, settings. Open to anyone on the loopback address. */

#include "gateway/check/json_in.h"
#include "mocks/apps.h"
#include "mocks/partners.h"
#include "mocks/routes.h"
#include "mocks/vrs.h"

enum { STATE_MAX = 64 * 1024, NUMBER_DIGITS = 12 };

/* How many identifiers of each kind a system holds now, counted afresh: a claim about forgetting must not rest on a counter. */
struct holdings {
    uint64_t intermediary_keys, intermediary_bindings, onshi_keys, onshi_bindings;
    uint64_t portal_keys, portal_pseudonyms, portal_linked, portal_waiting;
};

static struct holdings holdings_count(struct nation *n)
{
    struct holdings h = { 0 };
    for (uint32_t at = 0; at < n->people.n; at++) {
        const struct person *p = people_at(&n->people, at);
        h.intermediary_keys += p->intermediary.pmh_key[0] != '\0';
        h.intermediary_bindings += p->intermediary.binding[0] != '\0';
        h.onshi_keys += p->onshi.pmh_key[0] != '\0';
        h.onshi_bindings += p->onshi.binding[0] != '\0';
        h.portal_keys += p->portal.pmh_key[0] != '\0';
        h.portal_pseudonyms += p->portal.pseudonym[0] != '\0';
        h.portal_linked += p->portal.link == LINK_DONE;
        h.portal_waiting += p->portal.link == LINK_WAITING;
    }
    return h;
}

struct figure { const char *name; uint64_t value; };

static void system_write(struct nation *n, struct jsonw *w, enum system_id s, const struct figure *figures, size_t n_figures)
{
    jsonw_object(w, SYSTEM_INFO[s].name);
    jsonw_cstr(w, "name_ja", SYSTEM_INFO[s].ja);
    jsonw_cstr(w, "name_en", SYSTEM_INFO[s].en);
    for (size_t i = 0; i < n_figures; i++)
        jsonw_u64(w, figures[i].name, figures[i].value);
    jsonw_u64(w, "answers_with_fault", n->faults.hits[s]);
    fault_write(&n->faults.of[s], w, "fault");
    jsonw_end_object(w);
}

#define FIGURES(n, w, s, ...) \
    system_write((n), (w), (s), (struct figure[]){ __VA_ARGS__ }, sizeof((struct figure[]){ __VA_ARGS__ }) / sizeof(struct figure))

static void systems_write(struct nation *n, struct jsonw *w)
{
    const struct counters *c = &n->count;
    struct holdings h = holdings_count(n);
    FIGURES(n, w, SYSTEM_PMH, { "my_numbers_held", 0 }, { "pmh_keys_held", 0 }, { "requests", c->numbering_requests }, { "numbers_asked", c->numbers_asked });
    FIGURES(n, w, SYSTEM_INTERMEDIARY, { "my_numbers_held", h.intermediary_keys }, { "pmh_keys_held", h.intermediary_keys },
            { "binding_numbers_held", h.intermediary_bindings }, { "keys_new", c->keys_new }, { "keys_reused", c->keys_reused });
    FIGURES(n, w, SYSTEM_ONSHI, { "my_numbers_held", 0 }, { "card_serials_held", n->people.n }, { "binding_numbers_held", h.onshi_bindings },
            { "pmh_keys_held", h.onshi_keys }, { "link_keys_held", 0 }, { "link_keys_minted", c->link_keys }, { "consents_valid", onshi_consents_valid(n) },
            { "consents_refused", c->consents_refused });
    FIGURES(n, w, SYSTEM_PORTAL, { "my_numbers_held", 0 }, { "card_serials_held", n->people.n }, { "pseudonyms_held", h.portal_pseudonyms },
            { "pmh_keys_held", h.portal_keys }, { "linked", h.portal_linked }, { "waiting", h.portal_waiting }, { "posts_ok", c->posts_ok },
            { "posts_failed", c->posts_failed }, { "logins", c->logins }, { "logins_refused", c->logins_refused });
    FIGURES(n, w, SYSTEM_VRS, { "my_numbers_held", n->vrs->n_planted }, { "municipalities", n->vrs->n_munis }, { "requests", n->vrs->requests },
            { "persons_asked", n->vrs->persons });
    const struct partners *p = n->partners;
    FIGURES(n, w, SYSTEM_CLINIC_APP, { "my_numbers_held", 0 }, { "webhooks", p->clinic.requests }, { "messages_kept", p->clinic.messages.n });
    FIGURES(n, w, SYSTEM_ID5, { "my_numbers_held", 0 }, { "id5_asked", p->id5.requests }, { "id5_given", p->id5.given.n });
    FIGURES(n, w, SYSTEM_DATABASE, { "my_numbers_held", 0 }, { "provisions", p->database.requests }, { "provisions_kept", p->database.n });
    FIGURES(n, w, SYSTEM_CLAIMS, { "my_numbers_held", 0 }, { "claims", p->claims.requests }, { "claims_kept", p->claims.files.n });
}

void state_write(struct nation *n, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "persons", n->people.n);
    jsonw_object(&w, "settings");
    jsonw_cstr(&w, "pseudonym_order", n->order == ORDER_PUSH ? "push" : "first_use");
    jsonw_end_object(&w);
    jsonw_object(&w, "systems");
    systems_write(n, &w);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
}

static void state_get(struct req *r)
{
    struct buf body;
    buf_init(&body, STATE_MAX);
    state_write(req_ctx(r), &body);
    control_answer(r, &body);
}

static void page_get(struct req *r) { req_created(r, 307, "/map", LIT("{}")); }

static enum system_id system_of(struct slice name)
{
    for (unsigned s = SYSTEM_CONTROL + 1; s < SYSTEM__MAX; s++)
        if (slice_eq(name, slice_str(SYSTEM_INFO[s].name)))
            return (enum system_id)s;
    return SYSTEM__MAX;
}

static void faults_put(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct fault f;
    enum system_id s = system_of(req_param(r));
    struct err e = s == SYSTEM__MAX ? FAIL(E_NO_ROUTE) : fault_parse(&f, req_arena(r), req_body(r));
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    n->faults.of[s] = fault_any(&f) ? f : (struct fault){ .count = 0 };
    struct buf body;
    struct jsonw w;
    buf_init(&body, STATE_MAX);
    jsonw_init(&w, &body);
    faults_write(&n->faults, &w, NULL);
    control_answer(r, &body);
}

static struct err settings_read(struct nation *n, struct req *r)
{
    json_t *obj;
    struct slice order;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (json_object_size(obj) != 1 || !member_text(obj, "pseudonym_order", 16, &order))
        return FAIL(E_FIELD);
    if (!slice_eq(order, LIT("push")) && !slice_eq(order, LIT("first_use")))
        return FAIL(E_FIELD);
    n->order = slice_eq(order, LIT("push")) ? ORDER_PUSH : ORDER_FIRST_USE;
    return record_order(n);
}

/* ---- answers that wait for the journal ---- */

static void on_settings_durable(void *arg, struct err e)
{
    struct req *r = arg;
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    portal_catch_up(req_ctx(r));
    state_get(r);
}

static void settings_put(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct err e = settings_read(n, r);
    if (err_ok(e))
        e = record_sync(n, on_settings_durable, r);
    if (!err_ok(e))
        req_fail(r, e);
}

/* The card's serial is what req_data points to, in the request's arena. */
static void on_card_durable(void *arg, struct err e)
{
    struct req *r = arg;
    struct buf body;
    struct jsonw w;
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    buf_init(&body, 256);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "card_serial", req_data(r));
    jsonw_end_object(&w);
    control_answer(r, &body);
}

static void card_answer(struct req *r, struct err e, uint32_t at)
{
    struct nation *n = req_ctx(r);
    char *serial = err_ok(e) ? arena_cstr(req_arena(r), slice_str(people_at(&n->people, at)->serial)) : NULL;
    req_set_data(r, serial);
    if (err_ok(e) && !serial)
        e = FAIL(E_NOMEM);
    if (err_ok(e))
        e = record_sync(n, on_card_durable, r);
    if (!err_ok(e))
        req_fail(r, e);
}

static struct err card_find(struct nation *n, struct req *r, uint32_t *ret_at)
{
    json_t *obj;
    struct slice number;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (json_object_size(obj) != 1 || !member_text(obj, "my_number", NUMBER_DIGITS, &number))
        return FAIL(E_FIELD);
    uint32_t at = people_by_number(&n->people, number);
    if (at == TABLE_NONE) {
        TRY(people_add(&n->people, number, SLICE_NONE, &at));
        TRY(record_person(n, at));
    }
    *ret_at = at;
    return OK;
}

static void cards_post(struct req *r)
{
    uint32_t at = TABLE_NONE;
    struct err e = card_find(req_ctx(r), r, &at);
    card_answer(r, e, at);
}

static struct err card_renew(struct nation *n, struct req *r, uint32_t *ret_at)
{
    json_t *obj;
    struct slice serial;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (json_object_size(obj) != 1 || !member_text(obj, "card_serial", SERIAL_MAX, &serial))
        return FAIL(E_FIELD);
    uint32_t at = people_by_serial(&n->people, serial);
    if (at == TABLE_NONE)
        return FAIL(E_NOTHING);
    TRY(people_renew(&n->people, at, SLICE_NONE));
    *ret_at = at;
    return record_renewed(n, serial, at);
}

static void cards_renew_post(struct req *r)
{
    uint32_t at = TABLE_NONE;
    struct err e = card_renew(req_ctx(r), r, &at);
    card_answer(r, e, at);
}

const struct route CONTROL_ROUTES[] = {
    { M_GET, "/", { "page" }, 0, false, 0, NULL, 5000, page_get },
    { M_GET, "/state", { "state" }, 0, false, 0, NULL, 5000, state_get },
    { M_PUT, "/faults/{system}", { "setFault" }, 0, false, 4096, "application/json", 5000, faults_put },
    { M_PUT, "/settings", { "setSettings" }, 0, false, 4096, "application/json", 5000, settings_put },
    PORTAL_QUESTIONS,
    CLINIC_ERRANDS,
    { M_GET, "/clinic/v1/clinics", { "listClinics" }, 0, false, 0, NULL, 5000, clinics_get },
    { M_GET, "/portal/v1/log-key", { "readLogKey" }, 0, false, 0, NULL, 5000, log_key_get },
    { M_GET, "/cards", { "listCards" }, 0, false, 0, NULL, 5000, deck_get },
    { M_POST, "/cards", { "findCard" }, 0, false, 4096, "application/json", 5000, cards_post },
    { M_POST, "/cards/renew", { "renewCard" }, 0, false, 4096, "application/json", 5000, cards_renew_post },
    { M_POST, "/vrs/persons", { "plantPersons" }, 0, false, 8 << 20, "application/json", 20000, vrs_plant_post },
    { M_POST, "/vrs/home", { "findHome" }, 0, false, 4096, "application/json", 5000, vrs_home_post },
    { M_PUT, "/vrs/settings", { "setVrs" }, 0, false, 4096, "application/json", 5000, vrs_settings_put },
    { M_PUT, "/vrs/behaviours", { "setBehaviour" }, 0, false, 4096, "application/json", 5000, vrs_behaviour_put },
    { M_POST, "/vrs/gateways", { "setGateway" }, 0, false, 4096, "application/json", 5000, vrs_gateway_post },
    { M_GET, "/vrs/told", { "vrsTold" }, 0, false, 0, NULL, 5000, vrs_told_get },
    { M_PUT, "/vrs/refuse", { "setVrsRefusals" }, 0, false, 4096, "application/json", 5000, vrs_refuse_put },
    { M_GET, "/vrs/state", { "vrsState" }, 0, false, 0, NULL, 5000, vrs_state_get },
    { M_GET, "/kept/{system}", { "readKept" }, 0, false, 0, NULL, 5000, kept_get },
    { M_DELETE, "/kept/{system}", { "forgetKept" }, 0, false, 0, NULL, 5000, kept_delete },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t CONTROL_ROUTES_N = sizeof CONTROL_ROUTES / sizeof *CONTROL_ROUTES;
