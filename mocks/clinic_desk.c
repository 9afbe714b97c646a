/* A clinic's system as its tablet talks to it: it holds the clinic's certificate, gives the card to online qualification and asks the gateway. What it
 * hears is handed on as it came; nothing is kept here. */
#include <stdio.h>
#include <stdlib.h>

#include "mocks/apps.h"
#include "mocks/partners.h"
#include "mocks/routes.h"

enum { URL_MAX = 512, ANSWER_MAX = 1024 * 1024, ASK_MS = 20000 };

struct errand { struct nation *n; struct req *r; };

/* Routes of a clinic's system, and whom it asks: path behind /clinic/v1/{clinic}, and there. */
static const struct { const char *path, *there; bool onshi; } ERRANDS[] = {
    { "/clinic/v1/{clinic}/consents", "/onshi/v1/consents", true },
    { "/clinic/v1/{clinic}/eligibility", "/v1/clinic/eligibility", false },
    { "/clinic/v1/{clinic}/eligibility/list", "/v1/clinic/eligibility/list", false },
    { "/clinic/v1/{clinic}/session", "/v1/clinic/session", false },
    { "/clinic/v1/{clinic}/tickets/read", "/v1/clinic/tickets/read", false },
    { "/clinic/v1/{clinic}/immunizations", "/v1/clinic/immunizations", false },
    { "/clinic/v1/{clinic}/immunizations/record", "/v1/clinic/immunizations/record", false },
    { "/clinic/v1/{clinic}/immunizations/correct", "/v1/clinic/immunizations/correct", false },
    { "/clinic/v1/{clinic}/questionnaires", "/v1/clinic/questionnaires", false },
    { "/clinic/v1/{clinic}/questionnaires/complete", "/v1/clinic/questionnaires/complete", false },
};

static bool url_of(const struct apps *a, const struct req *r, char out[static URL_MAX])
{
    for (size_t i = 0; i < sizeof ERRANDS / sizeof ERRANDS[0]; i++)
        if (slice_eq(slice_str(ERRANDS[i].path), slice_str(req_route(r)->path)))
            return snprintf(out, URL_MAX, "%s%s", ERRANDS[i].onshi ? a->onshi : a->clinic_door, ERRANDS[i].there) < URL_MAX;
    return false;
}

static struct client *client_of(const struct apps *a, struct slice code)
{
    for (size_t i = 0; a->clinic_door && i < APP_CLINICS; i++)
        if (slice_eq(slice_str(a->clinics[i].code), code))
            return a->clinics[i].client;
    return NULL;
}

static void on_heard(void *arg, struct err e, int status, struct slice answer)
{
    struct errand *q = arg;
    static const struct fault NONE = { .count = 0 };
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    buf_put(&body, answer);
    if (err_ok(e))
        answer_send(q->n, q->r, &NONE, status, &body);
    else
        answer_fail(q->n, q->r, &NONE, e);
    buf_done(&body);
    free(q);
}

void clinic_ask(struct req *r)
{
    struct nation *n = req_ctx(r);
    char url[URL_MAX];
    struct client *client = client_of(n->apps, req_param(r));
    struct errand *q = client && url_of(n->apps, r, url) ? malloc(sizeof *q) : NULL;
    if (!q) {
        req_fail(r, client ? FAIL(E_NOMEM) : FAIL(E_NO_ROUTE));
        return;
    }
    *q = (struct errand){ n, r };
    struct buf body;
    buf_init(&body, req_route(r)->body_max);
    buf_put(&body, req_body(r));
    const struct client_req cr = { .method = "POST", .url = url, .content_type = "application/json", .answer_max = ANSWER_MAX, .timeout_ms = ASK_MS };
    client_send(client, &cr, &body, on_heard, q);
    buf_done(&body);
}

void clinics_get(struct req *r)
{
    const struct apps *a = ((struct nation *)req_ctx(r))->apps;
    struct buf body;
    struct jsonw w;
    buf_init(&body, 4096);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "clinics");
    for (size_t i = 0; a->clinic_door && i < APP_CLINICS; i++) {
        if (!a->clinics[i].client)
            continue;
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "code", a->clinics[i].code);
        jsonw_cstr(&w, "ja", a->clinics[i].ja);
        jsonw_cstr(&w, "en", a->clinics[i].en);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    control_answer(r, &body);
}
