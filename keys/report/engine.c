/* Marks that are due go into rounds: of each municipality one at a time, of one kind, as many marks as go in one message, and so many rounds beside each other.
 * VRS that is slow or away holds nothing but the marks, and a municipality that it is slow with holds no other. */

#include "keys/report/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"

enum { PAGE = 1024, PROBE_ROWS = 8, DEEP_MS = 20, DEEP_REST = 4 };

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
    const uint64_t at = nz_rep_now(r) + ms;
    if (r->closed || (r->wake_at && r->wake_at <= at))
        return;
    r->wake_at = at;
    timer_start(r->timer, ms);
}

/* ---- which ---- */

static size_t under_way(const struct nz_report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < NZ_REP_LANES; i++)
        n += r->lane[i].round != NULL;
    return n;
}

/* The municipality's, or one that nobody needs: what is forgotten then is at most how small its messages had become. NULL: all are busy. */
static struct nz_rep_lane *lane_of(struct nz_report *r, const char muni[static 6])
{
    struct nz_rep_lane *spare = NULL;
    for (size_t i = 0; i < NZ_REP_LANES; i++) {
        struct nz_rep_lane *l = &r->lane[i];
        if (l->most && slice_eq(ARR(l->muni), slice_of(muni, 6)))
            return l;
        if (!l->round && (!spare || !l->most || (spare->most && spare->most < l->most)))
            spare = l;
    }
    if (spare) {
        memcpy(spare->muni, muni, sizeof spare->muni);
        spare->most = NZ_VRS_ROWS_MAX;
    }
    return spare;
}

static bool together(const struct nz_rep_row *a, const struct nz_rep_row *b) { return (a->kind == VRS_MARK_RECORD) == (b->kind == VRS_MARK_RECORD); }

static size_t most_of(const struct nz_report *r, const struct nz_rep_lane *l)
{
    const size_t conf = r->in->conf.vrs_batch_rows, most = l->most < conf ? l->most : conf;
    return r->vrs.state != NZ_BREAKER_CLOSED && most > PROBE_ROWS ? PROBE_ROWS : most;
}

/* Rounds that this page begins; those of before are busy. */
struct picking { struct nz_report *r; size_t n, room; struct nz_rep_round *round[NZ_REP_AT_ONCE]; };

static struct nz_rep_round *round_for(struct picking *p, const struct nz_rep_row *row)
{
    struct nz_report *r = p->r;
    for (size_t i = 0; i < p->n; i++)
        if (slice_eq(ARR(p->round[i]->lane->muni), ARR(row->muni)))
            return p->round[i];
    struct nz_rep_lane *l = lane_of(r, row->muni);
    if (!l || l->round || p->n == p->room)
        return NULL;
    struct nz_rep_round *o = nz_rep_round_new(l, r);
    if (!o)
        return NULL;
    o->probe = r->vrs.state == NZ_BREAKER_PROBING;
    l->round = o;
    p->round[p->n++] = o;
    return o;
}

/* The oldest mark of a municipality, and those of its kind. */
static void take(struct picking *p, struct slice member, struct slice score)
{
    struct nz_rep_row row;
    if (!nz_rep_row_begin(&row, member, score)) {
        LOG(ERROR, "vrs_mark_malformed");
        return;
    }
    struct nz_rep_round *o = round_for(p, &row);
    const bool takes = o && o->n < most_of(p->r, o->lane) && (!o->n || together(&o->one[0].row, &row));
    nz_rep_row_done(&row);
    if (!takes || !nz_rep_row_begin(&o->one[o->n].row, member, score)) /* it points into itself */
        return;
    o->one[o->n++].of = o;
}

static void start(struct picking *p)
{
    const struct basis_fit fit = basis_judge(p->r->in->basis, CALLER_GATEWAY, SLICE_NONE, LIT("tellVrs"), SLICE_NONE, 0);
    for (size_t i = 0; i < p->n; i++) {
        struct nz_rep_round *o = p->round[i];
        o->fit = fit;
        if (!fit.id)
            nz_rep_round_trouble(o, FAIL(E_BASIS));
        else if (p->r->closed)
            nz_rep_round_end(o, NZ_REP_POLL_MS);
        else
            nz_rep_round_go(o);
    }
}

/* Behind the first page only when that is full of municipalities that are busy, and for at most a fifth of the time. */
static void look_on(struct nz_report *r, size_t marks, size_t begun)
{
    const uint64_t now = nz_rep_now(r);
    const bool room = under_way(r) < NZ_REP_AT_ONCE, full = marks == PAGE && !begun && room, more = full && (r->from || now >= r->deep_at);
    if (more && !r->from)
        r->deep_since = now;
    if (!more && r->from)
        r->deep_at = now + DEEP_MS + DEEP_REST * (now - r->deep_since);
    r->from = more ? r->from + PAGE : 0;
    if (more || (begun && room))
        nz_rep_sleep(r, NZ_REP_SOON_MS);
    else
        nz_rep_sleep(r, full && r->deep_at < now + NZ_REP_POLL_MS ? r->deep_at - now : NZ_REP_POLL_MS);
}

static void looked(struct nz_report *r, struct err e)
{
    LOG(WARN, "vrs_report_waits", LF("error", e));
    nz_breaker_step(&r->vrs, NZ_BREAKER_VOID, nz_rep_now(r), nz_rep_random());
    r->from = 0;
    nz_rep_sleep(r, NZ_REP_PAUSE_MS);
}

static void fetched(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_report *r = arg;
    r->looking = false;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        looked(r, e);
        return;
    }
    const bool probing = r->vrs.state == NZ_BREAKER_PROBING;
    struct picking p = { .r = r, .room = probing ? 1 : NZ_REP_AT_ONCE - under_way(r) };
    const size_t marks = redis_reply_len(replies[0]) / 2;
    for (size_t i = 0; i < marks; i++)
        take(&p, redis_reply_str(redis_reply_at(replies[0], 2 * i)), redis_reply_str(redis_reply_at(replies[0], 2 * i + 1)));
    if (probing && !p.n)
        nz_breaker_step(&r->vrs, NZ_BREAKER_VOID, nz_rep_now(r), nz_rep_random());
    start(&p);
    look_on(r, marks, p.n);
}

static void look(struct nz_report *r)
{
    struct redis_batch *b = redis_batch_new(NZ_REP_READ_MAX);
    if (!b) {
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
    redis_arg_u64(b, r->from);
    redis_arg_u64(b, PAGE);
    r->looking = true;
    redis_send(r->in->redis, b, nz_rep_now(r) + NZ_REP_STEP_MS, fetched, r);
}

static void tick(void *arg)
{
    struct nz_report *r = arg;
    const uint64_t now = nz_rep_now(r);
    r->wake_at = 0;
    if (r->closed || r->looking)
        return;
    const unsigned room = nz_breaker_room(&r->vrs, now, NZ_REP_AT_ONCE);
    if (now >= r->pause_until && room && under_way(r) < NZ_REP_AT_ONCE)
        look(r);
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
    nz_breaker_init(&r->vrs, c->retry_min_ms, c->retry_max_ms);
    struct err e = client_new(&r->client, in->loop, &(struct client_conf){ .ca_path = c->upstream_ca, .cert_path = c->upstream_cert, .key_path = c->upstream_key,
                                                                           .conns_max = NZ_REP_AT_ONCE, .queue_max = 2 * NZ_REP_AT_ONCE });
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
bool nz_report_idle(const struct nz_report *r)
{
    for (size_t i = 0; r && i < NZ_REP_LANES; i++)
        if (r->lane[i].round && !r->lane[i].round->at_vrs)
            return false;
    return !r || !r->looking;
}

void nz_report_stop(struct nz_report *r)
{
    if (r && r->client) {
        client_close(r->client);
        r->client = NULL;
    }
}

void nz_report_free(struct nz_report *r)
{
    for (size_t i = 0; r && i < NZ_REP_LANES; i++)
        if (r->lane[i].round)
            nz_rep_round_free(r->lane[i].round);
    free(r);
}
