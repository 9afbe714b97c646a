#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/budget_world.h"

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

static void who_does_the_work_of_many_takes_many_places(void **state)
{
    struct world *w = *state;
    start(w);
    struct ask heavy, a[3];
    struct place *p = &heavy.place;
    assert_true(ask(w, &a[0], w->clinic, BUDGET_CLINIC, 'a') && ask(w, &a[1], w->clinic, BUDGET_CLINIC, 'b'));
    assert_true(ask(w, &heavy, w->clinic, BUDGET_CLINIC, 'h'));
    budget_weigh(w->b, p, 3);
    assert_int_equal(budget_state(w->b).in_work, 5);
    budget_weigh(w->b, &a[0].place, 1); /* its own place is enough */
    assert_int_equal(budget_state(w->b).in_work, 5);
    assert_true(ask(w, &a[2], w->clinic, BUDGET_CLINIC, 'c'));
    budget_leave(w->b, &a[0].place);
    budget_turn(w->b);
    assert_int_equal(went.n, 0); /* four of four are still taken */
    budget_leave(w->b, p);
    budget_turn(w->b);
    assert_string_equal(went.text, "c");
    budget_leave(w->b, &a[1].place);
    budget_leave(w->b, &a[2].place);
    assert_int_equal(budget_state(w->b).in_work, 0);
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

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(who_finds_a_place_goes_at_once),
        T(who_does_the_work_of_many_takes_many_places), T(clinics_before_citizens_before_bulk),
        T(the_callers_of_a_class_take_turns),
        T(one_that_sends_much_leaves_room_for_others),
        T(lower_classes_find_the_room_full_earlier),
        T(who_would_wait_too_long_hears_it_at_once),
        T(a_quiet_time_says_nothing_about_the_pace),
        T(connections_and_bytes_have_their_end),
        T(retry_after_is_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
