#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/budget_world.h"

/* More come than there is room for: who waits, who does not, and what the others notice. */

/* Many parties with a request each: nobody is called twice before the last one, so the last one waits for all others. */
static void the_last_of_many_callers_hears_at_once_that_it_would_be_too_late(void **state)
{
    struct world *w = *state;
    enum { BUSY = 8, MANY = 40 };
    w->conf.wait_max = 1000;
    w->conf.wait_ms = 100;
    start(w);
    struct ask busy[BUSY], a[MANY];
    struct party *who[MANY];
    for (int i = 0; i < BUSY; i++)
        assert_true(ask(w, &busy[i], w->other, BUDGET_CLINIC, '-'));
    uint64_t now = work_at(w, busy, BUSY, 60, 10, 1000); /* a place every 10 ms: about 10 in wait_ms */
    int n = 0;
    for (int i = 0; i < MANY; i++) {
        char name[24];
        snprintf(name, sizeof name, "clinic/%d", i);
        who[i] = limit_hold(budget_limit(w->b), slice_str(name), false);
        a[i] = (struct ask){ .name = 'a' };
        n += budget_ask(w->b, &a[i].place, who[i], BUDGET_CLINIC, now, go);
        if (a[i].place.state == PLACE_NONE)
            assert_int_equal(a[i].place.why, SHED_WAIT);
    }
    assert_in_range(n, 7, 10);
    for (int i = 0; i < MANY; i++) {
        budget_leave(w->b, &a[i].place);
        limit_drop(budget_limit(w->b), who[i]);
    }
    for (int i = 0; i < BUSY; i++)
        budget_leave(w->b, &busy[i].place);
}

static int asks_until_turned_away(struct world *w, struct ask *a, int most, uint64_t now)
{
    for (int n = 0; n < most; n++) {
        a[n] = (struct ask){ .name = 'a' };
        if (!budget_ask(w->b, &a[n].place, w->clinic, BUDGET_CLINIC, now, go)) {
            assert_int_equal(a[n].place.why, SHED_WAIT);
            return n;
        }
    }
    return most;
}

/* A crowd may wait for 1,600 ms; when somebody has waited all the time for a second, only four times as many as
 * are in work may, or as many as get their turn in a sixteenth of that. */
static void the_room_is_small_while_it_does_not_become_empty(void **state)
{
    struct world *w = *state;
    enum { BUSY = 8 };
    w->conf.wait_max = 1000;
    w->conf.wait_ms = 1600;
    start(w);
    struct ask busy[BUSY], a[PLACES];
    for (int i = 0; i < BUSY; i++)
        assert_true(ask(w, &busy[i], w->other, BUDGET_CLINIC, '-'));
    uint64_t now = work_at(w, busy, BUSY, 30, 10, 1000); /* a place every 10 ms: 160 in that time */
    int n = asks_until_turned_away(w, a, PLACES, now);
    assert_int_equal(n, PLACES);
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
    now = work_at(w, busy, BUSY, 100, 10, now);
    n = asks_until_turned_away(w, a, PLACES, now);
    assert_in_range(n, 10, 13); /* sixteen, behind the four of the other one */
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
    for (int i = 0; i < BUSY; i++)
        budget_leave(w->b, &busy[i].place);
    assert_int_equal(budget_state(w->b).waiting, 0); /* it was empty: a crowd may come again */
    for (int i = 0; i < BUSY; i++)
        assert_true(budget_ask(w->b, &busy[i].place, w->other, BUDGET_CLINIC, now, go));
    now = work_at(w, busy, BUSY, 30, 10, now);
    n = asks_until_turned_away(w, a, PLACES, now);
    assert_int_equal(n, PLACES);
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
    for (int i = 0; i < BUSY; i++)
        budget_leave(w->b, &busy[i].place);
}

static void a_moment_in_which_nothing_goes_on_does_not_turn_all_away(void **state)
{
    struct world *w = *state;
    enum { BUSY = 8 };
    w->conf.wait_max = 1000;
    w->conf.wait_ms = 800;
    start(w);
    struct ask busy[BUSY], a[PLACES];
    for (int i = 0; i < BUSY; i++)
        assert_true(ask(w, &busy[i], w->other, BUDGET_CLINIC, '-'));
    uint64_t now = work_at(w, busy, BUSY, 30, 10, 1000); /* a place every 10 ms: 80 in that time */
    int n = asks_until_turned_away(w, a, PLACES, now + 250);
    assert_in_range(n, 25, 45); /* half of that */
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
    for (int i = 0; i < BUSY; i++)
        budget_leave(w->b, &busy[i].place);
}

/* ---- what waits for others ---- */

static size_t as_told(const void *n) { return *(const size_t *)n; }

static void nobody_is_let_in_while_too_much_waits_for_redis_or_the_audit_log(void **state)
{
    struct world *w = *state;
    size_t waits[BUDGET__QUEUES] = { 0 };
    for (unsigned q = 0; q < BUDGET__QUEUES; q++)
        w->conf.queues[q] = (struct budget_queue){ 8, as_told, &waits[q] };
    start(w);
    struct ask a;
    const enum shed_cause causes[] = { [BUDGET_REDIS] = SHED_REDIS, [BUDGET_AUDIT] = SHED_AUDIT };
    for (unsigned q = 0; q < BUDGET__QUEUES; q++) {
        const struct { size_t n; bool clinic, citizen, bulk; } rows[] = { { 3, true, true, true }, { 4, true, true, false }, { 6, true, false, false },
                                                                          { 7, true, false, false }, { 8, false, false, false }, { 0, true, true, true } };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            waits[q] = rows[i].n;
            const bool want[] = { rows[i].clinic, rows[i].citizen, rows[i].bulk };
            for (unsigned class = 0; class < BUDGET__MAX; class++) {
                assert_int_equal(ask(w, &a, w->clinic, (enum budget_class)class, '-'), want[class]);
                if (!want[class])
                    assert_int_equal(a.place.why, causes[q]);
                budget_leave(w->b, &a.place);
            }
        }
    }
}

static void the_level_tells_how_full_it_is(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask a[4];
    assert_int_equal(budget_state(w->b).level[BUDGET_CLINIC], BUDGET_OK);
    assert_true(ask(w, &a[0], w->clinic, BUDGET_CLINIC, '-') && ask(w, &a[1], w->clinic, BUDGET_CLINIC, '-'));
    assert_int_equal(budget_state(w->b).level[BUDGET_CLINIC], BUDGET_OK);
    assert_int_equal(budget_state(w->b).level[BUDGET_BULK], BUDGET_NEAR); /* two are all that bulk may have */
    assert_true(ask(w, &a[2], w->clinic, BUDGET_CLINIC, '-'));
    assert_int_equal(budget_state(w->b).level[BUDGET_CLINIC], BUDGET_NEAR);
    budget_shed(w->b, NULL, BUDGET_CITIZEN, SHED_RATE);
    assert_int_equal(budget_state(w->b).level[BUDGET_CITIZEN], BUDGET_NEAR); /* one that asks too often is no overload */
    budget_shed(w->b, NULL, BUDGET_CITIZEN, SHED_ROOM);
    assert_int_equal(budget_state(w->b).level[BUDGET_CITIZEN], BUDGET_SHEDDING);
    assert_int_equal(budget_state(w->b).level[BUDGET_CLINIC], BUDGET_NEAR);
    for (int i = 0; i < 3; i++)
        budget_leave(w->b, &a[i].place);
}

/* ---- fairness ---- */

enum { SMALL = 10, HEAVY = 90, ROUNDS = 300, ROUND_MS = 10, SERVED = 20 };
struct crowd { struct ask big[ROUNDS * HEAVY], small[ROUNDS * SMALL]; unsigned got_big, got_small; };

static unsigned done(struct world *w, struct ask *a, size_t n)
{
    unsigned left = 0;
    for (size_t i = 0; i < n; i++)
        if (a[i].place.state == PLACE_IN_WORK) {
            budget_leave(w->b, &a[i].place);
            left++;
        }
    return left;
}

/* SERVED places become free, one after the other. */
static void serve(struct world *w, struct crowd *c, int rounds)
{
    for (unsigned n = 0, before = 1; n < SERVED && before != n;) {
        before = n;
        unsigned big = done(w, c->big, (size_t)rounds * HEAVY), small = done(w, c->small, (size_t)rounds * SMALL);
        c->got_big += big;
        c->got_small += small;
        n += big + small;
        budget_turn(w->b);
    }
}

/* It asks for nine times of what ten others ask for together, who need half of what there is. */
static void one_with_nine_tenths_of_the_load(struct world *w, const char *kind, enum budget_class class)
{
    struct crowd *c = calloc(1, sizeof *c);
    struct party *who[SMALL];
    w->conf.work_max = class == BUDGET_BULK ? 8 : 4; /* bulk may have half of it */
    w->conf.wait_max = class == BUDGET_BULK ? 200 : 100;
    start(w);
    assert_non_null(c);
    for (int i = 0; i < SMALL; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s/%d", kind, i);
        who[i] = limit_hold(budget_limit(w->b), slice_str(name), false);
    }
    for (int r = 0; r < ROUNDS; r++) { /* the big one's come first */
        for (int i = 0; i < HEAVY; i++)
            (void)budget_ask(w->b, &c->big[r * HEAVY + i].place, w->clinic, class, 1000 + (uint64_t)r * ROUND_MS, go);
        for (int i = 0; i < SMALL; i++)
            assert_true(budget_ask(w->b, &c->small[r * SMALL + i].place, who[i], class, 1000 + (uint64_t)r * ROUND_MS, go));
        serve(w, c, r + 1);
    }
    assert_in_range(c->got_small, (ROUNDS - 2) * SMALL, ROUNDS * SMALL);
    assert_in_range(c->got_big, ROUNDS * (SERVED - SMALL) * 9 / 10, ROUNDS * (SERVED + 4)); /* what is left is its own */
    for (int i = 0; i < ROUNDS * HEAVY; i++)
        budget_leave(w->b, &c->big[i].place);
    for (int i = 0; i < ROUNDS * SMALL; i++)
        budget_leave(w->b, &c->small[i].place);
    for (int i = 0; i < SMALL; i++)
        limit_drop(budget_limit(w->b), who[i]);
    free(c);
}

static void a_clinic_with_nine_tenths_of_the_load_takes_nothing_from_others(void **state) { one_with_nine_tenths_of_the_load(*state, "clinic", BUDGET_CLINIC); }
static void nor_does_a_municipality(void **state) { one_with_nine_tenths_of_the_load(*state, "municipality", BUDGET_BULK); }

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_last_of_many_callers_hears_at_once_that_it_would_be_too_late),
        T(the_room_is_small_while_it_does_not_become_empty),
        T(a_moment_in_which_nothing_goes_on_does_not_turn_all_away),
        T(nobody_is_let_in_while_too_much_waits_for_redis_or_the_audit_log),
        T(the_level_tells_how_full_it_is),
        T(a_clinic_with_nine_tenths_of_the_load_takes_nothing_from_others),
        T(nor_does_a_municipality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
