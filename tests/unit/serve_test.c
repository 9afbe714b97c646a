#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/serve_world.h"

#define HOST "Host: door\r\n"
#define JSON "Content-Type: application/json\r\n"

enum { BIG = 2 << 20 };

/* ---- handlers ---- */

static void h_health(struct req *r) { req_json(r, 200, LIT("{\"status\":\"ok\"}")); }

static void h_size(struct req *r)
{
    struct jsonw w;
    jsonw_init(&w, req_out(r));
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "bytes", req_body(r).n);
    jsonw_cstr(&w, "caller", req_caller(r)->identity);
    if (req_param(r).n)
        jsonw_str(&w, "param", req_param(r));
    if (req_query(r).n)
        jsonw_str(&w, "query", req_query(r));
    jsonw_cstr(&w, "operation", req_route(r)->operation.s);
    jsonw_end_object(&w);
    req_json(r, 200, buf_slice(req_out(r)));
}

static void h_created(struct req *r) { req_created(r, 202, "/v1/tasks/1", LIT("{}")); }
static void h_empty(struct req *r) { req_answer(r, 204, NULL, SLICE_NONE); }
static void h_broken(struct req *r) { req_fail(r, FAIL(E_SEAL)); }
static void h_busy(struct req *r) { req_fail(r, FAIL(E_STORE_DOWN)); }
static void h_abort(struct req *r) { req_abort(r); }

static void write_errors(struct jsonw *w, void *arg)
{
    jsonw_array(w, "errors");
    jsonw_cstr(w, NULL, arg);
    jsonw_end_array(w);
}

static void h_field(struct req *r)
{
    static char what[] = "a_field";
    req_problem(r, FAIL(E_FIELD), write_errors, what);
}

struct wait {
    struct req *r;
    struct timer *t;
};

static void wait_over(void *arg)
{
    struct wait *w = arg;
    struct world *world = req_ctx(w->r);
    timer_free(w->t);
    /* everything a handler may look at is still there, whatever became of the connection */
    char *copy = arena_cstr(req_arena(w->r), slice_str(req_caller(w->r)->identity));
    must(copy && strcmp(copy, "clinic/3310010012") == 0 && req_query(w->r).n < 100);
    if (loop_now(req_loop(w->r)) > req_deadline(w->r))
        atomic_fetch_add(&world->late_answers, 1);
    req_json(w->r, 200, LIT("{\"later\":true}"));
}

static void answer_after(struct req *r, uint64_t ms)
{
    struct wait *w = arena_get(req_arena(r), sizeof *w);
    must(w != NULL);
    w->r = r;
    must(err_ok(timer_new(&w->t, req_loop(r), wait_over, w)));
    req_set_data(r, w);
    must(req_data(r) == w);
    timer_start(w->t, ms);
}

static void h_later(struct req *r) { answer_after(r, 100); }
static void h_too_late(struct req *r) { answer_after(r, 400); }

static void h_big(struct req *r)
{
    uint8_t *at = buf_room(req_out(r), BIG);
    must(at != NULL);
    memset(at, 'x', BIG);
    buf_grew(req_out(r), BIG);
    req_answer(r, 200, "text/plain", buf_slice(req_out(r)));
}

#define CLINIC CALLER_BIT(CALLER_CLINIC)
static const struct route ROUTES[] = {
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, h_health },
    { M_POST, "/v1/size", { "size" }, CLINIC, false, 1000, "application/json", 1000, h_size },
    { M_GET, "/v1/size", { "sizeOfNothing" }, CLINIC, false, 0, NULL, 1000, h_size },
    { M_POST, "/v1/large", { "large" }, CLINIC, false, 400000, "application/json", 1000, h_size },
    { M_GET, "/v1/things/{id}", { "thing" }, CLINIC, false, 0, NULL, 1000, h_size },
    { M_POST, "/v1/token", { "token" }, CLINIC, true, 1000, "application/json", 1000, h_size },
    { M_GET, "/v1/portal", { "portal" }, CALLER_BIT(CALLER_PORTAL), false, 0, NULL, 1000, h_size },
    { M_GET, "/v1/created", { "created" }, CLINIC, false, 0, NULL, 1000, h_created },
    { M_GET, "/v1/empty", { "empty" }, CLINIC, false, 0, NULL, 1000, h_empty },
    { M_GET, "/v1/field", { "field" }, CLINIC, false, 0, NULL, 1000, h_field },
    { M_GET, "/v1/broken", { "broken" }, CLINIC, false, 0, NULL, 1000, h_broken },
    { M_GET, "/v1/busy", { "busy" }, CLINIC, false, 0, NULL, 1000, h_busy },
    { M_GET, "/v1/abort", { "abort" }, CLINIC, false, 0, NULL, 1000, h_abort },
    { M_GET, "/v1/later", { "later" }, CLINIC, false, 0, NULL, 1000, h_later },
    { M_GET, "/v1/too-late", { "tooLate" }, CLINIC, false, 0, NULL, 150, h_too_late },
    { M_GET, "/v1/big", { "big" }, CLINIC, false, 0, NULL, 1000, h_big },
};

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->routes = ROUTES;
    w->n_routes = sizeof ROUTES / sizeof ROUTES[0];
    w->limits = door_limits_default();
    w->limits.conns_max = 20;
    w->limits.header_ms = 800;
    w->limits.body_ms = 600;
    w->limits.idle_ms = 1500; /* more than a second: the TLS buffers go first */
    w->limits.write_ms = 800;
    world_start(w);
    *state = w;
    return 0;
}

static int end(void **state)
{
    world_stop(*state);
    free(*state);
    return 0;
}

/* ---- one request ---- */

enum who { CLINIC_ID, PORTAL_ID, STRANGER_ID, NOBODY };

static const struct pair *id_of(const struct world *w, enum who who)
{
    const struct pair *ids[] = { &w->clinic, &w->portal, &w->stranger, NULL };
    return ids[who];
}

#define GET(path) LIT("GET " path " HTTP/1.1\r\n" HOST "\r\n")
#define POST(path, fields, body) LIT("POST " path " HTTP/1.1\r\n" HOST fields "\r\n" body)
#define TWO "Content-Length: 2\r\n"

static void single_requests(void **state)
{
    static const struct {
        const char *name;
        enum who who;
        struct slice request;
        int status;
        const char *heard[3];
        bool stays; /* the connection goes on */
        int refused;
    } CASES[] = {
        { "health by nobody", NOBODY, GET("/health"), 200, { "\r\n\r\n{\"status\":\"ok\"}", "Cache-Control: no-store" }, true, 0 },
        { "health by a stranger", STRANGER_ID, GET("/health"), 200, { "nosniff", "X-Request-Id: " }, true, 0 },
        { "body", CLINIC_ID, POST("/v1/size?a=b", JSON TWO, "{}"), 200, { "\"bytes\":2,\"caller\":\"clinic/3310010012\"", "\"query\":\"a=b\"" }, true, 0 },
        { "media with a charset", CLINIC_ID, POST("/v1/size", "Content-Type: Application/JSON ; charset=utf-8\r\n" TWO, "{}"), 200, { "\"bytes\":2" }, true, 0 },
        { "chunked", CLINIC_ID, POST("/v1/size", JSON "Transfer-Encoding: chunked\r\n", "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"), 200, { "\"bytes\":2" }, true, 0 },
        { "no body", CLINIC_ID, POST("/v1/size", "", ""), 200, { "\"bytes\":0" }, true, 0 },
        { "segment", CLINIC_ID, GET("/v1/things/a_B-9"), 200, { "\"param\":\"a_B-9\"", "\"operation\":\"thing\"" }, true, 0 },
        { "by method", CLINIC_ID, GET("/v1/size"), 200, { "sizeOfNothing" }, true, 0 },
        { "location", CLINIC_ID, GET("/v1/created"), 202, { "Location: /v1/tasks/1\r\n" }, true, 0 },
        { "204", CLINIC_ID, GET("/v1/empty"), 204, { "204 No Content" }, true, 0 },
        { "later", CLINIC_ID, GET("/v1/later"), 200, { "later" }, true, 0 },
        { "close asked", CLINIC_ID, LIT("GET /health HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n"), 200, { "Connection: close" }, false, 0 },
        { "1.0", CLINIC_ID, LIT("GET /health HTTP/1.0\r\n\r\n"), 200, { "Connection: close" }, false, 0 },
        { "unknown", CLINIC_ID, GET("/v1/nothing"), 404, { "\"code\":\"not_found\"", "application/problem+json" }, true, 0 },
        { "segment empty", CLINIC_ID, GET("/v1/things/"), 404, { "not_found" }, true, 0 },
        { "segment strange", CLINIC_ID, GET("/v1/things/a.b"), 404, { "not_found" }, true, 0 },
        { "segment long", CLINIC_ID, GET("/v1/things/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 404, { "not_found" }, true, 0 },
        { "segments", CLINIC_ID, GET("/v1/things/a/b"), 404, { "not_found" }, true, 0 },
        { "method", CLINIC_ID, LIT("DELETE /v1/size HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: POST, GET\r\n", "method_not_allowed" }, true, 0 },
        { "head", CLINIC_ID, LIT("HEAD /health HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: GET\r\n" }, true, 0 },
        { "open path by nobody", NOBODY, LIT("PUT /health HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: GET\r\n" }, true, 0 },
        { "nobody", NOBODY, GET("/v1/size"), 401, { "certificate_required" }, true, 1 },
        { "stranger", STRANGER_ID, GET("/v1/size"), 403, { "certificate_refused" }, true, 1 },
        { "nobody explores", NOBODY, GET("/v1/nothing"), 401, { "certificate_required" }, true, 1 },
        { "nobody explores methods", NOBODY, LIT("PUT /v1/size HTTP/1.1\r\n" HOST "\r\n"), 401, { "certificate_required" }, true, 1 },
        { "wrong role", CLINIC_ID, GET("/v1/portal"), 403, { "\"code\":\"forbidden\"" }, true, 1 },
        { "right role", PORTAL_ID, GET("/v1/portal"), 200, { "portal/mynaportal" }, true, 0 },
        { "token missing", CLINIC_ID, POST("/v1/token", "", ""), 401, { "invalid_token", "WWW-Authenticate: Bearer" }, true, 1 },
        { "token wrong", CLINIC_ID, POST("/v1/token", "Authorization: Bearer bad\r\n", ""), 401, { "invalid_token" }, true, 1 },
        { "token right", CLINIC_ID, POST("/v1/token", "Authorization: Bearer good\r\n", ""), 200, { "token" }, true, 0 },
        { "too large, told", CLINIC_ID, POST("/v1/size", JSON "Content-Length: 1001\r\n", "{"), 413, { "body_too_large" }, false, 0 },
        { "too large, chunked", CLINIC_ID, POST("/v1/size", JSON "Transfer-Encoding: chunked\r\n", "400\r\n"), 408, { "request_timeout" }, false, 0 },
        { "body refused", CLINIC_ID, LIT("GET /health HTTP/1.1\r\n" HOST TWO "\r\n{}"), 413, { "body_too_large" }, false, 0 },
        { "media", CLINIC_ID, POST("/v1/size", "Content-Type: text/xml\r\n" TWO, "{}"), 415, { "unsupported_media_type" }, false, 0 },
        { "media missing", CLINIC_ID, POST("/v1/size", TWO, "{}"), 415, { "unsupported_media_type" }, false, 0 },
        { "media of another name", CLINIC_ID, POST("/v1/size", "Content-Type: application/jsonp\r\n" TWO, "{}"), 415, { "unsupported" }, false, 0 },
        { "malformed", CLINIC_ID, LIT("GET / HTTP/1.1\r\n\r\n"), 400, { "malformed_request" }, false, 0 },
        { "url", CLINIC_ID, GET("/v1/%41"), 400, { "malformed_url" }, false, 0 },
        { "bad chunk", CLINIC_ID, POST("/v1/size", JSON "Transfer-Encoding: chunked\r\n", "zz\r\n"), 400, { "malformed_request" }, false, 0 },
        { "field", CLINIC_ID, GET("/v1/field"), 422, { "\"errors\":[\"a_field\"]}", "\"retry\":\"after_fix\"" }, true, 0 },
        { "inside", CLINIC_ID, GET("/v1/broken"), 500, { "\"code\":\"internal_error\"", "\"actor\":\"operator\"" }, true, 0 },
        { "busy", CLINIC_ID, GET("/v1/busy"), 503, { "store_unavailable", "Retry-After: ", "\"retry\":\"later\"" }, true, 0 },
        { "half a body", CLINIC_ID, POST("/v1/size", JSON TWO, "{"), 408, { "request_timeout" }, false, 0 },
        { "half a head", CLINIC_ID, LIT("GET /health HTTP/1.1\r\nHos"), 408, { "request_timeout" }, false, 0 },
        { "deadline", CLINIC_ID, GET("/v1/too-late"), 503, { "deadline_exceeded", "Retry-After: " }, false, 0 },
        { "abort", CLINIC_ID, GET("/v1/abort"), 0, { 0 }, false, 0 },
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct client c;
        int before = atomic_load(&w->refused);
        assert_true(client_open(&c, w, id_of(w, CASES[i].who)));
        int status = client_ask(&c, CASES[i].request);
        if (status != CASES[i].status)
            fail_msg("%s: %d", CASES[i].name, status);
        for (int k = 0; k < 3 && CASES[i].heard[k]; k++)
            if (!client_heard(&c, CASES[i].heard[k]))
                fail_msg("%s: no %s in %s", CASES[i].name, CASES[i].heard[k], buf_cstr(&c.answer));
        if (CASES[i].stays && client_ask(&c, GET("/health")) != 200)
            fail_msg("%s: the connection should go on", CASES[i].name);
        if (!CASES[i].stays && status && !client_ended(&c))
            fail_msg("%s: the connection should end", CASES[i].name);
        assert_int_equal(atomic_load(&w->refused) - before, CASES[i].refused);
        client_close(&c);
    }
}

static void chunked_over_the_limit(void **state)
{
    struct client c;
    assert_true(client_open(&c, *state, &((struct world *)*state)->clinic));
    assert_true(client_send(&c, POST("/v1/size", JSON "Transfer-Encoding: chunked\r\n", "")));
    static char chunk[7 + 600 + 2] = "258\r\n";
    memset(chunk + 5, 'x', 600);
    memcpy(chunk + 605, "\r\n", 2);
    for (int i = 0; i < 2; i++)
        assert_true(client_send(&c, slice_of(chunk, 607)));
    assert_int_equal(client_answer(&c), 413);
    assert_true(client_heard(&c, "body_too_large"));
    assert_true(client_ended(&c));
    client_close(&c);
}

static void refusals_wait_for_the_audit(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, NULL));
    atomic_store(&w->refuse_mode, 1);
    assert_int_equal(client_ask(&c, GET("/v1/size")), 401);
    atomic_store(&w->refuse_mode, 2);
    assert_int_equal(client_ask(&c, GET("/v1/size")), 503);
    assert_true(client_heard(&c, "audit_unavailable"));
    atomic_store(&w->refuse_mode, 0);
    assert_int_equal(client_ask(&c, GET("/v1/size")), 401);
    client_close(&c);
}

/* ---- rows of requests ---- */

static void pipelined(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, LIT("GET /v1/later HTTP/1.1\r\n" HOST "\r\n"
                                    "POST /v1/size HTTP/1.1\r\n" HOST JSON "Content-Length: 3\r\n\r\nabc"
                                    "GET /v1/things/x HTTP/1.1\r\n" HOST "\r\n"
                                    "GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
                                    "GET /health HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n")));
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "later"));
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "\"bytes\":3"));
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "\"param\":\"x\""));
    assert_int_equal(client_answer(&c), 404);
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_ended(&c));
    client_close(&c);
}

/* More pipelined bytes than a connection holds: reading stops, nothing is lost. */
static void long_pipeline(void **state)
{
    struct world *w = *state;
    struct client c;
    struct buf all;
    enum { N = 4000 };
    buf_init(&all, 1 << 20);
    buf_put(&all, GET("/v1/later"));
    for (int i = 0; i < N; i++)
        buf_put(&all, GET("/health"));
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, buf_slice(&all)));
    for (int i = 0; i < N + 1; i++)
        if (client_answer(&c) != 200)
            fail_msg("answer %d of %d: %d", i, N, c.status);
    buf_done(&all);
    client_close(&c);
}

static void byte_by_byte(void **state)
{
    struct world *w = *state;
    struct client c;
    struct slice rest = POST("/v1/size", JSON "Content-Length: 5\r\n", "hello"), one;
    assert_true(client_open(&c, w, &w->clinic));
    while (slice_take(&rest, 1, &one))
        assert_true(client_send(&c, one));
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "\"bytes\":5"));
    client_close(&c);
}

static void large_body(void **state)
{
    struct world *w = *state;
    struct client c;
    static uint8_t body[400000];
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, POST("/v1/large", JSON "Content-Length: 400000\r\n", "")));
    assert_true(client_send(&c, ARR(body)));
    assert_int_equal(client_answer(&c), 200);
    assert_true(client_heard(&c, "\"bytes\":400000"));
    assert_int_equal(client_ask(&c, GET("/health")), 200);
    client_close(&c);
}

static void expect_continue(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, POST("/v1/size", JSON "Expect: 100-continue\r\n" TWO, "")), 100);
    assert_int_equal(client_ask(&c, LIT("{}")), 200);
    /* what will be refused is refused before the body is sent */
    assert_int_equal(client_ask(&c, POST("/v1/size", JSON "Expect: 100-continue\r\nContent-Length: 5000\r\n", "")), 413);
    assert_true(client_ended(&c));
    client_close(&c);
}

static void big_answers(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(client_ask(&c, GET("/v1/big")), 200);
        assert_true(c.answer.n > BIG);
    }
    client_close(&c);
}

/* ---- clients that misbehave ---- */

static unsigned conns_after(struct world *w, long ms)
{
    for (long t = 0; t < ms && door_conns(w->door) > 0; t += 10)
        pause_ms(10);
    return door_conns(w->door);
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
        if (door_conns(w->door) == 0)
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

static void problem_documents(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 65536);
    struct req_id id = { { 0, 1, 2, 0xfe, 4, 5, 6, 7 } };
    problem_write(&b, E_USED, id, NULL, NULL);
    assert_string_equal(buf_cstr(&b),
                        "{\"type\":\"urn:pmhgw:problem:used\",\"title\":\"この連携キーは使用済みです。\",\"status\":409,\"code\":\"used\","
                        "\"detail\":\"カード認証と同意からやり直してください。\",\"title_en\":\"This link key has been used.\","
                        "\"detail_en\":\"Start again from card authentication and consent.\",\"actor\":\"caller\","
                        "\"retry\":\"after_fix\",\"request_id\":\"000102fe04050607\"}");
    for (enum err_code code = E_INTERNAL; code < E__MAX; code++) { /* nothing of the inside shows */
        buf_reset(&b);
        problem_write(&b, code, id, NULL, NULL);
        assert_non_null(strstr(buf_cstr(&b), "\"code\":\"internal_error\""));
        if (code != E_INTERNAL)
            assert_null(strstr(buf_cstr(&b), err_slug(code)));
    }
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_requests),
        cmocka_unit_test(chunked_over_the_limit),
        cmocka_unit_test(refusals_wait_for_the_audit),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(long_pipeline),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(large_body),
        cmocka_unit_test(expect_continue),
        cmocka_unit_test(big_answers),
        cmocka_unit_test(never_reads),
        cmocka_unit_test(slow_and_silent),
        cmocka_unit_test(idle_is_closed),
        cmocka_unit_test(leaves_during_the_handler),
        cmocka_unit_test(late_answers_are_dropped),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(too_many),
        cmocka_unit_test(refused_while_sending),
        cmocka_unit_test(graceful_stop),
        cmocka_unit_test(addresses),
        cmocka_unit_test(problem_documents),
    };
    return cmocka_run_group_tests_name("serve", tests, begin, end);
}
