#include "gateway/loop/loop.h"

#include <signal.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/loop/pulse.h"

enum { HOOKS_MAX = 32, DEFER_MAX = 65536, DEFER_FIRST = 64, SIGNALS = 3 };

struct call {
    loop_fn *fn;
    void *arg;
};

struct calls {
    struct call *at;
    size_t n, cap;
};

struct loop {
    uv_loop_t uv;
    struct clock clock;
    uv_signal_t signals[SIGNALS];
    uv_idle_t idle;   /* active while calls wait; keeps the poll from blocking */
    uv_timer_t grace;
    uint64_t grace_ms;
    struct calls waiting, running; /* swapped, so that a call deferred by a call runs a turn later */
    size_t run_at;                 /* next of running */
    struct call stop[HOOKS_MAX];
    size_t n_stop;
    struct call hup;
    struct metrics *metrics;
    struct pulse *pulse;
    bool stopping, in_run, forced;
    bool closed; /* loop_free has begun */
};

static void on_signal(uv_signal_t *h, int signum)
{
    struct loop *l = h->data;
    if (signum != SIGHUP)
        loop_stop(l);
    else if (l->hup.fn)
        l->hup.fn(l->hup.arg);
}

static void on_grace(uv_timer_t *h)
{
    struct loop *l = h->data;
    l->forced = true;
    uv_stop(&l->uv);
}

static void on_idle(uv_idle_t *h)
{
    struct loop *l = h->data;
    struct calls turn = l->waiting;
    l->waiting = l->running;
    l->running = turn;
    l->run_at = 0;
    while (l->run_at < l->running.n) {
        struct call c = l->running.at[l->run_at++];
        c.fn(c.arg);
    }
    l->running.n = l->run_at = 0;
    if (l->waiting.n == 0)
        uv_idle_stop(&l->idle);
}

static ERR signals_start(struct loop *l)
{
    static const int SIGNUM[SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
    for (int i = 0; i < SIGNALS; i++) {
        uv_signal_init(&l->uv, &l->signals[i]);
        l->signals[i].data = l;
    }
    for (int i = 0; i < SIGNALS; i++)
        if (uv_signal_start(&l->signals[i], on_signal, SIGNUM[i]) != 0)
            return FAIL(E_IO);
    return OK;
}

struct err loop_new(struct loop **ret_l, struct clock clock)
{
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL(E_NOMEM);
    if (uv_loop_init(&l->uv) != 0) {
        free(l);
        return FAIL(E_NOMEM);
    }
    l->clock = clock;
    sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
    uv_idle_init(&l->uv, &l->idle);
    uv_timer_init(&l->uv, &l->grace);
    l->idle.data = l->grace.data = l;
    uv_unref((uv_handle_t *)&l->grace);
    struct err e = signals_start(l);
    if (!err_ok(e)) {
        loop_free(l);
        return e;
    }
    *ret_l = l;
    return OK;
}

static void close_signals(struct loop *l)
{
    for (int i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&l->signals[i], NULL);
}

void loop_stop(struct loop *l)
{
    if (l->stopping)
        return;
    l->stopping = true;
    /* from here on a second signal has its default effect: the impatient operator wins */
    close_signals(l);
    pulse_free(l->pulse);
    l->pulse = NULL;
    if (l->in_run)
        uv_timer_start(&l->grace, on_grace, l->grace_ms, 0);
    while (l->n_stop > 0) {
        struct call c = l->stop[--l->n_stop];
        c.fn(c.arg);
    }
}

void loop_run(struct loop *l, uint64_t grace_ms)
{
    l->grace_ms = grace_ms;
    l->in_run = true;
    if (l->stopping)
        uv_timer_start(&l->grace, on_grace, grace_ms, 0);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    l->in_run = false;
    if (l->forced)
        LOG(WARN, "loop_forced", LF("grace_ms", grace_ms));
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    l->n_stop = 0;
    loop_stop(l);
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->grace, NULL);
    l->closed = true;
    /* close callbacks come in the turn after uv_close, and may close more */
    for (int turns = 0; turns < 8 && uv_loop_alive(&l->uv); turns++)
        uv_run(&l->uv, UV_RUN_NOWAIT);
    free(l->waiting.at);
    free(l->running.at);
    if (uv_loop_close(&l->uv) == 0) {
        metrics_close(l->metrics);
        free(l);
    } else { /* a handle that somebody left open still points here */
        LOG(WARN, "loop_left_open");
    }
}

struct err loop_count(struct loop *l, const char *dir, struct lit daemon)
{
    MUST(!l->metrics);
    TRY(metrics_open(&l->metrics, dir, daemon));
    return pulse_new(&l->pulse, l, l->metrics);
}

struct metrics *loop_metrics(const struct loop *l) { return l->metrics; }

void loop_on_stop(struct loop *l, loop_fn *fn, void *arg)
{
    MUST(l->n_stop < HOOKS_MAX);
    l->stop[l->n_stop++] = (struct call){ fn, arg };
}

void loop_on_hup(struct loop *l, loop_fn *fn, void *arg)
{
    MUST(!l->hup.fn);
    l->hup = (struct call){ fn, arg };
}

uv_loop_t *loop_uv(struct loop *l) { return &l->uv; }
const struct clock *loop_clock(const struct loop *l) { return &l->clock; }
uint64_t loop_now(const struct loop *l) { return clock_mono(&l->clock); }

static ERR calls_grow(struct calls *q)
{
    size_t cap = q->cap ? 2 * q->cap : DEFER_FIRST;
    struct call *at = reallocarray(q->at, cap, sizeof *at);
    if (!at)
        return FAIL(E_NOMEM);
    q->at = at;
    q->cap = cap;
    return OK;
}

struct err loop_defer(struct loop *l, loop_fn *fn, void *arg)
{
    struct calls *q = &l->waiting;
    if (l->closed || q->n + (l->running.n - l->run_at) >= DEFER_MAX)
        return FAIL(E_FULL);
    if (q->n == q->cap)
        TRY(calls_grow(q));
    q->at[q->n++] = (struct call){ fn, arg };
    if (q->n == 1)
        uv_idle_start(&l->idle, on_idle);
    return OK;
}
