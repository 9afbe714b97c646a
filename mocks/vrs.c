/* VRS: inquiries from municipality to municipality. */

#include "mocks/vrs.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/routes.h"

enum { NUMBER_DIGITS = 12, REQUEST_ID = 32, ANSWER_MAX = 8 << 20, DEAD_MS = 120000, FORWARD_MS = 12000, URL_MAX = 260 };

struct inquiry {
    struct nation *n;
    struct req *r;
    struct fault fx;
    struct vrs_muni *m;
    char id[REQUEST_ID];
    size_t persons;
    char number[VRS_PERSONS_MAX][NUMBER_DIGITS];
};

static bool code_text(json_t *obj, const char *name, struct slice *ret) { return member_text(obj, name, 6, ret) && ret->n == 6 && all_digits(*ret); }

static struct err inquiry_read(struct inquiry *q)
{
    struct slice id, inquirer, provider, basis, number;
    json_t *obj, *person, *list;
    size_t i;
    TRY(json_in_object(&obj, req_arena(q->r), req_body(q->r)));
    list = json_object_get(obj, "persons");
    if (json_object_size(obj) != 5 || !member_text(obj, "requestId", REQUEST_ID, &id) || id.n != REQUEST_ID || !code_text(obj, "inquirerMunicipalityCode", &inquirer) ||
        !code_text(obj, "providerMunicipalityCode", &provider) || !member_text(obj, "legalBasis", 4, &basis) || !json_is_array(list) ||
        json_array_size(list) < 1 || json_array_size(list) > VRS_PERSONS_MAX)
        return FAIL(E_FIELD);
    memcpy(q->id, id.p, sizeof q->id);
    json_array_foreach (list, i, person) {
        if (json_object_size(person) != 1 || !member_text(person, "myNumber", NUMBER_DIGITS, &number) || number.n != NUMBER_DIGITS || !all_digits(number))
            return FAIL(E_FIELD);
        memcpy(q->number[q->persons++], number.p, NUMBER_DIGITS);
    }
    q->m = vrs_muni_of(q->n->vrs, provider);
    return q->m ? OK : FAIL(E_NOTHING);
}

/* ---- the answer, with what the fault does to it ---- */

static void number_write(const struct inquiry *q, struct jsonw *w, size_t at)
{
    char number[NUMBER_DIGITS];
    size_t shown = q->fx.swap && q->persons >= 2 && at < 2 ? 1 - at : at;
    memcpy(number, q->number[shown], sizeof number);
    if (q->fx.wrong_number && at == 0)
        number[3] = number[3] == '9' ? '0' : (char)(number[3] + 1);
    if (q->fx.other_person && at == 0)
        memcpy(number, "790000000006", sizeof number);
    jsonw_str(w, "myNumber", ARR(number));
    explicit_bzero(number, sizeof number);
}

static void person_write(struct inquiry *q, struct jsonw *w, size_t at)
{
    struct buf doses;
    buf_init(&doses, 256 * 1024);
    const bool known = vrs_told_records(q->n->vrs, ARR(q->number[at]), q->m, &doses) || vrs_records(q->n->vrs, ARR(q->number[at]), q->m, &doses);
    q->m->learned += known;
    jsonw_object(w, NULL);
    number_write(q, w, at);
    if (!(q->fx.missing_field && at == 0))
        jsonw_raw(w, "immunizations", known ? buf_slice(&doses) : LIT("[]"));
    if (q->fx.extra_field && at == 0)
        jsonw_cstr(w, "name", "somebody");
    jsonw_end_object(w);
    buf_done(&doses);
}

static void answer(struct inquiry *q)
{
    struct buf body;
    struct jsonw w;
    const size_t told = q->fx.partial ? q->persons / 2 : q->persons;
    buf_init(&body, ANSWER_MAX);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", ARR(q->id));
    jsonw_str(&w, "providerMunicipalityCode", slice_of(q->m->code, 6));
    jsonw_array(&w, "persons");
    for (size_t i = 0; i < told; i++)
        person_write(q, &w, i);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    q->fx.extra_field = q->fx.missing_field = false; /* done above */
    answer_send(q->n, q->r, &q->fx, 200, &body);
    buf_done(&body);
    explicit_bzero(q, sizeof *q);
    free(q);
}

/* ---- a municipality of another gateway ---- */

static void on_forwarded(void *arg, struct err e, int status, struct slice body)
{
    struct inquiry *q = arg;
    struct buf copy;
    buf_init(&copy, ANSWER_MAX);
    buf_put(&copy, body);
    if (err_ok(e))
        answer_send(q->n, q->r, &q->fx, status, &copy);
    else
        answer_fail(q->n, q->r, &q->fx, e);
    buf_done(&copy);
    explicit_bzero(q, sizeof *q);
    free(q);
}

static void forward(struct inquiry *q)
{
    char url[URL_MAX];
    struct buf body;
    buf_init(&body, 64 * 1024);
    buf_put(&body, req_body(q->r));
    snprintf(url, sizeof url, "%s/v1/vaccination/provisions", q->m->door);
    q->m->learned += q->persons; /* VRS does not know whom they know: the other gateway keeps it to itself */
    struct client_req cr = { .method = "POST", .url = url, .content_type = "application/json", .answer_max = ANSWER_MAX, .timeout_ms = FORWARD_MS };
    client_send(q->n->vrs->client, &cr, &body, on_forwarded, q);
    buf_done(&body);
}

static void habits_apply(struct inquiry *q)
{
    struct vrs *v = q->n->vrs;
    const struct vrs_muni *m = q->m;
    const uint64_t late = m->set_latency_ms ? m->set_latency_ms : vrs_latency(v, m);
    if (q->fx.delay_ms < late)
        q->fx.delay_ms = late;
    if ((m->maintenance && v->realistic) || m->set_maintenance)
        q->fx.status = 503;
    if (!(m->dead && v->realistic) && !m->set_dead)
        return;
    q->fx.delay_ms = DEAD_MS;
    q->fx.reset = true;
}

static void inquiries_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct vrs *v = n->vrs;
    struct fault fx = faults_take(&n->faults, SYSTEM_VRS);
    struct inquiry *q = calloc(1, sizeof *q);
    v->requests++;
    if (q)
        *q = (struct inquiry){ .n = n, .r = r, .fx = fx };
    struct err e = q ? inquiry_read(q) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        free(q);
        answer_fail(n, r, &fx, e);
        return;
    }
    v->persons += q->persons;
    q->m->requests++;
    q->m->persons += q->persons;
    habits_apply(q);
    if (q->m->door)
        forward(q);
    else
        answer(q);
}

static void municipalities_get(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct fault fx = faults_take(&n->faults, SYSTEM_VRS);
    struct buf body;
    struct jsonw w;
    buf_init(&body, 128 * 1024);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "municipalities");
    for (size_t i = 0; i < n->vrs->n_munis; i++)
        jsonw_str(&w, NULL, slice_of(n->vrs->muni[i].code, 6));
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    answer_send(n, r, &fx, 200, &body);
    buf_done(&body);
}

const struct route VRS_ROUTES[] = {
    { M_POST, "/vrs/v1/inquiries", { "inquire" }, CALLER_BIT(CALLER_GATEWAY), false, 64 * 1024, "application/json", 130000, inquiries_post },
    { M_POST, "/vrs/v1/registrations", { "registerWithVrs" }, CALLER_BIT(CALLER_GATEWAY), false, 4 << 20, "application/json", 130000, vrs_registrations_post },
    { M_POST, "/vrs/v1/records", { "recordWithVrs" }, CALLER_BIT(CALLER_GATEWAY), false, 4 << 20, "application/json", 130000, vrs_records_post },
    { M_GET, "/vrs/v1/municipalities", { "listMunicipalities" }, CALLER_BIT(CALLER_GATEWAY), false, 0, NULL, 130000, municipalities_get },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t VRS_ROUTES_N = sizeof VRS_ROUTES / sizeof *VRS_ROUTES;
