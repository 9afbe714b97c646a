/* Queries of the operation log: what is documented is read, anything else is a bad URL. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/oplog/ask.h"

static void pages_are_asked_for(void **state)
{
    (void)state;
    static const struct { const char *query; bool good; uint64_t before; unsigned limit; } CASES[] = {
        { "", true, 0, NZ_OPLOG_PAGE_DEFAULT }, { "limit=1", true, 0, 1 }, { "limit=64&cursor=77", true, 77, 64 }, { "cursor=18446744073709551614", true, UINT64_MAX - 1, 50 },
        { "limit=65", false, 0, 0 }, { "limit=0", false, 0, 0 }, { "cursor=0", false, 0, 0 }, { "cursor=-1", false, 0, 0 }, { "cursor=18446744073709551615", false, 0, 0 },
        { "cursor=1&cursor=2", false, 0, 0 }, { "limit=1&limit=1", false, 0, 0 }, { "cursor=", false, 0, 0 }, { "cursor", false, 0, 0 }, { "muni=331007", false, 0, 0 },
        { "limit=1&", true, 0, 1 }, { "&limit=1", false, 0, 0 }, { "limit=01", false, 0, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_oplog_query q = { 0 };
        struct err e = nz_oplog_query_read(slice_str(CASES[i].query), &q);
        if (err_ok(e) != CASES[i].good || (CASES[i].good && (q.before != CASES[i].before || q.limit != CASES[i].limit)) || (!CASES[i].good && !err_is(e, E_BAD_URL)))
            fail_msg("%s", CASES[i].query);
    }
}

static void days_are_days_in_japan(void **state)
{
    (void)state;
    struct nz_oplog_range r;
    assert_true(err_ok(nz_oplog_range_read(SLICE_NONE, &r)) && r.from_ms == 0 && r.to_ms == UINT64_MAX);
    assert_true(err_ok(nz_oplog_range_read(LIT("from=2026-11-21&to=2026-11-21"), &r)));
    assert_true(r.to_ms - r.from_ms == 24 * 3600 * 1000 - 1);
    /* both ends of every day for two centuries, by the clock's own calendar */
    for (ymd_t d = clock_date_jst(r.from_ms); d < 21700101; d = clock_date_jst(r.from_ms)) {
        char text[] = "from=0000-00-00&to=0000-00-00";
        assert_true(clock_date_jst(r.from_ms) == d && clock_date_jst(r.to_ms) == d && clock_date_jst(r.from_ms - 1) < d);
        ymd_format(clock_date_jst(r.to_ms + 1), text + 5);
        ymd_format(clock_date_jst(r.to_ms + 1), text + 19);
        assert_true(err_ok(nz_oplog_range_read(slice_str(text), &r)));
    }
    static const char *const BAD[] = { "from=2026-11-22&to=2026-11-21", "from=2026-02-30", "from=1969-01-01", "from=20261121", "from=2026-11-21T00:00:00Z", "to=", "from=2026-11-21&from=2026-11-21",
                                       "to=2026-11-21&to=2026-11-22", "muni=331007" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_true(err_is(nz_oplog_range_read(slice_str(BAD[i]), &r), E_BAD_URL));
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(pages_are_asked_for), cmocka_unit_test(days_are_days_in_japan) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
