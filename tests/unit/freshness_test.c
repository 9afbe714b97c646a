/* When it is said that a list of revoked certificates will end, and in which numbers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/tls/freshness.h"

enum { HOUR = 3600, DAY = 24 * HOUR, WEEK = 7 * DAY };

static void warnings_fit_the_time_that_a_list_is_made_for(void **state)
{
    static const struct { int64_t period, left, soon; } CASES[] = {
        { 30 * DAY, 30 * DAY, 0 },        { 30 * DAY, WEEK, 0 },          { 30 * DAY, WEEK - 1, WEEK },     { 30 * DAY, DAY, WEEK },
        { 30 * DAY, DAY - 1, DAY },       { 30 * DAY, HOUR, DAY },        { 30 * DAY, HOUR - 1, HOUR },     { 30 * DAY, 0, HOUR },
        { 30 * DAY, -1, 0 },              { 14 * DAY, WEEK - 1, WEEK },   { 14 * DAY - 1, WEEK - 1, 0 },    { WEEK, DAY - 1, DAY },
        { DAY, DAY, 0 },                  { DAY, 13 * HOUR, 0 },          { DAY, HOUR, 0 },                 { DAY, HOUR - 1, HOUR },
        { 2 * HOUR, HOUR - 1, HOUR },     { 2 * HOUR - 2, HOUR - 1, 0 },  { 2 * HOUR - 2, HOUR - 2, HOUR - 1 }, { 60, 30, 0 }, { 60, 29, 30 }, { 60, 0, 30 }, { 60, -1, 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct crl c = { .this_update = 1000000000, .next_update = 1000000000 + CASES[i].period };
        assert_int_equal(crl_soon(&c, c.next_update - CASES[i].left), CASES[i].soon);
    }
}

/* The end is told once, both ways, for clocks are set; a warning once each. */
static void an_end_is_told_when_it_comes(void **state)
{
    const struct crl c = { .this_update = 1000, .next_update = 1000 + 100 * HOUR };
    struct freshness f = { 0 };
    (void)state;
    assert_false(freshness_look(&f, 1, NULL, 1000));
    assert_false(freshness_look(&f, 1, &c, 1000));
    assert_int_equal(f.said, 0);
    assert_false(freshness_look(&f, 1, &c, c.next_update - HOUR));
    assert_int_equal(f.said, 24 * HOUR);
    assert_false(freshness_look(&f, 1, &c, c.next_update));
    assert_int_equal(f.said, HOUR);
    assert_true(freshness_look(&f, 1, &c, c.next_update + 1));
    assert_false(freshness_look(&f, 1, &c, c.next_update + 2));
    assert_true(freshness_look(&f, 1, &c, c.next_update));
}

static void numbers_tell_the_first_end_and_who_has_no_list(void **state)
{
    char dir[] = "/tmp/pmhgw-fresh-XXXXXX", path[64];
    struct metrics *m;
    struct freshness_numbers n;
    const struct crl a = { .this_update = 500, .next_update = 2000 }, b = { .this_update = 700, .next_update = 1500 };
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(metrics_open(&m, dir, LITERAL("front")).code, E_OK);
    freshness_numbers(&n, m);
    freshness_tell(&n, (const struct crl *const[]){ &a, &b, NULL }, 3, 1000);
    assert_int_equal(*n.ends, 1500);
    assert_int_equal(*n.made, 500);
    assert_int_equal(*n.missing, 1);
    freshness_tell(&n, (const struct crl *const[]){ &a, &b }, 2, 1501);
    assert_int_equal(*n.missing, 1);
    freshness_tell(&n, (const struct crl *const[]){ &a, &b }, 2, 1500);
    assert_int_equal(*n.missing, 0);
    freshness_tell(&n, (const struct crl *const[]){ NULL }, 1, 1500);
    assert_int_equal(*n.ends, 0);
    assert_int_equal(*n.missing, 1);
    metrics_close(m);
    snprintf(path, sizeof path, "%s/front-0.m", dir);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warnings_fit_the_time_that_a_list_is_made_for),
        cmocka_unit_test(an_end_is_told_when_it_comes),
        cmocka_unit_test(numbers_tell_the_first_end_and_who_has_no_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
