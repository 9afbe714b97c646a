#include "keys/change/op.h"

#include "gateway/base/text.h"
#include "keys/intake/work.h"

static void find(struct nz_op *o);
static void subjects(struct nz_op *o);
static void read_all(struct nz_op *o);

/* ---- locks ---- */

static void unlock(struct nz_op *o)
{
    if (o->n_locks)
        nz_locks_give(o->in->outbox->locks, (const uint8_t (*)[NZ_LOCK_BYTES])o->lock, o->n_locks);
    o->n_locks = 0;
}

static void lock_hex(struct nz_op *o, size_t *n, struct slice hex)
{
    if (hex.n == NZ_CH_HEX && hex_decode(hex, o->lock[*n], NZ_LOCK_BYTES))
        ++*n;
}

/* The hex inside "p:{...}". */
static struct slice person_hex(const struct store_name *p) { return p->n > NZ_CH_HEX + 1 ? slice_of(p->c + 3, NZ_CH_HEX) : SLICE_NONE; }

static bool lock(struct nz_op *o)
{
    size_t n = 0;
    lock_hex(o, &n, slice_of(o->ch.c + o->ch.n - NZ_CH_HEX, NZ_CH_HEX));
    lock_hex(o, &n, ARR(o->rk));
    if (o->has_other)
        lock_hex(o, &n, ARR(o->other_rk));
    if (o->has_kept)
        lock_hex(o, &n, ARR(o->kept));
    if (o->has_gone)
        lock_hex(o, &n, ARR(o->gone));
    lock_hex(o, &n, person_hex(&o->names.kept_p));
    lock_hex(o, &n, person_hex(&o->names.gone_p));
    nz_op_aliases(o, o->lock, &n);
    if (!nz_locks_take(o->in->outbox->locks, (const uint8_t (*)[NZ_LOCK_BYTES])o->lock, n))
        return false;
    o->n_locks = n;
    return true;
}

/* ---- ends ---- */

/* What does not open, or is too much for one change, is held for somebody to look at; a municipality without a key is closed. */
static struct err verdict_of(struct nz_op *o, struct err e)
{
    static const struct { enum err_code code; struct nz_verdict verdict; } OF[] = {
        { E_FORBIDDEN, { .result = NZ_REFUSED, .code = NZ_CODE_MUNI_CLOSED } },
        { E_SEAL, { .result = NZ_QUARANTINED, .code = NZ_CODE_UNREADABLE } },
        { E_FULL, { .result = NZ_QUARANTINED, .code = NZ_CODE_TOO_MUCH } },
    };
    if (err_is(e, E_UPSTREAM_DOWN) && !o->dry && !o->resume && o->type == NZ_CH_NUMBER) {
        o->decision.verdict = (struct nz_verdict){ .result = NZ_WAITING };
        return OK;
    }
    for (size_t i = 0; i < sizeof OF / sizeof OF[0]; i++) {
        if (!err_is(e, OF[i].code))
            continue;
        LOG(ERROR, "change_stopped", LF("error", e));
        o->decision.verdict = OF[i].verdict;
        return OK;
    }
    return e;
}

/* A change of number that is judged again later: by then another change may have moved its resident. */
static void keep_who(struct nz_op *o)
{
    if (o->type != NZ_CH_NUMBER || o->behind || o->has_from || !o->has_gone || o->view.j)
        return;
    o->has_from = true;
    memcpy(o->from, o->gone, sizeof o->from);
}

static void held(void *arg, struct err e)
{
    struct nz_op *o = arg;
    unlock(o);
    nz_op_end(o, e);
}

static void over(struct nz_op *o, struct err e)
{
    e = verdict_of(o, e);
    keep_who(o);
    if (err_ok(e) && !o->dry && o->decision.verdict.result == NZ_QUARANTINED) {
        struct audit_rec rec = nz_outbox_audit(o->in, AU_ROW_QUARANTINED, o->muni, 1);
        audit_append(o->in->audit, &rec, nz_op_deadline(o), held, o);
        return;
    }
    unlock(o);
    nz_op_end(o, e);
}

void nz_op_over(struct nz_op *o, struct err e) { over(o, e); }

static bool may_go_on(struct nz_op *o)
{
    if (++o->rounds > NZ_OP_ROUNDS || loop_now(o->in->loop) >= o->deadline) {
        over(o, FAIL(E_BUSY));
        return false;
    }
    return true;
}

/* ---- one question ---- */

static void ask(struct nz_op *o, ERR (*fill)(struct nz_op *o, struct redis_batch *b), redis_done_fn *heard)
{
    struct redis_batch *b = redis_batch_new(4096);
    struct err e = b ? fill(o, b) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        redis_batch_free(b);
        over(o, e);
        return;
    }
    redis_send(o->in->redis, b, nz_op_deadline(o), heard, o);
}

/* ---- write ---- */

static bool is_last(enum nz_ch_action a)
{
    static const bool LAST[NZ_CHA__MAX] = {
        [NZ_CHA_SET_END] = true, [NZ_CHA_LIFT] = true, [NZ_CHA_UNEND] = true, [NZ_CHA_WIPE] = true, [NZ_CHA_UNWIPE] = true,
        [NZ_CHA_REDATE] = true, [NZ_CHA_FINISH] = true, [NZ_CHA_BACK_FINISH] = true,
    };
    return LAST[a];
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_op *o = arg;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e))
        over(o, e);
    else if (redis_reply_int(replies[0]) == 1 && is_last(o->decision.action))
        over(o, OK);
    else
        read_all(o);
}

static void write_step(struct nz_op *o)
{
    struct redis_batch *b;
    struct nz_cas *c = nz_cas_new(o->arena);
    struct nz_ch_step s = {
        .store = o->in->store, .arena = o->arena, .view = &o->view, .names = &o->names, .ch = o->ch_sealed,
        .keep_s = o->in->conf.task_keep_days * 86400, .changed_since = o->decision.verdict.code == NZ_CODE_CHANGED_SINCE };
    struct err e = c ? nz_ch_step_write(&s, o->decision.action, c) : FAIL(E_FULL);
    if (err_ok(e))
        e = nz_cas_batch(c, &b);
    if (!err_ok(e)) {
        over(o, e);
        return;
    }
    if (s.changed_since)
        o->decision.verdict.code = NZ_CODE_CHANGED_SINCE;
    redis_raise(b, STORE_EPOCH);
    redis_send(o->in->redis, b, nz_op_deadline(o), written, o);
}

/* ---- audit ---- */

static void audited(void *arg, struct err e)
{
    struct nz_op *o = arg;
    o->audited = err_ok(e);
    if (!err_ok(e))
        over(o, e);
    else
        write_step(o);
}

static void audit(struct nz_op *o)
{
    const struct slice key = o->view.kept.key.n ? o->view.kept.key : o->view.gone.key;
    struct audit_rec rec = nz_outbox_audit(o->in, AU_RESIDENT_CHANGED, o->muni, (uint32_t)(o->view.kept.n + o->view.gone.n));
    struct err e = key.n ? store_audit_handle(o->in->store, key, rec.subject) : OK;
    if (!err_ok(e)) {
        over(o, e);
        return;
    }
    audit_append(o->in->audit, &rec, nz_op_deadline(o), audited, o);
}

/* ---- plan ---- */

static void act(struct nz_op *o)
{
    o->decision = nz_ch_plan(&o->view);
    if (o->dry && o->decision.action != NZ_CHA_END) {
        o->decision.verdict = (struct nz_verdict){ .result = NZ_UPDATED };
        over(o, OK);
    } else if (o->decision.action == NZ_CHA_NUMBERING) {
        unlock(o);
        nz_op_numbering(o);
    } else if (o->decision.action != NZ_CHA_END) {
        if (o->audited)
            write_step(o);
        else
            audit(o);
    } else {
        over(o, OK);
    }
}

static void all_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_op *o = arg;
    bool moved = false;
    if (err_ok(e))
        e = nz_op_all_heard(o, replies, n, &moved);
    if (!err_ok(e)) {
        over(o, e);
    } else if (moved) {
        unlock(o);
        nz_op_round(o);
    } else {
        act(o);
    }
}

static void read_all(struct nz_op *o)
{
    arena_reset(o->arena);
    if (may_go_on(o))
        ask(o, nz_op_all_ask, all_heard);
}

/* ---- who is meant ---- */

static void wait_over(void *arg)
{
    struct nz_op *o = arg;
    nz_op_round(o);
}

static void lock_and_read(struct nz_op *o)
{
    if (lock(o)) {
        read_all(o);
        return;
    }
    o->rounds = 0; /* waiting is bounded by the deadline */
    struct err e = o->timer ? OK : timer_new(&o->timer, o->in->loop, wait_over, o);
    if (err_ok(e))
        timer_start(o->timer, NZ_OP_LOCK_WAIT_MS);
    else
        over(o, e);
}

static void subjects_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_op *o = arg;
    bool again = false;
    if (err_ok(e))
        e = nz_op_subjects_heard(o, replies, n, &again);
    if (!err_ok(e))
        over(o, e);
    else if (again)
        subjects(o);
    else
        lock_and_read(o);
}

static void subjects(struct nz_op *o)
{
    if (!may_go_on(o))
        return;
    if (o->has_kept || o->has_gone) {
        ask(o, nz_op_subjects_ask, subjects_heard);
        return;
    }
    o->names.kept_p.n = o->names.gone_p.n = 0;
    lock_and_read(o);
}

static void found(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_op *o = arg;
    if (err_ok(e))
        e = nz_op_find_heard(o, replies, n);
    if (err_ok(e))
        subjects(o);
    else
        over(o, e);
}

static void find(struct nz_op *o) { ask(o, nz_op_find_ask, found); }

void nz_op_round(struct nz_op *o)
{
    o->names.ch = o->ch;
    arena_reset(o->arena);
    if (may_go_on(o))
        find(o);
}
