/* Rows that leave the file: PMH is away (they wait in the outbox), or an officer must look (they are held). A ticket of the vault stands for the
 * number, so that the file itself is not needed any more. */

#include "keys/bulk/work.h"

#include "keys/intake/put_off.h"

static bool leaves(const struct nz_batch *b, const struct nz_brow *x) { return bulk__turn(b, x) && !x->was_diverted && (x->diverted || x->held); }
static bool wants_ticket(const struct nz_batch *b, const struct nz_brow *x) { return leaves(b, x) && !x->key_stored; }

static ERR seal_row(struct nz_batch *b, struct nz_brow *x)
{
    struct nz_run *r = b->run;
    struct nz_row_result result;
    struct nz_put_off p = { .ref = { .task = r->t.task.id, .row = x->row.row }, .of_file = true };
    struct record *rec = &x->row.record;
    memcpy(p.ref.muni, r->muni, sizeof p.ref.muni);
    nz_row_result_of(&x->row, &result);
    result.result = x->verdict.result;
    result.code = x->verdict.code;
    rec->stored_ms = r->t.accepted_ms;
    p.sid = x->subject.sid;
    p.ticket = x->key_stored ? NULL : x->ticket;
    p.rk = x->has_rk ? ARR(x->rk) : SLICE_NONE;
    p.seen = x->held ? x->seen : NULL;
    p.field = store_name_slice(&x->field);
    p.record = rec;
    p.result = &result;
    x->sealed_at = (uint32_t)b->out.n;
    TRY(nz_put_off_seal(r->in->store, &p, &r->work2, &b->out));
    x->sealed_n = (uint32_t)(b->out.n - x->sealed_at);
    return OK;
}

static struct err seal_rows(struct nz_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (!leaves(b, &b->row[i]))
            continue;
        struct err e = seal_row(b, &b->row[i]);
        if (err_is(e, E_FORBIDDEN)) { /* nothing can be sealed for this municipality any more */
            b->row[i].diverted = b->row[i].held = false;
            bulk__refuse(&b->row[i], NZ_CODE_MUNI_CLOSED);
            e = OK;
        }
        TRY(e);
    }
    return OK;
}

static void tickets_end(struct nz_batch *b)
{
    if (err_ok(b->failed))
        b->failed = seal_rows(b);
    if (err_ok(b->failed))
        bulk__batch_go(b, NZ_STEP_CLINICS);
    else
        bulk__batch_again(b, NZ_STEP_TICKETS, b->failed);
}

static void ticket_came(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    struct nz_batch *b = arg;
    (void)subject, (void)known;
    if (!err_ok(e) && err_ok(b->failed))
        b->failed = e;
    if (--b->under_way == 0)
        tickets_end(b);
}

/* The ticket is the same at every attempt: asking twice registers it once. */
static void ask(struct nz_batch *b, struct nz_brow *x)
{
    struct nz_ticket t;
    struct nz_run *r = b->run;
    if (!x->has_ticket)
        rnd_bytes(x->ticket, sizeof x->ticket);
    x->has_ticket = true;
    memcpy(t.b, x->ticket, sizeof t.b);
    nz_vault_link(r->in->vault, r->muni, x->row.number, &t, bulk__deadline(r), ticket_came, b);
}

bool bulk__step_tickets(struct nz_batch *b)
{
    bool any = false;
    b->failed = OK;
    b->under_way = 0;
    for (size_t i = 0; i < b->n; i++) {
        any = any || leaves(b, &b->row[i]);
        b->under_way += wants_ticket(b, &b->row[i]);
    }
    if (!any || b->run->t.mode != NZ_MODE_APPLY)
        return true;
    b->busy = true;
    if (!b->under_way) {
        tickets_end(b);
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (wants_ticket(b, &b->row[i]))
            ask(b, &b->row[i]);
    }
    return false;
}
