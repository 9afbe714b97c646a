/* One round at a time: marks that are due, of one municipality and one kind, as many as go in one message. VRS that is slow or away holds nothing but the marks. */

#include "keys/report/report.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/base/secret.h"
#include "keys/intake/backoff.h"
#include "keys/report/row.h"

enum { FETCH_MAX = 512, POLL_MS = 200, SOON_MS = 1, STEP_MS = 10000, PAUSE_MS = 1000, PROBE_ROWS = 8, LATER_STEPS = 8, READ_MAX = 1 << 20, WRITE_MAX = 256 << 20, CONNS = 1, QUEUE = 4 };

struct round;
struct one { struct round *of; struct nz_rep_row row; struct nz_mynum *number; }; /* of: whom a number that comes belongs to */

struct round {
    struct nz_report *rep;
    struct one *one;                  /* n */
    size_t n, under_way;
    struct nz_vrs_row *told;          /* msg.n of them, told_of[] says of which row */
    size_t *told_of;
    struct nz_vrs_report msg;
    struct basis_fit fit;
    struct err failed;
    bool sent, dead_told;
};

struct nz_report {
    struct nz_intake *in;
    struct client *client;
    struct timer *timer;
    struct nz_breaker vrs;
    bool closed, busy, at_vrs;
    struct round *round;              /* while it is busy */
    uint64_t pause_until;
    size_t most;                      /* rows of a message: fewer while VRS does not take what is sent */
};

static uint64_t now_of(const struct nz_report *r) { return loop_now(r->in->loop); }
static uint64_t wall_of(const struct nz_report *r) { return clock_wall(loop_clock(r->in->loop)); }

static uint64_t random_u64(void)
{
    uint64_t v;
    rnd_bytes(&v, sizeof v);
    return v;
}

static void sleep_for(struct nz_report *r, uint64_t ms)
{
    if (!r->closed)
        timer_start(r->timer, ms);
}

/* ---- the end of a round ---- */

static void round_free(struct round *o)
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

static void round_end(struct round *o, uint64_t ms)
{
    struct nz_report *r = o->rep;
    if (!o->sent)
        nz_breaker_step(&r->vrs, NZ_BREAKER_VOID, now_of(r), random_u64());
    round_free(o);
    r->round = NULL;
    r->busy = r->at_vrs = false;
    sleep_for(r, ms);
}

/* Of our own: nothing has changed, and it is all begun anew. */
static void own_trouble(struct round *o, struct err e)
{
    LOG(WARN, "vrs_report_waits", LF("error", e));
    o->rep->pause_until = now_of(o->rep) + PAUSE_MS;
    round_end(o, PAUSE_MS);
}

static void settled(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct round *o = arg;
    (void)replies, (void)n; /* 0: something else stands there now, and its mark has stayed */
    if (err_ok(e))
        round_end(o, SOON_MS);
    else
        own_trouble(o, e);
}

static uint64_t later_ms(const struct nz_report *r)
{
    return nz_backoff_ms(LATER_STEPS * r->in->conf.retry_min_ms, r->in->conf.retry_min_ms, r->in->conf.retry_max_ms, random_u64());
}

static void settle(struct round *o)
{
    struct nz_report *r = o->rep;
    struct redis_batch *b = redis_batch_new(WRITE_MAX);
    struct err e = b ? OK : FAIL(E_NOMEM);
    size_t all = 0, n;
    for (size_t i = 0; err_ok(e) && i < o->n; i++) {
        e = nz_rep_row_settle(&o->one[i].row, r->in->store, wall_of(r), later_ms(r), b, &n);
        all += n;
    }
    if (err_ok(e) && all) {
        redis_send(r->in->redis, b, now_of(r) + STEP_MS, settled, o);
        return;
    }
    redis_batch_free(b);
    if (!err_ok(e))
        own_trouble(o, e);
    else
        round_end(o, r->vrs.state == NZ_BREAKER_CLOSED ? POLL_MS : SOON_MS);
}

/* ---- the log ---- */

static void record(struct round *o, const struct nz_rep_row *row, bool told, audit_done_fn *done)
{
    static const enum err_code CODES[NZ_REP_WHY__MAX] = {
        [NZ_REP_BECAUSE_REFUSED] = E_FIELD, [NZ_REP_BECAUSE_BREACH] = E_UPSTREAM_BAD, [NZ_REP_BECAUSE_UNREADABLE] = E_SEAL,
        [NZ_REP_BECAUSE_CLOSED] = E_FORBIDDEN, [NZ_REP_BECAUSE_NO_SUBJECT] = E_NOTHING, [NZ_REP_BECAUSE_NO_NUMBER] = E_NOTHING,
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
    audit_append(r->in->audit, &rec, now_of(r) + STEP_MS, done, o);
}

static void dead_recorded(void *arg, struct err e)
{
    struct round *o = arg;
    if (!err_ok(e))
        o->failed = e;
    if (--o->under_way)
        return;
    if (err_ok(o->failed))
        settle(o);
    else
        own_trouble(o, o->failed);
}

/* Whatever an officer has to look after is in the log before it leaves the queue. */
static void end_rows(struct round *o)
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

static void hear_rows(struct round *o)
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
    o->rep->most *= 2;
}

static void told_rows(struct round *o, enum nz_rep_state state, enum nz_rep_why why)
{
    for (size_t i = 0; i < o->msg.n; i++) {
        o->one[o->told_of[i]].row.state = state;
        o->one[o->told_of[i]].row.why = why;
    }
}

/* One row of many may be what VRS does not take: it is found by halves. */
static void hear_refused(struct round *o, enum nz_rep_why why)
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
    nz_breaker_step(&r->vrs, event, now_of(r), random_u64());
    if (event == NZ_BREAKER_BAD && !was_open)
        LOG(WARN, "vrs_report_failed", LF("failures", (uint64_t)r->vrs.failures), LF("error", e));
    if (event == NZ_BREAKER_GOOD && was_open)
        LOG(INFO, "vrs_report_is_back");
}

static bool is_own(struct err e) { return err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL) || err_is(e, E_CANCELED) || err_is(e, E_CONFIG); }

static void heard(void *arg, struct err e)
{
    struct round *o = arg;
    struct nz_report *r = o->rep;
    r->at_vrs = false;
    if (is_own(e)) {
        own_trouble(o, e);
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

static ERR message(struct round *o)
{
    const struct nz_rep_row *rows[NZ_VRS_ROWS_MAX];
    for (size_t i = 0; i < o->n; i++) {
        struct one *x = &o->one[i];
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
    struct round *o = arg;
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
        own_trouble(o, o->failed);
}

static void record_rows(struct round *o)
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
    struct one *x = arg;
    struct round *o = x->of;
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
        own_trouble(o, o->failed);
}

static void ask_number(struct round *o, struct one *x)
{
    struct nz_intake *in = o->rep->in;
    struct nz_show ask = { .basis = o->fit.id, .purpose = o->fit.purpose };
    memcpy(ask.subject.sid, x->row.sid, sizeof ask.subject.sid);
    rnd_bytes(ask.request.b, sizeof ask.request.b);
    o->under_way++;
    nz_vault_tell(in->vault, in->pool, x->row.muni, &ask, now_of(o->rep) + STEP_MS, revealed, x);
}

/* ---- read ---- */

static void read_done(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct round *o = arg;
    bool any = false;
    if (err_ok(e) && n != o->n)
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; err_ok(e) && i < o->n; i++)
        e = nz_rep_row_read(&o->one[i].row, o->rep->in->store, replies[i], wall_of(o->rep));
    if (!err_ok(e)) {
        own_trouble(o, e);
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

static void read_rows(struct round *o)
{
    struct redis_batch *b = redis_batch_new(READ_MAX);
    if (!b) {
        own_trouble(o, FAIL(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < o->n; i++)
        nz_rep_row_ask(&o->one[i].row, b);
    redis_send(o->rep->in->redis, b, now_of(o->rep) + STEP_MS, read_done, o);
}

/* ---- which ---- */

static bool together(const struct nz_rep_row *a, const struct nz_rep_row *b)
{
    return memcmp(a->muni, b->muni, sizeof a->muni) == 0 && (a->kind == VRS_MARK_RECORD) == (b->kind == VRS_MARK_RECORD);
}

/* The oldest mark, and those of its municipality and kind. */
static void take(struct round *o, const struct redis_reply *members, size_t most)
{
    for (size_t i = 0; i < redis_reply_len(members) && o->n < most; i++) {
        struct one *x = &o->one[o->n];
        if (!nz_rep_row_begin(&x->row, redis_reply_str(redis_reply_at(members, i)))) {
            LOG(ERROR, "vrs_mark_malformed");
            continue;
        }
        x->of = o;
        if (o->n && !together(&o->one[0].row, &x->row))
            nz_rep_row_done(&x->row);
        else
            o->n++;
    }
}

static size_t most_of(const struct nz_report *r)
{
    const size_t conf = r->in->conf.vrs_batch_rows, most = r->most < conf ? r->most : conf;
    return r->vrs.state != NZ_BREAKER_CLOSED && most > PROBE_ROWS ? PROBE_ROWS : most;
}

static void fetched(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct round *o = arg;
    struct nz_report *r = o->rep;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        own_trouble(o, e);
        return;
    }
    take(o, replies[0], most_of(r));
    o->fit = basis_judge(r->in->basis, CALLER_GATEWAY, SLICE_NONE, LIT("tellVrs"), SLICE_NONE, 0);
    if (o->n && !o->fit.id)
        own_trouble(o, FAIL(E_BASIS));
    else if (o->n && !r->closed)
        read_rows(o);
    else
        round_end(o, POLL_MS);
}

static struct round *round_new(struct nz_report *r)
{
    struct round *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->rep = r;
    o->one = calloc(NZ_VRS_ROWS_MAX, sizeof *o->one);
    o->told = calloc(NZ_VRS_ROWS_MAX, sizeof *o->told);
    o->told_of = calloc(NZ_VRS_ROWS_MAX, sizeof *o->told_of);
    if (o->one && o->told && o->told_of)
        return o;
    round_free(o);
    return NULL;
}

static void begin(struct nz_report *r)
{
    struct round *o = round_new(r);
    struct redis_batch *b = o ? redis_batch_new(READ_MAX) : NULL;
    r->busy = o != NULL;
    r->round = o;
    if (!b) {
        if (o)
            own_trouble(o, FAIL(E_NOMEM));
        else
            sleep_for(r, PAUSE_MS);
        return;
    }
    nz_breaker_step(&r->vrs, NZ_BREAKER_DUE, now_of(r), random_u64());
    redis_begin(b, 7);
    redis_arg(b, LIT("ZRANGEBYSCORE"));
    redis_arg(b, VRS_MARK_QUEUE);
    redis_arg(b, LIT("-inf"));
    redis_arg_u64(b, wall_of(r));
    redis_arg(b, LIT("LIMIT"));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, FETCH_MAX);
    redis_send(r->in->redis, b, now_of(r) + STEP_MS, fetched, o);
}

static void tick(void *arg)
{
    struct nz_report *r = arg;
    const uint64_t now = now_of(r);
    if (r->closed || r->busy)
        return;
    if (now >= r->pause_until && nz_breaker_room(&r->vrs, now, 1))
        begin(r);
    else
        sleep_for(r, POLL_MS);
}

/* ---- life ---- */

ERR nz_report_new(struct nz_report **ret_r, struct nz_intake *in)
{
    const struct conf *c = &in->conf;
    *ret_r = NULL;
    if (!nz_reports_to_vrs(in))
        return OK;
    if (!c->vrs_url[0])
        return FAIL(E_CONFIG);
    struct nz_report *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(E_NOMEM);
    r->in = in;
    r->most = NZ_VRS_ROWS_MAX;
    nz_breaker_init(&r->vrs, c->retry_min_ms, c->retry_max_ms);
    struct err e = client_new(&r->client, in->loop, &(struct client_conf){ .ca_path = c->upstream_ca, .cert_path = c->upstream_cert, .key_path = c->upstream_key,
                                                                           .conns_max = CONNS, .queue_max = QUEUE });
    if (err_ok(e))
        e = timer_new(&r->timer, in->loop, tick, r);
    if (!err_ok(e)) {
        if (r->client)
            client_close(r->client);
        free(r);
        return e;
    }
    sleep_for(r, POLL_MS);
    *ret_r = r;
    return OK;
}

void nz_report_close(struct nz_report *r)
{
    if (!r || r->closed)
        return;
    r->closed = true;
    timer_free(r->timer);
    r->timer = NULL;
}

/* What VRS has not answered yet is not waited for: it is told again after the start. */
bool nz_report_idle(const struct nz_report *r) { return !r || !r->busy || r->at_vrs; }

void nz_report_stop(struct nz_report *r)
{
    if (r && r->client) {
        client_close(r->client);
        r->client = NULL;
    }
}

void nz_report_free(struct nz_report *r)
{
    if (r && r->round)
        round_free(r->round);
    free(r);
}
