#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

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

static void go(struct place *p)
{
    if (went.n + 1 < ORDER_MAX)
        went.text[went.n++] = ((struct ask *)p)->name;
    went.text[went.n] = 0;
}

static bool ask(struct world *w, struct ask *a, struct party *who, enum budget_class class, char name)
{
    *a = (struct ask){ .name = name };
    return budget_ask(w->b, &a->place, who, class, 1000, go);
}

static int begin(void **state)
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

static void start(struct world *w)
{
    assert_true(err_ok(budget_new(&w->b, NULL, &w->conf)));
    struct limit *l = budget_limit(w->b);
    w->clinic = limit_hold(l, LIT("clinic/3310010012"), false);
    w->other = limit_hold(l, LIT("clinic/2719900017"), false);
    w->portal = limit_hold(l, LIT("portal/mynaportal"), false);
    w->town = limit_hold(l, LIT("municipality/331007/kodomo"), false);
}

static int end(void **state)
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

/* ---- places ---- */

static void who_finds_a_place_goes_at_once(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask a[5];
    for (int i = 0; i < 4; i++) {
        assert_true(ask(w, &a[i], w->clinic, BUDGET_CLINIC, 'a'));
        assert_int_equal(a[i].place.state, PLACE_IN_WORK);
    }
    assert_true(ask(w, &a[4], w->clinic, BUDGET_CLINIC, 'e'));
    assert_int_equal(a[4].place.state, PLACE_WAITING);
    budget_turn(w->b);
    assert_int_equal(went.n, 0); /* nobody has left */
    budget_leave(w->b, &a[2].place);
    budget_turn(w->b);
    assert_string_equal(went.text, "e");
    assert_int_equal(budget_state(w->b).in_work, 4);
    a[2].place.state = PLACE_NONE;
    for (int i = 0; i < 5; i++)
        budget_leave(w->b, &a[i].place);
    budget_leave(w->b, &a[0].place); /* twice is as good */
    assert_int_equal(budget_state(w->b).in_work, 0);
    assert_int_equal(budget_state(w->b).served, 5);
}

static void clinics_before_citizens_before_bulk(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask busy[4], a[6];
    for (int i = 0; i < 4; i++)
        assert_true(ask(w, &busy[i], w->clinic, BUDGET_CLINIC, '-'));
    assert_true(ask(w, &a[0], w->town, BUDGET_BULK, 'B'));
    assert_true(ask(w, &a[1], w->town, BUDGET_BULK, 'b'));
    assert_true(ask(w, &a[2], w->portal, BUDGET_CITIZEN, 'P'));
    assert_true(ask(w, &a[3], w->portal, BUDGET_CITIZEN, 'p'));
    assert_true(ask(w, &a[4], w->clinic, BUDGET_CLINIC, 'C'));
    assert_true(ask(w, &a[5], w->clinic, BUDGET_CLINIC, 'c'));
    for (int i = 0; i < 4; i++) { /* one place becomes free at a time */
        budget_leave(w->b, &busy[i].place);
        budget_turn(w->b);
    }
    assert_string_equal(went.text, "CcP"); /* the fourth place is not for citizens, the third not for bulk either */
    budget_leave(w->b, &a[4].place);
    budget_turn(w->b);
    assert_string_equal(went.text, "CcPp");
    budget_leave(w->b, &a[5].place);
    budget_turn(w->b);
    assert_string_equal(went.text, "CcPp"); /* two citizens in work: none for bulk */
    budget_leave(w->b, &a[2].place);
    budget_turn(w->b);
    assert_string_equal(went.text, "CcPpB");
    budget_leave(w->b, &a[1].place); /* has left while it waited */
    budget_leave(w->b, &a[0].place);
    budget_leave(w->b, &a[3].place);
    assert_int_equal(budget_state(w->b).waiting, 0);
    assert_int_equal(budget_state(w->b).in_work, 0);
}

static void the_callers_of_a_class_take_turns(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask busy[4], many[6], few[2];
    for (int i = 0; i < 4; i++)
        assert_true(ask(w, &busy[i], w->clinic, BUDGET_CLINIC, '-'));
    for (int i = 0; i < 6; i++)
        assert_true(ask(w, &many[i], w->clinic, BUDGET_CLINIC, (char)('1' + i)));
    assert_true(ask(w, &few[0], w->other, BUDGET_CLINIC, 'x'));
    assert_true(ask(w, &few[1], w->other, BUDGET_CLINIC, 'y'));
    for (int i = 0; i < 4; i++)
        budget_leave(w->b, &busy[i].place);
    budget_turn(w->b);
    assert_string_equal(went.text, "1x2y");
    for (int i = 0; i < 6; i++)
        budget_leave(w->b, &many[i].place);
    budget_leave(w->b, &few[0].place);
    budget_leave(w->b, &few[1].place);
}

static void one_that_sends_much_leaves_room_for_others(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask a[PLACES];
    int taken = 0, n = 0;
    for (; n < 40; n++)
        taken += ask(w, &a[n], w->clinic, BUDGET_CLINIC, '-');
    assert_int_equal(taken, 4 + 8); /* half of the room */
    for (; n < 60; n++)
        taken += ask(w, &a[n], w->other, BUDGET_CLINIC, '-');
    assert_int_equal(taken, 4 + 8 + 4); /* half of what was left */
    assert_true(ask(w, &a[n++], w->town, BUDGET_CLINIC, '-'));
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
    assert_int_equal(budget_state(w->b).waiting, 0);
}

static void lower_classes_find_the_room_full_earlier(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask a[PLACES];
    int n = 0;
    for (int i = 0; i < 4; i++)
        assert_true(ask(w, &a[n++], w->clinic, BUDGET_CLINIC, '-'));
    for (int i = 0; i < 8; i++) /* half of the waiting room */
        assert_true(ask(w, &a[n++], w->clinic, BUDGET_CLINIC, '-'));
    struct ask no;
    assert_false(ask(w, &no, w->town, BUDGET_BULK, '-'));
    assert_int_equal(no.place.state, PLACE_NONE);
    for (int i = 0; i < 2; i++)
        assert_true(ask(w, &a[n++], w->portal, BUDGET_CITIZEN, '-'));
    assert_false(ask(w, &no, w->portal, BUDGET_CITIZEN, '-'));
    assert_true(ask(w, &a[n++], w->other, BUDGET_CLINIC, '-'));
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
}

/* One leaves, another one goes, and who has left asks again: somebody waits all the time. */
static uint64_t work_at(struct world *w, struct ask *all, size_t n, unsigned steps, uint64_t step_ms, uint64_t now)
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

static void who_would_wait_too_long_hears_it_at_once(void **state)
{
    struct world *w = *state;
    enum { BUSY = 8 };
    w->conf.wait_max = 1000;
    w->conf.wait_ms = 100;
    start(w);
    struct ask busy[BUSY], a[PLACES], light;
    for (int i = 0; i < BUSY; i++)
        assert_true(ask(w, &busy[i], w->other, BUDGET_CLINIC, '-'));
    uint64_t now = work_at(w, busy, BUSY, 100, 10, 1000); /* a place every 10 ms: about 10 in wait_ms */
    went.n = 0;
    int n = 0;
    while (n < PLACES) {
        a[n] = (struct ask){ .name = 'a' };
        if (!budget_ask(w->b, &a[n].place, w->clinic, BUDGET_CLINIC, now, go))
            break;
        n++;
    }
    assert_in_range(n, 5, 9); /* behind the four of the other one */
    light = (struct ask){ .name = 'l' }; /* has nobody waiting yet: it is soon its turn */
    assert_true(budget_ask(w->b, &light.place, w->portal, BUDGET_CLINIC, now, go));
    budget_leave(w->b, &light.place);
    for (int i = 0; i < n; i++)
        budget_leave(w->b, &a[i].place);
    for (int i = 0; i < BUSY; i++)
        budget_leave(w->b, &busy[i].place);
}

/* Few who ask now and then are no measure of how fast it goes. */
static void a_quiet_time_says_nothing_about_the_pace(void **state)
{
    struct world *w = *state;
    w->conf.wait_max = 1000;
    w->conf.wait_ms = 100;
    start(w);
    struct ask a[PLACES];
    uint64_t now = 1000;
    for (int i = 0; i < 10; i++, now += 300) { /* three a second */
        a[0] = (struct ask){ .name = '-' };
        assert_true(budget_ask(w->b, &a[0].place, w->clinic, BUDGET_CLINIC, now, go));
        budget_leave(w->b, &a[0].place);
    }
    for (int i = 0; i < PLACES; i++) { /* then many at once */
        a[i] = (struct ask){ .name = '-' };
        assert_true(budget_ask(w->b, &a[i].place, w->clinic, BUDGET_CLINIC, now, go));
    }
    for (int i = 0; i < PLACES; i++)
        budget_leave(w->b, &a[i].place);
}

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
static void a_clinic_with_nine_tenths_of_the_load_takes_nothing_from_others(void **state)
{
    struct world *w = *state;
    struct crowd *c = calloc(1, sizeof *c);
    struct party *who[SMALL];
    w->conf.wait_max = 100;
    start(w);
    assert_non_null(c);
    for (int i = 0; i < SMALL; i++) {
        char name[24];
        snprintf(name, sizeof name, "clinic/%d", i);
        who[i] = limit_hold(budget_limit(w->b), slice_str(name), false);
    }
    for (int r = 0; r < ROUNDS; r++) { /* the big one's come first */
        for (int i = 0; i < HEAVY; i++)
            (void)budget_ask(w->b, &c->big[r * HEAVY + i].place, w->clinic, BUDGET_CLINIC, 1000 + (uint64_t)r * ROUND_MS, go);
        for (int i = 0; i < SMALL; i++)
            assert_true(budget_ask(w->b, &c->small[r * SMALL + i].place, who[i], BUDGET_CLINIC, 1000 + (uint64_t)r * ROUND_MS, go));
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

/* ---- connections, bytes, Retry-After ---- */

static void connections_and_bytes_have_their_end(void **state)
{
    struct world *w = *state;
    w->conf.conns_max = 2;
    w->conf.memory_max = 100;
    start(w);
    assert_true(budget_conn(w->b) && budget_conn(w->b));
    assert_false(budget_conn(w->b));
    budget_conn_gone(w->b);
    assert_true(budget_conn(w->b));
    assert_true(budget_bytes(w->b, 60));
    assert_false(budget_bytes(w->b, 41));
    assert_false(budget_bytes(w->b, SIZE_MAX));
    assert_true(budget_bytes(w->b, 40));
    assert_true(budget_bytes(w->b, 0)); /* full, not over */
    budget_bytes_took(w->b, 1);
    assert_false(budget_bytes(w->b, 0));
    budget_bytes_gone(w->b, 101);
    assert_int_equal(budget_state(w->b).bytes, 0);
}

static void retry_after_is_spread(void **state)
{
    struct world *w = *state;
    start(w);
    unsigned least = 1000, most = 0;
    for (unsigned rnd = 0; rnd < 256; rnd++) {
        unsigned s = budget_retry_s(w->b, rnd);
        least = s < least ? s : least;
        most = s > most ? s : most;
    }
    assert_int_equal(least, 1);
    assert_true(most >= 4 && most <= 31);
}

/* ---- rates ---- */

static void a_bucket_fills_with_time(void **state)
{
    (void)state;
    const struct rate RATE = { 10, 5 };
    struct limit *l;
    uint64_t after = 0;
    assert_true(err_ok(limit_new(&l, (struct limit_conf){ .idle_max = 8 })));
    struct party *p = limit_hold(l, LIT("a"), false), *q = limit_hold(l, LIT("b"), false);
    for (int i = 0; i < 5; i++)
        assert_true(limit_take(l, p, RATE, 1000, &after));
    assert_false(limit_take(l, p, RATE, 1000, &after));
    assert_int_equal(after, 100);
    assert_true(limit_take(l, q, RATE, 1000, &after)); /* its own bucket */
    assert_false(limit_take(l, p, RATE, 1099, &after));
    assert_true(limit_take(l, p, RATE, 1100, &after));
    assert_false(limit_take(l, p, RATE, 1100, &after));
    assert_true(limit_take(l, p, RATE, 1000, &after) == false); /* a clock that goes back gives nothing */
    int n = 0;
    while (limit_take(l, p, RATE, UINT64_MAX / 2, &after))
        n++;
    assert_int_equal(n, 5); /* never more than the burst */
    limit_drop(l, p);
    limit_drop(l, q);
    limit_free(l);
}

static void no_rate_no_limit(void **state)
{
    (void)state;
    struct limit *l;
    uint64_t after;
    assert_true(err_ok(limit_new(&l, (struct limit_conf){ .idle_max = 8 })));
    struct party *p = limit_hold(l, LIT("a"), false);
    for (int i = 0; i < 100000; i++)
        assert_true(limit_take(l, p, (struct rate){ 0, 0 }, 0, &after));
    limit_drop(l, p);
    limit_free(l);
}

static void a_party_is_its_name(void **state)
{
    (void)state;
    struct limit *l;
    uint64_t after;
    assert_true(err_ok(limit_new(&l, (struct limit_conf){ .idle_max = 8 })));
    struct party *p = limit_hold(l, LIT("same"), false);
    assert_ptr_equal(p, limit_hold(l, LIT("same"), false));
    struct party *address = limit_hold(l, LIT("same"), true); /* an address never passes for an identity */
    assert_ptr_not_equal(p, address);
    assert_true(limit_take(l, p, (struct rate){ 1, 1 }, 0, &after));
    limit_drop(l, p);
    limit_drop(l, p);
    p = limit_hold(l, LIT("same"), false); /* remembered, with its empty bucket */
    assert_false(limit_take(l, p, (struct rate){ 1, 1 }, 0, &after));
    limit_drop(l, p);
    limit_drop(l, address);
    limit_free(l);
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    struct limit *l;
    char name[32];
    assert_true(err_ok(limit_new(&l, (struct limit_conf){ .idle_max = 100 })));
    struct party *kept = limit_hold(l, LIT("kept"), false);
    for (int i = 0; i < 20000; i++) {
        snprintf(name, sizeof name, "10.%d", i);
        limit_drop(l, limit_hold(l, slice_str(name), true));
    }
    assert_int_equal(limit_parties(l), 101);
    assert_ptr_equal(kept, limit_hold(l, LIT("kept"), false));
    limit_drop(l, kept);
    limit_drop(l, kept);
    limit_free(l);
}

static unsigned takes(struct limit *l, struct rate rate, const char *name, bool stranger, unsigned tries, uint64_t now_ms)
{
    struct party *p = limit_hold(l, slice_str(name), stranger);
    uint64_t after;
    unsigned n = 0;
    for (unsigned i = 0; i < tries; i++)
        n += limit_take(l, p, rate, now_ms, &after);
    limit_drop(l, p);
    return n;
}

/* Two tables, as two workers have them. */
static void who_asks_two_processes_has_one_rate(void **state)
{
    (void)state;
    struct rates *shared;
    struct limit *a, *b;
    assert_true(err_ok(rates_new(&shared, 64)));
    const struct limit_conf conf = { .shared = shared, .idle_max = 8 };
    assert_true(err_ok(limit_new(&a, conf)) && err_ok(limit_new(&b, conf)));
    assert_int_equal(takes(a, (struct rate){ 10, 5 }, "clinic/1", false, 3, 1000), 3);
    assert_int_equal(takes(b, (struct rate){ 10, 5 }, "clinic/1", false, 9, 1000), 2);
    assert_int_equal(takes(a, (struct rate){ 10, 5 }, "clinic/1", false, 9, 1000), 0);
    assert_int_equal(takes(a, (struct rate){ 10, 5 }, "clinic/2", false, 9, 1000), 5); /* another one */
    assert_int_equal(takes(b, (struct rate){ 10, 5 }, "clinic/1", true, 9, 1000), 5);  /* an address of that name */
    assert_int_equal(takes(b, (struct rate){ 10, 5 }, "clinic/1", false, 9, 1200), 2);
    limit_free(a);
    limit_free(b);
    rates_free(shared);
}

static void processes_that_ask_at_the_same_time_take_no_more_together(void **state)
{
    (void)state;
    enum { CHILDREN = 4, BURST = 1000 };
    struct rates *shared;
    assert_true(err_ok(rates_new(&shared, 64)));
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            uint64_t after;
            unsigned n = 0;
            for (int k = 0; k < BURST; k++) {
                struct bucket *at = rates_bucket(shared, 42, 1000);
                n += at && bucket_take(at, (struct rate){ 1, BURST }, 1000, &after);
            }
            struct bucket *sum = rates_bucket(shared, 43, 0); /* where the children write down what they got */
            atomic_fetch_add(&sum->full_ns, n);
            _exit(0);
        }
    }
    for (int i = 0; i < CHILDREN; i++)
        assert_true(wait(NULL) > 0);
    assert_int_equal(atomic_load(&rates_bucket(shared, 43, 0)->full_ns), BURST);
    rates_free(shared);
}

/* As many names as the table has places, and more: each still has a rate, at worst one in each process. */
static void a_full_table_limits_all_the_same(void **state)
{
    (void)state;
    struct rates *shared;
    struct limit *l;
    char name[32];
    assert_true(err_ok(rates_new(&shared, 16)));
    assert_true(err_ok(limit_new(&l, (struct limit_conf){ .shared = shared, .idle_max = 100 })));
    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "clinic/%d", i);
        assert_int_equal(takes(l, (struct rate){ 1, 2 }, name, false, 5, 1000), 2);
    }
    for (int i = 0; i < 64; i++) { /* the first ones are full again, and their places may go to others */
        snprintf(name, sizeof name, "portal/%d", i);
        assert_int_equal(takes(l, (struct rate){ 1, 2 }, name, false, 5, 9000), 2);
    }
    limit_free(l);
    rates_free(shared);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_finds_a_place_goes_at_once), T(clinics_before_citizens_before_bulk), T(the_callers_of_a_class_take_turns),
        T(one_that_sends_much_leaves_room_for_others), T(lower_classes_find_the_room_full_earlier), T(who_would_wait_too_long_hears_it_at_once),
        T(a_quiet_time_says_nothing_about_the_pace), T(the_last_of_many_callers_hears_at_once_that_it_would_be_too_late),
        T(the_room_is_small_while_it_does_not_become_empty), T(nobody_is_let_in_while_too_much_waits_for_redis_or_the_audit_log), T(the_level_tells_how_full_it_is),
        T(a_clinic_with_nine_tenths_of_the_load_takes_nothing_from_others),
        T(connections_and_bytes_have_their_end), T(retry_after_is_spread),
        cmocka_unit_test(a_bucket_fills_with_time), cmocka_unit_test(no_rate_no_limit), cmocka_unit_test(a_party_is_its_name),
        cmocka_unit_test(who_asks_two_processes_has_one_rate), cmocka_unit_test(processes_that_ask_at_the_same_time_take_no_more_together),
        cmocka_unit_test(a_full_table_limits_all_the_same),
        cmocka_unit_test(the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
