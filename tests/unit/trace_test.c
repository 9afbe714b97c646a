/* traceparent: what is taken of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/serve/trace.h"

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define PARENT "00f067aa0ba902b7"

static bool taken(struct slice header)
{
    const struct trace_id none = { { 0 } }, id = trace_of(header);
    return !slice_eq(ARR(id.b), ARR(none.b));
}

static void test_a_good_one_is_taken_whole(void **state)
{
    (void)state;
    const struct trace_id id = trace_of(LIT("00-" TRACE "-" PARENT "-01"));
    struct buf hex;
    buf_init(&hex, 64);
    buf_hex(&hex, ARR(id.b));
    assert_true(slice_eq(buf_slice(&hex), LIT(TRACE)));
    buf_done(&hex);
}

static void test_later_versions_may_be_longer(void **state)
{
    (void)state;
    assert_true(taken(LIT("cc-" TRACE "-" PARENT "-01-what-comes-then")));
    assert_true(taken(LIT("cc-" TRACE "-" PARENT "-01")));
    assert_false(taken(LIT("cc-" TRACE "-" PARENT "-01.what-comes-then")));
}

static void test_what_is_malformed_is_none(void **state)
{
    (void)state;
    const struct slice BAD[] = {
        SLICE_NONE, LIT("00"), LIT("00-" TRACE "-" PARENT "-0"), LIT("00-" TRACE "-" PARENT "-01-more"), LIT("ff-" TRACE "-" PARENT "-01"),
        LIT("00-" TRACE "-0000000000000000-01"), LIT("00-00000000000000000000000000000000-" PARENT "-01"), LIT("00-4BF92F3577B34DA6A3CE929D0E0E4736-" PARENT "-01"),
        LIT("0g-" TRACE "-" PARENT "-01"), LIT("00_" TRACE "-" PARENT "-01"), LIT("00-" TRACE "_" PARENT "-01"), LIT("00-" TRACE "-" PARENT "_01"), LIT("00-" TRACE "-" PARENT "-0x"),
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(taken(BAD[i]));
}

static void test_what_could_be_a_number_is_none(void **state)
{
    (void)state;
    assert_false(taken(LIT("00-abcd123456789012abcdabcdabcdabcd-" PARENT "-01")));
    assert_false(taken(LIT("00-00000000000000000000123456789012-" PARENT "-01")));
    assert_true(taken(LIT("00-abcd12345678901aabcdabcdabcdabcd-" PARENT "-01")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_one_is_taken_whole), cmocka_unit_test(test_later_versions_may_be_longer),
        cmocka_unit_test(test_what_is_malformed_is_none), cmocka_unit_test(test_what_could_be_a_number_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
