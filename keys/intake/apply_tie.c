#include "keys/intake/apply_tie.h"

#include "gateway/base/text.h"

static const uint8_t NONE[SUBJECT_BYTES];
_Static_assert((int)SUBJECT_BYTES == (int)NZ_LOCK_BYTES && (int)NZ_RK_BYTES == (int)NZ_LOCK_BYTES, "names are locked as they are");

static bool is_said(const struct nz_apply_row *r) { return r->job->p.retie && r->job->p.has_rk; }
static bool has_owner(const struct nz_apply_row *r) { return is_said(r) && !slice_eq(ARR(r->job->p.seen.owner), ARR(NONE)); }
static bool has_old_rk(const struct nz_apply_row *r) { return is_said(r) && !slice_eq(ARR(r->job->p.seen.rk), ARR(NONE)); }

/* "rk:<muni>:<hex>" */
static void name_of_old_rk(const struct nz_apply_row *r, struct store_name *ret_k)
{
    struct store_name hex;
    store_name_subject(r->job->p.seen.rk, &hex);
    memcpy(ret_k->c, "rk:", 3);
    memcpy(ret_k->c + 3, r->job->ref.muni, 6);
    ret_k->c[9] = ':';
    memcpy(ret_k->c + 10, hex.c + hex.n - NZ_RK_HEX, NZ_RK_HEX);
    ret_k->n = 10 + NZ_RK_HEX;
}

void nz_apply_tie_locks(struct nz_apply_row *r)
{
    if (has_owner(r))
        memcpy(r->lock[r->n_locks++], r->job->p.seen.owner, NZ_LOCK_BYTES);
    if (has_old_rk(r))
        memcpy(r->lock[r->n_locks++], r->job->p.seen.rk, NZ_LOCK_BYTES);
}

/* ---- read ---- */

void nz_apply_tie_read(const struct nz_apply_row *r, struct redis_batch *b)
{
    struct store_name name;
    if (has_owner(r)) {
        store_name_subject(r->job->p.seen.owner, &name);
        REDIS_ADD(b, LIT("HMGET"), store_name_slice(&name), LIT("rk"), LIT("to"), LIT("al"));
    }
    if (has_old_rk(r)) {
        name_of_old_rk(r, &name);
        REDIS_ADD(b, LIT("GET"), store_name_slice(&name));
    }
}

size_t nz_apply_tie_replies(const struct nz_apply_row *r) { return (size_t)has_owner(r) + has_old_rk(r); }

void nz_apply_tie_heard(const struct nz_apply_row *r, const struct redis_reply *const *replies, struct nz_apply_view *v)
{
    if (!is_said(r))
        return;
    v->retie = &r->job->p.seen;
    if (!has_owner(r))
        return;
    v->owner_to = redis_reply_str(redis_reply_at(replies[0], 1));
    v->owner_al = redis_reply_str(redis_reply_at(replies[0], 2));
}

/* ---- what is to be written ---- */

/* The former owner must not go on naming the key: a change of that resident would lead the key away again. And the key that the number had leads
 * nowhere from now on, so that a row that has both is held as before. */
static void untie(struct nz_apply_row *r, const struct redis_reply *const *replies, const struct nz_apply_view *v)
{
    const struct redis_reply *owner = has_owner(r) ? replies[0] : NULL, *old = has_old_rk(r) ? replies[has_owner(r)] : NULL;
    bool other_owner = owner && !slice_eq(ARR(r->job->p.seen.owner), ARR(r->job->p.sid));
    if (other_owner && slice_eq(redis_reply_str(redis_reply_at(owner, 0)), v->ties.rk))
        store_name_subject(r->job->p.seen.owner, &r->untie);
    if (old && v->ties.rk_of_sid.n && !slice_eq(v->ties.rk_of_sid, v->ties.rk) && slice_eq(redis_reply_str(old), v->ties.sid))
        name_of_old_rk(r, &r->drop);
}

static ERR hold(struct nz_outbox *o, struct nz_apply_row *r, const struct nz_apply_view *v)
{
    struct nz_job *j = r->job;
    struct store_name name;
    struct buf plain;
    char digits[10];
    j->p.has_seen = true;
    j->p.retie = false;
    nz_judge_seen(&v->ties, &j->p.seen);
    nz_name_task("o", j->ref.muni, &j->ref.task, &name);
    buf_init(&plain, NZ_PAYLOAD_MAX);
    nz_payload_encode(&j->p, &plain);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(o->in->store, slice_of(j->ref.muni, 6), &name, slice_of(digits, nz_row_format(j->ref.row, digits)), buf_slice(&plain), &r->payload);
    buf_done(&plain);
    return e;
}

ERR nz_apply_tie_decide(struct nz_outbox *o, struct nz_apply_row *r, const struct redis_reply *const *replies, const struct nz_apply_view *v)
{
    const struct nz_verdict *w = &r->verdict;
    bool applied = w->result == NZ_REGISTERED || w->result == NZ_UPDATED || w->result == NZ_UNCHANGED;
    bool agrees = nz_judge_ties(&v->ties).result == NZ_WAITING;
    bool is_missing = v->ties.rk.n && !v->ties.to.n && (!v->ties.rk_of_sid.n || !v->ties.sid_of_rk.n);
    r->tie_rk = w->retie || (applied && agrees && is_missing);
    if (w->retie)
        untie(r, replies, v);
    return w->result == NZ_QUARANTINED && nz_judge_is_tie(w->code) ? hold(o, r, v) : OK;
}

void nz_apply_tie_nothing(struct nz_apply_row *r)
{
    r->tie_rk = false;
    r->untie.n = r->drop.n = 0;
    buf_reset(&r->payload);
}

void nz_apply_tie_write(const struct nz_apply_row *r, struct slice row, struct nz_changes *c)
{
    if (r->untie.n)
        NZ_CHANGE(c, LIT("HDEL"), store_name_slice(&r->untie), LIT("rk"));
    if (r->drop.n)
        NZ_CHANGE(c, LIT("DEL"), store_name_slice(&r->drop));
    if (r->payload.n)
        NZ_CHANGE(c, LIT("HSET"), store_name_slice(&r->outbox), row, buf_slice(&r->payload));
}
