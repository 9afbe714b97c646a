#ifndef TESTS_UNIT_BUDGET_WORLD_H
#define TESTS_UNIT_BUDGET_WORLD_H

/* A budget without a loop, four parties, and requests whose order is written down. Tests that include it name cmocka's headers before. */

#include "gateway/serve/budget.h"

enum { PLACES = 64, ORDER_MAX = 256 };

struct world {
    struct budget *b;
    struct budget_conf conf;
    struct party *clinic, *other, *portal, *town;
};

/* ---- requests: one of them goes after the other, in an order that is written down ---- */

struct ask { struct place place; char name; };
static struct { char text[ORDER_MAX]; size_t n; } went; /* by go(), which knows nothing but its place */

static inline void go(struct place *p)
{
    if (went.n + 1 < ORDER_MAX)
        went.text[went.n++] = ((struct ask *)p)->name;
    went.text[went.n] = 0;
}

static inline bool ask(struct world *w, struct ask *a, struct party *who, enum budget_class class, char name)
{
    *a = (struct ask){ .name = name };
    return budget_ask(w->b, &a->place, who, class, 1000, go);
}

static inline int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->conf = budget_conf_default();
    w->conf.work_max = 4;
    w->conf.wait_max = 16;
    *state = w;
    went.n = 0;
    went.text[0] = 0;
    return 0;
}

static inline void start(struct world *w)
{
    assert_true(err_ok(budget_new(&w->b, NULL, &w->conf)));
    struct limit *l = budget_limit(w->b);
    w->clinic = limit_hold(l, LIT("clinic/3310010012"), false);
    w->other = limit_hold(l, LIT("clinic/2719900017"), false);
    w->portal = limit_hold(l, LIT("portal/mynaportal"), false);
    w->town = limit_hold(l, LIT("municipality/331007/kodomo"), false);
}

static inline int end(void **state)
{
    struct world *w = *state;
    struct party *all[] = { w->clinic, w->other, w->portal, w->town };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        limit_drop(budget_limit(w->b), all[i]);
    budget_stop(w->b);
    budget_free(w->b);
    free(w);
    return 0;
}

/* One leaves, another one goes, and who has left asks again: somebody waits all the time. */
static inline uint64_t work_at(struct world *w, struct ask *all, size_t n, unsigned steps, uint64_t step_ms, uint64_t now)
{
    for (unsigned i = 0; i < steps; i++, now += step_ms) {
        struct ask *done = &all[i % n];
        while (done->place.state != PLACE_IN_WORK)
            done = done + 1 < all + n ? done + 1 : all;
        budget_leave(w->b, &done->place);
        budget_turn(w->b);
        assert_true(budget_ask(w->b, &done->place, w->other, BUDGET_CLINIC, now, go));
    }
    return now;
}

#endif
