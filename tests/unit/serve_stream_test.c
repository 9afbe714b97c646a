/* Answers without a known end, and parts of a body by Content-Range. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/serve_routes.h"

/* ---- the handlers ---- */

/* What the query asks for: <events>x<bytes>/<ms between>; 0 events: without an end. */
struct teller {
    struct req *r;
    struct world *w;
    struct timer *t;
    unsigned long left, bytes, ms;
    bool endless, over;
};

static void teller_free(struct teller *t)
{
    t->over = true;
    timer_free(t->t);
    free(t);
}

static void teller_gone(void *arg)
{
    struct teller *t = arg;
    must(!t->over && req_ctx(t->r) == t->w); /* the request is still there */
    atomic_fetch_add(&t->w->gone, 1);
    teller_free(t);
}

static void tell(struct teller *t)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    uint8_t *at = buf_room(&b, t->bytes);
    must(at != NULL);
    memset(at, 'e', t->bytes);
    buf_grew(&b, t->bytes);
    req_stream_put(t->r, buf_slice(&b));
    buf_done(&b);
}

static void on_turn(void *arg)
{
    struct teller *t = arg;
    do {
        if (!t->endless && t->left-- == 0) {
            atomic_fetch_add(&t->w->ended, 1);
            req_stream_end(t->r);
            teller_free(t);
            return;
        }
        tell(t);
    } while (t->ms == 0 && !t->endless);
    timer_start(t->t, t->ms);
}

static void h_tell(struct req *r)
{
    struct teller *t = calloc(1, sizeof *t);
    char *how = arena_cstr(req_arena(r), req_query(r));
    must(t && how);
    t->r = r;
    t->w = req_ctx(r);
    t->left = strtoul(how, &how, 10);
    t->endless = t->left == 0;
    t->bytes = strtoul(how + 1, &how, 10);
    t->ms = strtoul(how + 1, &how, 10);
    must(err_ok(timer_new(&t->t, req_loop(r), on_turn, t)));
    timer_start(t->t, 0);
    req_stream(r, "text/event-stream", teller_gone, t);
}

/* Begins a stream when the request's time is over, or the client has left. */
static void h_tell_late(struct req *r)
{
    struct teller *t = calloc(1, sizeof *t);
    must(t != NULL);
    *t = (struct teller){ .r = r, .w = req_ctx(r), .endless = true, .bytes = 10, .ms = 10 };
    must(err_ok(timer_new(&t->t, req_loop(r), on_turn, t)));
    pause_ms(200); /* the loop stands still: the deadline is noticed afterwards */
    timer_start(t->t, 20);
    req_stream(r, "text/plain", teller_gone, t);
}

static struct timer *waiting;

static void late_begin(void *arg)
{
    struct req *r = arg;
    timer_free(waiting);
    h_tell_late(r);
}

static void h_after_deadline(struct req *r)
{
    must(err_ok(timer_new(&waiting, req_loop(r), late_begin, r)));
    timer_start(waiting, 300);
}

static void h_range(struct req *r)
{
    struct http_range range = { 0 };
    bool bad;
    bool there = req_content_range(r, &range, &bad);
    struct jsonw w;
    jsonw_init(&w, req_out(r));
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "range", there ? "there" : bad ? "bad" : "none");
    jsonw_u64(&w, "first", range.first);
    jsonw_u64(&w, "last", range.last);
    jsonw_u64(&w, "total", range.total);
    jsonw_str(&w, "param", req_param(r));
    jsonw_end_object(&w);
    req_json(r, 200, buf_slice(req_out(r)));
}

static const struct route STREAMS[] = {
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, h_health },
    { M_GET, "/v1/tell", { "tell" }, CLINIC, false, 0, NULL, 300, h_tell },
    { M_GET, "/v1/after-deadline", { "afterDeadline" }, CLINIC, false, 0, NULL, 100, h_after_deadline },
    { M_GET, "/v1/things/{id}", { "thing" }, CLINIC, false, 0, NULL, 1000, h_size },
    { M_PUT, "/v1/things/{id}", { "putThing" }, CLINIC, false, 1000, "application/octet-stream", 1000, h_range },
    { M_GET, "/v1/things/{id}/parts", { "parts" }, CLINIC, false, 0, NULL, 1000, h_size },
    { M_POST, "/v1/things/{id}/undo", { "undo" }, CLINIC, false, 1000, "application/json", 1000, h_size },
};

static int begin_streams(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->routes = STREAMS;
    w->n_routes = sizeof STREAMS / sizeof STREAMS[0];
    w->limits = door_limits_default();
    w->limits.write_ms = 600;
    world_start(w);
    *state = w;
    return 0;
}

/* ---- the client's side ---- */

static bool soon(atomic_int *what, int n)
{
    for (int i = 0; i < 500 && atomic_load(what) != n; i++)
        pause_ms(10);
    return atomic_load(what) == n;
}

/* Everything up to the end of the connection, or of the chunks. Returns the bytes of the pieces, -1 when the form is wrong. */
static long read_chunks(struct client *c, unsigned long *ret_pieces)
{
    long sum = 0;
    *ret_pieces = 0;
    for (;;) {
        const char *text = buf_cstr(&c->in), *line = c->in.n ? strstr(text, "\r\n") : NULL;
        unsigned long n = line ? strtoul(text, NULL, 16) : 0;
        size_t whole = line ? (size_t)(line - text) + 2 + n + 2 : SIZE_MAX;
        if (c->in.n >= whole) {
            if (memcmp(text + whole - 2, "\r\n", 2) != 0)
                return -1;
            buf_drop(&c->in, whole);
            if (n == 0)
                return sum;
            sum += (long)n;
            ++*ret_pieces;
            continue;
        }
        uint8_t *at = buf_room(&c->in, 16384);
        int r = at ? SSL_read(c->ssl, at, 16384) : 0;
        if (r <= 0)
            return -1;
        buf_grew(&c->in, (size_t)r);
    }
}

static void comes_in_chunks_and_goes_on(void **state)
{
    struct world *w = *state;
    struct client c;
    unsigned long pieces;
    assert_true(client_open(&c, w, &w->clinic));
    for (int i = 0; i < 2; i++) { /* on one connection */
        int before = atomic_load(&w->ended);
        assert_int_equal(client_ask(&c, GET("/v1/tell?3x500/20")), 200);
        assert_true(client_heard(&c, "Transfer-Encoding: chunked\r\n"));
        assert_true(client_heard(&c, "Content-Type: text/event-stream\r\n"));
        assert_false(client_heard(&c, "Content-Length"));
        assert_int_equal(read_chunks(&c, &pieces), 1500);
        assert_int_equal(pieces, 3);
        assert_int_equal(atomic_load(&w->ended), before + 1);
    }
    assert_int_equal(client_ask(&c, GET("/health")), 200);
    client_close(&c);
    assert_int_equal(atomic_load(&w->gone), 0);
}

static void many_events_and_a_pipelined_request(void **state)
{
    struct world *w = *state;
    struct client c;
    unsigned long pieces;
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, LIT("GET /v1/tell?2000x20/0 HTTP/1.1\r\n" HOST "\r\nGET /health HTTP/1.1\r\n" HOST "\r\n")));
    assert_int_equal(client_answer(&c), 200);
    assert_int_equal(read_chunks(&c, &pieces), 40000);
    assert_int_equal(pieces, 2000);
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "\"ok\""));
    client_close(&c);
}

static void outlives_the_deadline_of_the_route(void **state)
{
    struct world *w = *state;
    struct client c;
    unsigned long pieces;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/v1/tell?3x10/400")), 200); /* route: 300 ms, write_ms: 600 */
    assert_int_equal(read_chunks(&c, &pieces), 30);
    client_close(&c);
}

static void http_1_0_has_the_end_of_the_connection(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, LIT("GET /v1/tell?2x5/10 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")), 200);
    assert_true(client_heard(&c, "Connection: close\r\n"));
    assert_false(client_heard(&c, "Transfer-Encoding"));
    while (c.in.n < 10) {
        uint8_t *at = buf_room(&c.in, 64);
        int r = SSL_read(c.ssl, at, 64);
        assert_true(r > 0);
        buf_grew(&c.in, (size_t)r);
    }
    assert_true(slice_eq(buf_slice(&c.in), LIT("eeeeeeeeee")));
    assert_true(client_ended(&c));
    client_close(&c);
}

static void head_and_strangers_get_none(void **state)
{
    struct world *w = *state;
    struct client c;
    int ended = atomic_load(&w->ended);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, LIT("HEAD /v1/tell?2x5/0 HTTP/1.1\r\n" HOST "\r\n")), 405);
    client_close(&c);
    assert_true(client_open(&c, w, &w->portal));
    assert_int_equal(client_ask(&c, GET("/v1/tell?2x5/0")), 403);
    client_close(&c);
    assert_int_equal(atomic_load(&w->ended), ended);
}

/* The other end of what was closed just now goes when the loop comes to it. */
static void all_gone(struct world *w)
{
    for (int i = 0; i < 200 && world_conns(w); i++)
        pause_ms(10);
    assert_int_equal(world_conns(w), 0);
}

static void client_that_leaves(void **state)
{
    struct world *w = *state;
    struct client c;
    for (int how = 0; how < 3; how++) {
        int before = atomic_load(&w->gone);
        assert_true(client_open(&c, w, &w->clinic));
        assert_int_equal(client_ask(&c, GET("/v1/tell?0x5/20")), 200);
        if (how == 0)
            SSL_shutdown(c.ssl); /* by the protocol, the socket stays */
        if (how == 1)
            shutdown(c.fd, SHUT_WR);
        if (how < 2)
            assert_true(soon(&w->gone, before + 1));
        client_close(&c);
        assert_true(soon(&w->gone, before + 1));
        pause_ms(50);
        assert_int_equal(atomic_load(&w->gone), before + 1); /* once */
    }
    all_gone(w);
}

/* Cut, not ended: the client must not think that it has everything. */
static void a_stream_does_not_outlive_the_certificate(void **state)
{
    struct world *w = *state;
    struct client c;
    unsigned long pieces;
    for (int silent = 0; silent < 2; silent++) { /* one that has much to say, and one that has nothing: noticed within write_ms */
        int before = atomic_load(&w->gone);
        assert_true(client_open(&c, w, &w->clinic));
        assert_int_equal(client_ask(&c, silent ? GET("/v1/tell?0x5/1000000") : GET("/v1/tell?0x5/20")), 200);
        pause_ms(100);
        atomic_store(&w->ahead_ms, 100LL * 365 * 24 * 3600 * 1000);
        assert_int_equal(read_chunks(&c, &pieces), -1);
        atomic_store(&w->ahead_ms, 0);
        assert_true(soon(&w->gone, before + 1));
        client_close(&c);
    }
}

static void client_that_does_not_read(void **state)
{
    struct world *w = *state;
    struct client c;
    int before = atomic_load(&w->gone);
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, GET("/v1/tell?0x60000/1"))); /* too much for it: at 256 KiB */
    assert_true(soon(&w->gone, before + 1));
    client_close(&c);
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, GET("/v1/tell?0x1000000/1"))); /* pieces over the limit */
    assert_true(soon(&w->gone, before + 2));
    client_close(&c);
    all_gone(w);
}

static void begun_too_late(void **state)
{
    struct world *w = *state;
    struct client c;
    int before = atomic_load(&w->gone);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/v1/after-deadline")), 503);
    assert_true(soon(&w->gone, before + 1));
    client_close(&c);
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, GET("/v1/after-deadline")));
    client_close(&c);
    assert_true(soon(&w->gone, before + 2));
}

static void door_that_closes_ends_them_in_order(void **state)
{
    struct world *w = *state;
    struct client c[3];
    unsigned long pieces;
    int before = atomic_load(&w->gone);
    for (int i = 0; i < 3; i++) {
        assert_true(client_open(&c[i], w, &w->clinic));
        assert_int_equal(client_ask(&c[i], GET("/v1/tell?0x7/10")), 200);
    }
    pause_ms(100);
    world_begin_stop(w);
    for (int i = 0; i < 3; i++) {
        assert_true(read_chunks(&c[i], &pieces) >= 7); /* with the last chunk */
        assert_true(client_ended(&c[i]));
        client_close(&c[i]);
    }
    assert_true(soon(&w->gone, before + 3));
}

/* ---- Content-Range, and routes with something behind the {id} ---- */

#define PUT(path, fields) LIT("PUT " path " HTTP/1.1\r\n" HOST "Content-Type: application/octet-stream\r\nContent-Length: 2\r\n" fields "\r\nab")

static void content_range(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, PUT("/v1/things/a", "Content-Range: bytes 5-6/9\r\n")), 200);
    assert_true(client_heard(&c, "{\"range\":\"there\",\"first\":5,\"last\":6,\"total\":9,\"param\":\"a\"}"));
    assert_int_equal(client_ask(&c, PUT("/v1/things/a", "")), 200);
    assert_true(client_heard(&c, "\"none\""));
    assert_int_equal(client_ask(&c, PUT("/v1/things/a", "Content-Range: bytes */9\r\n")), 200);
    assert_true(client_heard(&c, "\"bad\""));
    assert_int_equal(client_ask(&c, PUT("/v1/things/a", "Content-Range:\r\n")), 200);
    assert_true(client_heard(&c, "\"bad\""));
    assert_int_equal(client_ask(&c, PUT("/v1/things/a", "Content-Range: bytes 0-1/2\r\nContent-Range: bytes 0-1/2\r\n")), 400);
    client_close(&c);
}

static void segment_in_the_middle(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/v1/things/ab-1/parts?x=1")), 200);
    assert_true(client_heard(&c, "\"param\":\"ab-1\",\"query\":\"x=1\",\"operation\":\"parts\""));
    assert_int_equal(client_ask(&c, POST("/v1/things/7/undo", JSON "Content-Length: 2\r\n", "{}")), 200);
    assert_true(client_heard(&c, "\"operation\":\"undo\""));
    assert_int_equal(client_ask(&c, GET("/v1/things/7")), 200);
    assert_true(client_heard(&c, "\"operation\":\"thing\""));
    static const struct slice NONE[] = { GET("/v1/things/parts"), GET("/v1/things/a/b/parts"), GET("/v1/things/a/other") };
    assert_int_equal(client_ask(&c, NONE[0]), 200); /* an id that is called so */
    for (size_t i = 1; i < sizeof NONE / sizeof NONE[0]; i++)
        assert_int_equal(client_ask(&c, NONE[i]), 404);
    assert_int_equal(client_ask(&c, GET("/v1/things/a/undo")), 405);
    client_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_in_chunks_and_goes_on),
        cmocka_unit_test(many_events_and_a_pipelined_request),
        cmocka_unit_test(outlives_the_deadline_of_the_route),
        cmocka_unit_test(http_1_0_has_the_end_of_the_connection),
        cmocka_unit_test(head_and_strangers_get_none),
        cmocka_unit_test(client_that_leaves),
        cmocka_unit_test(a_stream_does_not_outlive_the_certificate),
        cmocka_unit_test(client_that_does_not_read),
        cmocka_unit_test(begun_too_late),
        cmocka_unit_test(content_range),
        cmocka_unit_test(segment_in_the_middle),
        cmocka_unit_test(door_that_closes_ends_them_in_order), /* the last one */
    };
    return cmocka_run_group_tests(tests, begin_streams, end);
}
