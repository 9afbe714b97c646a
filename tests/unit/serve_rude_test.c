/* Clients that are slow, silent, greedy or gone, and the door itself. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "tests/unit/serve_routes.h"

/* ---- clients that misbehave ---- */

static unsigned conns_after(struct world *w, long ms)
{
    for (long t = 0; t < ms && world_conns(w) > 0; t += 10)
        pause_ms(10);
    return world_conns(w);
}

static void never_reads(void **state)
{
    struct world *w = *state;
    struct client c[3];
    for (int i = 0; i < 3; i++) {
        assert_true(client_open(&c[i], w, &w->clinic));
        for (int k = 0; k < 8; k++)
            client_send(&c[i], GET("/v1/big"));
    }
    assert_int_equal(conns_after(w, 6000), 0); /* shed by write_ms */
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
}

static void slow_and_silent(void **state)
{
    struct world *w = *state;
    struct client silent, dribble;
    int raw = client_socket(w); /* never even begins the handshake */
    assert_true(client_open(&silent, w, &w->clinic));
    assert_true(client_open(&dribble, w, &w->clinic));
    struct slice head = GET("/health"), one;
    int sent = 0;
    while (slice_take(&head, 1, &one) && client_send(&dribble, one)) { /* a byte each 100 ms never ends in time */
        pause_ms(100);
        sent++;
        if (world_conns(w) == 0)
            break;
    }
    assert_true(sent < 30);
    assert_int_equal(client_answer(&dribble), 408);
    assert_true(client_ended(&silent)); /* closed without a word */
    assert_int_equal(silent.in.n, 0);
    char b;
    assert_int_equal(recv(raw, &b, 1, 0), 0);
    close(raw);
    client_close(&silent);
    client_close(&dribble);
    assert_int_equal(conns_after(w, 3000), 0);
}

static void idle_is_closed(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/health")), 200);
    pause_ms(700);
    assert_int_equal(client_ask(&c, GET("/health")), 200); /* the idle time begins anew */
    pause_ms(1200);
    assert_int_equal(client_ask(&c, GET("/health")), 200);
    assert_true(client_ended(&c));
    client_close(&c);
}

static void leaves_during_the_handler(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 10; i++) {
        struct client c;
        struct linger hard = { .l_onoff = 1 };
        assert_true(client_open(&c, w, &w->clinic));
        assert_true(client_send(&c, i % 2 ? GET("/v1/later") : GET("/v1/too-late?x=y")));
        if (i % 3) /* a reset, else a mere end */
            setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        client_close(&c);
    }
    assert_int_equal(conns_after(w, 4000), 0);
}

static void late_answers_are_dropped(void **state)
{
    struct world *w = *state;
    struct client c;
    int before = atomic_load(&w->late_answers);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/v1/too-late")), 503);
    assert_true(client_ended(&c));
    client_close(&c);
    assert_int_equal(conns_after(w, 3000), 0); /* the request is held until its handler has spoken */
    assert_int_equal(atomic_load(&w->late_answers), before + 1);
}

/* The client has nothing more to say, but waits for the answer. */
static void half_closed(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, GET("/v1/later")));
    SSL_shutdown(c.ssl);
    shutdown(c.fd, SHUT_WR);
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "Connection: close"));
    client_close(&c);
}

static void too_many(void **state)
{
    struct world *w = *state;
    struct client c[20], more;
    assert_int_equal(conns_after(w, 3000), 0);
    for (int i = 0; i < 20; i++)
        assert_true(client_open(&c[i], w, &w->clinic));
    assert_false(client_open(&more, w, &w->clinic));
    assert_int_equal(client_ask(&c[0], GET("/health")), 200);
    for (int i = 0; i < 20; i++)
        client_close(&c[i]);
    client_close(&more);
    assert_int_equal(conns_after(w, 3000), 0);
    assert_true(client_open(&more, w, &w->clinic));
    client_close(&more);
}

/* The answer to a refused body arrives although the client keeps sending for a while. */
static void refused_while_sending(void **state)
{
    struct world *w = *state;
    struct client c;
    static uint8_t part[8192];
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, POST("/v1/size", JSON "Content-Length: 900000\r\n", "")));
    for (int i = 0; i < 6; i++) {
        client_send(&c, ARR(part));
        pause_ms(5);
    }
    assert_int_equal(client_answer(&c), 413);
    client_close(&c);
}

/* ---- the door itself ---- */

static void graceful_stop(void **state)
{
    (void)state;
    struct world w = { .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .limits = door_limits_default() };
    struct client idle, busy;
    world_start(&w);
    assert_true(client_open(&idle, &w, &w.clinic));
    assert_int_equal(client_ask(&idle, GET("/health")), 200);
    assert_true(client_open(&busy, &w, &w.clinic));
    assert_true(client_send(&busy, GET("/v1/later")));
    pause_ms(30);
    world_begin_stop(&w);
    assert_true(client_ended(&idle));
    assert_int_equal(client_answer(&busy), 200); /* what was begun is answered */
    assert_true(client_heard(&busy, "Connection: close"));
    assert_true(client_ended(&busy));
    client_close(&idle);
    client_close(&busy);
    world_stop(&w);
}

/* An answer that was on its way when the door closed: once it is read, the connection does not idle on. */
static void stop_during_an_answer(void **state)
{
    (void)state;
    struct world w = { .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .limits = door_limits_default() };
    struct client c;
    struct timespec from, to;
    static char part[65536];
    size_t n = 0;
    w.limits.arena_max = 2 * (size_t)HUGE_ANSWER;
    world_start(&w);
    assert_true(client_open(&c, &w, &w.clinic));
    assert_true(client_send(&c, GET("/v1/huge")));
    pause_ms(300);
    world_begin_stop(&w);
    pause_ms(50);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int r; (r = SSL_read(c.ssl, part, sizeof part)) > 0; n += (size_t)r)
        ;
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(n > HUGE_ANSWER);
    assert_true(to.tv_sec - from.tv_sec < 2);
    world_stop(&w);
    client_close(&c);
}

/* In time for the whole body, and still too slow. */
static void bodies_have_a_least_rate(void **state)
{
    (void)state;
    struct world w = { .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .limits = door_limits_default() };
    struct client slow, fast;
    char piece[2048];
    memset(piece, ' ', sizeof piece);
    w.limits.body_look_ms = 400;
    w.limits.body_rate = 5000; /* 2000 bytes a look */
    world_start(&w);
    assert_true(client_open(&slow, &w, &w.clinic) && client_open(&fast, &w, &w.clinic));
    assert_true(client_send(&slow, POST("/v1/large", JSON "Content-Length: 40000\r\n", "{")));
    assert_true(client_send(&fast, POST("/v1/large", JSON "Content-Length: 40001\r\n", "{")));
    for (int i = 0; i < 20; i++) {
        (void)client_send(&slow, LIT(" "));
        assert_true(client_send(&fast, slice_of(piece, 2000)));
        pause_ms(60);
    }
    assert_int_equal(client_answer(&fast), 200);
    assert_int_equal(client_answer(&slow), 408);
    assert_true(client_ended(&slow));
    client_close(&slow);
    client_close(&fast);
    world_stop(&w);
}

/* Many handshakes at once: each comes to its end, and who is inside is answered meanwhile. */
static void a_crowd_at_the_door(void **state)
{
    (void)state;
    enum { CROWD = 40 };
    struct world w = { .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .limits = door_limits_default() };
    struct client inside, c[CROWD];
    world_start(&w);
    assert_true(client_open(&inside, &w, &w.clinic));
    for (int i = 0; i < CROWD; i++) {
        c[i] = (struct client){ .fd = client_socket(&w), .ctx = SSL_CTX_new(TLS_client_method()) };
        buf_init(&c[i].in, ANSWER_MAX);
        buf_init(&c[i].answer, ANSWER_MAX);
        must(SSL_CTX_use_certificate(c[i].ctx, w.clinic.cert) == 1 && SSL_CTX_use_PrivateKey(c[i].ctx, w.clinic.key) == 1);
        c[i].ssl = SSL_new(c[i].ctx);
        SSL_set_fd(c[i].ssl, c[i].fd);
        must(fcntl(c[i].fd, F_SETFL, O_NONBLOCK) == 0);
        (void)SSL_connect(c[i].ssl); /* the first flight, and no waiting */
    }
    close(c[0].fd); /* one leaves before his turn */
    assert_int_equal(client_ask(&inside, GET("/v1/size")), 200);
    for (int i = 1; i < CROWD; i++) {
        must(fcntl(c[i].fd, F_SETFL, 0) == 0);
        assert_int_equal(SSL_connect(c[i].ssl), 1);
        assert_int_equal(client_ask(&c[i], GET("/v1/size")), 200);
        client_close(&c[i]);
    }
    c[0].fd = -1;
    client_close(&c[0]);
    client_close(&inside);
    world_stop(&w);
}

/* No descriptor is left: nobody is let in, nothing turns in a circle, and all goes on by itself. */
static void without_descriptors(void **state)
{
    (void)state;
    struct world w = { .routes = ROUTES, .n_routes = sizeof ROUTES / sizeof ROUTES[0], .limits = door_limits_default() };
    struct client inside, late;
    struct rlimit before, none;
    struct timespec from, to;
    world_start(&w);
    assert_true(client_open(&inside, &w, &w.clinic));
    assert_int_equal(client_ask(&inside, GET("/v1/size")), 200);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)w.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    none = (struct rlimit){ .rlim_cur = 3, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0); /* the kernel takes it */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    pause_ms(700);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
    assert_int_equal(client_ask(&inside, GET("/v1/size")), 200);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 200);
    late = (struct client){ .fd = fd, .ctx = SSL_CTX_new(TLS_client_method()) };
    late.ssl = SSL_new(late.ctx);
    buf_init(&late.in, ANSWER_MAX);
    buf_init(&late.answer, ANSWER_MAX);
    SSL_set_fd(late.ssl, fd);
    assert_int_equal(SSL_connect(late.ssl), 1); /* who waited is let in */
    assert_int_equal(client_ask(&late, GET("/health")), 200);
    client_close(&late);
    client_close(&inside);
    world_stop(&w);
}

static void addresses(void **state)
{
    struct world *w = *state;
    struct loop *l;
    struct door *d, *second;
    struct door_conf conf = {
        .name = LITERAL("second"), .host = "127.0.0.1", .port = w->port, .limits = door_limits_default(),
        .tls = { .cert_path = w->pki.cert, .key_path = w->pki.key, .session_context = "second" },
    };
    assert_int_equal(loop_new(&l, clock_system()).code, E_OK);
    assert_int_equal(door_new(&d, l, &conf).code, E_IO);
    assert_int_equal(errno, EADDRINUSE);
    conf.host = "door.example";
    assert_int_equal(door_new(&d, l, &conf).code, E_IO);
    conf.host = "127.0.0.1";
    conf.tls.key_path = "/nonexistent";
    assert_int_equal(door_new(&d, l, &conf).code, E_CONFIG);
    conf.tls.key_path = w->pki.key;
    conf.port = 0;
    conf.reuse_port = true;
    assert_int_equal(door_new(&d, l, &conf).code, E_OK);
    conf.port = door_port(d);
    assert_int_equal(door_new(&second, l, &conf).code, E_OK); /* workers share a port */
    assert_int_equal(door_port(second), conf.port);
    door_close(d);
    door_close(second);
    loop_stop(l);
    loop_run(l, 1000);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_reads),
        cmocka_unit_test(slow_and_silent),
        cmocka_unit_test(idle_is_closed),
        cmocka_unit_test(leaves_during_the_handler),
        cmocka_unit_test(late_answers_are_dropped),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(too_many),
        cmocka_unit_test(refused_while_sending),
        cmocka_unit_test(graceful_stop),
        cmocka_unit_test(stop_during_an_answer),
        cmocka_unit_test(bodies_have_a_least_rate),
        cmocka_unit_test(a_crowd_at_the_door),
        cmocka_unit_test(without_descriptors),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests_name("serve_rude", tests, begin, end);
}
