#include "gateway/audit/retain.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/log.h"

/* LOOK and REMOVE run on a worker; TELL waits for the entry. */
enum step { IDLE, LOOK, TELL, REMOVE };

struct audit_retain {
    struct loop *loop;
    struct audit_retain_conf conf;
    int dir;
    enum step step;
    struct log_point gone, to; /* removed already; what is to be removed */
    uint64_t seq, older_ms;    /* of the work that runs */
    struct err result;
    uv_work_t work;
    struct timer *timer;
    bool closing;
    loop_fn *on_closed;
    void *closed_arg;
};

static void work_run(uv_work_t *w)
{
    struct audit_retain *t = w->data;
    if (t->step == LOOK) {
        t->result = retain_remove(t->dir, &t->gone); /* what a crash left */
        if (err_ok(t->result))
            t->result = retain_look(t->dir, t->conf.dir, &t->gone, t->seq, t->older_ms, &t->to);
        return;
    }
    t->result = retain_mark(t->dir, &t->to);
    if (err_ok(t->result))
        t->result = retain_remove(t->dir, &t->to);
}

static void finish(struct audit_retain *t)
{
    loop_fn *fn = t->on_closed;
    void *arg = t->closed_arg;
    timer_free(t->timer);
    if (t->dir >= 0)
        close(t->dir);
    free(t);
    if (fn)
        fn(arg);
}

static void rest(struct audit_retain *t, uint64_t ms)
{
    t->step = IDLE;
    if (t->closing)
        finish(t);
    else
        timer_start(t->timer, ms);
}

static void work_after(uv_work_t *w, int status);

static void work_start(struct audit_retain *t, enum step step)
{
    t->step = step;
    t->work.data = t;
    if (uv_queue_work(loop_uv(t->loop), &t->work, work_run, work_after) != 0)
        rest(t, t->conf.every_ms);
}

static void looked(struct audit_retain *t)
{
    if (t->closing || t->to.seq == t->gone.seq) {
        rest(t, t->conf.every_ms);
        return;
    }
    t->step = TELL;
    t->conf.tell(t->conf.arg, (uint32_t)(t->to.seq / AUDIT_SEGMENT_ENTRIES));
}

static void removed(struct audit_retain *t)
{
    LOG(INFO, "audit_pruned", LF("seq", t->to.seq), LF("entries", t->to.seq - t->gone.seq));
    t->gone = t->to;
    rest(t, 0); /* there may be more */
}

static void work_after(uv_work_t *w, int status)
{
    struct audit_retain *t = w->data;
    if (status != 0)
        t->result = FAIL(E_CANCELED);
    if (!err_ok(t->result)) {
        LOG(ERROR, "audit_prune_failed", LF("error", t->result), LF("seq", t->gone.seq + 1));
        rest(t, t->conf.every_ms);
    } else if (t->step == LOOK) {
        looked(t);
    } else {
        removed(t);
    }
}

void audit_retain_told(struct audit_retain *t, struct err e)
{
    if (t->step != TELL)
        return;
    if (!err_ok(e) || t->closing) { /* told and not done: the next one says so again, and does it */
        rest(t, t->conf.every_ms);
        return;
    }
    t->conf.pruned(t->conf.arg, t->to.seq);
    work_start(t, REMOVE);
}

static void on_time(void *arg)
{
    struct audit_retain *t = arg;
    uint64_t now = clock_wall(loop_clock(t->loop));
    t->seq = t->conf.seq(t->conf.arg);
    t->older_ms = now > t->conf.keep_ms ? now - t->conf.keep_ms : 0;
    work_start(t, LOOK);
}

struct err audit_retain_new(struct audit_retain **ret_t, struct loop *l, struct audit_retain_conf conf)
{
    struct audit_retain *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    *t = (struct audit_retain){ .loop = l, .conf = conf, .dir = open(conf.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
    struct err e = t->dir < 0 || pruned_read(t->dir, &t->gone) == HEAD_BAD ? FAIL(E_IO) : timer_new(&t->timer, l, on_time, t);
    if (!err_ok(e)) {
        finish(t);
        return e;
    }
    timer_start(t->timer, conf.first_ms);
    *ret_t = t;
    return OK;
}

void audit_retain_close(struct audit_retain *t, loop_fn *fn, void *arg)
{
    if (!t) {
        fn(arg);
        return;
    }
    t->closing = true;
    t->on_closed = fn;
    t->closed_arg = arg;
    timer_stop(t->timer);
    if (t->step == IDLE || t->step == TELL)
        finish(t);
}
