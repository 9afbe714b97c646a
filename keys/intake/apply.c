/* Rows whose PMH key is known, many at a time: read, judged, audited, and written in one transaction with the end of their
 * place in the outbox. Either all of it is in redis-link or nothing is: a row cannot be applied and still be waiting. */

#include "keys/intake/apply_row.h"
#include "keys/intake/meter.h"

#include <stdlib.h>

enum { LOOK_AHEAD = 4 * NZ_APPLY_ROWS, FULL_ENOUGH = NZ_APPLY_ROWS / 2 };

struct batch {
    struct nz_outbox *o;
    size_t n, under_way;
    struct err failed;
    struct nz_apply_row row[NZ_APPLY_ROWS];
};

/* ---- ends ---- */

/* What a row no longer needs at the vault. Nobody waits for it: a ticket that stays is of no use to anybody else. */
static void drop_tickets(struct nz_outbox *o, const struct nz_job *j)
{
    struct nz_ticket t;
    if (!j->p.has_ticket)
        return;
    memcpy(t.b, j->p.ticket, sizeof t.b);
    nz_vault_drop(o->in->vault, &t, nz_outbox_deadline(o));
    if (!j->p.has_next)
        return;
    memcpy(t.b, j->p.next, sizeof t.b);
    nz_vault_drop(o->in->vault, &t, nz_outbox_deadline(o));
}

static void batch_end(struct batch *b, struct err e)
{
    struct nz_outbox *o = b->o;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_apply_row *r = &b->row[i];
        nz_locks_give(o->locks, (const uint8_t (*)[NZ_LOCK_BYTES])r->lock, r->n_locks);
        if (err_ok(e) && !r->stale)
            nz_meter_rows(o->in, r->job->ref.muni, r->verdict.result, 1);
        if (err_ok(e) && !r->stale && r->verdict.result != NZ_QUARANTINED)
            drop_tickets(o, r->job);
        if (r->stale) { /* other rows would keep the subject alive, and its key with it */
            nz_window_orphan(o, r->job->subj);
            nz_outbox_dirty(o);
        }
        nz_window_drop(o, r->job);
        nz_apply_row_done(r);
    }
    free(b);
    o->applies--;
    if (err_ok(e))
        nz_outbox_fine(o);
    else
        nz_outbox_trouble(o, e);
    nz_outbox_tick(o);
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    batch_end(arg, e);
}

/* ---- audit, then write ---- */

static void write_all(struct batch *b)
{
    struct nz_outbox *o = b->o;
    size_t room = 4096;
    for (size_t i = 0; i < b->n; i++)
        room += 4096 + NZ_ROW_RESULT_MAX + b->row[i].sealed.n + b->row[i].undo.n + b->row[i].payload.n;
    struct redis_batch *out = redis_batch_new(room);
    if (!out) {
        batch_end(b, FAIL(E_NOMEM));
        return;
    }
    uint64_t now = clock_wall(loop_clock(o->in->loop));
    REDIS_ADD(out, LIT("MULTI"));
    for (size_t i = 0; i < b->n; i++) {
        if (!b->row[i].stale)
            nz_apply_row_write(o, &b->row[i], out, now);
    }
    redis_raise(out, STORE_EPOCH);
    REDIS_ADD(out, LIT("EXEC"));
    redis_send(o->in->redis, out, nz_outbox_deadline(o), written, b);
}

static void audited(void *arg, struct err e)
{
    struct batch *b = arg;
    if (!err_ok(e) && err_ok(b->failed))
        b->failed = e;
    if (--b->under_way)
        return;
    if (err_ok(b->failed))
        write_all(b);
    else
        batch_end(b, b->failed);
}

static bool is_stored(const struct nz_verdict *v) { return v->write; }
static bool is_tied_anew(const struct nz_verdict *v) { return v->retie; }
static bool is_held(const struct nz_verdict *v) { return v->result == NZ_QUARANTINED; }

/* One record for each municipality that has such rows. */
static void audit_rows(struct batch *b, enum audit_event event, bool (*is)(const struct nz_verdict *))
{
    for (size_t i = 0; i < b->n; i++) {
        const char *muni = b->row[i].job->ref.muni;
        uint32_t count = 0;
        bool first = is(&b->row[i].verdict);
        for (size_t k = 0; first && k < b->n; k++) {
            bool same = is(&b->row[k].verdict) && slice_eq(slice_of(b->row[k].job->ref.muni, 6), slice_of(muni, 6));
            first = !(same && k < i);
            count += same;
        }
        if (!first)
            continue;
        struct audit_rec rec = nz_outbox_audit(b->o->in, event, muni, count);
        b->under_way++;
        audit_append(b->o->in->audit, &rec, nz_outbox_deadline(b->o), audited, b);
    }
}

/* ---- read and judge ---- */

static void reads_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct batch *b = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        size_t need = nz_apply_row_replies(&b->row[i]);
        e = n - at < need ? FAIL(E_STORE_REFUSED) : nz_apply_row_judge(b->o, &b->row[i], replies + at);
        at += need;
    }
    if (!err_ok(e)) {
        batch_end(b, e);
        return;
    }
    audit_rows(b, AU_RECORD_STORED, is_stored);
    audit_rows(b, AU_KEY_TIED, is_tied_anew);
    audit_rows(b, AU_ROW_QUARANTINED, is_held);
    if (!b->under_way)
        write_all(b);
}

static void read_all(struct batch *b)
{
    struct redis_batch *out = redis_batch_new(NZ_APPLY_ROWS * 512);
    if (!out) {
        batch_end(b, FAIL(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < b->n; i++)
        nz_apply_row_read(&b->row[i], out);
    redis_send(b->o->in->redis, out, nz_outbox_deadline(b->o), reads_came, b);
}

/* ---- start ---- */

/* Moves what may run now from the ready list into the batch. A row about a person who is being written stays. */
static struct err collect(struct batch *b)
{
    struct nz_outbox *o = b->o;
    struct nz_job *j, *next;
    size_t looked = 0;
    for (j = TAILQ_FIRST(&o->ready); j && b->n < NZ_APPLY_ROWS && looked < LOOK_AHEAD; j = next, looked++) {
        struct nz_apply_row *r = &b->row[b->n];
        next = TAILQ_NEXT(j, at);
        TRY(nz_apply_row_begin(o, r, j));
        if (!nz_locks_take(o->locks, (const uint8_t (*)[NZ_LOCK_BYTES])r->lock, r->n_locks)) {
            nz_apply_row_done(r);
            continue;
        }
        TAILQ_REMOVE(&o->ready, j, at);
        b->n++;
    }
    return OK;
}

static bool fewer_than(const struct nz_jobs *list, size_t n)
{
    const struct nz_job *j;
    TAILQ_FOREACH(j, list, at) {
        if (n-- == 0)
            return false;
    }
    return n > 0;
}

void nz_apply_pump(struct nz_outbox *o)
{
    while (o->applies < NZ_APPLY_BATCHES && !TAILQ_EMPTY(&o->ready)) {
        if (o->applies && fewer_than(&o->ready, FULL_ENOUGH))
            return; /* they go with the next batch, a fuller one */
        struct batch *b = calloc(1, sizeof *b);
        struct err e = FAIL(E_NOMEM);
        if (b) {
            b->o = o;
            e = collect(b);
        }
        if (!b || !b->n) {
            free(b);
            if (!err_ok(e))
                nz_outbox_trouble(o, e);
            return;
        }
        o->applies++;
        read_all(b);
    }
}
