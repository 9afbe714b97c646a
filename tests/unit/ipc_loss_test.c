#include "tests/unit/ipc_bench.h"

/* ---- trouble ---- */

static void calls_wait_for_a_server_that_is_not_there_yet(void **state)
{
    struct bench *b = *state;
    struct result late = { 0 }, good = { 0 };
    server_stop(b);
    turns_for(b, 5);
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_ECHO, LIT("a"), in_ms(b, 50), on_done, &late);
    ipc_call(c, MSG_ECHO, LIT("b"), in_ms(b, 4000), on_done, &good);
    UNTIL(b, late.times == 1);
    assert_true(err_is(late.e, E_VAULT_DOWN));
    server_start(b);
    UNTIL(b, good.times == 1);
    assert_true(err_ok(good.e) && good.body[0] == 'b');
    assert_int_equal(b->echoed, 1); /* the call that was late is not sent any more */
    ipc_client_close(c);
}

static void a_lost_server_ends_what_was_sent_and_comes_back(void **state)
{
    struct bench *b = *state;
    struct result r[8] = { 0 }, again = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    for (int i = 0; i < 8; i++)
        ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 4000), on_done, &r[i]);
    UNTIL(b, b->n_held == 8);
    server_stop(b);
    UNTIL(b, r[7].times == 1);
    for (int i = 0; i < 8; i++)
        assert_true(r[i].times == 1 && err_is(r[i].e, E_VAULT_DOWN));
    assert_false(ipc_client_up(c));
    for (int i = 0; i < 8; i++) /* nobody hears them; they must not disturb */
        ipc_reply(b->held[i], OK, LIT("late"));
    b->n_held = 0;
    server_start(b);
    ipc_call(c, MSG_ECHO, LIT("again"), in_ms(b, 4000), on_done, &again);
    UNTIL(b, again.times == 1);
    assert_true(err_ok(again.e));
    for (int i = 0; i < 8; i++)
        assert_int_equal(r[i].times, 1);
    ipc_client_close(c);
}

static void on_left(void *arg)
{
    struct bench *b = arg;
    server_stop(b);
    server_start(b);
}

static void a_server_that_leaves_answers_first_and_the_next_one_gets_the_rest(void **state)
{
    struct bench *b = *state;
    struct result held = { 0 }, later[8] = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 4000), on_done, &held);
    UNTIL(b, b->n_held == 1);
    ipc_server_leave(b->server, on_left, b);
    turns_for(b, 20);
    for (int i = 0; i < 8; i++)
        ipc_call(c, MSG_ECHO, LIT("x"), in_ms(b, 4000), on_done, &later[i]);
    turns_for(b, 20);
    assert_true(ipc_client_up(c));
    assert_int_equal(held.times, 0);
    assert_int_equal(b->echoed, 0); /* they wait for the next one */
    ipc_reply(b->held[--b->n_held], OK, LIT("kept"));
    UNTIL(b, held.times == 1 && later[7].times == 1);
    assert_true(err_ok(held.e) && held.n == 4);
    for (int i = 0; i < 8; i++)
        assert_true(err_ok(later[i].e) && later[i].times == 1);
    assert_true(ipc_client_up(c));
    ipc_client_close(c);
}

static void on_gone(void *arg) { server_stop(arg); }

static void nobody_waits_for_ever_for_the_next_one(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    UNTIL(b, ipc_client_up(c));
    ipc_server_leave(b->server, on_gone, b);
    turns_for(b, 20);
    ipc_call(c, MSG_ECHO, LIT("x"), in_ms(b, 100), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_VAULT_DOWN));
    UNTIL(b, !ipc_client_up(c));
    server_start(b);
    UNTIL(b, ipc_client_up(c));
    ipc_client_close(c);
}

static void a_server_without_clients_leaves_at_once(void **state)
{
    struct bench *b = *state;
    struct ipc_server *before = b->server;
    ipc_server_leave(before, on_left, b);
    assert_ptr_not_equal(b->server, NULL);
}

static void a_late_reply_finds_nobody(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 }, next = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    UNTIL(b, ipc_client_up(c));
    uint64_t start = loop_now(b->loop);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 100), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_in_range(loop_now(b->loop) - start, 95, 1500);
    assert_true(err_is(r.e, E_VAULT_DOWN));
    ipc_call(c, MSG_ECHO, LIT("next"), in_ms(b, 2000), on_done, &next); /* takes the same slot */
    ipc_reply(b->held[--b->n_held], OK, LIT("late"));
    UNTIL(b, next.times == 1);
    assert_true(err_ok(next.e) && next.n == 4 && memcmp(next.body, "next", 4) == 0);
    turns_for(b, 20);
    assert_int_equal(r.times, 1);
    assert_true(ipc_client_up(c));
    ipc_client_close(c);
}

static void an_error_reply_has_its_code_and_no_body(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 2000), on_done, &r);
    UNTIL(b, b->n_held == 1);
    ipc_reply(b->held[--b->n_held], FAIL(E_NOTHING), LIT("must not be seen"));
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_NOTHING) && r.n == 0);
    ipc_client_close(c);
}

static void close_cancels_what_is_pending_from_the_loop(void **state)
{
    struct bench *b = *state;
    struct result sent = { 0 }, waiting = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 2000), on_done, &sent);
    UNTIL(b, b->n_held == 1);
    ipc_call(c, MSG_ECHO, LIT("x"), in_ms(b, 2000), on_done, &waiting);
    ipc_client_close(c);
    assert_true(sent.times == 0 && waiting.times == 0);
    UNTIL(b, sent.times == 1 && waiting.times == 1);
    assert_true(err_is(sent.e, E_CANCELED) && err_is(waiting.e, E_CANCELED));
}

struct closer {
    struct ipc_client *c;
    unsigned times;
};

static void close_inside(void *arg, struct err e, struct slice body)
{
    struct closer *x = arg;
    (void)e, (void)body;
    x->times++;
    ipc_client_close(x->c);
}

static void close_from_inside_a_callback(void **state)
{
    struct bench *b = *state;
    struct closer x = { client(b, IPC_INTAKE, CAP), 0 };
    for (int i = 0; i < 3; i++)
        ipc_call(x.c, MSG_ECHO, LIT("x"), in_ms(b, 2000), close_inside, &x);
    UNTIL(b, x.times == 3);
    struct closer y = { client(b, IPC_INTAKE, CAP), 0 };
    for (int i = 0; i < 3; i++)
        ipc_call(y.c, MSG_HOLD, LIT("hold"), in_ms(b, 2000), close_inside, &y);
    UNTIL(b, b->n_held == 3);
    server_stop(b); /* now the callbacks run in the loss */
    UNTIL(b, y.times == 3);
}

static void paths_that_do_not_fit_are_refused(void **state)
{
    struct bench *b = *state;
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    struct ipc_client *c = NULL;
    struct ipc_server *s = NULL;
    struct ipc_client_conf conf = { .path = longer, .cap = cap_of(CAP), .down = E_VAULT_DOWN };
    assert_true(err_is(ipc_client_new(&c, b->loop, conf), E_CONFIG));
    struct ipc_server_conf sc = { .path = longer };
    assert_true(err_is(ipc_server_new(&s, b->loop, sc), E_CONFIG));
    sc.path = "/nonexistent-directory/s";
    assert_true(err_is(ipc_server_new(&s, b->loop, sc), E_IO));
    turns_for(b, 5);
}

/* ---- the blocking helper, against a server in a thread of its own loop turn ---- */

struct once {
    struct bench *b;
    const uint8_t *cap;
    enum ipc_role role;
    uint8_t type;
    struct err e;
    uint8_t body[16];
    size_t n;
    volatile bool ended;
};

static void once_run(void *arg)
{
    struct once *o = arg;
    struct secret *cap = cap_of(o->cap);
    o->e = ipc_call_once(o->b->path, o->role, cap, o->type, LIT("ping"), 300, o->body, sizeof o->body, &o->n);
    secret_free(cap);
    o->ended = true;
}

static void the_blocking_call(void **state)
{
    struct bench *b = *state;
    static const uint8_t OTHER[IPC_CAP_BYTES] = { 1 };
    static const struct { const char *name; enum ipc_role role; const uint8_t *cap; uint8_t type; enum err_code code; } CASES[] = {
        { "good", IPC_CTL, CAP, MSG_ECHO, E_OK },
        { "wrong capability", IPC_CTL, OTHER, MSG_ECHO, E_IO },
        { "forbidden type", IPC_CTL, CAP, MSG_HOLD, E_IO },
        { "never answered", IPC_INTAKE, CAP, MSG_HOLD, E_DEADLINE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct once o = { .b = b, .cap = CASES[i].cap, .role = CASES[i].role, .type = CASES[i].type };
        uv_thread_t t;
        assert_int_equal(uv_thread_create(&t, once_run, &o), 0);
        UNTIL(b, o.ended);
        uv_thread_join(&t);
        if (o.e.code != CASES[i].code)
            fail_msg("%s: %s", CASES[i].name, err_slug(o.e.code));
        if (err_ok(o.e))
            assert_true(o.n == 4 && memcmp(o.body, "ping", 4) == 0);
    }
    struct secret *cap = cap_of(CAP);
    uint8_t body[4];
    size_t n;
    assert_true(err_is(ipc_call_once("/nonexistent", IPC_CTL, cap, MSG_ECHO, SLICE_NONE, 100, body, sizeof body, &n), E_IO));
    secret_free(cap);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(calls_wait_for_a_server_that_is_not_there_yet),
        T(a_lost_server_ends_what_was_sent_and_comes_back),
        T(a_server_that_leaves_answers_first_and_the_next_one_gets_the_rest),
        T(nobody_waits_for_ever_for_the_next_one),
        T(a_server_without_clients_leaves_at_once),
        T(a_late_reply_finds_nobody),
        T(an_error_reply_has_its_code_and_no_body),
        T(close_cancels_what_is_pending_from_the_loop),
        T(close_from_inside_a_callback),
        T(paths_that_do_not_fit_are_refused),
        T(the_blocking_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
