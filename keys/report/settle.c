/* What VRS said is written: into the records, the marks, and for an officer. */

#include "keys/report/work.h"

#include "gateway/base/log.h"

enum { LATER_STEPS = 8, SETTLES_MAX = 10, WRITE_MAX = 256 << 20 };

static void settle(struct nz_rep_round *o);

static void read_again(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_rep_round *o = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < o->n; i++) {
        if (!nz_rep_is_noted(&o->one[i].row))
            continue;
        e = at < n ? nz_rep_row_read_again(&o->one[i].row, replies[at]) : FAIL(E_STORE_REFUSED);
        at++;
    }
    if (err_ok(e))
        settle(o);
    else
        nz_rep_round_trouble(o, e);
}

/* The courier and others note in the same records who was told: what VRS said is noted beside it, and it is not told again. */
static void settle_again(struct nz_rep_round *o)
{
    struct nz_report *r = o->rep;
    struct redis_batch *b = redis_batch_new(NZ_REP_READ_MAX);
    if (!b) {
        nz_rep_round_trouble(o, FAIL(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < o->n; i++)
        if (nz_rep_is_noted(&o->one[i].row))
            nz_rep_row_ask(&o->one[i].row, b);
    redis_send(r->in->redis, b, nz_rep_now(r) + NZ_REP_STEP_MS, read_again, o);
}

/* ---- numbers that were kept to take something back ---- */

/* Of every subject of which nothing is left to be taken back, the number is not needed any more. */
static void gone_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_rep_round *o = arg;
    struct nz_report *r = o->rep;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < o->n; i++) {
        struct nz_ticket ticket;
        if (!o->one[i].row.gone)
            continue;
        const bool none = at < n && redis_reply_type(replies[at]) == REDIS_ARRAY && redis_reply_len(replies[at]) == 0;
        at++;
        if (none)
            e = nz_rep_ticket(r->in->store, o->one[i].row.muni, o->one[i].row.sid, &ticket);
        if (none && err_ok(e))
            nz_vault_drop(r->in->vault, &ticket, nz_rep_now(r) + NZ_REP_STEP_MS); /* one that is lost ends by itself */
    }
    if (!err_ok(e))
        LOG(WARN, "kept_number_ends_by_itself", LF("error", e));
    nz_rep_round_end(o, NZ_REP_SOON_MS);
}

static void forget(struct nz_rep_round *o)
{
    struct nz_report *r = o->rep;
    struct redis_batch *b = redis_batch_new(NZ_REP_READ_MAX);
    for (size_t i = 0; b && i < o->n; i++)
        if (o->one[i].row.gone)
            nz_rep_ask_gone(o->one[i].row.sid, b);
    if (b && redis_batch_count(b)) {
        redis_send(r->in->redis, b, nz_rep_now(r) + NZ_REP_STEP_MS, gone_read, o);
        return;
    }
    redis_batch_free(b);
    nz_rep_round_end(o, NZ_REP_SOON_MS);
}

/* ---- written ---- */

/* 0: something else stands there now, and the mark has stayed. */
static void settled(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_rep_round *o = arg;
    size_t at = 0, left = 0;
    if (!err_ok(e)) {
        nz_rep_round_trouble(o, e);
        return;
    }
    for (size_t i = 0; i < o->n; i++) {
        struct nz_rep_row *row = &o->one[i].row;
        if (row->state == NZ_REP_KEEP || row->state == NZ_REP_TELL)
            continue;
        const bool done = at >= n || redis_reply_int(replies[at]) == 1;
        at++;
        if (done || !nz_rep_is_noted(row))
            row->state = NZ_REP_KEEP;
        else
            left++;
    }
    if (left && ++o->settles < SETTLES_MAX)
        settle_again(o);
    else
        forget(o);
}

static uint64_t later_ms(const struct nz_report *r)
{
    return nz_backoff_ms(LATER_STEPS * r->in->conf.retry_min_ms, r->in->conf.retry_min_ms, r->in->conf.retry_max_ms, nz_rep_random());
}

static void settle(struct nz_rep_round *o)
{
    struct nz_report *r = o->rep;
    struct redis_batch *b = redis_batch_new(WRITE_MAX);
    struct err e = b ? OK : FAIL(E_NOMEM);
    size_t all = 0, n;
    for (size_t i = 0; err_ok(e) && i < o->n; i++) {
        e = nz_rep_row_settle(&o->one[i].row, r->in->store, nz_rep_wall(r), later_ms(r), b, &n);
        all += n;
    }
    if (err_ok(e) && all) {
        redis_send(r->in->redis, b, nz_rep_now(r) + NZ_REP_STEP_MS, settled, o);
        return;
    }
    redis_batch_free(b);
    if (!err_ok(e))
        nz_rep_round_trouble(o, e);
    else
        nz_rep_round_end(o, r->vrs.state == NZ_BREAKER_CLOSED ? NZ_REP_POLL_MS : NZ_REP_SOON_MS);
}

/* ---- what an officer has to look after ---- */

static void dead_recorded(void *arg, struct err e)
{
    struct nz_rep_round *o = arg;
    if (!err_ok(e))
        o->failed = e;
    if (--o->under_way)
        return;
    if (err_ok(o->failed))
        settle(o);
    else
        nz_rep_round_trouble(o, o->failed);
}

/* Whatever an officer has to look after is in the log before it leaves the queue. */
void nz_rep_round_settle(struct nz_rep_round *o)
{
    o->failed = OK;
    o->under_way = 1; /* until all are on their way */
    for (size_t i = 0; i < o->n; i++) {
        const struct nz_rep_row *row = &o->one[i].row;
        if (row->state != NZ_REP_DEAD)
            continue;
        LOG(WARN, "vrs_not_told", LF("reason", (struct lit){ nz_rep_why_word(row->why) }));
        nz_rep_round_record(o, row, false, dead_recorded);
    }
    if (--o->under_way == 0) /* records are answered from the loop, never before audit_append() returned */
        settle(o);
}
