#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/lookup/rhythm.h"
#include "gateway/loop/alarm.h"

#define MS UINT64_C(1000000)

/* ---- the beat itself, sans I/O ---- */

static void work_before_the_beat_does_not_show(void **state)
{
    (void)state;
    const uint64_t at = 1234567891, last = at + 1950 * MS;
    for (uint64_t work = 0; work <= 20 * MS; work += 333333)
        assert_int_equal(rhythm_beat(at, at + work, last), at + 20 * MS);
    assert_int_equal(rhythm_beat(at, at + 20 * MS, last), at + 20 * MS);
}

static void later_beats_are_doubled(void **state)
{
    (void)state;
    const uint64_t at = 7, last = at + 1950 * MS;
    static const struct { uint64_t work_ms, beat_ms; } CASES[] = { { 21, 40 }, { 40, 40 }, { 41, 80 }, { 100, 160 }, { 161, 320 }, { 400, 640 }, { 1000, 1280 } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        assert_int_equal(rhythm_beat(at, at + CASES[i].work_ms * MS, last), at + CASES[i].beat_ms * MS);
}

static void the_last_beat_is_before_the_deadline(void **state)
{
    (void)state;
    const uint64_t at = 5 * MS, last = at + 1950 * MS;
    assert_int_equal(rhythm_beat(at, at + 1281 * MS, last), last);
    assert_int_equal(rhythm_beat(at, last, last), last);
    assert_int_equal(rhythm_beat(at, last + 3000 * MS, last), last); /* passed: at once */
    assert_int_equal(rhythm_beat(at, at, at), at);                   /* no time at all */
}

static void few_beats_to_the_deadline(void **state)
{
    (void)state;
    const uint64_t last = 1950 * MS;
    unsigned beats = 0;
    for (uint64_t now = 0, at = 0; at != last; now = at + 1, beats++)
        at = rhythm_beat(0, now, last);
    assert_int_equal(beats, 8);
}

/* ---- on a loop ---- */

struct trial {
    struct loop *l;
    struct rhythm *h;
    struct timer *t;
    struct rhythm_place place[3];
    struct rhythm_place crowd[1000]; /* more than are fired in one turn */
    uint64_t left_ns[3];
    unsigned left, crowd_left;
};

struct one { struct trial *t; unsigned i; };

static void end(struct trial *t)
{
    rhythm_free(t->h);
    t->h = NULL;
    loop_stop(t->l);
}

static void leaves(void *arg)
{
    struct one *o = arg;
    o->t->left_ns[o->i] = alarm_now();
    if (++o->t->left == 3)
        end(o->t);
}

static void begin(struct trial *t)
{
    *t = (struct trial){ .left = 0 };
    assert_int_equal(loop_new(&t->l, clock_system()).code, E_OK);
    assert_int_equal(rhythm_new(&t->h, t->l).code, E_OK);
}

static void spin(uint64_t ns)
{
    for (uint64_t until = alarm_now() + ns; alarm_now() < until;)
        ;
}

/* Three that came together and worked for different times leave together, and not before their beat. */
static void what_came_together_leaves_together(void **state)
{
    (void)state;
    static struct trial t;
    struct one one[3];
    begin(&t);
    for (unsigned i = 0; i < 3; i++)
        rhythm_arrived(&t.place[i], 2000);
    uint64_t at = t.place[0].arrived_ns;
    t.place[1].arrived_ns = t.place[2].arrived_ns = at;
    for (unsigned i = 0; i < 3; i++) {
        one[i] = (struct one){ &t, i };
        rhythm_wait(t.h, &t.place[i], leaves, &one[i]);
        spin(MS);
    }
    loop_run(t.l, 1000);
    assert_int_equal(t.left, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(t.left_ns[i] >= at + 20 * MS);
        assert_true(t.left_ns[i] - t.left_ns[0] < 2 * MS);
    }
    loop_free(t.l);
}

static void one_of_the_crowd(void *arg)
{
    struct trial *t = arg;
    if (++t->crowd_left == sizeof t->crowd / sizeof t->crowd[0])
        end(t);
}

static void a_crowd_leaves_whole(void **state)
{
    (void)state;
    static struct trial t;
    begin(&t);
    for (size_t i = 0; i < sizeof t.crowd / sizeof t.crowd[0]; i++) {
        rhythm_arrived(&t.crowd[i], 2000);
        rhythm_wait(t.h, &t.crowd[i], one_of_the_crowd, &t);
    }
    loop_run(t.l, 1000);
    assert_int_equal(t.crowd_left, sizeof t.crowd / sizeof t.crowd[0]);
    loop_free(t.l);
}

static void waits_again(void *arg)
{
    struct one *o = arg;
    struct trial *t = o->t;
    t->left_ns[o->i++] = alarm_now();
    if (o->i == 2)
        end(t);
    else {
        rhythm_arrived(&t->place[0], 2000);
        rhythm_wait(t->h, &t->place[0], waits_again, o);
    }
}

/* As the next request of a connection does. */
static void a_place_is_used_again_out_of_its_own_beat(void **state)
{
    (void)state;
    static struct trial t;
    begin(&t);
    struct one one = { &t, 0 };
    rhythm_arrived(&t.place[0], 2000);
    rhythm_wait(t.h, &t.place[0], waits_again, &one);
    loop_run(t.l, 1000);
    assert_int_equal(one.i, 2);
    assert_true(t.left_ns[1] - t.left_ns[0] >= 20 * MS);
    loop_free(t.l);
}

/* An idle worker has nothing set that would wake it. */
static void idle_does_not_wake(void **state)
{
    (void)state;
    static struct trial t;
    begin(&t);
    uint64_t begun = alarm_now();
    unsigned turns = 0;
    while (alarm_now() - begun < 60 * MS) {
        turns += uv_run(loop_uv(t.l), UV_RUN_NOWAIT) != 0;
        assert_int_equal(uv_backend_timeout(loop_uv(t.l)), -1);
        usleep(5000);
    }
    assert_true(turns > 0); /* alive, and asleep */
    rhythm_free(t.h);
    rhythm_free(NULL);
    loop_free(t.l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_before_the_beat_does_not_show), cmocka_unit_test(later_beats_are_doubled),
        cmocka_unit_test(the_last_beat_is_before_the_deadline), cmocka_unit_test(few_beats_to_the_deadline),
        cmocka_unit_test(what_came_together_leaves_together), cmocka_unit_test(a_crowd_leaves_whole),
        cmocka_unit_test(a_place_is_used_again_out_of_its_own_beat), cmocka_unit_test(idle_does_not_wake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
