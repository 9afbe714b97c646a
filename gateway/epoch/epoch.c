#include "gateway/epoch/epoch.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/crypto/nonce.h"
#include "gateway/store/store.h"

enum { ASK_MS = 1000, RECORD_MS = 10000 };

struct epoch {
    struct loop *loop;
    struct redis *redis; /* NULL: closed */
    struct audit *audit;
    struct lit actor;
    struct timer *tick;
    unsigned pending;    /* questions and records on their way: this stays until they have ended */
    bool marks, older, noting; /* what is known; a record is on its way */
    uint64_t noted;      /* value + 1 that was recorded as older; 0: none */
    uint64_t told;       /* number that the log has of us */
};

struct question {
    struct epoch *e;
    unsigned conn;
    uint64_t turn;
};

static void let_go(struct epoch *e)
{
    if (!e->redis && e->pending == 0)
        free(e);
}

static void on_log(void *arg, struct err err, uint64_t floor)
{
    struct question *q = arg;
    struct epoch *e = q->e;
    e->pending--;
    if (e->redis) {
        if (err_ok(err) && floor > e->told)
            e->told = floor;
        redis_guard_floor(e->redis, q->conn, q->turn, err_ok(err) ? OK : FAIL(E_AUDIT_DOWN), floor);
    }
    free(q);
    let_go(e);
}

static void ask(void *ctx, unsigned conn, uint64_t turn)
{
    struct epoch *e = ctx;
    struct question *q = malloc(sizeof *q);
    if (!q) {
        redis_guard_floor(e->redis, conn, turn, FAIL(E_NOMEM), 0);
        return;
    }
    *q = (struct question){ e, conn, turn };
    e->pending++;
    audit_epoch(e->audit, loop_now(e->loop) + ASK_MS, on_log, q);
}

/* ---- records ---- */

static struct audit_rec rec_of(const struct epoch *e, enum audit_event event)
{
    struct audit_rec rec = { .event = event, .result = AR_OK };
    audit_set_actor(&rec, slice_str(e->actor.s));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    return rec;
}

static void on_older_recorded(void *arg, struct err err)
{
    struct epoch *e = arg;
    e->pending--;
    e->noting = false;
    if (!err_ok(err))
        e->noted = 0; /* the next look tries again */
    let_go(e);
}

/* count: what the store says, as far as it fits. The record carries no number of ours: it raised none. */
static void older(void *ctx, uint64_t value, uint64_t floor)
{
    struct epoch *e = ctx;
    if (!e->older)
        LOG(ERROR, "store_older_than_log", LF("store", value), LF("log", floor));
    e->older = true;
    if (e->noting || e->noted == value + 1)
        return;
    struct audit_rec rec = rec_of(e, AU_STORE_OLDER);
    rec.result = AR_FAILED;
    rec.reason = E_STORE_OLDER;
    rec.count = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
    e->noting = true;
    e->noted = value + 1;
    e->pending++;
    audit_append(e->audit, &rec, loop_now(e->loop) + RECORD_MS, on_older_recorded, e);
}

static void on_mark(void *arg, struct err err)
{
    struct epoch *e = arg;
    e->pending--;
    if (!err_ok(err))
        e->told = 0; /* said again at the next tick */
    let_go(e);
}

static void on_tick(void *arg)
{
    struct epoch *e = arg;
    timer_start(e->tick, EPOCH_TOLD_MS);
    if (!redis_up(e->redis))
        return;
    if (e->older)
        LOG(INFO, "store_reconciled", LF("store", redis_epoch(e->redis)));
    e->older = false;
    if (!e->marks || redis_epoch(e->redis) <= e->told || !audit_up(e->audit))
        return;
    struct audit_rec rec = rec_of(e, AU_STORE_MARK);
    rec.epoch = e->told = redis_epoch(e->redis);
    e->pending++;
    audit_append(e->audit, &rec, loop_now(e->loop) + RECORD_MS, on_mark, e);
}

struct err epoch_new(struct epoch **ret_e, const struct epoch_conf *conf)
{
    struct epoch *e = calloc(1, sizeof *e);
    if (!e)
        return FAIL(E_NOMEM);
    *e = (struct epoch){ .loop = conf->loop, .redis = conf->redis, .audit = conf->audit, .actor = conf->actor, .marks = conf->marks };
    struct err err = timer_new(&e->tick, conf->loop, on_tick, e);
    if (!err_ok(err)) {
        free(e);
        return err;
    }
    timer_start(e->tick, EPOCH_TOLD_MS);
    redis_guard(conf->redis, &(struct redis_guard){ .key = STORE_EPOCH, .ask = ask, .older = older, .ctx = e });
    *ret_e = e;
    return OK;
}

void epoch_close(struct epoch *e)
{
    if (!e || !e->redis)
        return;
    redis_guard(e->redis, &(struct redis_guard){ 0 });
    timer_free(e->tick);
    e->redis = NULL;
    let_go(e);
}

uint64_t epoch_after(uint64_t store, uint64_t log) { return (store > log ? store : log) + EPOCH_MARGIN; }
uint64_t epoch_since(uint64_t store) { return store > EPOCH_MARGIN ? store - EPOCH_MARGIN : 0; }
