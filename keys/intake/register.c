#include "keys/intake/register.h"

#include "keys/intake/order.h"

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
        struct nz_row_result judged;
        nz_row_result_of(row, &judged);
        x->result = judged.result;
        x->code = judged.code;
        x->linked = judged.result == NZ_WAITING || judged.result == NZ_QUARANTINED;
        if (x->linked && row->has_resident_key && row->resident_key.n)
            TRY(store_name_resident(in->store, slice_of(g->muni, 6), row->resident_key, &x->rk));
    }
    return OK;
}

void nz_reg_result(const struct nz_reg *g, size_t i, struct nz_row_result *ret_r)
{
    nz_row_result_of(&g->rows->row[i], ret_r);
    ret_r->result = g->x[i].result;
    ret_r->code = g->x[i].code;
}

/* With the request, whatever becomes of it. */
static void reg_end(void *arg)
{
    struct nz_reg *g = arg;
    g->in->body_bytes -= g->body_bytes;
    g->in->registrations--;
}

/* Bodies are taken apart in memory many times their size: so many bytes at a time, but never less than one body. */
static ERR reg_admit(struct nz_reg *g)
{
    size_t n = req_body(g->r).n;
    if (g->in->body_bytes && n > NZ_BODIES_MAX - g->in->body_bytes)
        return FAIL(E_BUSY);
    if (!arena_on_reset(req_arena(g->r), reg_end, g))
        return FAIL(E_NOMEM);
    g->body_bytes = n < NZ_BODIES_MAX - g->in->body_bytes ? n : NZ_BODIES_MAX - g->in->body_bytes;
    g->in->body_bytes += g->body_bytes;
    g->in->registrations++;
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
    g->received_ms = nz_received_ms(g->in);
    return g;
}

/* The handler of every form's route: the operation says which. */
void nz_register(struct req *r)
{
    enum nz_form form;
    const bool known = nz_form_by_operation(slice_str(req_route(r)->operation.s), &form);
    struct nz_reg *g = known ? reg_new(r, form) : NULL;
    struct err e = g ? reg_admit(g) : known ? FAIL(E_NOMEM) : FAIL(E_INTERNAL);
    if (err_ok(e))
        e = rows_read(g);
    if (err_ok(e))
        nz_reg_link(g);
    else
        req_fail(r, e);
}
