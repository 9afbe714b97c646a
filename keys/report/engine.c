/* One round at a time: marks that are due, of one municipality and one kind, as many as go in one message. VRS that is slow or away holds nothing but the marks. */

#include "keys/report/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"

enum { FETCH_MAX = 512, PROBE_ROWS = 8, CONNS = 1, QUEUE = 4 };

uint64_t nz_rep_now(const struct nz_report *r) { return loop_now(r->in->loop); }
uint64_t nz_rep_wall(const struct nz_report *r) { return clock_wall(loop_clock(r->in->loop)); }

uint64_t nz_rep_random(void)
{
    uint64_t v;
    rnd_bytes(&v, sizeof v);
    return v;
}

void nz_rep_sleep(struct nz_report *r, uint64_t ms)
{
    if (!r->closed)
        timer_start(r->timer, ms);
}

/* ---- which ---- */

static bool together(const struct nz_rep_row *a, const struct nz_rep_row *b)
{
    return slice_eq(ARR(a->muni), ARR(b->muni)) && (a->kind == VRS_MARK_RECORD) == (b->kind == VRS_MARK_RECORD);
}

/* The oldest mark, and those of its municipality and kind. */
static void take(struct nz_rep_round *o, const struct redis_reply *members, size_t most)
{
    for (size_t i = 0; i + 1 < redis_reply_len(members) && o->n < most; i += 2) {
        struct nz_rep_one *x = &o->one[o->n];
        if (!nz_rep_row_begin(&x->row, redis_reply_str(redis_reply_at(members, i)), redis_reply_str(redis_reply_at(members, i + 1)))) {
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
    struct nz_rep_round *o = arg;
    struct nz_report *r = o->rep;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_rep_round_trouble(o, e);
        return;
    }
    take(o, replies[0], most_of(r));
    o->fit = basis_judge(r->in->basis, CALLER_GATEWAY, SLICE_NONE, LIT("tellVrs"), SLICE_NONE, 0);
    if (o->n && !o->fit.id)
        nz_rep_round_trouble(o, FAIL(E_BASIS));
    else if (o->n && !r->closed)
        nz_rep_round_go(o);
    else
        nz_rep_round_end(o, NZ_REP_POLL_MS);
}

static void begin(struct nz_report *r)
{
    struct nz_rep_round *o = nz_rep_round_new(r);
    struct redis_batch *b = o ? redis_batch_new(NZ_REP_READ_MAX) : NULL;
    r->busy = o != NULL;
    r->round = o;
    if (!b) {
        if (o)
            nz_rep_round_trouble(o, FAIL(E_NOMEM));
        else
            nz_rep_sleep(r, NZ_REP_PAUSE_MS);
        return;
    }
    nz_breaker_step(&r->vrs, NZ_BREAKER_DUE, nz_rep_now(r), nz_rep_random());
    redis_begin(b, 8);
    redis_arg(b, LIT("ZRANGEBYSCORE"));
    redis_arg(b, VRS_MARK_QUEUE);
    redis_arg(b, LIT("-inf"));
    redis_arg_u64(b, nz_rep_wall(r));
    redis_arg(b, LIT("WITHSCORES"));
    redis_arg(b, LIT("LIMIT"));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, FETCH_MAX);
    redis_send(r->in->redis, b, nz_rep_now(r) + NZ_REP_STEP_MS, fetched, o);
}

static void tick(void *arg)
{
    struct nz_report *r = arg;
    const uint64_t now = nz_rep_now(r);
    if (r->closed || r->busy)
        return;
    if (now >= r->pause_until && nz_breaker_room(&r->vrs, now, 1))
        begin(r);
    else
        nz_rep_sleep(r, NZ_REP_POLL_MS);
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
    nz_rep_sleep(r, NZ_REP_POLL_MS);
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
        nz_rep_round_free(r->round);
    free(r);
}
