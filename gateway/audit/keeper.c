#include "gateway/audit/keeper.h"

#include <stdlib.h>

#include "gateway/audit/keeper_int.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { TRY_AGAIN_MS = 1000, ASKS_MAX = 16384 };

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
    uv_work_t work;
    bool working, failed, closing;
    struct err result;
    loop_fn *on_closed;
    void *closed_arg;
};

static void run(uv_work_t *work)
{
    struct audit_keeper *k = work->data;
    k->result = grown_to(&k->grown, k->target);
    if (err_ok(k->result))
        k->result = grown_flush(&k->grown);
    if (err_ok(k->result))
        k->result = grown_sign(&k->grown, k->wall_ms);
}

static void advance(void *arg);

static void after(uv_work_t *work, int status)
{
    struct audit_keeper *k = work->data;
    k->working = false;
    struct err e = status == 0 ? k->result : FAIL(E_CANCELED);
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
    k->working = uv_queue_work(loop_uv(k->loop), &k->work, run, after) == 0;
    if (k->working)
        return;
    k->failed = true;
    k->not_before = loop_now(k->loop) + TRY_AGAIN_MS;
    timer_start(k->timer, TRY_AGAIN_MS);
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

static void finish(struct audit_keeper *k)
{
    loop_fn *fn = k->on_closed;
    void *arg = k->closed_arg;
    timer_free(k->timer);
    grown_close(&k->grown);
    free(k);
    fn(arg);
}

/* The one place that decides what is next. From the timer or after the work, never inside a call. */
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

struct err audit_keeper_new(struct audit_keeper **ret_k, struct loop *l, struct audit_keeper_conf conf, uint64_t seq)
{
    struct audit_keeper *k = calloc(1, sizeof *k);
    if (!k)
        return FAIL(E_NOMEM);
    k->loop = l;
    k->seq = seq;
    k->asks_end = &k->asks;
    k->work.data = k;
    struct err e = timer_new(&k->timer, l, advance, k);
    if (err_ok(e)) {
        e = grown_open(&k->grown, &conf, seq, clock_wall(loop_clock(l)));
        if (!err_ok(e))
            grown_close(&k->grown);
    }
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
