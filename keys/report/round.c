/* One message: what its marks name is read, numbers are asked for, every row is in the log, VRS is told, and what it said is written. */

#include "keys/report/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"

enum { LATER_STEPS = 8, SETTLES_MAX = 10, WRITE_MAX = 256 << 20 };

/* ---- a round, and its end ---- */

struct nz_rep_round *nz_rep_round_new(struct nz_report *r)
{
    struct nz_rep_round *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->rep = r;
    o->one = calloc(NZ_VRS_ROWS_MAX, sizeof *o->one);
    o->told = calloc(NZ_VRS_ROWS_MAX, sizeof *o->told);
    o->told_of = calloc(NZ_VRS_ROWS_MAX, sizeof *o->told_of);
    if (o->one && o->told && o->told_of)
        return o;
    nz_rep_round_free(o);
    return NULL;
}

void nz_rep_round_free(struct nz_rep_round *o)
{
    for (size_t i = 0; i < o->n; i++) {
        nz_mynum_free(o->one[i].number);
        nz_rep_row_done(&o->one[i].row);
    }
    free(o->one);
    free(o->told);
    free(o->told_of);
    free(o);
}

void nz_rep_round_end(struct nz_rep_round *o, uint64_t ms)
{
    struct nz_report *r = o->rep;
    if (!o->sent)
        nz_breaker_step(&r->vrs, NZ_BREAKER_VOID, nz_rep_now(r), nz_rep_random());
    nz_rep_round_free(o);
    r->round = NULL;
    r->busy = r->at_vrs = false;
    nz_rep_sleep(r, ms);
}

void nz_rep_round_trouble(struct nz_rep_round *o, struct err e)
{
    LOG(WARN, "vrs_report_waits", LF("error", e));
    o->rep->pause_until = nz_rep_now(o->rep) + NZ_REP_PAUSE_MS;
    nz_rep_round_end(o, NZ_REP_PAUSE_MS);
}

static void settle(struct nz_rep_round *o);

static bool is_noted(const struct nz_rep_row *row) { return (row->state == NZ_REP_ACCEPTED || row->state == NZ_REP_DEAD) && row->kind == VRS_MARK_RECORD; }

static void read_again(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_rep_round *o = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < o->n; i++) {
        if (!is_noted(&o->one[i].row))
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
        if (is_noted(&o->one[i].row))
            nz_rep_row_ask(&o->one[i].row, b);
    redis_send(r->in->redis, b, nz_rep_now(r) + NZ_REP_STEP_MS, read_again, o);
}

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
        if (done || !is_noted(row))
            row->state = NZ_REP_KEEP;
        else
            left++;
    }
    if (left && ++o->settles < SETTLES_MAX)
        settle_again(o);
    else
        nz_rep_round_end(o, NZ_REP_SOON_MS);
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

/* ---- the log ---- */

static void record(struct nz_rep_round *o, const struct nz_rep_row *row, bool told, audit_done_fn *done)
{
    static const enum err_code CODES[NZ_REP_WHY__MAX] = {
        [NZ_REP_BECAUSE_REFUSED] = E_FIELD, [NZ_REP_BECAUSE_BREACH] = E_UPSTREAM_BAD, [NZ_REP_BECAUSE_UNREADABLE] = E_SEAL,
        [NZ_REP_BECAUSE_CLOSED] = E_FORBIDDEN, [NZ_REP_BECAUSE_NO_NUMBER] = E_NOTHING,
    };
    struct nz_report *r = o->rep;
    struct audit_rec rec = { .event = told ? AU_VRS_TOLD : AU_VRS_NOT_TOLD, .result = told ? AR_OK : AR_FAILED, .reason = told ? E_OK : CODES[row->why] };
    audit_set_actor(&rec, LIT("intake"));
    basis_note(&rec, o->fit);
    memcpy(rec.muni, row->muni, sizeof rec.muni);
    memcpy(rec.subject, row->handle, sizeof rec.subject);
    memcpy(rec.ref, row->id, sizeof rec.ref);
    rec.count = row->kind == VRS_MARK_RECORD ? (uint32_t)row->version : 0;
    o->under_way++;
    audit_append(r->in->audit, &rec, nz_rep_now(r) + NZ_REP_STEP_MS, done, o);
}

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
static void end_rows(struct nz_rep_round *o)
{
    o->failed = OK;
    o->under_way = 1; /* until all are on their way */
    for (size_t i = 0; i < o->n; i++) {
        const struct nz_rep_row *row = &o->one[i].row;
        if (row->state != NZ_REP_DEAD)
            continue;
        LOG(WARN, "vrs_not_told", LF("reason", (struct lit){ nz_rep_why_word(row->why) }));
        record(o, row, false, dead_recorded);
    }
    if (--o->under_way == 0) /* records are answered from the loop, never before audit_append() returned */
        settle(o);
}

/* ---- the answer ---- */

static void hear_rows(struct nz_rep_round *o)
{
    static const struct { enum nz_rep_state state; enum nz_rep_why why; } SAID[] = {
        [NZ_VRS_LATER] = { NZ_REP_PUT_OFF, NZ_REP_BECAUSE_REFUSED }, [NZ_VRS_ACCEPTED] = { NZ_REP_ACCEPTED, NZ_REP_BECAUSE_REFUSED },
        [NZ_VRS_REFUSED] = { NZ_REP_DEAD, NZ_REP_BECAUSE_REFUSED },  [NZ_VRS_BREACH] = { NZ_REP_DEAD, NZ_REP_BECAUSE_BREACH },
    };
    for (size_t i = 0; i < o->msg.n; i++) {
        struct nz_rep_row *row = &o->one[o->told_of[i]].row;
        row->state = SAID[o->told[i].said].state;
        row->why = SAID[o->told[i].said].why;
        memcpy(row->code, o->told[i].code, sizeof row->code);
    }
    o->rep->most = o->rep->most < NZ_VRS_ROWS_MAX / 2 ? 2 * o->rep->most : NZ_VRS_ROWS_MAX;
}

static void told_rows(struct nz_rep_round *o, enum nz_rep_state state, enum nz_rep_why why)
{
    for (size_t i = 0; i < o->msg.n; i++) {
        o->one[o->told_of[i]].row.state = state;
        o->one[o->told_of[i]].row.why = why;
    }
}

/* One row of many may be what VRS does not take: it is found by halves. */
static void hear_refused(struct nz_rep_round *o, enum nz_rep_why why)
{
    if (o->msg.n == 1) {
        told_rows(o, NZ_REP_DEAD, why);
        return;
    }
    o->rep->most = (o->msg.n + 1) / 2;
    told_rows(o, NZ_REP_KEEP, why);
}

static void breaker_hear(struct nz_report *r, struct err e, enum nz_breaker_event event)
{
    const bool was_open = r->vrs.state != NZ_BREAKER_CLOSED;
    nz_breaker_step(&r->vrs, event, nz_rep_now(r), nz_rep_random());
    if (event == NZ_BREAKER_BAD && !was_open)
        LOG(WARN, "vrs_report_failed", LF("failures", (uint64_t)r->vrs.failures), LF("error", e));
    if (event == NZ_BREAKER_GOOD && was_open)
        LOG(INFO, "vrs_report_is_back");
}

static bool is_own(struct err e) { return err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL) || err_is(e, E_CANCELED) || err_is(e, E_CONFIG); }

static void heard(void *arg, struct err e)
{
    struct nz_rep_round *o = arg;
    struct nz_report *r = o->rep;
    r->at_vrs = false;
    if (is_own(e)) {
        nz_rep_round_trouble(o, e);
        return;
    }
    o->sent = true;
    const bool lost = err_is(e, E_UPSTREAM_DOWN), nonsense = err_is(e, E_UPSTREAM_BAD);
    breaker_hear(r, e, lost || nonsense ? NZ_BREAKER_BAD : NZ_BREAKER_GOOD);
    if (err_ok(e))
        hear_rows(o);
    else if (err_is(e, E_FIELD) || nonsense)
        hear_refused(o, nonsense ? NZ_REP_BECAUSE_BREACH : NZ_REP_BECAUSE_REFUSED);
    else
        told_rows(o, lost ? NZ_REP_KEEP : NZ_REP_PUT_OFF, NZ_REP_BECAUSE_REFUSED); /* it does not know this municipality, or does not want us for it */
    end_rows(o);
}

/* ---- sent ---- */

static ERR message(struct nz_rep_round *o)
{
    const struct nz_rep_row *rows[NZ_VRS_ROWS_MAX];
    for (size_t i = 0; i < o->n; i++) {
        struct nz_rep_one *x = &o->one[i];
        if (x->row.state != NZ_REP_TELL)
            continue;
        rows[o->msg.n] = &x->row;
        o->told_of[o->msg.n] = i;
        struct nz_vrs_row *t = &o->told[o->msg.n++];
        t->number = x->number;
        memcpy(t->id, x->row.id, sizeof t->id);
        t->version = x->row.version;
        t->json = buf_slice(&x->row.json);
    }
    o->msg.kind = o->one[0].row.kind == VRS_MARK_RECORD ? NZ_VRS_RECORDS : NZ_VRS_REGISTRATIONS;
    o->msg.row = o->told;
    o->msg.basis = o->fit.id;
    memcpy(o->msg.muni, o->one[0].row.muni, sizeof o->msg.muni);
    return nz_rep_request_id(o->rep->in->store, rows, o->msg.n, o->msg.id);
}

static void recorded(void *arg, struct err e)
{
    struct nz_rep_round *o = arg;
    struct nz_report *r = o->rep;
    if (!err_ok(e))
        o->failed = e;
    if (--o->under_way)
        return;
    if (err_ok(o->failed) && !r->client)
        o->failed = FAIL(E_CANCELED);
    if (err_ok(o->failed))
        o->failed = message(o);
    r->at_vrs = err_ok(o->failed);
    if (r->at_vrs)
        nz_vrs_report(r->client, r->in->conf.vrs_url, (unsigned)r->in->conf.vrs_timeout_ms, &o->msg, heard, o);
    else
        nz_rep_round_trouble(o, o->failed);
}

static void record_rows(struct nz_rep_round *o)
{
    size_t n = 0;
    o->under_way = 1; /* until all are on their way */
    for (size_t i = 0; i < o->n; i++) {
        n += o->one[i].row.state == NZ_REP_TELL;
        if (o->one[i].row.state == NZ_REP_TELL)
            record(o, &o->one[i].row, true, recorded);
    }
    o->under_way--;
    if (!n)
        end_rows(o);
}

/* ---- numbers ---- */

static void revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct nz_rep_one *x = arg;
    struct nz_rep_round *o = x->of;
    x->number = err_ok(e) ? number : NULL;
    if (err_is(e, E_NOTHING) || err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN)) { /* of this one alone */
        x->row.state = NZ_REP_DEAD;
        x->row.why = err_is(e, E_FORBIDDEN) ? NZ_REP_BECAUSE_CLOSED : NZ_REP_BECAUSE_NO_NUMBER;
    } else if (!err_ok(e)) {
        o->failed = e;
    }
    if (--o->under_way)
        return;
    if (err_ok(o->failed))
        record_rows(o);
    else
        nz_rep_round_trouble(o, o->failed);
}

static void ask_number(struct nz_rep_round *o, struct nz_rep_one *x)
{
    struct nz_intake *in = o->rep->in;
    struct nz_show ask = { .basis = o->fit.id, .purpose = o->fit.purpose };
    memcpy(ask.subject.sid, x->row.sid, sizeof ask.subject.sid);
    rnd_bytes(ask.request.b, sizeof ask.request.b);
    o->under_way++;
    nz_vault_tell(in->vault, in->pool, x->row.muni, &ask, nz_rep_now(o->rep) + NZ_REP_STEP_MS, revealed, x);
}

/* ---- read ---- */

static void read_done(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_rep_round *o = arg;
    bool any = false;
    if (err_ok(e) && n != o->n)
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; err_ok(e) && i < o->n; i++)
        e = nz_rep_row_read(&o->one[i].row, o->rep->in->store, replies[i]);
    if (!err_ok(e)) {
        nz_rep_round_trouble(o, e);
        return;
    }
    for (size_t i = 0; i < o->n; i++) {
        if (o->one[i].row.state != NZ_REP_TELL)
            continue;
        any = true;
        ask_number(o, &o->one[i]);
    }
    if (!any)
        end_rows(o);
}

void nz_rep_round_go(struct nz_rep_round *o)
{
    struct redis_batch *b = redis_batch_new(NZ_REP_READ_MAX);
    if (!b) {
        nz_rep_round_trouble(o, FAIL(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < o->n; i++)
        nz_rep_row_ask(&o->one[i].row, b);
    redis_send(o->rep->in->redis, b, nz_rep_now(o->rep) + NZ_REP_STEP_MS, read_done, o);
}
