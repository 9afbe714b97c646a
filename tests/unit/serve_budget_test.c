#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/serve_routes.h"

/* A door with a small budget: each test says how small, and begins with nothing in use. */

static struct world *open_world(const struct budget_conf *budget)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->routes = ROUTES;
    w->n_routes = sizeof ROUTES / sizeof ROUTES[0];
    w->limits = door_limits_default();
    w->budget_conf = budget;
    world_start(w);
    return w;
}

static void close_world(struct world *w)
{
    world_stop(w);
    free(w);
}

static bool told(struct world *w, unsigned count, enum err_code why)
{
    for (int i = 0; i < 100 && atomic_load(&w->shed) < count; i++)
        pause_ms(50);
    return atomic_load(&w->shed) == count && atomic_load(&w->shed_why) == (int)why;
}

#define LATER GET("/v1/later")
#define SIZE POST("/v1/size", JSON "Content-Length: 4\r\n", "{  }")

static void who_finds_no_place_waits_for_his_turn(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.work_max = 1;
    struct world *w = open_world(&conf);
    struct client c[3];
    for (int i = 0; i < 3; i++) {
        assert_true(client_open(&c[i], w, &w->clinic));
        assert_true(client_send(&c[i], LATER));
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(client_answer(&c[i]), 200);
    assert_int_equal(client_ask(&c[0], SIZE), 200); /* and they live on */
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    assert_int_equal(atomic_load(&w->shed), 0);
    close_world(w);
}

static void who_finds_the_room_full_hears_so_at_once_and_unrecorded(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.work_max = 1;
    conf.wait_max = 0;
    struct world *w = open_world(&conf);
    struct client busy, c;
    assert_true(client_open(&busy, w, &w->clinic) && client_open(&c, w, &w->clinic));
    assert_true(client_send(&busy, LATER));
    pause_ms(30);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_ask(&c, SIZE), 503);
        assert_true(client_heard(&c, "\"overloaded\"") && client_heard(&c, "Retry-After: "));
        assert_false(client_heard(&c, "Connection: close"));
    }
    assert_int_equal(client_ask(&c, GET("/health")), 200); /* anyone's routes need no place */
    assert_int_equal(client_answer(&busy), 200);
    assert_int_equal(client_ask(&c, SIZE), 200);
    assert_true(told(w, 3, E_BUSY));
    assert_int_equal(atomic_load(&w->shed_told), 1); /* one record for all of them */
    assert_int_equal(atomic_load(&w->refused), 0);
    client_close(&busy);
    client_close(&c);
    close_world(w);
}

/* Once is answered at once; who goes on is answered too, and later each time. */
static void who_does_not_wait_as_told_is_read_later(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.rate[BUDGET_CLINIC].per_s = 1;
    conf.rate[BUDGET_CLINIC].burst = 1;
    struct world *w = open_world(&conf);
    struct client c;
    struct timespec from, to;
    assert_true(client_open(&c, w, &w->clinic));
    clock_gettime(CLOCK_MONOTONIC, &from);
    int often = 0;
    for (int i = 0; i < 12; i++) {
        int status = client_ask(&c, SIZE);
        assert_true(status == 200 || status == 429);
        often = status == 429 ? often + 1 : 0;
        if (often == 5)
            break;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 > 300);
    client_close(&c);
    close_world(w);
}

static size_t as_told(const void *n) { return atomic_load((const atomic_size_t *)n); }

/* What waits for the audit log holds up refusals as well: each is a record. */
static void nobody_is_let_in_while_too_much_waits_for_others(void **state)
{
    (void)state;
    atomic_size_t waits[BUDGET__QUEUES] = { 0 };
    struct budget_conf conf = budget_conf_default();
    for (unsigned q = 0; q < BUDGET__QUEUES; q++)
        conf.queues[q] = (struct budget_queue){ 4, as_told, &waits[q] };
    struct world *w = open_world(&conf);
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    for (unsigned q = 0; q < BUDGET__QUEUES; q++) {
        atomic_store(&waits[q], 3);
        assert_int_equal(client_ask(&c, SIZE), 200);
        assert_int_equal(client_ask(&c, GET("/nowhere")), 404);
        int refused = atomic_load(&w->refused);
        atomic_store(&waits[q], 4);
        assert_int_equal(client_ask(&c, SIZE), 503);
        assert_true(client_heard(&c, "\"overloaded\""));
        assert_int_equal(client_ask(&c, GET("/health")), 200);
        assert_int_equal(client_ask(&c, GET("/nowhere")), q == BUDGET_AUDIT ? 503 : 404);
        assert_int_equal(atomic_load(&w->refused), q == BUDGET_AUDIT ? refused : refused + 1);
        atomic_store(&waits[q], 0);
        assert_int_equal(client_ask(&c, SIZE), 200);
    }
    client_close(&c);
    close_world(w);
}

static void who_waits_too_long_hears_so(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.work_max = 1;
    conf.wait_ms = 30;
    struct world *w = open_world(&conf);
    struct client busy, c;
    assert_true(client_open(&busy, w, &w->clinic) && client_open(&c, w, &w->clinic));
    assert_true(client_send(&busy, LATER));
    pause_ms(10);
    assert_int_equal(client_ask(&c, LATER), 503);
    assert_int_equal(client_answer(&busy), 200);
    assert_int_equal(client_ask(&c, LATER), 200);
    client_close(&busy);
    client_close(&c);
    close_world(w);
}

static void who_leaves_while_he_waits_takes_no_place(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.work_max = 1;
    struct world *w = open_world(&conf);
    struct client busy, gone, c;
    assert_true(client_open(&busy, w, &w->clinic) && client_open(&gone, w, &w->clinic) && client_open(&c, w, &w->clinic));
    assert_true(client_send(&busy, LATER));
    pause_ms(20);
    assert_true(client_send(&gone, LATER));
    pause_ms(20);
    close(gone.fd); /* a reset: not even half closed */
    gone.fd = -1;
    assert_int_equal(client_answer(&busy), 200);
    assert_int_equal(client_ask(&c, LATER), 200);
    client_close(&busy);
    client_close(&gone);
    client_close(&c);
    close_world(w);
}

static void who_asks_too_often_hears_for_how_long_to_wait(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.rate[BUDGET_CLINIC].per_s = 1;
    conf.rate[BUDGET_CLINIC].burst = 3;
    struct world *w = open_world(&conf);
    struct client c, other;
    assert_true(client_open(&c, w, &w->clinic) && client_open(&other, w, &w->clinic));
    int good = 0, often = 0;
    for (int i = 0; i < 12; i++) {
        int status = client_ask(i % 2 ? &c : &other, SIZE); /* one caller, whatever the connection */
        good += status == 200;
        often += status == 429;
    }
    assert_int_equal(good + often, 12);
    assert_in_range(good, 3, 10);
    for (int i = 0; client_ask(&c, GET("/v1/size")) != 429; i++) /* without a body too, on the same connection */
        assert_true(i < 20);
    often++;
    assert_true(client_heard(&c, "\"too_many_requests\"") && client_heard(&c, "Retry-After: "));
    struct client portal;
    assert_true(client_open(&portal, w, &w->portal));
    assert_int_equal(client_ask(&portal, GET("/v1/portal")), 200); /* another caller is not concerned */
    assert_true(told(w, (unsigned)often, E_RATE));
    assert_int_equal(atomic_load(&w->refused), 0);
    client_close(&c);
    client_close(&other);
    client_close(&portal);
    close_world(w);
}

static void one_address_has_so_many_connections(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.conns_per_source = 3;
    struct world *w = open_world(&conf);
    struct client c[4];
    for (int i = 0; i < 3; i++)
        assert_true(client_open(&c[i], w, &w->clinic));
    assert_false(client_open(&c[3], w, &w->clinic));
    client_close(&c[3]);
    assert_int_equal(client_ask(&c[0], SIZE), 200);
    client_close(&c[2]);
    for (int i = 0; i < 100; i++) { /* until the door has seen it go */
        if (client_open(&c[2], w, &w->clinic))
            break;
        client_close(&c[2]);
        pause_ms(20);
    }
    assert_int_equal(client_ask(&c[2], SIZE), 200);
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    close_world(w);
}

static void one_caller_has_so_many_connections(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.conns_per_caller = 1;
    struct world *w = open_world(&conf);
    struct client first, second, portal;
    assert_true(client_open(&first, w, &w->clinic));
    assert_int_equal(client_ask(&first, SIZE), 200);
    assert_true(client_open(&second, w, &w->clinic) && client_open(&portal, w, &w->portal));
    assert_int_equal(client_ask(&second, SIZE), 503);
    assert_true(client_heard(&second, "Connection: close"));
    assert_true(client_ended(&second));
    assert_int_equal(client_ask(&portal, GET("/v1/portal")), 200);
    assert_int_equal(client_ask(&first, SIZE), 200);
    client_close(&first);
    client_close(&second);
    client_close(&portal);
    close_world(w);
}

static void bodies_have_a_budget(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.memory_max = 350000;
    struct world *w = open_world(&conf);
    struct client slow, c;
    assert_true(client_open(&slow, w, &w->clinic) && client_open(&c, w, &w->clinic));
    assert_true(client_send(&slow, POST("/v1/large", JSON "Content-Length: 300000\r\n", "{")));
    pause_ms(50);
    assert_int_equal(client_ask(&c, POST("/v1/large", JSON "Content-Length: 300000\r\n", "{")), 503);
    assert_true(client_heard(&c, "Connection: close"));
    client_close(&c);
    client_close(&slow); /* gives its part back */
    pause_ms(50);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, SIZE), 200);
    client_close(&c);
    close_world(w);
}

static void a_door_that_closes_ends_those_who_wait(void **state)
{
    (void)state;
    struct budget_conf conf = budget_conf_default();
    conf.work_max = 1;
    struct world *w = open_world(&conf);
    struct client c[2], last;
    for (int i = 0; i < 2; i++) {
        assert_true(client_open(&c[i], w, &w->clinic));
        assert_true(client_send(&c[i], LATER));
    }
    assert_true(client_open(&last, w, &w->clinic));
    assert_int_equal(client_ask(&last, GET("/health")), 200); /* both requests have been read by now */
    world_begin_stop(w);
    assert_int_equal(client_answer(&c[0]), 200);
    client_answer(&c[1]); /* answered or turned away, and not left hanging */
    assert_true(c[1].status == 200 || c[1].status == 503);
    client_close(&c[0]);
    client_close(&c[1]);
    client_close(&last);
    close_world(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_finds_no_place_waits_for_his_turn), cmocka_unit_test(who_finds_the_room_full_hears_so_at_once_and_unrecorded),
        cmocka_unit_test(nobody_is_let_in_while_too_much_waits_for_others), cmocka_unit_test(who_waits_too_long_hears_so), cmocka_unit_test(who_leaves_while_he_waits_takes_no_place),
        cmocka_unit_test(who_does_not_wait_as_told_is_read_later),
        cmocka_unit_test(who_asks_too_often_hears_for_how_long_to_wait), cmocka_unit_test(one_address_has_so_many_connections),
        cmocka_unit_test(one_caller_has_so_many_connections), cmocka_unit_test(bodies_have_a_budget),
        cmocka_unit_test(a_door_that_closes_ends_those_who_wait),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
