#include "gateway/lookup/rhythm.h"

#include <stdlib.h>

#include "gateway/loop/alarm.h"

#define NS_OF_MS UINT64_C(1000000)

struct rhythm { struct due *due; };

uint64_t rhythm_beat(uint64_t arrived_ns, uint64_t now_ns, uint64_t last_ns)
{
    uint64_t step = RHYTHM_FIRST_MS * NS_OF_MS;
    while (arrived_ns + step < now_ns && arrived_ns + step < last_ns)
        step *= 2;
    return arrived_ns + step < last_ns ? arrived_ns + step : last_ns;
}

static void on_due(void *ctx, struct due_item *it)
{
    (void)ctx;
    struct rhythm_place *p = (struct rhythm_place *)it;
    p->fn(p->arg);
}

struct err rhythm_new(struct rhythm **ret_h, struct loop *l)
{
    struct rhythm *h = calloc(1, sizeof *h);
    struct err e = h ? due_new_exact(&h->due, l, on_due, h) : FAIL(E_NOMEM);
    if (err_ok(e))
        *ret_h = h;
    else
        free(h);
    return e;
}

void rhythm_free(struct rhythm *h)
{
    if (h)
        due_free(h->due);
    free(h);
}

void rhythm_arrived(struct rhythm_place *p, uint64_t left_ms)
{
    *p = (struct rhythm_place){ .arrived_ns = alarm_now() };
    p->last_ns = p->arrived_ns + (left_ms > RHYTHM_MARGIN_MS ? left_ms - RHYTHM_MARGIN_MS : 0) * NS_OF_MS;
}

void rhythm_wait(struct rhythm *h, struct rhythm_place *p, void (*fn)(void *arg), void *arg)
{
    p->fn = fn;
    p->arg = arg;
    due_add(h->due, &p->due, rhythm_beat(p->arrived_ns, alarm_now(), p->last_ns));
}
