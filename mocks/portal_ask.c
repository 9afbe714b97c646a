/* マイナポータル: a citizen logs in with the card and asks. The portal knows the pseudonym; what the gateway says to it is the answer. */

#include <stdio.h>
#include <stdlib.h>

#include "gateway/check/json_in.h"
#include "mocks/apps.h"
#include "mocks/portal.h"

enum { URL_MAX = 512, BODY_MAX = 96 * 1024, ASK_ANSWER_MAX = 2 * 1024 * 1024, ASK_MS = 10000, MEMBERS_MAX = 9, MEMBER_CHARS_MAX = 64, JTI_BYTES = 16 };

/* What a citizen may ask for here, and where the gateway is asked. */
struct question {
    const char *path, *gateway;
    const char *members[MEMBERS_MAX]; /* of the body, besides the card; handed on as they are */
    bool shows_card;                  /* the gateway wants to see who the card says it is */
};
static const struct question QUESTIONS[] = {
    { "/portal/v1/eligibility", "/v1/portal/eligibility", { NULL }, false },
    { "/portal/v1/consents", "/v1/portal/consents", { NULL }, false },
    { "/portal/v1/consents/withdraw", "/v1/portal/consents/withdraw", { "consent_id", "all" }, false },
    { "/portal/v1/sessions/end", "/v1/portal/sessions/end", { "session_id", "all" }, false },
    { "/portal/v1/access-log", "/v1/portal/access-log", { "cursor", "limit" }, false },
    { "/portal/v1/access-log/statement", "/v1/portal/access-log/statement", { "cursor", "limit" }, false },
    { "/portal/v1/immunizations", "/v1/portal/immunizations", { NULL }, false },
    { "/portal/v1/tickets", "/v1/portal/tickets", { "qr" }, false },
    { "/portal/v1/my-notices", "/v1/portal/notices", { NULL }, false },
    { "/portal/v1/questionnaires", "/v1/portal/questionnaires", { NULL }, false },
    { "/portal/v1/questionnaires/answer", "/v1/portal/questionnaires/answer",
      { "requestId", "municipalityCode", "ticketNumber", "templateId", "templateVersion", "answers", "submit", "questionnaireId", "version" }, false },
    { "/portal/v1/certificates", "/v1/portal/certificates", { NULL }, false },
    { "/portal/v1/certificates/issue", "/v1/portal/certificates/issue", { "kind", "doses", "passport" }, true },
    { "/portal/v1/certificates/revoke", "/v1/portal/certificates/revoke", { "certificate_id" }, false },
};

static void on_asked(void *arg, struct err e, int status, struct slice answer)
{
    struct login *g = arg;
    struct buf body;
    buf_init(&body, ASK_ANSWER_MAX);
    buf_put(&body, answer);
    if (err_ok(e))
        answer_send(g->n, g->r, &g->fx, status, &body);
    else
        answer_fail(g->n, g->r, &g->fx, e);
    buf_done(&body);
    free(g);
}

/* ---- what the card says ---- */

static void claims_write(const struct login *g, json_t *card, struct buf *out)
{
    struct buf jti;
    struct jsonw w;
    uint8_t id[JTI_BYTES];
    rnd_bytes(id, sizeof id);
    buf_init(&jti, 64);
    buf_hex(&jti, ARR(id));
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "aud", "pmhgw");
    jsonw_cstr(&w, "sub", people_at(&g->n->people, g->at)->portal.pseudonym);
    jsonw_cstr(&w, "portal", "mynaportal");
    jsonw_cstr(&w, "azp", "portal/mynaportal");
    jsonw_u64(&w, "iat", clock_wall(loop_clock(g->n->l)) / 1000);
    jsonw_str(&w, "jti", buf_slice(&jti));
    jsonw_cstr(&w, "name", json_string_value(json_object_get(card, "name")));
    jsonw_cstr(&w, "birthDate", json_string_value(json_object_get(card, "date_of_birth")));
    jsonw_end_object(&w);
    buf_done(&jti);
}

static struct err attributes_write(const struct login *g, struct jsonw *w)
{
    const struct apps *a = g->n->apps;
    json_t *card = deck_find(a, req_arena(g->r), slice_str(people_at(&g->n->people, g->at)->serial));
    struct buf claims, jws;
    if (!card || !a->attributes) /* nobody knows the face of that card */
        return FAIL(E_NOTHING);
    buf_init(&claims, 4096);
    buf_init(&jws, 8192);
    claims_write(g, card, &claims);
    struct err e = buf_check(&claims);
    if (err_ok(e))
        e = jws_sign(a->attributes, buf_slice(&claims), &jws);
    if (err_ok(e))
        jsonw_str(w, "attributes", buf_slice(&jws));
    buf_done(&claims);
    buf_done(&jws);
    return e;
}

/* ---- asking ---- */

static struct err nested_write(struct jsonw *w, const char *name, const json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT);
    if (!text)
        return FAIL(E_NOMEM);
    jsonw_raw(w, name, slice_str(text));
    free(text);
    return OK;
}

static struct err members_write(const struct login *g, struct jsonw *w)
{
    for (size_t i = 0; i < MEMBERS_MAX && g->q->members[i]; i++) {
        const json_t *v = json_object_get(g->asked, g->q->members[i]);
        if (json_is_string(v))
            jsonw_str(w, g->q->members[i], slice_of(json_string_value(v), json_string_length(v)));
        else if (json_is_boolean(v))
            jsonw_bool(w, g->q->members[i], json_is_true(v));
        else if (v)
            TRY(nested_write(w, g->q->members[i], v));
    }
    return g->q->shows_card ? attributes_write(g, w) : OK;
}

void portal_ask(struct login *g)
{
    char url[URL_MAX];
    struct buf body;
    struct jsonw w;
    snprintf(url, sizeof url, "%s%s", g->n->portal_door, g->q->gateway);
    buf_init(&body, BODY_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "pseudonym", people_at(&g->n->people, g->at)->portal.pseudonym);
    struct err e = members_write(g, &w);
    jsonw_end_object(&w);
    struct client_req q = { .method = "POST", .url = url, .content_type = "application/json", .answer_max = ASK_ANSWER_MAX, .timeout_ms = ASK_MS };
    if (err_ok(e))
        client_send(g->n->client, &q, &body, on_asked, g);
    else
        client_refuse(g->n->client, e, on_asked, g);
    buf_done(&body);
}

static const struct question *question_of(const struct req *r)
{
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++)
        if (slice_eq(slice_str(QUESTIONS[i].path), slice_str(req_route(r)->path)))
            return &QUESTIONS[i];
    return NULL;
}

/* What is nested is judged by the gateway. */
static bool is_nested(const char *name, const json_t *v)
{
    static const char *const LISTS[] = { "answers", "doses" };
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++)
        if (strcmp(name, LISTS[i]) == 0)
            return json_is_array(v);
    return strcmp(name, "passport") == 0 && json_is_object(v);
}

static bool asked_well(json_t *obj, const struct question *q, struct slice *ret_serial)
{
    size_t members = 1;
    struct slice text;
    for (size_t i = 0; i < MEMBERS_MAX && q->members[i]; i++) {
        const json_t *v = json_object_get(obj, q->members[i]);
        members += v != NULL;
        if (v && !json_is_boolean(v) && !is_nested(q->members[i], v) && !member_text(obj, q->members[i], MEMBER_CHARS_MAX, &text))
            return false;
    }
    return json_object_size(obj) == members && member_text(obj, "card_serial", SERIAL_MAX, ret_serial);
}

/* Both published orders meet here: pushed after numbering, the account is open; at first use, the portal asks for the key. */
static struct err login_start(struct nation *n, struct req *r, const struct fault *fx)
{
    json_t *obj;
    struct slice serial;
    const struct question *q = question_of(r);
    if (!q)
        return FAIL(E_NO_ROUTE);
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (!asked_well(obj, q, &serial))
        return FAIL(E_FIELD);
    uint32_t at = people_by_serial(&n->people, serial);
    const char *pmh_key = at == TABLE_NONE ? NULL : onshi_key_of(n, at);
    if (!pmh_key)
        return FAIL(E_NOTHING);
    if (!portal_account(n, at, pmh_key))
        return FAIL(E_INTERNAL);
    struct login *g = malloc(sizeof *g);
    if (!g)
        return FAIL(E_NOMEM);
    *g = (struct login){ .n = n, .r = r, .q = q, .asked = obj, .fx = *fx, .at = at };
    if (people_at(&n->people, at)->portal.link == LINK_DONE) {
        portal_ask(g);
        return OK;
    }
    g->next = n->portal.logins;
    n->portal.logins = g;
    if (!people_at(&n->people, at)->portal.sending)
        portal_pair_post(n, at); /* a citizen waits: not behind everybody else's */
    return OK;
}

void portal_question(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct fault fx = faults_take(&n->faults, SYSTEM_PORTAL);
    struct err e = n->portal.stopping ? FAIL(E_CANCELED) : login_start(n, r, &fx);
    if (err_ok(e)) {
        n->count.logins++;
        return;
    }
    n->count.logins_refused++;
    answer_fail(n, r, &fx, e);
}

const struct route PORTAL_ROUTES[] = {
    PORTAL_QUESTIONS,
    { M_POST, "/portal/v1/notices", { "takeNotice" }, CALLER_BIT(CALLER_GATEWAY), false, 4096, "application/json", 130000, portal_notice_post },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t PORTAL_ROUTES_N = sizeof PORTAL_ROUTES / sizeof *PORTAL_ROUTES;
