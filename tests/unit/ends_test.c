#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/tls/ends.h"
#include "tests/unit/certs.h"

enum { DAY = 24 * 3600 };

static void stages(void **state)
{
    (void)state;
    static const struct { int64_t left; enum ends_stage stage; unsigned days; } CASES[] = {
        { 31LL * DAY, ENDS_LATER, 0 }, { 30LL * DAY, ENDS_LATER, 0 }, { 30LL * DAY - 1, ENDS_IN_30, 30 }, { 14LL * DAY, ENDS_IN_30, 30 },
        { 14LL * DAY - 1, ENDS_IN_14, 14 }, { 7LL * DAY, ENDS_IN_14, 14 }, { 7LL * DAY - 1, ENDS_IN_7, 7 }, { DAY, ENDS_IN_7, 7 },
        { DAY - 1, ENDS_IN_1, 1 }, { 0, ENDS_IN_1, 1 }, { -1, ENDS_OVER, 0 }, { INT64_MIN, ENDS_OVER, 0 }, { INT64_MAX, ENDS_LATER, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        assert_int_equal(ends_stage(CASES[i].left), CASES[i].stage);
        assert_int_equal(ends_stage_days(CASES[i].stage), CASES[i].days);
    }
}

static void the_first_end_of_a_file(void **state)
{
    (void)state;
    char path[] = "/tmp/pmhgw-ends-XXXXXX";
    int64_t end = 0, now = (int64_t)time(NULL);
    struct pair ca = ca_new(), later = pair_new(&ca, (struct wish){ .to_s = 10 * DAY }), sooner = pair_new(&ca, (struct wish){ .to_s = 5 * DAY });
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *f = fdopen(fd, "w");
    must(f && PEM_write_X509(f, later.cert) && PEM_write_X509(f, sooner.cert) && fclose(f) == 0);
    assert_int_equal(ends_read(path, &end).code, E_OK);
    assert_in_range(end - now, 5 * DAY - 60, 5 * DAY + 60);
    f = fopen(path, "w");
    must(f && fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", f) > 0 && fclose(f) == 0);
    assert_int_equal(ends_read(path, &end).code, E_CONFIG);
    unlink(path);
    assert_int_equal(ends_read(path, &end).code, E_IO);
    pair_free(&ca);
    pair_free(&later);
    pair_free(&sooner);
}

/* A day passes in an instant: the clock is the test's. */
static uint64_t wall(void *ctx) { return *(uint64_t *)ctx; }
static uint64_t mono(void *ctx) { return *(uint64_t *)ctx / 2; }

static void watched_until_the_loop_stops(void **state)
{
    (void)state;
    struct loop *l;
    uint64_t now_ms = (uint64_t)time(NULL) * 1000;
    struct pki k;
    pki_begin(&k);
    assert_int_equal(loop_new(&l, (struct clock){ .wall_ms = wall, .mono_ms = mono, .ctx = &now_ms }).code, E_OK);
    const struct ends_file files[] = { { LITERAL("door_cert"), k.cert }, { LITERAL("door_ca"), "" }, { LITERAL("other"), "/nonexistent" } };
    assert_int_equal(ends_watch(l, files, 3).code, E_OK);
    loop_stop(l);
    loop_run(l, 1000);
    loop_free(l);
    pki_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages),
        cmocka_unit_test(the_first_end_of_a_file),
        cmocka_unit_test(watched_until_the_loop_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
