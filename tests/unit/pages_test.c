/* Files for browsers at a door: packed, named by what is in them, under strict headers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <zlib.h>

#include "gateway/pages/pages.h"
#include "tests/unit/serve_world.h"

#define HOST "Host: door\r\n"
#define GET(path, fields) LIT("GET " path " HTTP/1.1\r\n" HOST fields "\r\n")

extern const struct page_set try_pages;

enum { ROUTES_MAX = 64, TEXT_MAX = 1 << 20 };

static int begin(void **state)
{
    static struct route routes[ROUTES_MAX];
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL && pages_count(&try_pages) <= ROUTES_MAX);
    w->n_routes = pages_routes(&try_pages, routes, CALLER_BIT(CALLER_CLINIC));
    w->routes = routes;
    w->limits = door_limits_default();
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

static const struct page *page_of(const char *path)
{
    for (size_t i = 0; i < try_pages.n; i++)
        if (strcmp(try_pages.pages[i].path, path) == 0)
            return &try_pages.pages[i];
    return NULL;
}

static void unpack(const uint8_t *packed, size_t n, struct buf *out)
{
    z_stream z = { .next_in = (uint8_t *)(uintptr_t)packed, .avail_in = (unsigned)n, .next_out = buf_room(out, TEXT_MAX), .avail_out = TEXT_MAX };
    assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    buf_grew(out, TEXT_MAX - z.avail_out);
    inflateEnd(&z);
}

static void a_file_is_served_as_it_was_packed(void **state)
{
    struct world *w = *state;
    struct client c;
    const struct page *p = page_of("/try/try.js");
    assert_non_null(p);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/try/try.js", "")), 200);
    static const char *const HEARD[] = {
        "Content-Type: text/javascript; charset=utf-8\r\n", "Content-Encoding: gzip\r\n", "Cache-Control: no-cache\r\n", "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n", "Cross-Origin-Resource-Policy: same-origin\r\n", "Content-Security-Policy: default-src 'none'; script-src 'self'; ",
        "frame-ancestors 'none'", "require-trusted-types-for 'script'", "ETag: \"",
    };
    for (size_t i = 0; i < sizeof HEARD / sizeof *HEARD; i++)
        assert_true(client_heard(&c, HEARD[i]));
    assert_false(client_heard(&c, "no-store"));
    assert_false(client_heard(&c, "unsafe"));
    const uint8_t *body = (const uint8_t *)strstr(buf_cstr(&c.answer), "\r\n\r\n") + 4;
    struct buf text;
    buf_init(&text, 2 * TEXT_MAX);
    unpack(body, c.answer.n - (size_t)(body - c.answer.p), &text);
    assert_true(slice_eq(buf_slice(&text), LIT("export const tried = \"tried\";\n")));
    buf_done(&text);
    client_close(&c);
}

static void the_document_is_the_prefix_itself(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/try", "")), 200);
    assert_true(client_heard(&c, "Content-Type: text/html; charset=utf-8\r\n"));
    client_close(&c);
    assert_null(page_of("/try/index.html"));
}

static void who_has_it_is_told_so(void **state)
{
    struct world *w = *state;
    struct client c;
    char ask[256];
    const struct page *p = page_of("/try/try.js");
    assert_true(client_open(&c, w, &w->clinic));
    snprintf(ask, sizeof ask, "GET /try/try.js HTTP/1.1\r\n" HOST "If-None-Match: W/%s\r\n\r\n", p->etag);
    assert_int_equal(client_ask(&c, slice_str(ask)), 304);
    assert_true(client_heard(&c, p->etag));
    assert_true(client_heard(&c, "Cache-Control: no-cache\r\n"));
    assert_false(client_heard(&c, "Content-Length"));
    assert_int_equal(client_ask(&c, GET("/try/try.js", "If-None-Match: \"of-yesterday\"\r\n")), 200);
    client_close(&c);
}

static void what_is_not_there_or_not_asked_for_that_way(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/try/none.js", "")), 404);
    assert_true(client_heard(&c, "\"code\":\"not_found\""));
    assert_int_equal(client_ask(&c, GET("/try/", "")), 404);
    assert_int_equal(client_ask(&c, LIT("HEAD /try/try.js HTTP/1.1\r\n" HOST "\r\n")), 405);
    client_close(&c);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, LIT("POST /try/try.js HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n")), 405);
    client_close(&c);
    assert_true(client_open(&c, w, &w->clinic));
    assert_int_equal(client_ask(&c, GET("/try/../try", "")), 400);
    client_close(&c);
}

static void others_than_the_callers_get_nothing(void **state)
{
    struct world *w = *state;
    struct client c;
    assert_true(client_open(&c, w, &w->portal));
    assert_int_equal(client_ask(&c, GET("/try", "")), 403);
    client_close(&c);
    assert_true(client_open(&c, w, NULL));
    assert_int_equal(client_ask(&c, GET("/try", "")), 401);
    client_close(&c);
}

static void tags(void **state)
{
    (void)state;
    assert_true(pages_known(LIT("\"a\""), "\"a\""));
    assert_true(pages_known(LIT("W/\"a\""), "\"a\""));
    assert_true(pages_known(LIT("\"b\" , W/\"a\",\"c\""), "\"a\""));
    assert_true(pages_known(LIT(" * "), "\"a\""));
    assert_false(pages_known(SLICE_NONE, "\"a\""));
    assert_false(pages_known(LIT("a"), "\"a\""));
    assert_false(pages_known(LIT("\"ab\""), "\"a\""));
    assert_false(pages_known(LIT("\"b\",,"), "\"a\""));
}

static void each_file_once_and_whole(void **state)
{
    (void)state;
    struct buf text;
    assert_non_null(page_of("/try/lit-html.js"));
    assert_non_null(page_of("/try/look.css"));
    for (size_t i = 0; i < try_pages.n; i++) {
        buf_init(&text, 2 * TEXT_MAX);
        unpack(try_pages.pages[i].packed, try_pages.pages[i].n, &text);
        assert_true(text.n > 0);
        buf_done(&text);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(try_pages.pages[i].path, try_pages.pages[k].path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_served_as_it_was_packed),
        cmocka_unit_test(the_document_is_the_prefix_itself),
        cmocka_unit_test(who_has_it_is_told_so),
        cmocka_unit_test(what_is_not_there_or_not_asked_for_that_way),
        cmocka_unit_test(others_than_the_callers_get_nothing),
        cmocka_unit_test(tags),
        cmocka_unit_test(each_file_once_and_whole),
    };
    return cmocka_run_group_tests_name("pages", tests, begin, end);
}
