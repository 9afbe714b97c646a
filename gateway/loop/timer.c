#include <stdlib.h>

#include "gateway/loop/loop.h"

struct timer {
    uv_timer_t uv;
    loop_fn *fn;
    void *arg;
};

static void on_fire(uv_timer_t *h)
{
    struct timer *t = h->data;
    t->fn(t->arg);
}

static void on_closed(uv_handle_t *h) { free(h->data); }

struct err timer_new(struct timer **ret_t, struct loop *l, loop_fn *fn, void *arg)
{
    struct timer *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    t->fn = fn;
    t->arg = arg;
    uv_timer_init(loop_uv(l), &t->uv);
    t->uv.data = t;
    *ret_t = t;
    return OK;
}

void timer_start(struct timer *t, uint64_t ms)
{
    /* libuv counts from its cached time: after a long callback the timer would fire early */
    uv_update_time(t->uv.loop);
    uv_timer_start(&t->uv, on_fire, ms, 0);
}

void timer_stop(struct timer *t) { uv_timer_stop(&t->uv); }
bool timer_active(const struct timer *t) { return uv_is_active((const uv_handle_t *)&t->uv) != 0; }

void timer_free(struct timer *t)
{
    if (t)
        uv_close((uv_handle_t *)&t->uv, on_closed);
}
