#include "keys/intake/register.h"

static ERR rows_read(struct nz_reg *g)
{
    struct nz_intake *in = g->in;
    struct arena *a = req_arena(g->r);
    TRY(nz_registration_parse(&g->rows, a, in->pool, g->form, req_body(g->r), in->conf.rows_max, g->muni, &in->levels));
    g->x = arena_get(a, g->rows->n * sizeof *g->x);
    if (!g->x)
        return FAIL(E_FULL);
    for (size_t i = 0; i < g->rows->n; i++) {
        const struct nz_row *row = &g->rows->row[i];
        struct nz_reg_row *x = &g->x[i];
        nz_row_result_of(row, &x->result);
        x->linked = row->verdict == NZ_ROW_OK || row->verdict == NZ_PERSON_MISMATCH;
        if (x->linked && row->has_resident_key && row->resident_key.n)
            TRY(store_name_resident(in->store, slice_of(g->muni, 6), row->resident_key, &x->rk));
    }
    return OK;
}

static struct nz_reg *reg_new(struct req *r, enum nz_form form)
{
    struct nz_reg *g = arena_get(req_arena(r), sizeof *g);
    if (!g)
        return NULL;
    g->r = r;
    g->in = req_ctx(r);
    g->form = form;
    memcpy(g->muni, nz_req_muni(r), sizeof g->muni);
    rnd_bytes(g->task.b, sizeof g->task.b);
    uint64_t now = clock_wall(loop_clock(g->in->loop));
    g->received_ms = now > g->in->last_received_ms ? now : g->in->last_received_ms + 1;
    g->in->last_received_ms = g->received_ms;
    return g;
}

static void begin(struct req *r, enum nz_form form)
{
    struct nz_reg *g = reg_new(r, form);
    struct err e = g ? rows_read(g) : FAIL(E_NOMEM);
    if (err_ok(e))
        nz_reg_link(g);
    else
        req_fail(r, e);
}

/* POST /v1/medical-subsidy/registration-tasks */
void nz_register_subjects(struct req *r) { begin(r, NZ_FORM_SUBJECT); }

/* POST /v1/medical-subsidy/history-registration-tasks */
void nz_register_history(struct req *r) { begin(r, NZ_FORM_HISTORY); }
