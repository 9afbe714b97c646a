/* One row against what redis-link holds. No I/O. */

#include "keys/bulk/work.h"

#include "gateway/base/log.h"

struct opened {
    struct buf plain;
    struct record rec;
    bool there;
};

static ERR record_open(const struct nz_batch *b, const struct nz_brow *x, struct slice field, struct slice sealed, struct opened *ret)
{
    struct store_name name;
    if (!sealed.n)
        return OK;
    store_name_person(&x->person, &name);
    TRY(store_open(b->run->in->store, slice_of(b->run->muni, 6), &name, field, sealed, &ret->plain));
    TRY(record_decode(buf_slice(&ret->plain), &ret->rec));
    ret->there = true;
    return OK;
}

static bool ours(const struct nz_run *r, const struct record *rec) { return slice_eq(ARR(rec->task), ARR(r->t.task.id.b)); }

/* ---- the same certificate in several rows of the file ---- */

static const struct nz_redo *redo_of(const struct nz_run *r, uint32_t row)
{
    size_t lo = 0, hi = r->n_redo;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (r->redo[mid].row == row)
            return &r->redo[mid];
        if (r->redo[mid].row < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static void verdict_of_file(const struct nz_run *r, struct nz_brow *x, const struct record *stored)
{
    struct nz_verdict *v = &x->verdict;
    if (!stored || !ours(r, stored) || v->result == NZ_REFUSED || v->result == NZ_QUARANTINED)
        return;
    if (stored->row >= x->row.row) { /* applied before a crash; what it did then stands in the undo part */
        const struct nz_redo *done = redo_of(r, x->row.row);
        if (done) {
            v->result = done->there ? NZ_UPDATED : NZ_REGISTERED;
            v->code = done->with_row ? NZ_CODE_REPLACED_EARLIER : NZ_CODE_NONE;
            x->with_row = done->with_row;
        } else if (stored->row > x->row.row) {
            v->result = NZ_UNCHANGED;
            v->code = NZ_CODE_NONE;
        }
        return;
    }
    x->with_row = stored->row;
    v->code = v->result == NZ_UNCHANGED ? NZ_CODE_SAME_TWICE : NZ_CODE_REPLACED_EARLIER;
    v->touch = false; /* it has the time of this file */
}

/* ---- what is written ---- */

static ERR seal(struct nz_batch *b, const struct store_name *name, struct slice field, struct slice plain, uint32_t *ret_at, uint32_t *ret_n)
{
    size_t at = b->out.n;
    TRY(store_seal(b->run->in->store, slice_of(b->run->muni, 6), name, field, plain, &b->out));
    *ret_at = (uint32_t)at;
    *ret_n = (uint32_t)(b->out.n - at);
    return OK;
}

static ERR seal_record(struct nz_batch *b, struct nz_brow *x, const struct record *rec)
{
    struct nz_run *r = b->run;
    struct store_name name;
    buf_reset(&r->work);
    store_name_person(&x->person, &name);
    TRY(record_encode(rec, &r->work));
    return seal(b, &name, store_name_slice(&x->field), buf_slice(&r->work), &x->sealed_at, &x->sealed_n);
}

static ERR seal_all(struct nz_batch *b, struct nz_brow *x, const struct record *incoming, const struct record *stored)
{
    struct store_name name;
    struct record after;
    x->sealed_n = x->key_n = 0;
    if (nz_judge_after(&x->verdict, incoming, stored, &after))
        TRY(seal_record(b, x, &after));
    if (!x->tie_key)
        return OK;
    store_name_subject(x->subject.sid, &name);
    return seal(b, &name, LIT("k"), slice_str(x->key), &x->key_at, &x->key_n);
}

static bool applied(enum nz_result r) { return r == NZ_REGISTERED || r == NZ_UPDATED || r == NZ_UNCHANGED; }

static ERR decide(struct nz_batch *b, struct nz_brow *x, const struct nz_ties *ties, struct slice key_of_sid, const struct nz_seen *seen,
                  struct opened *record, struct opened *sibling)
{
    struct nz_run *r = b->run;
    struct record *in = &x->row.record;
    TRY(record_open(b, x, store_name_slice(&x->field), seen->record, record));
    if (!record->there)
        TRY(record_open(b, x, seen->sibling_field, seen->sibling, sibling));
    in->stored_ms = r->t.accepted_ms;
    memcpy(in->task, r->t.task.id.b, sizeof in->task);
    in->row = x->row.row;
    const struct nz_apply_view view = {
        .ties = *ties,
        .pmh_key = slice_str(x->key),
        .key_of_sid = key_of_sid,
        .sid_of_person = seen->subject,
        .incoming = in,
        .stored = record->there ? &record->rec : NULL,
        .sibling = sibling->there ? &sibling->rec : NULL,
    };
    if (ties->to.n && !slice_eq(key_of_sid, view.pmh_key))
        return FAIL(E_CONFLICT); /* a resident change led the subject to another person since its key was read: read again */
    x->verdict = nz_judge_apply(&view);
    verdict_of_file(r, x, view.stored);
    if (x->ticket_taken && x->verdict.write)
        x->verdict = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_TICKET_OTHER };
    bool good = applied(x->verdict.result);
    x->held = x->verdict.result == NZ_QUARANTINED;
    x->tie_person = good && !seen->subject.n && !ties->to.n;
    x->tie_key = good && !key_of_sid.n;
    x->tie_rk = good && x->has_rk && !ties->to.n && (!ties->rk_of_sid.n || !ties->sid_of_rk.n);
    bulk__changed(b, x, view.stored);
    if (r->t.mode != NZ_MODE_APPLY) {
        bulk__dry(b, x);
        return OK;
    }
    x->before = x->verdict.write && seen->record.n ? arena_dup(b->arena, seen->record) : SLICE_NONE;
    TRY(arena_check(b->arena));
    return seal_all(b, x, in, view.stored);
}

ERR bulk__judge(struct nz_batch *b, struct nz_brow *x, const struct nz_ties *ties, struct slice key_of_sid, const struct nz_seen *seen)
{
    struct opened record = { 0 }, sibling = { 0 };
    buf_init(&record.plain, STORE_RECORD_MAX);
    buf_init(&sibling.plain, STORE_RECORD_MAX);
    struct err e = decide(b, x, ties, key_of_sid, seen, &record, &sibling);
    buf_done(&record.plain);
    buf_done(&sibling.plain);
    if (!err_is(e, E_SEAL) && !err_is(e, E_FORBIDDEN))
        return e;
    LOG(ERROR, "stored_value_unreadable", LF("error", e));
    x->tie_person = x->tie_key = x->tie_rk = false;
    if (err_is(e, E_FORBIDDEN))
        bulk__refuse(x, NZ_CODE_MUNI_CLOSED);
    else
        bulk__hold(x, NZ_CODE_UNREADABLE);
    return OK;
}
