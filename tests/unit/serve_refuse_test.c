/* Refusals and the audit log: each is recorded before its answer, once; unknown callers share a bounded number of records. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/serve_routes.h"

enum { ONE_BY_ONE = 50 }; /* of unknown callers, in a second */

struct counts {
    int records;
    unsigned refusals;
};

static struct counts counts_of(struct world *w)
{
    return (struct counts){ atomic_load(&w->refused), atomic_load(&w->refusals) };
}

static void expect(struct world *w, struct counts before, int records, unsigned refusals)
{
    for (int i = 0; i < 300 && atomic_load(&w->refused) - before.records < records; i++)
        pause_ms(10);
    assert_int_equal(atomic_load(&w->refused) - before.records, records);
    assert_int_equal(atomic_load(&w->refusals) - before.refusals, refusals);
}

/* The second of the test before is over, so that a new crowd begins. */
static void next_second(void) { pause_ms(1100); }

static void fill_second(struct client *c)
{
    for (int i = 0; i < ONE_BY_ONE; i++)
        assert_int_equal(client_ask(c, GET("/v1/size")), 401);
}

static void unknown_callers_share_records(void **state)
{
    struct world *w = *state;
    struct client first, second, clinic;
    next_second();
    struct counts before = counts_of(w);
    assert_true(client_open(&first, w, NULL));
    assert_true(client_open(&second, w, &w->stranger));
    assert_true(client_open(&clinic, w, &w->clinic));
    fill_second(&first);
    expect(w, before, ONE_BY_ONE, ONE_BY_ONE);
    assert_true(client_send(&first, GET("/v1/size"))); /* speaks for the others */
    pause_ms(50);
    for (int i = 0; i < 100; i++)
        assert_int_equal(client_ask(&second, GET("/v1/size")), 403);
    expect(w, before, ONE_BY_ONE, ONE_BY_ONE);
    assert_int_equal(client_ask(&clinic, GET("/nowhere")), 404); /* nobody drowns a known caller out */
    expect(w, before, ONE_BY_ONE + 1, ONE_BY_ONE + 1);
    assert_int_equal(client_answer(&first), 401);
    expect(w, before, ONE_BY_ONE + 2, ONE_BY_ONE + 1 + 101);
    client_close(&second);
    next_second();
    assert_true(client_open(&second, w, &w->stranger));
    assert_int_equal(client_ask(&second, GET("/v1/size")), 403);
    expect(w, before, ONE_BY_ONE + 3, ONE_BY_ONE + 1 + 102);
    client_close(&first);
    client_close(&second);
    client_close(&clinic);
}

static void the_speaker_leaves(void **state)
{
    struct world *w = *state;
    struct client c, other;
    next_second();
    struct counts before = counts_of(w);
    assert_true(client_open(&c, w, NULL));
    assert_true(client_open(&other, w, NULL));
    fill_second(&c);
    assert_true(client_send(&c, GET("/v1/size")));
    pause_ms(50);
    client_close(&c);
    assert_int_equal(client_ask(&other, GET("/v1/size")), 401);
    expect(w, before, ONE_BY_ONE + 1, ONE_BY_ONE + 2);
    client_close(&other);
}

static void the_door_closes_on_a_speaker(void **state)
{
    (void)state;
    struct world w = { .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .limits = door_limits_default() };
    struct client c;
    world_start(&w);
    atomic_store(&w.refuse_mode, 1);
    assert_true(client_open(&c, &w, NULL));
    fill_second(&c);
    assert_true(client_send(&c, GET("/v1/size")));
    pause_ms(50);
    world_begin_stop(&w);
    assert_int_equal(client_answer(&c), 401);
    expect(&w, (struct counts){ 0, 0 }, ONE_BY_ONE + 1, ONE_BY_ONE + 1);
    client_close(&c);
    world_stop(&w);
}

static void known_callers_have_a_record_each(void **state)
{
    struct world *w = *state;
    struct client c;
    struct counts before = counts_of(w);
    assert_true(client_open(&c, w, &w->clinic));
    for (int i = 0; i < 3 * ONE_BY_ONE; i++)
        assert_int_equal(client_ask(&c, GET("/v1/field")), 422);
    expect(w, before, 3 * ONE_BY_ONE, 3 * ONE_BY_ONE);
    client_close(&c);
}

/* The document with its details waits, or gives way to the reason why there is no record. */
static void details_survive_the_wait(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    for (int mode = 0; mode <= 1; mode++) {
        atomic_store(&w->refuse_mode, mode);
        assert_int_equal(client_ask(&c, GET("/v1/field")), 422);
        assert_true(client_heard(&c, "\"errors\":[\"a_field\"]}"));
        assert_int_equal(client_ask(&c, LIT("DELETE /v1/size HTTP/1.1\r\n" HOST "\r\n")), 405);
        assert_true(client_heard(&c, "Allow: POST, GET\r\n"));
    }
    atomic_store(&w->refuse_mode, 2);
    assert_int_equal(client_ask(&c, GET("/v1/field")), 503);
    assert_true(client_heard(&c, "audit_unavailable"));
    assert_false(client_heard(&c, "a_field"));
    assert_int_equal(client_ask(&c, POST("/v1/size", JSON "Content-Length: 2000\r\n", "")), 503);
    assert_true(client_ended(&c));
    atomic_store(&w->refuse_mode, 0);
    client_close(&c);
}

/* Nobody hears the answer any more, but the attempt was made. */
static void late_refusals_are_recorded(void **state)
{
    struct world *w = *state;
    struct client c;
    for (int mode = 0; mode <= 1; mode++) {
        struct counts before = counts_of(w);
        atomic_store(&w->refuse_mode, mode);
        assert_true(client_open(&c, w, &w->clinic));
        assert_int_equal(client_ask(&c, GET("/v1/too-late?refuse")), 503);
        expect(w, before, 1, 1);
        client_close(&c);
        assert_true(client_open(&c, w, &w->clinic));
        assert_true(client_send(&c, GET("/v1/later?refuse")));
        pause_ms(20);
        client_close(&c);
        expect(w, before, 2, 2);
    }
    atomic_store(&w->refuse_mode, 0);
}

/* Before the token and before the body is read; after the role; routes for anyone are not asked. */
static void what_the_door_does_not_allow_is_refused_first(void **state)
{
    struct world *w = *state;
    struct counts before = counts_of(w);
    struct client c, portal;
    atomic_store(&w->deny, true);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, POST("/v1/token", "", "")), 403);
    assert_true(client_heard(&c, "no_legal_basis"));
    client_close(&c);
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, POST("/v1/size", JSON "Content-Length: 900\r\n", "{"))); /* the rest never comes */
    assert_int_equal(client_answer(&c), 403);
    assert_true(client_heard(&c, "no_legal_basis"));
    client_close(&c);
    assert_true(client_open(&portal, w, &w->portal));
    assert_int_equal(client_ask(&portal, POST("/v1/token", "", "")), 403);
    assert_true(client_heard(&portal, "\"forbidden\""));
    assert_int_equal(client_ask(&portal, GET("/health")), 200);
    client_close(&portal);
    expect(w, before, 3, 3);
    atomic_store(&w->deny, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_door_does_not_allow_is_refused_first),
        cmocka_unit_test(unknown_callers_share_records),
        cmocka_unit_test(the_speaker_leaves),
        cmocka_unit_test(the_door_closes_on_a_speaker),
        cmocka_unit_test(known_callers_have_a_record_each),
        cmocka_unit_test(details_survive_the_wait),
        cmocka_unit_test(late_refusals_are_recorded),
    };
    return cmocka_run_group_tests_name("serve_refuse", tests, begin, end);
}
