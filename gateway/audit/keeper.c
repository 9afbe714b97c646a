#include "gateway/audit/keeper.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gateway/audit/keeper_int.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { TRY_AGAIN_MS = 1000, ASKS_MAX = 16384, BEHIND = 10 /* niceness */ };

struct ask {
    uint64_t size;
    keeper_checkpoint_fn *done;
    void *arg;
    struct ask *next;
};

struct audit_keeper {
    struct loop *loop;
    struct grown grown;      /* the worker's while `working` */
    struct timer *timer;
    struct ask *asks, **asks_end;
    size_t n_asks;
    uint64_t seq;            /* committed entries */
    uint64_t target;         /* of the work that runs */
    uint64_t wall_ms;        /* for it */
    uint64_t signed_at;      /* loop_now() of the last checkpoint */
    uint64_t not_before;     /* after a failure */
    uv_thread_t worker;      /* its own, behind everything else: an append never waits for it, nor for a processor that it has */
    uv_sem_t wake, ready;
    uv_async_t done;
    _Atomic bool quit;
    _Atomic bool worked;     /* `result` and `grown` are the loop's again */
    bool working, failed, closing;
    struct err result;       /* of the work */
    loop_fn *on_closed;
    void *closed_arg;
};

/* ---- the worker ---- */

static void work(struct audit_keeper *k)
{
    k->result = grown_to(&k->grown, k->target);
    if (err_ok(k->result))
        k->result = grown_flush(&k->grown);
    if (err_ok(k->result))
        k->result = grown_sign(&k->grown, k->wall_ms);
}

/* Where a lower priority is refused, everything is as good, only not as polite. */
static void worker(void *arg)
{
    struct audit_keeper *k = arg;
    prctl(PR_SET_NAME, "audit-tree");
    if (setpriority(PRIO_PROCESS, (id_t)gettid(), BEHIND) != 0) /* of this thread alone */
        LOG(WARN, "audit_tree_not_behind");
    uv_sem_post(&k->ready);
    for (;;) {
        uv_sem_wait(&k->wake);
        if (k->quit)
            return;
        work(k);
        k->worked = true;
        uv_async_send(&k->done);
    }
}

static ERR worker_new(struct audit_keeper *k)
{
    if (uv_sem_init(&k->wake, 0) != 0)
        return FAIL(E_NOMEM);
    if (uv_sem_init(&k->ready, 0) != 0) {
        uv_sem_destroy(&k->wake);
        return FAIL(E_NOMEM);
    }
    if (uv_thread_create(&k->worker, worker, k) != 0) {
        uv_sem_destroy(&k->wake);
        uv_sem_destroy(&k->ready);
        return FAIL(E_NOMEM);
    }
    uv_sem_wait(&k->ready); /* the filter of system calls comes next, and knows no priorities */
    return OK;
}

static void worker_end(struct audit_keeper *k)
{
    k->quit = true;
    uv_sem_post(&k->wake);
    uv_thread_join(&k->worker);
    uv_sem_destroy(&k->wake);
    uv_sem_destroy(&k->ready);
}

/* ---- what is next ---- */

static void advance(void *arg);

static void after(uv_async_t *done)
{
    struct audit_keeper *k = done->data;
    if (!k->worked)
        return;
    k->worked = k->working = false;
    struct err e = k->result;
    if (!err_ok(e) && !k->failed)
        LOG(ERROR, "audit_tree_failed", LF("error", e), LF("seq", k->target));
    if (err_ok(e) && k->failed)
        LOG(WARN, "audit_tree_recovered", LF("seq", k->target));
    k->failed = !err_ok(e);
    k->signed_at = loop_now(k->loop);
    k->not_before = k->failed ? k->signed_at + TRY_AGAIN_MS : 0;
    advance(k);
}

static void start(struct audit_keeper *k)
{
    k->target = k->seq;
    k->wall_ms = clock_wall(loop_clock(k->loop));
    k->working = true;
    uv_sem_post(&k->wake);
}

/* Those that can be answered, once; the others stay. */
static void answer(struct audit_keeper *k)
{
    struct ask *left = k->asks;
    k->asks = NULL;
    k->asks_end = &k->asks;
    while (left) {
        struct ask *x = left;
        left = x->next;
        bool there = k->grown.note.n > 0 && x->size <= k->grown.head.size;
        bool never = x->size > k->seq || k->failed || k->closing;
        if (!there && !never) {
            x->next = NULL;
            *k->asks_end = x;
            k->asks_end = &x->next;
            continue;
        }
        k->n_asks--;
        x->done(x->arg, there ? OK : FAIL(E_AUDIT_DOWN), there ? &k->grown.head : NULL, there ? buf_slice(&k->grown.note) : SLICE_NONE);
        free(x);
    }
}

static void on_done_closed(uv_handle_t *h)
{
    struct audit_keeper *k = h->data;
    loop_fn *fn = k->on_closed;
    void *arg = k->closed_arg;
    grown_close(&k->grown);
    free(k);
    fn(arg);
}

static void finish(struct audit_keeper *k)
{
    worker_end(k);
    timer_free(k->timer);
    uv_close((uv_handle_t *)&k->done, on_done_closed);
}

/* The one place that decides what is next. From the timer or when the worker is done, never inside a call. */
static void advance(void *arg)
{
    struct audit_keeper *k = arg;
    if (k->working)
        return;
    bool behind = k->seq > k->grown.head.size;
    if (!(k->closing && behind && !k->failed))
        answer(k);
    uint64_t now = loop_now(k->loop), due = k->asks || k->closing ? now : k->signed_at + AUDIT_CHECKPOINT_MS;
    if (due < k->not_before)
        due = k->not_before;
    if (k->closing && (!behind || k->failed)) {
        finish(k);
        return;
    }
    if (!behind)
        return;
    if (due > now)
        timer_start(k->timer, due - now);
    else
        start(k);
}

void audit_keeper_grew(struct audit_keeper *k, uint64_t seq)
{
    k->seq = seq;
    if (!k->working && !timer_active(k->timer))
        timer_start(k->timer, 0);
}

void audit_keeper_ask(struct audit_keeper *k, uint64_t size, keeper_checkpoint_fn *done, void *arg)
{
    struct ask *x = malloc(sizeof *x);
    MUST(x); /* who waits must be told */
    *x = (struct ask){ .size = k->n_asks < ASKS_MAX ? size : UINT64_MAX, .done = done, .arg = arg };
    *k->asks_end = x;
    k->asks_end = &x->next;
    k->n_asks++;
    if (!k->working)
        timer_start(k->timer, 0);
}

static ERR open_all(struct audit_keeper *k, const struct audit_keeper_conf *conf, uint64_t seq)
{
    struct err e = grown_open(&k->grown, conf, seq, clock_wall(loop_clock(k->loop)));
    if (err_ok(e))
        e = worker_new(k);
    if (err_ok(e) && uv_async_init(loop_uv(k->loop), &k->done, after) != 0) {
        worker_end(k);
        e = FAIL(E_IO);
    }
    if (!err_ok(e))
        grown_close(&k->grown);
    k->done.data = k;
    return e;
}

struct err audit_keeper_new(struct audit_keeper **ret_k, struct loop *l, struct audit_keeper_conf conf, uint64_t seq)
{
    struct audit_keeper *k = calloc(1, sizeof *k);
    if (!k)
        return FAIL(E_NOMEM);
    k->loop = l;
    k->seq = seq;
    k->asks_end = &k->asks;
    struct err e = timer_new(&k->timer, l, advance, k);
    if (err_ok(e))
        e = open_all(k, &conf, seq);
    if (!err_ok(e)) {
        timer_free(k->timer);
        free(k);
        return e;
    }
    k->signed_at = loop_now(l);
    *ret_k = k;
    return OK;
}

void audit_keeper_close(struct audit_keeper *k, loop_fn *fn, void *arg)
{
    k->closing = true;
    k->on_closed = fn;
    k->closed_arg = arg;
    if (!k->working)
        timer_start(k->timer, 0);
}
