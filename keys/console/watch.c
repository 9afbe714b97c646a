#include "keys/console/watch.h"

#include <stdlib.h>

#include "keys/intake/outbox.h"

enum { LOOK_MS = 1000, HOURS_MS = 60 * 1000, GAUGES_MS = 4000, WRITE_MS = 5000, BATCH_MAX = 1 << 20 };

static const struct { const char *name, *kind; } INFO[NZ_PART__MAX] = {
#define X(sym, name, kind) [NZ_PART_##sym] = { name, kind },
    NZ_PARTS(X)
#undef X
};
static const char *const STATES[] = { [NZ_PART_UNKNOWN] = "unknown", [NZ_PART_UP] = "up", [NZ_PART_DOWN] = "down" };

struct nz_watch {
    struct nz_intake *in;
    struct timer *timer;
    bool closed, writing;
    uint64_t hours_due, gauges_at; /* loop_now() */
    bool has_gauges;
    struct { enum nz_part_state state; uint64_t since_ms; } parts[NZ_PART__MAX];
    struct nz_gauges gauges;
};

static uint64_t wall(const struct nz_watch *w) { return clock_wall(loop_clock(w->in->loop)); }

/* ---- parts ---- */

static enum nz_part_state said(bool up) { return up ? NZ_PART_UP : NZ_PART_DOWN; }
static enum nz_part_state redis_state(const struct nz_watch *w) { return said(err_ok(redis_health(w->in->redis))); }
static enum nz_part_state vault_state(const struct nz_watch *w) { return said(nz_vault_up(w->in->vault)); }
static enum nz_part_state audit_state(const struct nz_watch *w) { return said(audit_up(w->in->audit)); }
static enum nz_part_state pmh_state(const struct nz_watch *w) { return said(!nz_outbox_upstream_down(w->in->outbox)); }
static enum nz_part_state counted(const struct nz_watch *w, enum nz_daemon d) { return w->has_gauges ? said(w->gauges.up[d] > 0) : NZ_PART_UNKNOWN; }
static enum nz_part_state signer_state(const struct nz_watch *w) { return counted(w, NZ_DAEMON_SIGNER); }
static enum nz_part_state front_state(const struct nz_watch *w) { return counted(w, NZ_DAEMON_FRONT); }
static enum nz_part_state courier_state(const struct nz_watch *w) { return counted(w, NZ_DAEMON_COURIER); }

static enum nz_part_state (*const LOOK_AT[NZ_PART__MAX])(const struct nz_watch *w) = {
    [NZ_PART_REDIS_LINK] = redis_state, [NZ_PART_VAULT] = vault_state, [NZ_PART_AUDIT] = audit_state, [NZ_PART_PMH] = pmh_state,
    [NZ_PART_SIGNER] = signer_state, [NZ_PART_FRONT] = front_state, [NZ_PART_COURIER] = courier_state,
};

static void look_at_parts(struct nz_watch *w)
{
    for (int p = 0; p < NZ_PART__MAX; p++) {
        const enum nz_part_state now = LOOK_AT[p](w);
        if (w->parts[p].since_ms && now == w->parts[p].state)
            continue;
        w->parts[p].state = now;
        w->parts[p].since_ms = wall(w);
    }
}

struct nz_part_view nz_watch_part(const struct nz_watch *w, enum nz_part p)
{
    return (struct nz_part_view){ INFO[p].name, INFO[p].kind, STATES[w->parts[p].state], w->parts[p].since_ms };
}

/* ---- what the daemons count ---- */

static void read_gauges(struct nz_watch *w)
{
    memset(&w->gauges, 0, sizeof w->gauges);
    w->gauges_at = loop_now(w->in->loop);
    w->has_gauges = w->in->conf.metrics_dir[0] && err_ok(metrics_each(w->in->conf.metrics_dir, wall(w), nz_gauges_take, &w->gauges));
    look_at_parts(w);
}

const struct nz_gauges *nz_watch_gauges(struct nz_watch *w)
{
    if (loop_now(w->in->loop) - w->gauges_at >= GAUGES_MS)
        read_gauges(w);
    return w->has_gauges ? &w->gauges : NULL;
}

/* ---- the hour ---- */

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_watch *w = arg;
    (void)replies, (void)n;
    w->writing = false;
    if (!err_ok(e) && !w->closed)
        LOG(DEBUG, "hours_not_written", LF("error", e)); /* the next ones have it all */
}

bool nz_watch_totals(struct nz_watch *w, const char muni[static 6], struct nz_hour_totals *ret_t)
{
    const struct nz_gauges *g = nz_watch_gauges(w);
    const struct nz_gauge_muni *m = g ? nz_gauges_muni(g, muni) : NULL;
    const uint64_t now_s = wall(w) / 1000, since_s = m ? m->since_s : 0;
    *ret_t = m ? m->totals : (struct nz_hour_totals){ 0 };
    ret_t->oldest_s = since_s && since_s < now_s ? now_s - since_s : 0;
    return g;
}

static void write_hours(struct nz_watch *w)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct slice id;
    const struct secret *key;
    size_t at = 0, n = 0;
    while (b && n < NZ_GAUGE_MUNIS && keyring_each(w->in->ring, KEY_LINK_DATA, &at, &id, &key)) {
        struct nz_hour_totals t;
        if (id.n == 6 && nz_watch_totals(w, (const char *)id.p, &t)) {
            nz_hours_add(b, (const char *)id.p, wall(w), &t);
            n++;
        }
    }
    if (n == 0) {
        redis_batch_free(b);
        return;
    }
    w->writing = true;
    redis_send(w->in->redis, b, loop_now(w->in->loop) + WRITE_MS, on_written, w);
}

static void look(void *arg)
{
    struct nz_watch *w = arg;
    if (w->closed)
        return;
    look_at_parts(w);
    if (loop_now(w->in->loop) >= w->hours_due && !w->writing && redis_up(w->in->redis)) {
        w->hours_due = loop_now(w->in->loop) + HOURS_MS;
        read_gauges(w);
        write_hours(w);
    }
    timer_start(w->timer, LOOK_MS);
}

/* ---- */

ERR nz_watch_new(struct nz_watch **ret_w, struct nz_intake *in)
{
    struct nz_watch *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL(E_NOMEM);
    w->in = in;
    struct err e = timer_new(&w->timer, in->loop, look, w);
    if (!err_ok(e)) {
        free(w);
        return e;
    }
    timer_start(w->timer, LOOK_MS);
    *ret_w = w;
    return OK;
}

void nz_watch_close(struct nz_watch *w)
{
    if (w->closed)
        return;
    w->closed = true;
    timer_free(w->timer);
}

void nz_watch_free(struct nz_watch *w) { free(w); }
