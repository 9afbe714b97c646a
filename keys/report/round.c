/* One message: what its marks name is read, numbers are asked for, every row is in the log, and VRS is told. */

#include "keys/report/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"

/* ---- a round, and its end ---- */

struct nz_rep_round *nz_rep_round_new(struct nz_rep_lane *lane, struct nz_report *r)
{
    struct nz_rep_round *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->rep = r;
    o->lane = lane;
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
    if (o->probe && !o->sent)
        nz_breaker_step(&r->vrs, NZ_BREAKER_VOID, nz_rep_now(r), nz_rep_random());
    o->lane->round = NULL;
    nz_rep_round_free(o);
    nz_rep_sleep(r, ms);
}

void nz_rep_round_trouble(struct nz_rep_round *o, struct err e)
{
    struct nz_report *r = o->rep;
    LOG(WARN, "vrs_report_waits", LF("error", e));
    r->pause_until = nz_rep_now(r) + NZ_REP_PAUSE_MS;
    nz_rep_round_end(o, NZ_REP_PAUSE_MS);
}

/* ---- the log ---- */

void nz_rep_round_record(struct nz_rep_round *o, const struct nz_rep_row *row, bool told, audit_done_fn *done)
{
    static const enum err_code CODES[NZ_REP_WHY__MAX] = {
        [NZ_REP_BECAUSE_REFUSED] = E_FIELD, [NZ_REP_BECAUSE_BREACH] = E_UPSTREAM_BAD, [NZ_REP_BECAUSE_UNREADABLE] = E_SEAL,
        [NZ_REP_BECAUSE_CLOSED] = E_FORBIDDEN, [NZ_REP_BECAUSE_NO_NUMBER] = E_NOTHING, [NZ_REP_BECAUSE_NO_TIE] = E_RESIDENT,
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
    o->lane->most = o->lane->most < NZ_VRS_ROWS_MAX / 2 ? 2 * o->lane->most : NZ_VRS_ROWS_MAX;
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
    o->lane->most = (o->msg.n + 1) / 2;
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
    o->at_vrs = false;
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
    nz_rep_round_settle(o);
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
    o->at_vrs = err_ok(o->failed);
    if (o->at_vrs)
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
            nz_rep_round_record(o, &o->one[i].row, true, recorded);
    }
    o->under_way--;
    if (!n)
        nz_rep_round_settle(o);
}

/* ---- numbers ---- */

static void revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct nz_rep_one *x = arg;
    struct nz_rep_round *o = x->of;
    x->number = err_ok(e) ? number : NULL;
    if (err_is(e, E_NOTHING) && nz_rep_row_may_be_erased(&x->row)) {
        x->row.state = NZ_REP_PUT_OFF;
    } else if (err_is(e, E_NOTHING) || err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN)) { /* of this one alone */
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
    struct nz_ticket ticket;
    struct err e = x->row.gone ? nz_rep_ticket(in->store, x->row.muni, x->row.sid, &ticket) : OK;
    memcpy(ask.subject.sid, x->row.sid, sizeof ask.subject.sid);
    rnd_bytes(ask.request.b, sizeof ask.request.b);
    if (!err_ok(e))
        o->failed = e;
    o->under_way++;
    nz_vault_tell(in->vault, in->pool, x->row.muni, &ask, x->row.gone && err_ok(e) ? &ticket : NULL, nz_rep_now(o->rep) + NZ_REP_STEP_MS, revealed, x);
}

/* ---- read ---- */

/* Two marks may be about one row of VRS, which stands in a message once: the later mark waits for the next one. */
static void once_each(struct nz_rep_round *o)
{
    for (size_t i = 1; i < o->n; i++)
        for (size_t k = 0; k < i && o->one[i].row.state == NZ_REP_TELL; k++)
            if (o->one[k].row.state == NZ_REP_TELL && slice_eq(ARR(o->one[k].row.id), ARR(o->one[i].row.id)))
                o->one[i].row.state = NZ_REP_KEEP;
}

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
    once_each(o);
    for (size_t i = 0; i < o->n; i++) {
        if (o->one[i].row.state != NZ_REP_TELL)
            continue;
        any = true;
        ask_number(o, &o->one[i]);
    }
    if (!any)
        nz_rep_round_settle(o);
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
