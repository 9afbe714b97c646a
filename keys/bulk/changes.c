/* Files of resident changes. Their rows are no records: each is an operation with a journal of its own (keys/change), carried out one after the
 * other, in the order of the file. One that needs PMH while PMH is away leaves the file (keep.c), and so do the later ones of its resident. */

#include "keys/bulk/work.h"
#include "keys/registration/number_inside.h"

static bool is_bad(const struct field_report *r, const char *field)
{
    for (unsigned i = 0; i < r->n_faults && i < FIELD_FAULTS_MAX; i++)
        if (strcmp(r->faults[i].field, field) == 0)
            return true;
    return r->n_faults >= FIELD_FAULTS_MAX;
}

/* The key goes into the results, unless somebody's number may stand there. */
static ERR key_told(struct nz_batch *b, struct nz_brow *x)
{
    const struct nz_change *c = x->change;
    const struct field_report *r = &x->row.report;
    bool tell = false;
    if (c->resident_key.n && !is_bad(r, "municipalityIdentityKey"))
        TRY(nz_key_tellable(c->resident_key, c->number, is_bad(r, "myNumber") || is_bad(r, "newMyNumber"), b->run->in->pool, &tell));
    x->row.resident_key = tell ? c->resident_key : SLICE_NONE;
    return OK;
}

ERR bulk__change_read(struct nz_batch *b, struct nz_brow *x, const struct nz_linkage_row *in)
{
    struct nz_run *r = b->run;
    x->change = arena_get(b->arena, sizeof *x->change);
    if (!x->change)
        return FAIL(E_FULL);
    const struct nz_layout *layout = r->t.source == NZ_SOURCE_CSV ? r->layout : NULL;
    struct err e = nz_change_read_row(layout, in, &r->in->levels, r->in->pool, b->arena, x->change, &x->row.report);
    if (!err_ok(e)) {
        x->change = NULL;
        return e;
    }
    x->row.verdict = x->row.report.n_faults ? NZ_ROW_FIELD : NZ_ROW_OK;
    TRY(key_told(b, x));
    x->pass = x->row.verdict == NZ_ROW_OK;
    return OK;
}

static struct nz_brow *next(struct nz_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        if (x->pass && x->verdict.result == NZ_WAITING && !x->diverted)
            return &b->row[i];
    }
    return NULL;
}

static bool is_kept(const struct nz_batch *b, const struct nz_verdict *v)
{
    return b->run->t.mode == NZ_MODE_APPLY && (v->result == NZ_WAITING || v->result == NZ_QUARANTINED);
}

static void applied(void *arg, struct err e, const struct nz_verdict *v, const struct nz_waiting *w)
{
    struct nz_batch *b = arg;
    struct nz_brow *x = next(b);
    if (err_is(e, E_FORBIDDEN))
        bulk__refuse(x, NZ_CODE_MUNI_CLOSED);
    else if (err_ok(e))
        x->verdict = (struct nz_verdict){ .result = v->result, .code = v->code };
    if (err_ok(e) && is_kept(b, v)) {
        bulk__change_keep(b, x, w);
    } else if (err_ok(e) || err_is(e, E_FORBIDDEN)) {
        x->suspicious = x->verdict.result == NZ_QUARANTINED; /* a dry run */
        nz_change_done(x->change);
        bulk__batch_go(b, NZ_STEP_LINK);
    } else {
        bulk__batch_again(b, NZ_STEP_LINK, e);
    }
}

static void apply(struct nz_batch *b, struct nz_brow *x)
{
    struct nz_run *r = b->run;
    if (r->t.mode == NZ_MODE_DRY_RUN)
        nz_change_look(r->in, r->muni, &r->t.task.id, x->row.row, x->change, bulk__deadline(r), applied, b);
    else
        nz_change_apply(r->in, r->muni, &r->t.task.id, x->row.row, x->change, false, r->t.accepted_ms, bulk__deadline(r), applied, b);
}

/* ---- what an earlier run did with the row, or a script whose answer did not come ---- */

static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    struct nz_brow *x = next(b);
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        bulk__batch_again(b, NZ_STEP_LINK, e);
        return;
    }
    x->looked = true;
    if (bulk__was_diverted(x, replies[0], replies[1]))
        nz_change_done(x->change);
    bulk__batch_go(b, NZ_STEP_LINK);
}

static void look(struct nz_batch *b, const struct nz_brow *x)
{
    struct nz_run *r = b->run;
    struct redis_batch *out = redis_batch_new(512);
    char digits[10];
    const struct slice row = slice_of(digits, nz_row_format(x->row.row, digits));
    if (!out) {
        bulk__batch_again(b, NZ_STEP_LINK, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(out, LIT("HGET"), store_name_slice(&r->name_tr), row);
    REDIS_ADD(out, LIT("HEXISTS"), store_name_slice(&r->name_o), row);
    redis_send(r->in->redis, out, bulk__deadline(r), looked, b);
}

bool bulk__step_changes(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    if (b != TAILQ_FIRST(&r->batches) || r->fence_lost)
        return false;
    struct nz_brow *x = next(b);
    if (!x || r->b->closed) {
        b->step = x ? b->step : NZ_STEP_TELL;
        return !x;
    }
    b->busy = true;
    if (r->t.mode == NZ_MODE_APPLY && bulk__may_be_diverted(b, x) && !x->looked)
        look(b, x);
    else
        apply(b, x);
    return false;
}
