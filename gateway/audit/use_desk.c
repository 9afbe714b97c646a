#include "gateway/audit/use_desk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "gateway/audit/uses_load.h"
#include "gateway/base/must.h"
#include "gateway/metrics/metrics.h"

enum { BUCKETS = 1024, TIDY_MS = 1000, TIDY_SHARDS = 8, FULL_LOG_EVERY_MS = 60 * 1000, HOUR_MS = 3600 * 1000, MARKS = USES_BACK_S / 3600 + 2 };

/* A use that is asked for. */
struct asked {
    STAILQ_ENTRY(asked) at;           /* among those that wait for the log, or for the one that is under way */
    TAILQ_ENTRY(asked) under_way;
    STAILQ_HEAD(asked_line, asked) behind; /* of the one that is under way: others of the same key */
    struct use_desk *desk;
    struct audit_rec rec;
    enum ipc_role from;
    use_desk_fn *done;
    void *arg;
};

struct use_desk {
    struct loop *loop;
    struct audit_writer *writer;
    struct uses *uses;
    size_t n_asked, uses_max;
    TAILQ_HEAD(bucket, asked) under_way[BUCKETS];
    struct asked_line early;          /* until the set is made */
    bool loaded, loading, stopping;
    uint64_t born_ms, again_ms, full_told_ms;
    struct uses_load load;
    struct err load_result;
    atomic_bool stop;
    uv_work_t load_work;
    struct timer *again, *tidy;
    uint64_t mark[MARKS], mark_hour;  /* entries at each of the last hours since the start; the newest is that of mark_hour */
    uint64_t prunable;                /* what the load left */
    struct { metric *held, *refused; } count;
    loop_fn *on_closed;
    void *closed_arg;
};

static uint64_t wall(const struct use_desk *d) { return clock_wall(loop_clock(d->loop)); }
static struct uses_now now_of(const struct use_desk *d) { return (struct uses_now){ wall(d), loop_now(d->loop) }; }

static void tell(struct asked *a, struct err e, uint64_t seq, uint64_t used_ms)
{
    struct use_desk *d = a->desk;
    d->n_asked--;
    if (err_is(e, E_USED))
        metric_add(d->count.refused, 1);
    a->done(a->arg, e, seq, used_ms);
    free(a);
}

static void tell_line(struct asked_line *line, struct err e, uint64_t used_ms)
{
    struct asked_line now = STAILQ_HEAD_INITIALIZER(now);
    STAILQ_CONCAT(&now, line); /* whoever is told may come back at once */
    for (struct asked *a; (a = STAILQ_FIRST(&now));) {
        STAILQ_REMOVE_HEAD(&now, at);
        tell(a, e, 0, used_ms);
    }
}

/* ---- one key ---- */

static struct bucket *bucket_of(struct use_desk *d, const uint8_t *ref) { return &d->under_way[((unsigned)ref[2] << 8 | ref[3]) % BUCKETS]; }

static struct asked *find_under_way(struct use_desk *d, const uint8_t *ref)
{
    struct asked *a;
    TAILQ_FOREACH(a, bucket_of(d, ref), under_way)
        if (slice_eq(slice_of(ref, AUDIT_HANDLE_BYTES), ARR(a->rec.ref)))
            return a;
    return NULL;
}

static void on_written(void *arg, struct err e, uint64_t seq);

/* The room for it is reserved. */
static void write_use(struct asked *a)
{
    struct use_desk *d = a->desk;
    uint8_t wire[AUDIT_REC_BYTES];
    a->rec.wall_ms = wall(d);
    audit_encode(&a->rec, wire);
    TAILQ_INSERT_TAIL(bucket_of(d, a->rec.ref), a, under_way);
    audit_writer_append(d->writer, wire, a->from, on_written, a);
}

static void written(struct use_desk *d, struct asked *a)
{
    struct use use = { .used_ms = a->rec.wall_ms, .until_s = a->rec.until_s, .held_ms = loop_now(d->loop) + (uint64_t)AUDIT_USE_S * 1000 };
    uses_add(d->uses, a->rec.ref, &use);
    metric_set(d->count.held, uses_count(d->uses));
}

/* Nothing was written: the next one that waited is written in its place. */
static void not_written(struct use_desk *d, struct asked *a)
{
    struct asked *next = STAILQ_FIRST(&a->behind);
    if (!next || d->stopping) {
        uses_release(d->uses, a->rec.ref);
        return;
    }
    STAILQ_REMOVE_HEAD(&a->behind, at);
    STAILQ_CONCAT(&next->behind, &a->behind);
    write_use(next);
}

static void on_written(void *arg, struct err e, uint64_t seq)
{
    struct asked *a = arg;
    struct use_desk *d = a->desk;
    uint64_t used_ms = a->rec.wall_ms;
    struct asked_line behind = STAILQ_HEAD_INITIALIZER(behind);
    TAILQ_REMOVE(bucket_of(d, a->rec.ref), a, under_way);
    if (err_ok(e))
        written(d, a);
    else
        not_written(d, a);
    STAILQ_CONCAT(&behind, &a->behind);
    tell(a, e, seq, used_ms);
    tell_line(&behind, err_ok(e) ? FAIL(E_USED) : FAIL(E_AUDIT_DOWN), used_ms);
}

static void tell_full(struct use_desk *d)
{
    uint64_t now = loop_now(d->loop);
    if (d->full_told_ms && now - d->full_told_ms < FULL_LOG_EVERY_MS)
        return;
    d->full_told_ms = now;
    LOG(ERROR, "audit_uses_full", LF("uses", (uint64_t)uses_count(d->uses)), LF("hint", LITERAL("no room for another link key; more memory, or fewer of them")));
}

/* AUDIT_DOWN: it could not be remembered. */
static ERR make_room(struct use_desk *d, const struct audit_rec *rec)
{
    struct uses_now now = now_of(d);
    if ((uint64_t)rec->until_s * 1000 > now.wall_ms + (uint64_t)USES_BACK_S * 1000) { /* after a start it would be looked for in vain */
        LOG(ERROR, "audit_use_ends_late", LF("hint", LITERAL("the clock of pmhgw-audit is far behind that of the front")));
        return FAIL(E_AUDIT_DOWN);
    }
    if (err_ok(uses_reserve(d->uses, rec->ref, now)))
        return OK;
    tell_full(d);
    return FAIL(E_AUDIT_DOWN);
}

static void decide(struct asked *a)
{
    struct use_desk *d = a->desk;
    uint64_t used_ms;
    struct err e;
    struct asked *first = find_under_way(d, a->rec.ref);
    if (first) {
        STAILQ_INSERT_TAIL(&first->behind, a, at);
    } else if (uses_find(d->uses, a->rec.ref, &used_ms)) {
        tell(a, FAIL(E_USED), 0, used_ms);
    } else if (e = make_room(d, &a->rec), !err_ok(e)) {
        tell(a, e, 0, 0);
    } else {
        write_use(a);
    }
}

void use_desk_ask(struct use_desk *d, const struct audit_rec *rec, enum ipc_role from, use_desk_fn *done, void *arg)
{
    struct asked *a = calloc(1, sizeof *a);
    if (!a) {
        done(arg, FAIL(E_AUDIT_DOWN), 0, 0);
        return;
    }
    a->desk = d;
    a->rec = *rec;
    a->from = from;
    a->done = done;
    a->arg = arg;
    STAILQ_INIT(&a->behind);
    if (d->n_asked++ >= USE_ASKED_MAX || d->stopping)
        tell(a, FAIL(E_AUDIT_DOWN), 0, 0);
    else if (!d->loaded)
        STAILQ_INSERT_TAIL(&d->early, a, at);
    else
        decide(a);
}

/* ---- after a start ---- */

static void load_run(uv_work_t *work)
{
    struct use_desk *d = work->data;
    d->load_result = uses_load(&d->load);
}

static void load_begin(void *arg);
static void maybe_free(struct use_desk *d);

static void loaded(struct use_desk *d)
{
    d->loaded = true;
    d->prunable = d->load.from ? d->load.from - 1 : d->load.newest;
    d->mark[0] = d->load.newest;
    metric_set(d->count.held, uses_count(d->uses));
    LOG(INFO, "audit_uses_known", LF("uses", (uint64_t)uses_count(d->uses)), LF("milliseconds", loop_now(d->loop) - d->born_ms));
    for (struct asked *a; (a = STAILQ_FIRST(&d->early));) {
        STAILQ_REMOVE_HEAD(&d->early, at);
        decide(a);
    }
}

/* No use was taken since the start: so much later every key that was used before has ended by itself, whatever the log cannot say any more. */
static bool outlived(const struct use_desk *d) { return loop_now(d->loop) - d->born_ms > (uint64_t)AUDIT_USE_S * 1000; }

static void load_after(uv_work_t *work, int status)
{
    struct use_desk *d = work->data;
    d->loading = false;
    if (status != 0)
        d->load_result = FAIL(E_CANCELED);
    if (d->stopping) {
        maybe_free(d);
    } else if (err_ok(d->load_result) || outlived(d)) {
        loaded(d);
    } else {
        LOG(ERROR, "audit_uses_unknown", LF("error", d->load_result), LF("hint", LITERAL("no link key is taken until the log of the last two days can be read")));
        timer_start(d->again, d->again_ms);
    }
}

static void load_begin(void *arg)
{
    struct use_desk *d = arg;
    struct uses *fresh = NULL;
    struct err e = uses_new(&fresh, d->uses_max); /* what a reading before left there is read again */
    if (err_ok(e)) {
        uses_free(d->uses);
        d->uses = d->load.uses = fresh;
        d->load.now = now_of(d);
        d->load.from = 0;
        d->load_work.data = d;
        d->loading = uv_queue_work(loop_uv(d->loop), &d->load_work, load_run, load_after) == 0;
    }
    if (!d->loading)
        timer_start(d->again, d->again_ms);
}

/* ---- in good time ---- */

static void on_tidy(void *arg)
{
    struct use_desk *d = arg;
    if (d->loaded) {
        uses_forget(d->uses, now_of(d), TIDY_SHARDS);
        metric_set(d->count.held, uses_count(d->uses));
    }
    timer_start(d->tidy, TIDY_MS);
}

uint64_t use_desk_prunable(struct use_desk *d, uint64_t seq)
{
    uint64_t hour = (loop_now(d->loop) - d->born_ms) / HOUR_MS;
    if (!d->loaded)
        return 0;
    for (; d->mark_hour < hour; d->mark_hour++) /* what came in hours in which nobody asked counts as newer than it is */
        d->mark[(d->mark_hour + 1) % MARKS] = d->mark_hour + 1 < hour ? d->mark[d->mark_hour % MARKS] : seq;
    uint64_t to = hour < MARKS - 1 ? d->prunable : d->mark[(hour + 1) % MARKS];
    return to < seq ? to : seq;
}

/* ---- life ---- */

struct err use_desk_new(struct use_desk **ret_d, struct loop *l, struct use_desk_conf conf)
{
    struct use_desk *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL(E_NOMEM);
    d->loop = l;
    d->writer = conf.writer;
    d->uses_max = conf.uses_max;
    d->again_ms = conf.again_ms;
    d->born_ms = loop_now(l);
    d->load = (struct uses_load){ .dir = open(conf.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), .oldest = conf.found->pruned + 1, .newest = conf.found->seq, .stop = &d->stop };
    d->count.held = metrics_of(loop_metrics(l), MF_AUDIT_USES, 0, NULL);
    d->count.refused = metrics_of(loop_metrics(l), MF_AUDIT_USES_REFUSED, 0, NULL);
    STAILQ_INIT(&d->early);
    for (int i = 0; i < BUCKETS; i++)
        TAILQ_INIT(&d->under_way[i]);
    struct err e = d->load.dir >= 0 ? timer_new(&d->again, l, load_begin, d) : FAIL(E_IO);
    if (err_ok(e))
        e = timer_new(&d->tidy, l, on_tidy, d);
    if (!err_ok(e)) {
        use_desk_close(d, NULL, NULL);
        return e;
    }
    timer_start(d->tidy, TIDY_MS);
    load_begin(d);
    *ret_d = d;
    return OK;
}

void use_desk_stop(struct use_desk *d)
{
    if (!d || d->stopping)
        return;
    d->stopping = true;
    atomic_store(&d->stop, true);
    if (d->again)
        timer_stop(d->again);
    if (d->tidy)
        timer_stop(d->tidy);
    tell_line(&d->early, FAIL(E_AUDIT_DOWN), 0);
}

static void maybe_free(struct use_desk *d)
{
    loop_fn *fn = d->on_closed;
    void *arg = d->closed_arg;
    if (d->loading || !fn)
        return;
    MUST(d->n_asked == 0);
    timer_free(d->again);
    timer_free(d->tidy);
    if (d->load.dir >= 0)
        close(d->load.dir);
    uses_free(d->uses);
    free(d);
    fn(arg);
}

static void nobody(void *arg) { (void)arg; }

void use_desk_close(struct use_desk *d, loop_fn *fn, void *arg)
{
    if (!d) {
        fn(arg);
        return;
    }
    use_desk_stop(d);
    d->on_closed = fn ? fn : nobody;
    d->closed_arg = arg;
    maybe_free(d);
}
