/* Requests as they should be, one by one and in rows, and every refusal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/serve_routes.h"

/* ---- one request ---- */

enum who { CLINIC_ID, PORTAL_ID, STRANGER_ID, NOBODY };

static const struct pair *id_of(const struct world *w, enum who who)
{
    const struct pair *ids[] = { &w->clinic, &w->portal, &w->stranger, NULL };
    return ids[who];
}

#define TWO "Content-Length: 2\r\n"

static const struct {
    const char *name;
    enum who who;
    struct slice request;
    int status;
    const char *heard[3];
    bool stays; /* the connection goes on */
    int refused;
} SINGLE[] = {
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
    { "1.0 kept alive", CLINIC_ID, LIT("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), 200, { "Connection: keep-alive\r\n" }, true, 0 },
    { "1.0 has no 100", CLINIC_ID, LIT("POST /v1/size HTTP/1.0\r\n" JSON TWO "Expect: 100-continue\r\n\r\n{}"), 200, { "HTTP/1.1 200", "\"bytes\":2" }, false, 0 },
    { "date", CLINIC_ID, GET("/health"), 200, { "\r\nDate: ", " GMT\r\n" }, true, 0 },
    { "method of another world", CLINIC_ID, LIT("BREW /health HTTP/1.1\r\n" HOST "\r\n"), 501, { "method_unknown" }, false, 1 },
    { "method for files", CLINIC_ID, LIT("PROPFIND /health HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: GET\r\n" }, true, 1 },
    { "unknown", CLINIC_ID, GET("/v1/nothing"), 404, { "\"code\":\"not_found\"", "application/problem+json" }, true, 1 },
    { "segment empty", CLINIC_ID, GET("/v1/things/"), 404, { "not_found" }, true, 1 },
    { "segment strange", CLINIC_ID, GET("/v1/things/a.b"), 404, { "not_found" }, true, 1 },
    { "segment long", CLINIC_ID, GET("/v1/things/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), 404, { "not_found" }, true, 1 },
    { "segments", CLINIC_ID, GET("/v1/things/a/b"), 404, { "not_found" }, true, 1 },
    { "method", CLINIC_ID, LIT("DELETE /v1/size HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: POST, GET\r\n", "method_not_allowed" }, true, 1 },
    { "head", CLINIC_ID, LIT("HEAD /health HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: GET\r\n" }, true, 1 },
    { "open path by nobody", NOBODY, LIT("PUT /health HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: GET\r\n" }, true, 1 },
    { "nobody", NOBODY, GET("/v1/size"), 401, { "certificate_required", "WWW-Authenticate: TLS-Client-Certificate\r\n" }, true, 1 },
    { "stranger", STRANGER_ID, GET("/v1/size"), 403, { "certificate_refused" }, true, 1 },
    { "nobody explores", NOBODY, GET("/v1/nothing"), 401, { "certificate_required" }, true, 1 },
    { "nobody explores methods", NOBODY, LIT("PUT /v1/size HTTP/1.1\r\n" HOST "\r\n"), 401, { "certificate_required" }, true, 1 },
    { "wrong role", CLINIC_ID, GET("/v1/portal"), 403, { "\"code\":\"forbidden\"" }, true, 1 },
    { "right role", PORTAL_ID, GET("/v1/portal"), 200, { "portal/mynaportal" }, true, 0 },
    { "token missing", CLINIC_ID, POST("/v1/token", "", ""), 401, { "invalid_token", "WWW-Authenticate: Bearer" }, true, 1 },
    { "token wrong", CLINIC_ID, POST("/v1/token", "Authorization: Bearer bad\r\n", ""), 401, { "invalid_token" }, true, 1 },
    { "token right", CLINIC_ID, POST("/v1/token", "Authorization: Bearer good\r\n", ""), 200, { "token" }, true, 0 },
    { "too large, told", CLINIC_ID, POST("/v1/size", JSON "Content-Length: 1001\r\n", "{"), 413, { "body_too_large" }, false, 1 },
    { "too large, chunked", CLINIC_ID, POST("/v1/size", JSON "Transfer-Encoding: chunked\r\n", "400\r\n"), 408, { "request_timeout" }, false, 1 },
    { "body refused", CLINIC_ID, LIT("GET /health HTTP/1.1\r\n" HOST TWO "\r\n{}"), 413, { "body_too_large" }, false, 1 },
    { "media", CLINIC_ID, POST("/v1/size", "Content-Type: text/xml\r\n" TWO, "{}"), 415, { "unsupported_media_type" }, false, 1 },
    { "media missing", CLINIC_ID, POST("/v1/size", TWO, "{}"), 415, { "unsupported_media_type" }, false, 1 },
    { "media of another name", CLINIC_ID, POST("/v1/size", "Content-Type: application/jsonp\r\n" TWO, "{}"), 415, { "unsupported" }, false, 1 },
    { "dialect", CLINIC_ID, GET("/x/health"), 200, { "Content-Type: application/x+dialect\r\n", "{\"status\":\"ok\"}" }, true, 0 },
    { "dialect, unknown", CLINIC_ID, GET("/x/nothing"), 404, { "Content-Type: application/x+dialect\r\n", "<problem of=\"not_found\"/>" }, true, 1 },
    { "dialect, method", CLINIC_ID, LIT("DELETE /x/health HTTP/1.1\r\n" HOST "\r\n"), 405, { "Allow: GET\r\n", "<problem of=\"method_not_allowed\"/>" }, true, 1 },
    { "dialect, nobody", NOBODY, GET("/x/health"), 401, { "<problem of=\"certificate_required\"/>", "WWW-Authenticate: " }, true, 1 },
    { "dialect, inside", CLINIC_ID, GET("/x/broken"), 500, { "<problem of=\"internal_error\"/>" }, true, 0 },
    { "dialect of no path", CLINIC_ID, GET("/x"), 404, { "application/problem+json" }, true, 1 },
    { "malformed", CLINIC_ID, LIT("GET / HTTP/1.1\r\n\r\n"), 400, { "malformed_request" }, false, 1 },
    { "url", CLINIC_ID, GET("/v1/%41"), 400, { "malformed_url" }, false, 1 },
    { "bad chunk", CLINIC_ID, POST("/v1/size", JSON "Transfer-Encoding: chunked\r\n", "zz\r\n"), 400, { "malformed_request" }, false, 1 },
    { "field", CLINIC_ID, GET("/v1/field"), 422, { "\"errors\":[\"a_field\"]}", "\"retry\":\"after_fix\"" }, true, 1 },
    { "recorded by the handler", CLINIC_ID, GET("/v1/own-record"), 409, { "conflict" }, true, 0 },
    { "inside", CLINIC_ID, GET("/v1/broken"), 500, { "\"code\":\"internal_error\"", "\"actor\":\"operator\"" }, true, 0 },
    { "busy", CLINIC_ID, GET("/v1/busy"), 503, { "store_unavailable", "Retry-After: ", "\"retry\":\"later\"" }, true, 0 },
    { "half a body", CLINIC_ID, POST("/v1/size", JSON TWO, "{"), 408, { "request_timeout" }, false, 1 },
    { "half a head", CLINIC_ID, LIT("GET /health HTTP/1.1\r\nHos"), 408, { "request_timeout" }, false, 1 },
    { "deadline", CLINIC_ID, GET("/v1/too-late"), 503, { "deadline_exceeded", "Retry-After: " }, false, 0 },
    { "abort", CLINIC_ID, GET("/v1/abort"), 0, { 0 }, false, 0 },
};

static void single_requests(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < sizeof SINGLE / sizeof SINGLE[0]; i++) {
        struct client c;
        int before = atomic_load(&w->refused);
        assert_true(client_open(&c, w, id_of(w, SINGLE[i].who)));
        int status = client_ask(&c, SINGLE[i].request);
        if (status != SINGLE[i].status)
            fail_msg("%s: %d", SINGLE[i].name, status);
        for (int k = 0; k < 3 && SINGLE[i].heard[k]; k++)
            if (!client_heard(&c, SINGLE[i].heard[k]))
                fail_msg("%s: no %s in %s", SINGLE[i].name, SINGLE[i].heard[k], buf_cstr(&c.answer));
        if (SINGLE[i].stays && client_ask(&c, GET("/health")) != 200)
            fail_msg("%s: the connection should go on", SINGLE[i].name);
        if (!SINGLE[i].stays && status && !client_ended(&c))
            fail_msg("%s: the connection should end", SINGLE[i].name);
        assert_int_equal(atomic_load(&w->refused) - before, SINGLE[i].refused);
        client_close(&c);
    }
}

static void a_connection_does_not_outlive_its_certificate(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/v1/later")), 200);
    atomic_store(&w->ahead_ms, 100LL * 365 * 24 * 3600 * 1000);
    int refused = atomic_load(&w->refused), status = client_ask(&c, GET("/v1/later"));
    atomic_store(&w->ahead_ms, 0);
    assert_int_equal(status, 403);
    assert_true(client_heard(&c, "certificate_refused"));
    assert_int_equal(atomic_load(&w->refused) - refused, 1);
    client_close(&c);
}

/* The handler answers 200; by then the certificate has ended. */
static void nor_does_an_answer_that_has_not_left(void **state)
{
    struct world *w = *state;
    struct client c;
    int refused = atomic_load(&w->refused);
    assert_true(client_open(&c, w, &w->clinic));
    assert_true(client_send(&c, GET("/v1/later"))); /* 100 ms */
    pause_ms(40);
    atomic_store(&w->ahead_ms, 100LL * 365 * 24 * 3600 * 1000);
    int status = client_answer(&c);
    atomic_store(&w->ahead_ms, 0);
    assert_int_equal(status, 403);
    assert_true(client_heard(&c, "certificate_refused"));
    assert_int_equal(atomic_load(&w->refused) - refused, 1);
    client_close(&c);
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
    buf_reset(&b);
    problem_write(&b, E_METHOD_UNKNOWN, id, NULL, NULL);
    assert_non_null(strstr(buf_cstr(&b), "\"code\":\"method_unknown\""));
    for (enum err_code code = E_INTERNAL; code <= E_NOT_DISCLOSED; code++) { /* nothing of the inside shows */
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
        cmocka_unit_test(a_connection_does_not_outlive_its_certificate),
        cmocka_unit_test(nor_does_an_answer_that_has_not_left),
        cmocka_unit_test(chunked_over_the_limit),
        cmocka_unit_test(refusals_wait_for_the_audit),
        cmocka_unit_test(pipelined),
        cmocka_unit_test(long_pipeline),
        cmocka_unit_test(byte_by_byte),
        cmocka_unit_test(large_body),
        cmocka_unit_test(expect_continue),
        cmocka_unit_test(big_answers),
        cmocka_unit_test(problem_documents),
    };
    return cmocka_run_group_tests_name("serve", tests, begin, end);
}
