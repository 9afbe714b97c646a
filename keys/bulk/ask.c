/* Residents without a PMH key: asked for in requests that span batches. While PMH is away such rows go to the outbox and the file goes on. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "connectors/number/pmh.h"
#include "keys/intake/outbox.h"

enum { ENOUGH = 4 * NZ_BULK_ROWS /* for one more request beside those under way */ };

struct nz_ask {
    struct nz_run *run;
    size_t n;
    struct nz_pmh_row row[NZ_BULK_ASK_MAX];
    struct nz_batch *batch[NZ_BULK_ASK_MAX];
    uint8_t at[NZ_BULK_ASK_MAX];
};

static bool needs(const struct nz_batch *b, const struct nz_brow *x) { return bulk__open_row(b, x) && !x->keyed; }

static void ask_end(struct nz_ask *a)
{
    struct nz_run *r = a->run;
    r->asks--;
    explicit_bzero(a->row, a->n * sizeof a->row[0]);
    free(a);
    bulk__run_soon(r);
}

static void hear(struct nz_batch *b, struct nz_brow *x, const struct nz_pmh_row *row)
{
    x->asked = false;
    b->under_way--;
    if (row->outcome == NZ_PMH_KEY) {
        memcpy(x->key, row->pmh_key, sizeof x->key);
        x->keyed = true;
    } else if (row->outcome == NZ_PMH_RETRY) {
        x->diverted = true;
    } else {
        bulk__hold(x, NZ_CODE_UPSTREAM);
    }
}

static void answered(void *arg, struct err e)
{
    struct nz_ask *a = arg;
    nz_outbox_heard(a->run->in->outbox, e);
    for (size_t i = 0; i < a->n; i++)
        hear(a->batch[i], &a->batch[i]->row[a->at[i]], &a->row[i]);
    ask_end(a);
}

static void audited(void *arg, struct err e)
{
    struct nz_ask *a = arg;
    const struct nz_intake *in = a->run->in;
    if (err_ok(e)) {
        nz_pmh_number(in->client, in->conf.pmh_url, (unsigned)in->conf.pmh_timeout_ms, a->row, a->n, answered, a);
        return;
    }
    for (size_t i = 0; i < a->n; i++) { /* not sent: asked for again */
        a->batch[i]->row[a->at[i]].asked = false;
        a->batch[i]->under_way--;
    }
    bulk__run_pause(a->run, e, "numbering");
    ask_end(a);
}

static void ask_send(struct nz_run *r, size_t n)
{
    struct nz_ask *a = malloc(sizeof *a);
    if (!a) {
        bulk__run_pause(r, FAIL(E_NOMEM), "numbering");
        return;
    }
    a->run = r;
    a->n = n;
    for (size_t i = 0; i < n; i++) {
        a->batch[i] = r->need_batch[i];
        a->at[i] = r->need_row[i];
        a->row[i].number = a->batch[i]->row[a->at[i]].row.number;
    }
    r->n_need -= n;
    memmove(r->need_batch, r->need_batch + n, r->n_need * sizeof r->need_batch[0]);
    memmove(r->need_row, r->need_row + n, r->n_need * sizeof r->need_row[0]);
    r->asks++;
    struct audit_rec rec = bulk__audit(r, AU_NUMBERING, n);
    audit_append(r->in->audit, &rec, bulk__deadline(r), audited, a);
}

static void divert_all(struct nz_run *r)
{
    for (size_t i = 0; i < r->n_need; i++) {
        struct nz_brow *x = &r->need_batch[i]->row[r->need_row[i]];
        x->asked = false;
        x->diverted = true;
        r->need_batch[i]->under_way--;
    }
    if (r->n_need)
        bulk__run_soon(r);
    r->n_need = 0;
}

void bulk__ask_pump(struct nz_run *r)
{
    size_t full = (size_t)r->in->conf.pmh_batch_rows;
    if (r->n_need && nz_outbox_upstream_down(r->in->outbox))
        divert_all(r);
    while (r->n_need && r->asks < NZ_BULK_NUMBERINGS && (!r->asks || r->n_need >= full || r->n_need >= ENOUGH) && loop_now(r->in->loop) >= r->not_before)
        ask_send(r, r->n_need < full ? r->n_need : full);
}

void bulk__ask_forget(struct nz_run *r, const struct nz_batch *b)
{
    size_t k = 0;
    for (size_t i = 0; i < r->n_need; i++) {
        if (r->need_batch[i] == b)
            continue;
        r->need_batch[k] = r->need_batch[i];
        r->need_row[k++] = r->need_row[i];
    }
    r->n_need = k;
}

bool bulk__step_number(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    bool waits = false;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!needs(b, x))
            continue;
        if (r->t.mode == NZ_MODE_DRY_RUN) {
            x->verdict = (struct nz_verdict){ .result = NZ_REGISTERED };
            continue;
        }
        waits = true;
        if (x->asked || r->n_need == sizeof r->need_batch / sizeof r->need_batch[0])
            continue;
        r->need_batch[r->n_need] = b;
        r->need_row[r->n_need++] = (uint8_t)i;
        b->under_way++;
        x->asked = true;
    }
    return !waits;
}
