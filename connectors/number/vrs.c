#include "connectors/number/vrs.h"

#include <stdio.h>
#include <stdlib.h>

#include "connectors/number/vrs_status.h"
#include "gateway/base/json_write.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { URL_MAX = 1100, REQUEST_SLACK = 1024, REQUEST_PER_PERSON = 64, ANSWER_SLACK = 64 * 1024, ANSWER_PER_PERSON = 16 * 1024, ANSWER_MAX = 4 << 20,
       MUNIS_ANSWER_MAX = 128 * 1024 };

static struct err write_number(struct slice digits, void *arg)
{
    jsonw_str(arg, "myNumber", digits);
    return OK;
}

/* Two rows of a request may be about one person: a number stands in a question once. */
static bool is_first(const struct nz_vrs_ask *ask, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (nz_mynum_equal(ask->person[k].number, ask->person[i].number))
            return false;
    return true;
}

struct err nz_vrs_write(const struct nz_vrs_ask *ask, struct buf *out)
{
    struct jsonw w;
    char basis[8];
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "requestId", ARR(ask->id));
    jsonw_str(&w, "inquirerMunicipalityCode", ARR(ask->inquirer));
    jsonw_str(&w, "providerMunicipalityCode", ARR(ask->provider));
    jsonw_str(&w, "legalBasis", slice_of(basis, (size_t)snprintf(basis, sizeof basis, "%u", ask->basis)));
    jsonw_array(&w, "persons");
    for (size_t i = 0; i < ask->n; i++) {
        if (!is_first(ask, i))
            continue;
        jsonw_object(&w, NULL);
        TRY(nz_mynum_use(ask->person[i].number, write_number, &w));
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return buf_check(out);
}

void nz_vrs_persons_done(struct nz_vrs_person *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_done(&p[i].json);
}

struct err nz_vrs_status(int status)
{
    static const struct { int status; enum err_code code; } STATUSES[] = {
        { 400, E_FIELD },     { 413, E_FIELD },         { 422, E_FIELD },         { 401, E_FORBIDDEN },     { 403, E_FORBIDDEN },
        { 404, E_NOTHING },   { 408, E_UPSTREAM_DOWN }, { 425, E_UPSTREAM_DOWN }, { 429, E_UPSTREAM_DOWN },
    };
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        if (STATUSES[i].status == status)
            return FAIL(STATUSES[i].code);
    }
    return status >= 500 ? FAIL(E_UPSTREAM_DOWN) : FAIL(E_UPSTREAM_BAD);
}

struct question {
    struct nz_pool *pool;
    struct nz_vrs_ask ask;
    nz_vrs_done_fn *done;
    nz_vrs_munis_fn *munis;
    void *arg;
};

static void on_answer(void *arg, struct err e, int status, struct slice body)
{
    struct question q = *(struct question *)arg;
    bool strange = false;
    free(arg);
    if (err_ok(e) && status != 200)
        e = nz_vrs_status(status);
    if (err_ok(e))
        e = nz_vrs_judge(&q.ask, q.pool, body, &strange);
    if (strange)
        LOG(ERROR, "inquiry_answer_of_another_person", LF("persons", (uint64_t)q.ask.n));
    q.done(q.arg, e);
}

static void on_munis(void *arg, struct err e, int status, struct slice body)
{
    struct question q = *(struct question *)arg;
    char (*munis)[6] = NULL;
    size_t n = 0;
    free(arg);
    if (err_ok(e) && status != 200)
        e = nz_vrs_status(status);
    if (err_ok(e) && !(munis = calloc(NZ_VRS_MUNIS_MAX, sizeof *munis)))
        e = FAIL(E_NOMEM);
    if (err_ok(e))
        e = nz_vrs_judge_munis(body, munis, NZ_VRS_MUNIS_MAX, &n);
    q.munis(q.arg, e, (const char (*)[6])munis, n);
    free(munis);
}

static struct question *question_new(struct question q)
{
    struct question *p = malloc(sizeof *p);
    MUST(p); /* as in client_refuse() */
    *p = q;
    return p;
}

static struct err url_of(char out[static URL_MAX], const char *url, const char *tail)
{
    return snprintf(out, URL_MAX, "%s/%s", url, tail) < URL_MAX ? OK : FAIL(E_CONFIG);
}

void nz_vrs_inquire(struct client *c, const char *url, unsigned timeout_ms, struct nz_pool *pool, const struct nz_vrs_ask *ask, nz_vrs_done_fn *done, void *arg)
{
    char full[URL_MAX];
    struct client_req req = { .method = "POST", .url = full, .content_type = "application/json", .timeout_ms = timeout_ms };
    struct question *q = question_new((struct question){ .pool = pool, .ask = *ask, .done = done, .arg = arg });
    struct buf body;
    MUST(ask->n >= 1 && ask->n <= NZ_VRS_PERSONS_MAX);
    size_t room = ANSWER_SLACK + ask->n * ANSWER_PER_PERSON;
    req.answer_max = room < ANSWER_MAX ? room : ANSWER_MAX;
    for (size_t i = 0; i < ask->n; i++) {
        ask->person[i].outcome = NZ_VRS_WAITS;
        ask->person[i].records = 0;
        buf_init(&ask->person[i].json, NZ_VRS_JSON_MAX);
    }
    buf_init(&body, REQUEST_SLACK + ask->n * REQUEST_PER_PERSON);
    struct err e = url_of(full, url, "inquiries");
    if (err_ok(e))
        e = nz_vrs_write(ask, &body);
    if (err_ok(e))
        client_send(c, &req, &body, on_answer, q);
    else
        client_refuse(c, e, on_answer, q);
    buf_done(&body);
}

void nz_vrs_municipalities(struct client *c, const char *url, unsigned timeout_ms, nz_vrs_munis_fn *done, void *arg)
{
    char full[URL_MAX];
    struct client_req req = { .method = "GET", .url = full, .answer_max = MUNIS_ANSWER_MAX, .timeout_ms = timeout_ms };
    struct question *q = question_new((struct question){ .munis = done, .arg = arg });
    struct buf none;
    buf_init(&none, 1);
    struct err e = url_of(full, url, "municipalities");
    if (err_ok(e))
        client_send(c, &req, &none, on_munis, q);
    else
        client_refuse(c, e, on_munis, q);
    buf_done(&none);
}
