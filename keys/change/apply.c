#include "keys/change/op.h"

#include <stdlib.h>

#include "keys/intake/work.h"

uint64_t nz_op_deadline(const struct nz_op *o)
{
    uint64_t at = loop_now(o->in->loop) + NZ_OP_STEP_MS;
    return at < o->deadline ? at : o->deadline;
}

/* ---- life ---- */

struct nz_op *nz_op_new(struct nz_intake *in, const char muni[static 6], uint64_t deadline, nz_change_done_fn *done, void *arg)
{
    struct nz_op *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->in = in;
    o->arena = arena_new(NZ_OP_ARENA);
    memcpy(o->muni, muni, sizeof o->muni);
    o->deadline = deadline;
    o->done = done;
    o->arg = arg;
    if (o->arena)
        return o;
    free(o);
    return NULL;
}

void nz_op_end(struct nz_op *o, struct err e)
{
    const struct nz_verdict v = o->decision.verdict;
    struct nz_waiting w;
    nz_change_done_fn *done = o->done;
    void *arg = o->arg;
    nz_op_kept(o, &w);
    timer_free(o->timer);
    arena_free(o->arena);
    explicit_bzero(o, sizeof *o);
    free(o);
    done(arg, e, err_ok(e) ? &v : NULL, err_ok(e) ? &w : NULL);
}

static void end_later(void *arg)
{
    struct nz_op *o = arg;
    nz_op_end(o, o->end_err);
}

/* ---- the numbers ---- */

/* The vault says that what it has is not this number's, and gives no ticket for it either: nothing can be held. */
static void vault_failed(struct nz_op *o, struct err e)
{
    if (err_is(e, E_SEAL)) {
        o->decision.verdict = (struct nz_verdict){ .result = NZ_REFUSED, .code = NZ_CODE_UNREADABLE };
        e = OK;
    }
    nz_op_over(o, e);
}

static void number_known(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct nz_op *o = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_PROTOCOL);
    if (err_ok(e) && linked[0].known == NZ_KNOWN_REFUSED)
        e = FAIL(E_SEAL);
    if (!err_ok(e)) {
        vault_failed(o, e);
        return;
    }
    struct nz_task_id id;
    o->number_known = linked[0].known == NZ_KNOWN;
    memcpy(id.b, linked[0].subject.sid, sizeof id.b);
    nz_task_id_format(&id, o->number_sid);
    nz_op_line(o);
}

/* The number that was sent with the resident key: only looked up. */
static void look_number(struct nz_op *o)
{
    if (o->number)
        nz_vault_link_many(o->in->vault, o->muni, false, &o->number, 1, nz_op_deadline(o), number_known, o);
    else
        nz_op_line(o);
}

static void new_linked(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    struct nz_op *o = arg;
    (void)known;
    if (!err_ok(e)) {
        vault_failed(o, e);
        return;
    }
    struct nz_task_id id;
    memcpy(id.b, subject->sid, sizeof id.b);
    nz_task_id_format(&id, o->new_sid);
    o->has_new = true;
    look_number(o);
}

static void new_known(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct nz_op *o = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_PROTOCOL);
    if (err_ok(e) && linked[0].known == NZ_KNOWN_REFUSED)
        e = FAIL(E_SEAL);
    if (err_ok(e) && linked[0].known != NZ_KNOWN)
        look_number(o);
    else
        new_linked(o, e, err_ok(e) ? &linked[0].subject : NULL, true);
}

void nz_op_start(struct nz_op *o)
{
    if (o->new_number && o->dry)
        nz_vault_link_many(o->in->vault, o->muni, false, &o->new_number, 1, nz_op_deadline(o), new_known, o);
    else if (o->new_number && !o->has_new)
        nz_vault_link(o->in->vault, o->muni, o->new_number, NULL, nz_op_deadline(o), new_linked, o);
    else
        look_number(o);
}

/* ---- PMH ---- */

static void numbered(void *arg, struct err e)
{
    struct nz_op *o = arg;
    const enum nz_pmh_outcome outcome = o->pmh.outcome;
    o->pmh.number = NULL;
    nz_changer_asked(o->in->changer, e);
    if (err_ok(e) && outcome == NZ_PMH_KEY) {
        memcpy(o->new_key, o->pmh.pmh_key, sizeof o->new_key);
        nz_op_round(o);
        return;
    }
    const enum nz_upstream_class class = nz_upstream_class(e.code);
    if (class == NZ_UPSTREAM_ROWS || (err_ok(e) && outcome == NZ_PMH_QUARANTINE)) {
        e = OK;
        o->decision.verdict = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_UPSTREAM };
    } else if (class != NZ_UPSTREAM_SOON) {
        e = FAIL(E_UPSTREAM_DOWN);
    }
    nz_op_over(o, e);
}

static void numbering_audited(void *arg, struct err e)
{
    struct nz_op *o = arg;
    if (err_ok(e) && !nz_changer_may_ask(o->in->changer))
        e = FAIL(E_UPSTREAM_DOWN);
    if (!err_ok(e)) {
        nz_op_over(o, e);
        return;
    }
    uint64_t now = loop_now(o->in->loop);
    uint64_t left = o->deadline > now ? o->deadline - now : 1, ms = o->in->conf.pmh_timeout_ms < left ? o->in->conf.pmh_timeout_ms : left;
    o->pmh = (struct nz_pmh_row){ .number = o->new_number };
    nz_pmh_number(o->in->client, o->in->conf.pmh_url, (unsigned)ms, &o->pmh, 1, numbered, o);
}

void nz_op_numbering(struct nz_op *o)
{
    if (!o->new_number) {
        nz_op_end(o, FAIL(E_INTERNAL));
        return;
    }
    struct audit_rec rec = nz_outbox_audit(o->in, AU_NUMBERING, o->muni, 1);
    audit_append(o->in->audit, &rec, nz_op_deadline(o), numbering_audited, o);
}

/* ---- the contract ---- */

static ERR name_keys(struct nz_op *o, const struct nz_change *c)
{
    const struct slice muni = slice_of(o->muni, 6);
    struct store_name rk;
    TRY(store_name_change(o->in->store, muni, c->operation_key, &o->ch));
    TRY(store_name_resident(o->in->store, muni, c->resident_key, &rk));
    memcpy(o->rk, rk.c + rk.n - NZ_CH_HEX, NZ_CH_HEX);
    o->have_rk = true;
    o->has_other = c->other_key.n > 0;
    if (!o->has_other)
        return OK;
    TRY(store_name_resident(o->in->store, muni, c->other_key, &rk));
    memcpy(o->other_rk, rk.c + rk.n - NZ_CH_HEX, NZ_CH_HEX);
    return OK;
}

struct failed {
    nz_change_done_fn *done;
    void *arg;
};

static void no_memory(void *arg)
{
    const struct failed f = *(struct failed *)arg;
    free(arg);
    f.done(f.arg, FAIL(E_NOMEM), NULL, NULL);
}

static void fail_without_op(struct nz_intake *in, nz_change_done_fn *done, void *arg)
{
    struct failed *f = malloc(sizeof *f);
    if (f)
        *f = (struct failed){ done, arg };
    if (f && err_ok(loop_defer(in->loop, no_memory, f)))
        return;
    free(f);
    done(arg, FAIL(E_NOMEM), NULL, NULL); /* nothing is left to wait with */
}

static void begin(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                  const struct nz_op *how, uint64_t deadline, nz_change_done_fn *done, void *arg)
{
    struct nz_op *o = nz_op_new(in, muni, deadline, done, arg);
    if (!o) {
        fail_without_op(in, done, arg);
        return;
    }
    memcpy(o->task, task->b, sizeof o->task);
    o->row = row;
    o->dry = how->dry;
    o->behind = how->behind;
    o->task_ms = how->task_ms;
    o->type = c->type;
    o->effective = c->effective;
    o->number = c->number;
    o->has_number = c->number != NULL;
    o->new_number = c->new_number;
    o->end_err = name_keys(o, c);
    if (err_ok(o->end_err)) {
        nz_op_start(o);
        return;
    }
    if (!err_ok(loop_defer(in->loop, end_later, o)))
        nz_op_end(o, FAIL(E_NOMEM));
}

void nz_change_apply(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                     bool behind, uint64_t received_ms, uint64_t deadline, nz_change_done_fn *done, void *arg)
{
    begin(in, muni, task, row, c, &(struct nz_op){ .behind = behind, .task_ms = received_ms }, deadline, done, arg);
}

void nz_change_look(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                    uint64_t deadline, nz_change_done_fn *done, void *arg)
{
    begin(in, muni, task, row, c, &(struct nz_op){ .dry = true }, deadline, done, arg);
}
