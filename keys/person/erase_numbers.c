/* Numbers at the vault: those that VRS still has to hear of once more stay there under a ticket (decision 47), then each is erased. */

#include "gateway/base/log.h"
#include "keys/person/erasure.h"
#include "keys/report/row.h"

static void erase_next(struct nz_erasure *x);

static struct nz_subject subject_at(const struct nz_erasure *x)
{
    struct nz_subject s;
    memcpy(s.sid, x->sid[x->at], sizeof s.sid);
    return s;
}

static void step_on(struct nz_erasure *x)
{
    x->kept = false;
    x->at++;
    erase_next(x);
}

/* ---- is anything to be taken back under it ---- */

static void ask_gone(struct nz_erasure *x, redis_done_fn *done)
{
    struct redis_batch *b = redis_batch_new(512);
    if (b)
        nz_rep_ask_gone(x->sid[x->at], b);
    nz_erasure_send(x, b, done);
}

static ERR gone_heard(const struct nz_erasure *x, struct err e, const struct redis_reply *const *replies, size_t n, bool *ret_any, struct nz_ticket *ret_t)
{
    TRY(e);
    if (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY)
        return FAIL(E_STORE_REFUSED);
    *ret_any = redis_reply_len(replies[0]) > 0;
    return nz_rep_ticket(x->in->store, x->who.muni, x->sid[x->at], ret_t);
}

/* ---- erased ---- */

/* VRS may have been told meanwhile, before the number was kept: then nobody else lets go of it. */
static void told_already(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    struct nz_ticket ticket;
    bool any;
    e = gone_heard(x, e, replies, n, &any, &ticket);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    if (!any)
        nz_vault_drop(x->in->vault, &ticket, nz_req_step(x->r, NZ_READ_MS, true));
    step_on(x);
}

static void number_erased(void *arg, struct err e, bool there)
{
    struct nz_erasure *x = arg;
    (void)there;
    if (err_is(e, E_SEAL)) { /* its key was destroyed: nobody can read it, and nobody can find its index */
        LOG(WARN, "unreadable_number_stays", LF("request", req_id(x->r)));
        e = OK;
    }
    if (err_is(e, E_BUSY)) /* somebody wrote it meanwhile */
        nz_erasure_again(x);
    else if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (x->kept)
        ask_gone(x, told_already);
    else
        step_on(x);
}

static void erase_number(struct nz_erasure *x)
{
    const struct nz_subject subject = subject_at(x);
    nz_vault_erase(x->in->vault, x->who.muni, &subject, req_id(x->r), nz_req_step(x->r, NZ_READ_MS, nz_vault_up(x->in->vault)), number_erased, x);
}

/* ---- kept ---- */

static void kept(void *arg, struct err e, bool there)
{
    struct nz_erasure *x = arg;
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    x->kept = there;
    erase_number(x);
}

static void gone_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    const struct nz_subject subject = subject_at(x);
    struct nz_ticket ticket;
    bool any;
    e = gone_heard(x, e, replies, n, &any, &ticket);
    if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (any)
        nz_vault_part(x->in->vault, x->who.muni, &subject, &ticket, nz_req_step(x->r, NZ_READ_MS, nz_vault_up(x->in->vault)), kept, x);
    else
        erase_number(x);
}

static void erase_next(struct nz_erasure *x)
{
    while (x->at < x->n_sids && x->at >= x->n_own && !x->untied[x->at])
        x->at++;
    if (x->at == x->n_sids)
        nz_erasure_ties(x);
    else if (nz_reports_to_vrs(x->in))
        ask_gone(x, gone_read);
    else
        erase_number(x);
}

/* ---- whose ---- */

/* A row that was never applied named them: a number that somebody else has stays. */
static void others_known(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    if (err_ok(e) && n != x->n_sids - x->n_own)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    for (size_t i = 0; i < n; i++)
        x->untied[x->n_own + i] = redis_reply_int(replies[i]) == 0;
    erase_next(x);
}

void nz_erasure_vault(struct nz_erasure *x)
{
    x->at = 0;
    x->kept = false;
    if (x->n_sids == x->n_own) {
        erase_next(x);
        return;
    }
    struct redis_batch *b = redis_batch_new(NZ_ERASE_SIDS * 128);
    for (size_t i = x->n_own; b && i < x->n_sids; i++) {
        struct store_name s;
        store_name_subject(x->sid[i], &s);
        REDIS_ADD(b, LIT("EXISTS"), store_name_slice(&s));
    }
    nz_erasure_send(x, b, others_known);
}
