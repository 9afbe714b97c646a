#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/redis/redis_int.h"

enum { CONNS_MAX = 16 };
_Static_assert((int)CONNS_MAX <= (int)WIRE_ALIVE_MAX, "one question for all of them");

static void destroy(struct redis *r)
{
    for (unsigned i = 0; i < r->n_conns; i++)
        redis__conn_done(&r->conns[i]);
    timer_free(r->tick);
    due_free(r->due);
    secret_free(r->password);
    free(r->path);
    free(r->user);
    free(r);
}

void redis__enter(struct redis *r) { r->busy++; }

void redis__leave(struct redis *r)
{
    if (--r->busy == 0 && r->closing && r->pending == 0)
        destroy(r);
}

void redis__tell(struct redis *r, struct redis_batch *b, struct err e)
{
    due_drop(r->due, &b->due);
    b->told = true;
    r->pending--;
    metric_set(r->count.waiting, r->pending);
    metric_took(r->count.seconds, uv_hrtime() - b->sent_ns);
    if (!err_ok(e))
        metric_add(r->count.failed, 1);
    redis__enter(r);
    if (err_ok(e))
        b->done(b->arg, e, (const struct redis_reply *const *)b->replies, b->count - b->looks - b->waits);
    else
        b->done(b->arg, e, NULL, 0);
    redis__leave(r);
}

/* A batch that fell due is either ended without a connection (it has a verdict) or late: then it stays in line. */
static void on_due(void *ctx, struct due_item *it)
{
    struct redis *r = ctx;
    struct redis_batch *b = (struct redis_batch *)it;
    bool in_line = b->verdict == E_STORE_DOWN && b->replies;
    struct err e = b->verdict == E_OK ? OK : in_line ? FAIL(E_STORE_SILENT) : FAIL(b->verdict);
    redis__enter(r);
    redis__tell(r, b, e);
    if (!in_line)
        redis_batch_free(b);
    redis__leave(r);
}

static void count_in(struct redis *r, struct metrics *m)
{
    r->count.seconds = metrics_of(m, MF_REDIS_SECONDS, 0, NULL);
    r->count.failed = metrics_of(m, MF_REDIS_FAILED, 0, NULL);
    r->count.waiting = metrics_of(m, MF_REDIS_WAITING, 0, NULL);
    r->count.lost = metrics_of(m, MF_REDIS_LOST, 0, NULL);
}

size_t redis_waiting(const struct redis *r) { return r->pending; }

bool redis_up(const struct redis *r)
{
    for (unsigned i = 0; i < r->n_conns; i++)
        if (redis__conn_usable(&r->conns[i], true))
            return true;
    return false;
}

void redis__state_changed(struct redis *r)
{
    bool up = redis_up(r);
    if (up == r->was_up || r->closing)
        return;
    r->was_up = up;
    if (up)
        LOG(INFO, "redis_up");
    else
        LOG(WARN, "redis_down");
}

static void on_tick(void *arg)
{
    struct redis *r = arg;
    uint64_t now = loop_now(r->loop);
    redis__enter(r);
    bool asked = false;
    for (unsigned i = 0; i < r->n_conns && !r->closing; i++) {
        redis__conn_tick(&r->conns[i], now);
        asked |= r->conns[i].head != NULL;
    }
    if (!r->closing)
        timer_start(r->tick, asked ? REDIS_TICK_ASKED_MS : REDIS_TICK_MS);
    redis__leave(r);
}

static ERR start(struct redis *r, const struct redis_conf *conf)
{
    r->path = strdup(conf->path);
    r->user = strdup(conf->user);
    if (!r->path || !r->user)
        return FAIL(E_NOMEM);
    TRY(due_new(&r->due, r->loop, on_due, r));
    TRY(timer_new(&r->tick, r->loop, on_tick, r));
    for (unsigned i = 0; i < conf->conns; i++) {
        TRY(redis__conn_init(&r->conns[i], r));
        r->n_conns++;
    }
    timer_start(r->tick, REDIS_TICK_MS);
    return OK;
}

struct err redis_new(struct redis **ret_r, struct loop *l, struct redis_conf conf)
{
    bool fits = conf.conns >= 1 && conf.conns <= CONNS_MAX && wire_path_ok(conf.path) && conf.user && conf.password;
    struct redis *r = fits ? calloc(1, sizeof *r + conf.conns * sizeof r->conns[0]) : NULL;
    if (!r) {
        secret_free(conf.password);
        return fits ? FAIL(E_NOMEM) : FAIL(E_CONFIG);
    }
    r->loop = l;
    r->password = conf.password;
    r->queue_max = conf.queue_max;
    r->replicas = conf.replicas;
    r->wait_ms = conf.wait_ms;
    count_in(r, loop_metrics(l));
    struct err e = start(r, &conf);
    if (err_ok(e))
        *ret_r = r;
    else
        destroy(r);
    return e;
}

void redis_close(struct redis *r)
{
    if (!r || r->closing)
        return;
    redis__enter(r);
    r->closing = true;
    timer_stop(r->tick);
    for (unsigned i = 0; i < r->n_conns; i++)
        redis__conn_close(&r->conns[i]);
    redis__leave(r);
}

/* The least loaded, but a few behind each other first: they leave, are read and answered together. */
/* Something has been asked, and nothing was heard for a while. */
static bool slow(const struct redis_conn *c, uint64_t now) { return c->head && now > c->heard + REDIS_SLOW_MS; }

/* One behind which nothing waits long; of several the first, so that what is due goes together. */
static struct redis_conn *best_of(struct redis *r, const struct redis_batch *b)
{
    struct redis_conn *best = NULL;
    for (unsigned i = 0; i < r->n_conns; i++) {
        struct redis_conn *c = &r->conns[i];
        if (!redis__conn_usable(c, b->impatient))
            continue;
        const bool late = slow(c, b->sent);
        if (!late && c->in_line < REDIS_TOGETHER)
            return c;
        if (!best || late < slow(best, b->sent) || (late == slow(best, b->sent) && c->in_line < best->in_line))
            best = c;
    }
    return best;
}

/* Where the batch goes; without an error but without a connection: an empty batch. */
static ERR admit(struct redis *r, struct redis_batch *b, struct redis_conn **ret_c)
{
    if (r->closing)
        return FAIL(E_CANCELED);
    TRY(buf_check(&b->cmds));
    TRY(buf_check(&b->execs));
    if (b->count == 0)
        return OK;
    if (b->cmds.n > REDIS_OUT_MAX || b->count - b->looks - b->waits > REDIS_COMMANDS_MAX)
        return FAIL(E_FULL);
    struct redis_conn *c = best_of(r, b);
    if (!c)
        return redis_ready(r);
    if (r->in_line >= r->queue_max || wire_unsent(c->wire) + b->cmds.n > REDIS_OUT_MAX)
        return FAIL(E_BUSY);
    if (!redis__batch_ready(b))
        return FAIL(E_NOMEM);
    *ret_c = c;
    return OK;
}

void redis_send(struct redis *r, struct redis_batch *b, uint64_t deadline, redis_done_fn *done, void *arg)
{
    MUST(b->args_left == 0);
    struct redis_conn *c = NULL;
    redis__guard_add(r, b);
    redis__replicas_add(r, b);
    b->sent = loop_now(r->loop);
    b->impatient = deadline <= b->sent + REDIS_IMPATIENT_MS;
    struct err e = admit(r, b, &c);
    b->done = done;
    b->arg = arg;
    b->sent_ns = uv_hrtime();
    b->deadline = deadline;
    b->seen = r->seen;
    r->pending++;
    metric_set(r->count.waiting, r->pending);
    b->verdict = c ? E_STORE_DOWN : e.code;
    due_add(r->due, &b->due, c ? deadline : 0);
    if (c)
        redis__conn_put(c, b);
}
