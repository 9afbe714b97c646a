/* Reaches limit.c and budget.c: requests of a few parties come, wait, are called and leave in any order; nothing is ever beyond its maximum or left over. */

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/serve/budget.h"

enum { PARTIES = 6, PLACES = 48, WORK_MAX = 5, WAIT_MAX = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

struct world { struct budget *b; struct party *who[PARTIES]; struct place at[PLACES]; uint64_t now; };

static void go(struct place *p) { MUST(p->state == PLACE_IN_WORK); }

static void ask(struct world *w, uint8_t a, uint8_t b)
{
    struct place *p = &w->at[a % PLACES];
    if (p->state != PLACE_NONE)
        return;
    *p = (struct place){ .state = PLACE_NONE };
    bool taken = budget_ask(w->b, p, w->who[b % PARTIES], (enum budget_class)(b / PARTIES % BUDGET__MAX), w->now, go);
    MUST(taken == (p->state != PLACE_NONE));
}

static void step(struct world *w, uint8_t what, uint8_t a, uint8_t b)
{
    uint64_t after = 0;
    switch (what % 8) {
    case 0: case 1: case 2: ask(w, a, b); break;
    case 3: case 4: budget_leave(w->b, &w->at[a % PLACES]); break;
    case 5: budget_turn(w->b); break;
    case 6: w->now += (uint64_t)a * b; break;
    default:
        if (!limit_take(budget_limit(w->b), w->who[a % PARTIES], (struct rate){ 3, 2 }, w->now, &after))
            MUST(after > 0 && after <= 1000);
    }
    struct budget_state s = budget_state(w->b);
    MUST(s.in_work <= WORK_MAX && s.waiting <= WAIT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct world w = { .now = 1 };
    struct budget_conf conf = budget_conf_default();
    conf.work_max = WORK_MAX;
    conf.wait_max = WAIT_MAX;
    if (!err_ok(budget_new(&w.b, NULL, &conf)))
        abort();
    for (size_t i = 0; i < PARTIES; i++)
        if (!(w.who[i] = limit_hold(budget_limit(w.b), slice_of(&"abcdef"[i], 1), i % 2)))
            abort();
    for (size_t i = 0; i + 3 <= n; i += 3)
        step(&w, p[i], p[i + 1], p[i + 2]);
    for (size_t i = 0; i < PLACES; i++)
        budget_leave(w.b, &w.at[i]);
    struct budget_state s = budget_state(w.b);
    MUST(s.in_work == 0 && s.waiting == 0);
    for (size_t i = 0; i < PARTIES; i++) {
        MUST(w.who[i]->waiting == 0 && w.who[i]->in_work == 0);
        limit_drop(budget_limit(w.b), w.who[i]);
    }
    budget_stop(w.b);
    budget_free(w.b);
    return 0;
}
