/* A batch on its way: who may go on, and what a failure leads back to. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/intake/outbox.h"

enum { SPARE_MAX = NZ_BULK_IN_AIR };

static bool step_fill(struct nz_batch *b) { return b != b->run->filling; }

static const struct { bool (*go)(struct nz_batch *); } STEPS[NZ_STEP__MAX] = {
    [NZ_STEP_FILL] = { step_fill },
    [NZ_STEP_ERASED] = { bulk__step_erased },
    [NZ_STEP_LINK] = { bulk__step_link },
    [NZ_STEP_NAMES] = { bulk__step_names },
    [NZ_STEP_TIES] = { bulk__step_ties },
    [NZ_STEP_NUMBER] = { bulk__step_number },
    [NZ_STEP_PERSONS] = { bulk__step_persons },
    [NZ_STEP_GONE] = { bulk__step_gone },
    [NZ_STEP_RECORDS] = { bulk__step_records },
    [NZ_STEP_TICKETS] = { bulk__step_tickets },
    [NZ_STEP_CLINICS] = { bulk__step_clinics },
    [NZ_STEP_SAVE] = { bulk__step_save },
    [NZ_STEP_WRITE] = { bulk__step_write },
    [NZ_STEP_TELL] = { bulk__step_tell },
};

/* ---- life ---- */

struct nz_batch *bulk__batch_new(struct nz_run *r)
{
    struct nz_batch *b = TAILQ_FIRST(&r->b->spare);
    if (b) {
        TAILQ_REMOVE(&r->b->spare, b, at);
        r->b->n_spare--;
    } else {
        b = calloc(1, sizeof *b);
        if (!b)
            return NULL;
        b->arena = arena_new(NZ_BULK_ARENA_MAX);
        b->row = calloc(NZ_BULK_ROWS, sizeof *b->row);
        b->names = calloc(3 * NZ_BULK_ROWS, sizeof *b->names);
        b->persons = calloc(NZ_BULK_ROWS, sizeof *b->persons);
        buf_init(&b->out, NZ_BULK_ROWS * (STORE_RECORD_MAX + 512));
        if (!b->arena || !b->row || !b->names || !b->persons) {
            bulk__batch_free(b);
            return NULL;
        }
    }
    b->run = r;
    TAILQ_INSERT_TAIL(&r->batches, b, at);
    r->n_batches++;
    return b;
}

void bulk__batch_free(struct nz_batch *b)
{
    arena_free(b->arena);
    free(b->row);
    free(b->names);
    free(b->persons);
    buf_done(&b->out);
    free(b);
}

static void give_names(struct nz_batch *b)
{
    struct nz_locks *locks = nz_outbox_locks(b->run->in->outbox);
    if (b->named)
        nz_locks_give(locks, (const uint8_t (*)[NZ_LOCK_BYTES])b->names, b->n_names);
    b->named = false;
    b->n_names = 0;
}

static void give_persons(struct nz_batch *b)
{
    nz_locks_give(nz_outbox_locks(b->run->in->outbox), (const uint8_t (*)[NZ_LOCK_BYTES])b->persons, b->n_persons);
    b->n_persons = 0;
}

static void rows_done(struct nz_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        nz_mynum_free(b->row[i].row.number);
        b->row[i].row.number = NULL;
        nz_change_done(b->row[i].change);
    }
}

void bulk__batch_end(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    struct nz_bulk *k = r->b;
    bulk__ask_forget(r, b);
    give_persons(b);
    give_names(b);
    rows_done(b);
    if (r->filling == b)
        r->filling = NULL;
    TAILQ_REMOVE(&r->batches, b, at);
    r->n_batches--;
    if (k->n_spare >= SPARE_MAX) {
        bulk__batch_free(b);
        return;
    }
    arena_reset(b->arena);
    buf_reset(&b->out);
    explicit_bzero(b->row, b->n * sizeof *b->row);
    *b = (struct nz_batch){ .arena = b->arena, .out = b->out, .names = b->names, .persons = b->persons, .row = b->row };
    TAILQ_INSERT_HEAD(&k->spare, b, at);
    k->n_spare++;
}

/* ---- on and back ---- */

bool bulk__batch_pump(struct nz_batch *b)
{
    if (b->busy || b->step == NZ_STEP__MAX)
        return false;
    if (b->not_before > loop_now(b->run->in->loop) || b->run->not_before > loop_now(b->run->in->loop))
        return false;
    enum nz_step was = b->step;
    if (!STEPS[was].go(b))
        return false;
    if (b->step == was && !b->busy)
        b->step = (enum nz_step)(was + 1);
    return !b->busy;
}

void bulk__batch_go(struct nz_batch *b, enum nz_step step)
{
    b->busy = false;
    b->step = step;
    bulk__run_fine(b->run);
    bulk__run_soon(b->run);
}

void bulk__batch_again(struct nz_batch *b, enum nz_step step, struct err e)
{
    b->busy = false;
    b->step = step;
    bulk__run_pause(b->run, e, "batch");
    b->not_before = b->run->not_before;
    bulk__run_soon(b->run);
}

void bulk__refuse(struct nz_brow *x, enum nz_code code)
{
    x->verdict = (struct nz_verdict){ .result = NZ_REFUSED, .code = code };
    nz_mynum_free(x->row.number);
    x->row.number = NULL;
}

/* Kept for an officer; the number is still needed for a ticket. */
void bulk__hold(struct nz_brow *x, enum nz_code code)
{
    x->verdict = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = code };
    x->held = true;
}

/* ---- subjects of the vault ---- */

static void none_linked(struct nz_batch *b, enum nz_code code)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->row[i].pass)
            bulk__refuse(&b->row[i], code);
        b->row[i].pass = 0;
    }
    bulk__batch_go(b, NZ_STEP_TELL);
}

/* Rows about a subject, a resident key or a ticket of an earlier row of the batch come in a later pass. */
static void order_passes(struct nz_batch *b)
{
    b->pass = b->passes = 1;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        x->fresh = x->fresh && !x->ticket_index.n; /* whose the ticket is now has to be read */
        for (size_t k = 0; x->pass && k < i; k++) {
            const struct nz_brow *y = &b->row[k];
            bool same = slice_eq(ARR(x->subject.sid), ARR(y->subject.sid)) ||
                        (x->has_rk && y->has_rk && slice_eq(ARR(x->rk), ARR(y->rk))) ||
                        (x->ticket_index.n && slice_eq(store_name_slice(&x->ticket_index), store_name_slice(&y->ticket_index)));
            if (y->pass && same && x->pass <= y->pass) {
                x->pass = (uint8_t)(y->pass + 1);
                x->fresh = false;
            }
        }
        if (x->pass > b->passes)
            b->passes = x->pass;
    }
}

static void name_rows(struct nz_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        if (!x->pass)
            continue;
        memcpy(b->names[b->n_names++], x->subject.sid, NZ_LOCK_BYTES);
        if (x->has_rk && hex_decode(ARR(x->rk), b->names[b->n_names], NZ_LOCK_BYTES))
            b->n_names++;
        const struct store_name *tk = &x->ticket_index;
        if (tk->n && hex_decode(slice_of(tk->c + tk->n - 2 * NZ_LOCK_BYTES, 2 * NZ_LOCK_BYTES), b->names[b->n_names], NZ_LOCK_BYTES))
            b->n_names++;
    }
}

static void linked(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct nz_batch *b = arg;
    size_t at = 0;
    if (err_is(e, E_FORBIDDEN) || err_is(e, E_SEAL)) {
        none_linked(b, err_is(e, E_SEAL) ? NZ_CODE_UNREADABLE : NZ_CODE_MUNI_CLOSED);
        return;
    }
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!x->pass)
            continue;
        if (at == n) {
            e = FAIL(E_PROTOCOL);
            break;
        }
        x->subject = linked[at].subject;
        x->made = linked[at].known == NZ_KNOWN_NEW;
        x->fresh = x->made;
        if (linked[at++].known == NZ_KNOWN_NOT && x->has_rk) { /* a dry run: nobody knows this person, but the resident key may be another's */
            rnd_bytes(x->subject.sid, sizeof x->subject.sid);
        } else if (linked[at - 1].known == NZ_KNOWN_NOT) {
            x->verdict = (struct nz_verdict){ .result = NZ_REGISTERED };
            x->pass = 0;
        } else if (linked[at - 1].known == NZ_KNOWN_REFUSED) { /* the vault will not give a ticket for it either */
            bulk__refuse(x, NZ_CODE_UNREADABLE);
            x->pass = 0;
        }
    }
    if (!err_ok(e)) {
        bulk__batch_again(b, NZ_STEP_LINK, e);
        return;
    }
    order_passes(b);
    name_rows(b);
    bulk__batch_go(b, NZ_STEP_NAMES);
}

bool bulk__step_link(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    const struct nz_mynum *number[NZ_BULK_ROWS];
    size_t n = 0;
    if (r->t.task.form == NZ_FORM_CHANGE)
        return bulk__step_changes(b);
    for (size_t i = 0; i < b->n; i++) {
        if (b->row[i].pass)
            number[n++] = b->row[i].row.number;
    }
    if (!n) {
        b->step = NZ_STEP_TELL;
        return true;
    }
    b->busy = true;
    nz_vault_link_many(r->in->vault, r->muni, r->t.mode == NZ_MODE_APPLY, number, n, bulk__deadline(r), linked, b);
    return false;
}

/* ---- names ---- */

static bool take(struct nz_batch *b, uint8_t (*names)[NZ_LOCK_BYTES], size_t n)
{
    if (nz_locks_take(nz_outbox_locks(b->run->in->outbox), (const uint8_t (*)[NZ_LOCK_BYTES])names, n))
        return true;
    b->not_before = loop_now(b->run->in->loop) + NZ_BULK_NAMES_MS; /* another batch or the outbox is at it */
    return false;
}

bool bulk__step_names(struct nz_batch *b)
{
    const struct nz_batch *before = TAILQ_PREV(b, nz_batches, at);
    if (b->run->t.mode == NZ_MODE_DRY_RUN)
        return true;
    if (before && before->step <= NZ_STEP_NAMES)
        return false; /* in the order of the file */
    b->named = take(b, b->names, b->n_names);
    return b->named;
}

/* The same person behind two subjects: the second one sees what became of the first. */
static bool person_twice(struct nz_batch *b, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        const struct nz_brow *y = &b->row[k];
        if (bulk__open_row(b, y) && slice_eq(ARR(y->person.h), ARR(b->row[i].person.h)))
            return true;
    }
    return false;
}

bool bulk__step_persons(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!bulk__open_row(b, x))
            continue;
        struct err e = store_person(r->in->store, slice_str(x->key), &x->person);
        if (!err_ok(e) || !hex_decode(ARR(x->person.h), b->persons[n], NZ_LOCK_BYTES)) {
            bulk__batch_again(b, NZ_STEP_TIES, FAIL(E_INTERNAL));
            return false;
        }
        if (person_twice(b, i)) {
            x->pass = ++b->passes;
            x->fresh = false;
            continue;
        }
        n++;
    }
    if (r->t.mode != NZ_MODE_DRY_RUN && !take(b, b->persons, n))
        return false;
    b->n_persons = r->t.mode == NZ_MODE_DRY_RUN ? 0 : n;
    return true;
}

/* Written: the next pass, or its results are told. */
void bulk__batch_written(struct nz_batch *b)
{
    give_persons(b);
    b->redo = false;
    b->saved = false;
    b->audited_rows = false;
    if (b->pass < b->passes) {
        b->pass++;
        bulk__batch_go(b, NZ_STEP_TIES);
        return;
    }
    give_names(b);
    rows_done(b);
    bulk__batch_go(b, NZ_STEP_TELL);
}

/* What was decided in this pass is forgotten: redis-link may hold something else by now, or what this batch wrote. */
void bulk__batch_rejudge(struct nz_batch *b)
{
    give_persons(b);
    buf_reset(&b->out);
    b->redo = true;
    b->saved = b->audited_rows = false;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!bulk__turn(b, x))
            continue;
        x->verdict = (struct nz_verdict){ .result = NZ_WAITING };
        x->diverted = x->held = x->fresh = x->counted = false;
        x->with_row = 0;
    }
    bulk__batch_go(b, NZ_STEP_TIES);
}
