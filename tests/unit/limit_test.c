#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/serve/limit.h"

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

static void a_list_is_owed_beyond_the_room_once(void **state)
{
    (void)state;
    const struct rate RATE = { 10, 5 };
    struct limit *l;
    uint64_t after = 0;
    assert_true(err_ok(limit_new(&l, (struct limit_conf){ .idle_max = 8 })));
    struct party *p = limit_hold(l, LIT("a"), false);
    assert_true(limit_take(l, p, RATE, 1000, &after) && limit_take(l, p, RATE, 1000, &after)); /* two calls are let in side by side */
    assert_true(limit_owe(l, p, RATE, 99, 1000, &after));
    assert_false(limit_owe(l, p, RATE, 99, 1000, &after)); /* so much is owed already */
    assert_int_equal(after, 9600);
    assert_false(limit_take(l, p, RATE, 1000, &after));
    assert_int_equal(after, 9700);
    assert_false(limit_take(l, p, RATE, 10699, &after));
    assert_true(limit_take(l, p, RATE, 10700, &after)); /* 101 at 10 a second, of which 5 are free */
    assert_true(limit_owe(l, p, (struct rate){ 0, 0 }, 99, 0, &after));
    limit_drop(l, p);
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
    struct limit *a = NULL, *b = NULL;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_fills_with_time),
        cmocka_unit_test(a_list_is_owed_beyond_the_room_once), cmocka_unit_test(no_rate_no_limit),
        cmocka_unit_test(a_party_is_its_name),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(who_asks_two_processes_has_one_rate),
        cmocka_unit_test(processes_that_ask_at_the_same_time_take_no_more_together),
        cmocka_unit_test(a_full_table_limits_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
