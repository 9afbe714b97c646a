#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/loop/hand.h"
#include "gateway/loop/loop.h"

struct trial {
    struct loop *l;
    struct timer *t, *t2;
    unsigned calls, order[8];
    bool returned;
};

static void note(struct trial *t, unsigned what)
{
    if (t->calls < 8)
        t->order[t->calls] = what;
    t->calls++;
}

static void note_1(void *arg) { note(arg, 1); }
static void note_2(void *arg) { note(arg, 2); }

static void note_and_stop(void *arg)
{
    struct trial *t = arg;
    note(t, 9);
    loop_stop(t->l);
}

static struct trial begin(void)
{
    struct trial t = { 0 };
    assert_int_equal(loop_new(&t.l, clock_system()).code, E_OK);
    return t;
}

static void check_returned(void *arg)
{
    struct trial *t = arg;
    assert_true(t->returned);
    note(t, 3);
    /* deferred by a deferred call: a turn later, after those that wait already */
    t->returned = false;
    assert_int_equal(loop_defer(t->l, note_and_stop, t).code, E_OK);
    t->returned = true;
}

static void defers_in_order(void **state)
{
    (void)state;
    struct trial t = begin();
    assert_int_equal(loop_defer(t.l, check_returned, &t).code, E_OK);
    assert_int_equal(loop_defer(t.l, note_1, &t).code, E_OK);
    assert_int_equal(loop_defer(t.l, note_2, &t).code, E_OK);
    t.returned = true;
    assert_int_equal(t.calls, 0);
    loop_run(t.l, 1000);
    loop_free(t.l);
    const unsigned want[] = { 3, 1, 2, 9 };
    assert_int_equal(t.calls, 4);
    assert_memory_equal(t.order, want, sizeof want);
}

static void defer_is_bounded(void **state)
{
    (void)state;
    struct trial t = begin();
    unsigned n = 0;
    while (n < 70000 && err_ok(loop_defer(t.l, note_1, &t)))
        n++;
    assert_int_equal(n, 65536);
    assert_int_equal(loop_defer(t.l, note_1, &t).code, E_FULL);
    loop_stop(t.l);
    loop_run(t.l, 5000); /* what was promised is still called */
    assert_int_equal(t.calls, 65536);
    loop_free(t.l);
}

static void restart_then_stop(void *arg)
{
    struct trial *t = arg;
    note(t, 1);
    if (t->calls == 1)
        timer_start(t->t, 1);
    else
        loop_stop(t->l);
}

static void free_both(void *arg)
{
    struct trial *t = arg;
    timer_free(t->t);
    timer_free(t->t2);
    t->t = t->t2 = NULL;
}

static void timers(void **state)
{
    (void)state;
    struct trial t = begin();
    assert_int_equal(timer_new(&t.t, t.l, restart_then_stop, &t).code, E_OK);
    assert_int_equal(timer_new(&t.t2, t.l, note_2, &t).code, E_OK);
    assert_false(timer_active(t.t));
    uint64_t before = loop_now(t.l);
    timer_start(t.t, 100000);
    timer_start(t.t, 20); /* restarted: the first deadline is gone */
    timer_start(t.t2, 1);
    timer_stop(t.t2);
    assert_true(timer_active(t.t));
    assert_false(timer_active(t.t2));
    loop_on_stop(t.l, free_both, &t);
    loop_run(t.l, 1000);
    assert_int_equal(t.calls, 2);
    assert_true(loop_now(t.l) - before >= 20 && loop_now(t.l) - before < 2000);
    loop_free(t.l);
    timer_free(NULL);
}

static void free_self_and_other(void *arg)
{
    struct trial *t = arg;
    note(t, 1);
    free_both(t);
    loop_stop(t->l);
}

/* The other timer is due in the same turn: it must not run any more. */
static void freed_timer_is_silent(void **state)
{
    (void)state;
    struct trial t = begin();
    assert_int_equal(timer_new(&t.t, t.l, free_self_and_other, &t).code, E_OK);
    assert_int_equal(timer_new(&t.t2, t.l, note_2, &t).code, E_OK);
    timer_start(t.t, 5);
    timer_start(t.t2, 5);
    loop_run(t.l, 1000);
    assert_int_equal(t.calls, 1);
    loop_free(t.l);
}

static void stop_again(void *arg)
{
    struct trial *t = arg;
    note(t, 1);
    loop_stop(t->l); /* idempotent, from within a hook too */
}

static void hooks_run_backwards(void **state)
{
    (void)state;
    struct trial t = begin();
    loop_on_stop(t.l, note_2, &t);
    loop_on_stop(t.l, stop_again, &t);
    loop_stop(t.l);
    loop_stop(t.l);
    assert_int_equal(t.calls, 2);
    assert_int_equal(t.order[0], 1);
    assert_int_equal(t.order[1], 2);
    loop_run(t.l, 1000);
    loop_free(t.l);
}

static void raise_hup(void *arg)
{
    (void)arg;
    raise(SIGHUP);
}

static void raise_term(void *arg)
{
    note(arg, 5);
    raise(SIGTERM);
}

static void signals(void **state)
{
    (void)state;
    struct trial t = begin();
    raise(SIGPIPE); /* ignored */
    loop_on_hup(t.l, raise_term, &t);
    loop_on_stop(t.l, note_2, &t);
    assert_int_equal(loop_defer(t.l, raise_hup, &t).code, E_OK);
    loop_run(t.l, 1000);
    assert_int_equal(t.calls, 2);
    assert_int_equal(t.order[0], 5);
    assert_int_equal(t.order[1], 2);
    loop_free(t.l);
}

/* A handle that nobody closes: the loop ends all the same, after the grace. */
static void grace_ends_it(void **state)
{
    (void)state;
    struct trial t = begin();
    assert_int_equal(timer_new(&t.t, t.l, note_1, &t).code, E_OK);
    timer_start(t.t, 60000);
    uint64_t before = loop_now(t.l);
    loop_stop(t.l);
    loop_run(t.l, 50);
    uint64_t took = loop_now(t.l) - before;
    assert_true(took >= 45 && took < 5000);
    assert_int_equal(t.calls, 0);
    timer_free(t.t);
    loop_free(t.l);
}

static uint64_t fixed_ms(void *ctx) { return *(uint64_t *)ctx; }

static void clock_comes_from_outside(void **state)
{
    (void)state;
    uint64_t ms = 42;
    struct clock c = { fixed_ms, fixed_ms, &ms };
    struct loop *l;
    assert_int_equal(loop_new(&l, c).code, E_OK);
    assert_true(loop_now(l) == 42);
    ms = 43;
    assert_true(loop_now(l) == 43 && clock_wall(loop_clock(l)) == 43);
    assert_non_null(loop_uv(l));
    loop_free(l); /* never run */
    loop_free(NULL);
}

/* ---- work beside the loop ---- */

enum { PIECES = 1000 };

struct labour {
    struct trial *trial;
    struct hand *hand;
    uv_thread_t of_loop;
    unsigned worked, heard; /* without a lock: the hand orders them */
    bool beside, back;
};

static void work_once(void *arg)
{
    struct labour *w = arg;
    uv_thread_t self = uv_thread_self();
    w->beside = w->beside && !uv_thread_equal(&self, &w->of_loop);
    w->worked++;
}

static void heard_once(void *arg)
{
    struct labour *w = arg;
    uv_thread_t self = uv_thread_self();
    w->back = w->back && uv_thread_equal(&self, &w->of_loop) && w->worked == w->heard + 1;
    if (++w->heard < PIECES) {
        hand_start(w->hand);
        return;
    }
    hand_free(w->hand);
    loop_stop(w->trial->l);
}

static void start_once(void *arg)
{
    const struct labour *w = arg;
    hand_start(w->hand);
}

static void hand_works_beside_the_loop(void **state)
{
    (void)state;
    struct trial t = begin();
    struct labour w = { .trial = &t, .of_loop = uv_thread_self(), .beside = true, .back = true };
    assert_int_equal(hand_new(&w.hand, t.l, work_once, heard_once, &w).code, E_OK);
    assert_int_equal(loop_defer(t.l, start_once, &w).code, E_OK);
    loop_run(t.l, 1000);
    assert_int_equal(w.heard, PIECES);
    assert_int_equal(w.worked, PIECES);
    assert_true(w.beside);
    assert_true(w.back);
    loop_free(t.l);
}

static void idle_hand_ends(void **state)
{
    (void)state;
    struct trial t = begin();
    struct labour w = { .trial = &t };
    assert_int_equal(hand_new(&w.hand, t.l, work_once, heard_once, &w).code, E_OK);
    hand_free(w.hand);
    hand_free(NULL);
    loop_stop(t.l);
    loop_run(t.l, 1000);
    assert_int_equal(w.worked, 0);
    loop_free(t.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defers_in_order),       cmocka_unit_test(defer_is_bounded),
        cmocka_unit_test(timers),                cmocka_unit_test(freed_timer_is_silent),
        cmocka_unit_test(hooks_run_backwards),   cmocka_unit_test(signals),
        cmocka_unit_test(grace_ends_it),         cmocka_unit_test(clock_comes_from_outside),
        cmocka_unit_test(hand_works_beside_the_loop), cmocka_unit_test(idle_hand_ends),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
