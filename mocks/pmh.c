/* PMH: the numbering door. Keeps nothing; asks the intermediary server and passes its answer on. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/routes.h"

enum { NUMBER_DIGITS = 12, ANSWER_MAX = NUMBERING_MAX * 128 };

struct numbering {
    struct nation *n;
    struct req *r;
    struct fault fx;
    size_t rows, n_fresh;
    uint32_t at[NUMBERING_MAX];
    uint32_t fresh[NUMBERING_MAX]; /* to be handed over once their keys are on disk */
};

static struct slice number_of(struct numbering *g, size_t row)
{
    return slice_of(people_at(&g->n->people, g->at[row])->number, NUMBER_DIGITS);
}

/* The number that the answer gives for a row, which is another one when a fault says so. */
static void number_write(struct numbering *g, struct jsonw *w, size_t row)
{
    char number[NUMBER_DIGITS];
    size_t shown = g->fx.swap && g->rows >= 2 && row < 2 ? 1 - row : row;
    memcpy(number, number_of(g, shown).p, sizeof number);
    if (g->fx.wrong_number && row == 0)
        number[3] = number[3] == '9' ? '0' : (char)(number[3] + 1);
    jsonw_str(w, "myNumber", ARR(number));
    explicit_bzero(number, sizeof number);
}

static void row_write(struct numbering *g, struct jsonw *w, size_t row)
{
    jsonw_object(w, NULL);
    if (!(g->fx.missing_field && row == 0))
        jsonw_cstr(w, "pmhKey", people_at(&g->n->people, g->at[row])->intermediary.pmh_key);
    number_write(g, w, row);
    if (g->fx.extra_field && row == 0)
        jsonw_cstr(w, "unexpected", "member");
    jsonw_end_object(w);
}

static void on_durable(void *arg, struct err e)
{
    struct numbering *g = arg;
    struct buf body;
    struct jsonw w;
    buf_init(&body, ANSWER_MAX);
    for (size_t i = 0; err_ok(e) && i < g->n_fresh; i++)
        intermediary_hand_over(g->n, g->fresh[i]);
    jsonw_init(&w, &body);
    jsonw_array(&w, NULL);
    for (size_t i = 0; i < g->rows; i++)
        row_write(g, &w, i);
    jsonw_end_array(&w);
    if (err_ok(e))
        answer_send(g->n, g->r, &g->fx, 200, &body);
    else
        answer_fail(g->n, g->r, &g->fx, e);
    buf_done(&body);
    free(g);
}

static struct err row_number(struct numbering *g, json_t *row)
{
    struct slice number;
    bool fresh;
    if (json_object_size(row) != 1 || !member_text(row, "myNumber", NUMBER_DIGITS, &number) || number.n != NUMBER_DIGITS || !all_digits(number))
        return FAIL(E_FIELD);
    TRY(intermediary_issue(g->n, number, &g->at[g->rows], &fresh));
    if (fresh)
        g->fresh[g->n_fresh++] = g->at[g->rows];
    g->rows++;
    return OK;
}

static struct err numbering_start(struct nation *n, struct req *r, struct numbering **ret_g)
{
    json_t *rows, *row;
    size_t i;
    TRY(json_in_array(&rows, req_arena(r), req_body(r)));
    if (json_array_size(rows) < 1)
        return FAIL(E_JSON_SHAPE);
    if (json_array_size(rows) > NUMBERING_MAX)
        return FAIL(E_TOO_MANY_ROWS);
    struct numbering *g = calloc(1, sizeof *g);
    if (!g)
        return FAIL(E_NOMEM);
    *g = (struct numbering){ .n = n, .r = r };
    struct err e = OK;
    json_array_foreach (rows, i, row)
        if (err_ok(e))
            e = row_number(g, row);
    if (err_ok(e)) {
        *ret_g = g;
        return OK;
    }
    /* the keys of the rows before are issued all the same: they are in the journal, so they must reach the others */
    for (i = 0; i < g->n_fresh; i++)
        intermediary_hand_over(n, g->fresh[i]);
    free(g);
    return e;
}

static void numbering_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct numbering *g = NULL;
    struct fault fx = fault_join(faults_take(&n->faults, SYSTEM_PMH), faults_take(&n->faults, SYSTEM_INTERMEDIARY));
    n->count.numbering_requests++;
    struct err e = numbering_start(n, r, &g);
    if (err_ok(e)) {
        n->count.numbers_asked += g->rows;
        g->fx = fx;
        e = record_sync(n, on_durable, g);
        if (!err_ok(e))
            free(g);
    }
    if (!err_ok(e))
        answer_fail(n, r, &fx, e);
}

const struct route PMH_ROUTES[] = {
    { M_POST, "/pmh/v1/numbering", { "issuePmhKeys" }, CALLER_BIT(CALLER_GATEWAY), false, 256 * 1024, "application/json", 130000, numbering_post },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t PMH_ROUTES_N = sizeof PMH_ROUTES / sizeof *PMH_ROUTES;
