#include "connectors/number/pmh.h"

#include <stdlib.h>

#include "gateway/base/json_write.h"
#include "gateway/base/must.h"

enum { ROWS_MAX = 1000, REQUEST_PER_ROW = 64, ANSWER_PER_ROW = 512, SLACK = 4096 };

static struct err write_number(struct slice digits, void *arg)
{
    jsonw_str(arg, "myNumber", digits);
    return OK;
}

struct err nz_pmh_write(const struct nz_pmh_row *rows, size_t n, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w, NULL);
        TRY(nz_mynum_use(rows[i].number, write_number, &w));
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    return buf_check(out);
}

struct batch {
    struct nz_pmh_row *rows;
    size_t n;
    nz_pmh_done_fn *done;
    void *arg;
};

/* What a status other than 200 says; the others below 500 break the agreement. */
static const struct { int status; enum err_code code; } STATUSES[] = {
    { 400, E_FIELD },     { 413, E_FIELD },         { 422, E_FIELD },         { 401, E_FORBIDDEN },
    { 403, E_FORBIDDEN }, { 408, E_UPSTREAM_DOWN }, { 425, E_UPSTREAM_DOWN }, { 429, E_UPSTREAM_DOWN },
};

static ERR judge_answer(struct batch *b, int status, struct slice body)
{
    if (status == 200)
        return nz_pmh_judge(body, b->rows, b->n);
    for (size_t i = 0; i < sizeof STATUSES / sizeof STATUSES[0]; i++) {
        if (STATUSES[i].status == status)
            return FAIL(STATUSES[i].code);
    }
    return status >= 500 ? FAIL(E_UPSTREAM_DOWN) : FAIL(E_UPSTREAM_BAD);
}

static void on_answer(void *arg, struct err e, int status, struct slice body)
{
    struct batch b = *(struct batch *)arg;
    free(arg);
    if (err_ok(e))
        e = judge_answer(&b, status, body);
    b.done(b.arg, e);
}

void nz_pmh_number(struct client *c, const char *url, unsigned timeout_ms, struct nz_pmh_row *rows, size_t n,
                   nz_pmh_done_fn *done, void *arg)
{
    struct client_req req = { .method = "POST", .url = url, .content_type = "application/json",
                              .answer_max = SLACK + n * ANSWER_PER_ROW, .timeout_ms = timeout_ms };
    struct batch *b = malloc(sizeof *b);
    struct buf body;
    MUST(n >= 1 && n <= ROWS_MAX);
    MUST(b); /* as in client_refuse() */
    *b = (struct batch){ rows, n, done, arg };
    for (size_t i = 0; i < n; i++) {
        rows[i].outcome = NZ_PMH_RETRY;
        rows[i].pmh_key[0] = 0;
    }
    buf_init(&body, SLACK + n * REQUEST_PER_ROW);
    struct err e = nz_pmh_write(rows, n, &body);
    if (err_ok(e))
        client_send(c, &req, &body, on_answer, b);
    else
        client_refuse(c, e, on_answer, b);
    buf_done(&body);
}
