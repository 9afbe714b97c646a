/* One child after the other is exchanged for a new one. Its socket stays open, so that callers wait instead of failing. */

#include <signal.h>
#include <unistd.h>

#include "keys/ctl/children_int.h"
#include "keys/ctl/say.h"

enum { RENEW_START_MS = 10000, LINES_MAX = 4096 };
enum outcome { UNKNOWN, RENEWED, KEPT, FAILED };

static void finish(struct children *all)
{
    static const char *const WORDS[] = { [UNKNOWN] = " unknown\n", [RENEWED] = " renewed\n", [KEPT] = " kept\n", [FAILED] = " failed\n" };
    struct buf lines;
    void (*done)(void *, struct slice) = all->order_done;
    buf_init(&lines, LINES_MAX);
    for (size_t i = 0; i < all->n_orders; i++) {
        buf_puts(&lines, all->orders[i].child ? all->orders[i].child->spec->name : "-");
        buf_puts(&lines, WORDS[all->orders[i].outcome]);
    }
    all->order_done = NULL;
    all->n_orders = 0;
    done(all->order_arg, buf_slice(&lines));
    buf_done(&lines);
}

static void ended(struct child *c, enum outcome o)
{
    struct children *all = c->all;
    c->renew = RENEW_NO;
    timer_stop(c->late);
    if (c->before >= 0)
        close(c->before);
    c->before = -1;
    if (all->order_done && all->orders[all->at_order].child == c) {
        all->orders[all->at_order++].outcome = o;
        timer_start(all->order_timer, 0);
    }
}

void renew__late(void *child)
{
    struct child *c = child;
    say_warn("%s が終わりません。強制終了します", "%s does not end; it is killed", c->spec->name);
    uv_process_kill(&c->process, SIGKILL);
}

static void stop_child(struct child *c)
{
    c->renew = RENEW_STOPS;
    c->before = c->exe;
    c->exe = -1;
    c->old = false;
    if (!c->running) { /* it is waiting for its next start anyway */
        timer_stop(c->restart);
        (void)renew__ended(c);
        return;
    }
    timer_start(c->late, c->spec->stop_ms(c->all->conf.state));
    uv_process_kill(&c->process, SIGTERM);
}

void renew__next(void *arg)
{
    struct children *all = arg;
    if (all->stopping || !all->order_done)
        return;
    while (all->at_order < all->n_orders && !all->orders[all->at_order].child)
        all->at_order++;
    if (all->at_order == all->n_orders)
        finish(all);
    else
        stop_child(all->orders[all->at_order].child);
}

static void start_again(struct child *c, int state)
{
    c->renew = state;
    timer_stop(c->late);
    child__start(c);
    c->deadline = loop_now(c->all->loop) + RENEW_START_MS;
}

/* From what ran before; its descriptor is the child's again. */
static void go_back(struct child *c)
{
    if (c->exe >= 0)
        close(c->exe);
    c->exe = c->before;
    c->before = -1;
    c->old = c->exe >= 0;
    start_again(c, RENEW_BACK);
}

bool renew__ended(struct child *c)
{
    if (c->renew == RENEW_STOPS)
        start_again(c, RENEW_STARTS);
    else if (c->renew == RENEW_STARTS)
        go_back(c);
    else if (c->renew == RENEW_BACK)
        ended(c, FAILED);
    else
        return false;
    return c->renew != RENEW_NO; /* a child that failed is started again like any that dies */
}

void renew__answers(struct child *c)
{
    if (c->renew == RENEW_STARTS)
        ended(c, RENEWED);
    else if (c->renew == RENEW_BACK)
        ended(c, KEPT);
}

bool renew__failed(struct child *c)
{
    if (c->renew != RENEW_STARTS && c->renew != RENEW_BACK)
        return false;
    uv_process_kill(&c->process, SIGKILL); /* then renew__ended() */
    return true;
}

static struct child *find(struct children *all, struct slice name)
{
    for (size_t i = 0; i < all->n; i++)
        if (slice_eq(name, slice_str(all->list[i].spec->name)))
            return &all->list[i];
    return NULL;
}

bool children_renew(struct children *all, struct slice names, void (*done)(void *arg, struct slice lines), void *arg)
{
    if (all->order_done || all->stopping)
        return false;
    all->order_done = done;
    all->order_arg = arg;
    all->n_orders = all->at_order = 0;
    while (names.n > 0 && all->n_orders < CHILDREN_MAX) {
        size_t n = 0;
        while (n < names.n && names.p[n] != '\n' && names.p[n] != ' ')
            n++;
        if (n > 0)
            all->orders[all->n_orders++] = (struct order){ find(all, slice_of(names.p, n)), UNKNOWN };
        names = slice_of(names.p + n, names.n - n);
        if (names.n > 0)
            names = slice_of(names.p + 1, names.n - 1);
    }
    timer_start(all->order_timer, 0);
    return true;
}

void children_signal(const struct children *all, const char *const *names, size_t n, int signum)
{
    for (size_t i = 0; i < n; i++) {
        struct child *c = find((struct children *)(uintptr_t)all, slice_str(names[i]));
        if (c && c->running)
            uv_process_kill(&c->process, signum);
    }
}
