#include "gateway/loop/due.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/loop/alarm.h"

enum { FIRST = 256, BURST = 256 };

/* A binary heap in v[1..n], the earliest at v[1]; every item knows its slot. */
struct due {
    struct loop *loop;
    struct timer *timer; /* one of the two */
    struct alarm *alarm;
    due_fn *fn;
    void *ctx;
    struct due_item **v;
    size_t n, cap;
    uint64_t armed_at; /* what the running timer waits for */
    bool firing, freed;
};

static void place(struct due *d, size_t slot, struct due_item *it)
{
    d->v[slot] = it;
    it->slot = slot;
}

static void rise(struct due *d, size_t slot, struct due_item *it)
{
    for (; slot > 1 && it->at < d->v[slot / 2]->at; slot /= 2)
        place(d, slot, d->v[slot / 2]);
    place(d, slot, it);
}

static void sink(struct due *d, size_t slot, struct due_item *it)
{
    for (size_t kid; (kid = 2 * slot) <= d->n; slot = kid) {
        if (kid < d->n && d->v[kid + 1]->at < d->v[kid]->at)
            kid++;
        if (it->at <= d->v[kid]->at)
            break;
        place(d, slot, d->v[kid]);
    }
    place(d, slot, it);
}

static uint64_t now_of(const struct due *d) { return d->alarm ? alarm_now() : loop_now(d->loop); }
static bool is_armed(const struct due *d) { return d->alarm ? alarm_is_set(d->alarm) : timer_active(d->timer); }

/* Starts the timer for the earliest item; an earlier start for an item that has gone only fires for nothing. */
static void arm(struct due *d)
{
    if (d->firing || d->n == 0)
        return;
    uint64_t at = d->v[1]->at;
    if (is_armed(d) && d->armed_at <= at)
        return;
    d->armed_at = at;
    if (d->alarm) {
        alarm_set(d->alarm, at);
        return;
    }
    uint64_t now = loop_now(d->loop);
    timer_start(d->timer, at > now ? at - now : 0);
}

static void destroy(struct due *d)
{
    timer_free(d->timer);
    alarm_free(d->alarm);
    free(d->v);
    free(d);
}

static void on_timer(void *arg)
{
    struct due *d = arg;
    uint64_t now = now_of(d);
    d->firing = true;
    /* bounded, so that a callback that adds what is due at once cannot hold the loop */
    for (int i = 0; i < BURST && !d->freed && d->n > 0 && d->v[1]->at <= now; i++) {
        struct due_item *it = d->v[1];
        due_drop(d, it);
        d->fn(d->ctx, it);
    }
    d->firing = false;
    if (d->freed)
        destroy(d);
    else
        arm(d);
}

static ERR make(struct due **ret_d, struct loop *l, bool exact, due_fn *fn, void *ctx)
{
    struct due *d = calloc(1, sizeof *d);
    if (!d)
        return FAIL(E_NOMEM);
    *d = (struct due){ .loop = l, .fn = fn, .ctx = ctx, .cap = FIRST };
    d->v = calloc(FIRST, sizeof *d->v);
    struct err e = d->v ? OK : FAIL(E_NOMEM);
    if (err_ok(e))
        e = exact ? alarm_new(&d->alarm, l, on_timer, d) : timer_new(&d->timer, l, on_timer, d);
    if (!err_ok(e)) {
        free(d->v);
        free(d);
        return e;
    }
    *ret_d = d;
    return OK;
}

struct err due_new(struct due **ret_d, struct loop *l, due_fn *fn, void *ctx) { return make(ret_d, l, false, fn, ctx); }
struct err due_new_exact(struct due **ret_d, struct loop *l, due_fn *fn, void *ctx) { return make(ret_d, l, true, fn, ctx); }

void due_free(struct due *d)
{
    if (!d)
        return;
    d->freed = true;
    if (!d->firing)
        destroy(d);
}

void due_add(struct due *d, struct due_item *it, uint64_t at)
{
    if (d->n + 1 == d->cap) {
        struct due_item **v = reallocarray(d->v, 2 * d->cap, sizeof *v);
        MUST(v);
        d->v = v;
        d->cap *= 2;
    }
    it->at = at;
    rise(d, ++d->n, it);
    arm(d);
}

void due_drop(struct due *d, struct due_item *it)
{
    size_t slot = it->slot;
    if (slot == 0)
        return;
    it->slot = 0;
    struct due_item *last = d->v[d->n--];
    if (last == it)
        return;
    if (slot > 1 && last->at < d->v[slot / 2]->at)
        rise(d, slot, last);
    else
        sink(d, slot, last);
}
