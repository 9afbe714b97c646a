#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mocks/desk/inside.h"

static const struct desk_names NAMES = { .key = "abcdefghijklmnopabcdefghijklmnop", .port = 18460, .of = { "console", NULL, "nation" }, .n = 3 };
#define KEY "abcdefghijklmnopabcdefghijklmnop"
#define OURS "console." KEY ".localhost:18460"

struct heard { enum desk_verdict v; size_t way, taken; char head[1024]; };

static struct heard hear(struct slice in)
{
    struct buf out;
    struct heard h = { .way = 99, .taken = 99 };
    buf_init(&out, DESK_HEAD_MAX + 64);
    h.v = desk__head(&NAMES, in, &out, &h.way, &h.taken);
    if (h.v == DESK_GO)
        snprintf(h.head, sizeof h.head, "%.*s", (int)out.n, (const char *)out.p);
    buf_done(&out);
    return h;
}

static struct heard hear_text(const char *text) { return hear(slice_str(text)); }

static void test_hands_on_what_is_ours(void **state)
{
    (void)state;
    struct heard h = hear_text("POST /v1/files?a=b HTTP/1.1\r\nhOST:  " OURS "\t\r\nContent-Length: 4\r\nConnection: keep-alive\r\nUpgrade: h2c\r\nX-Any: 1\r\n\r\nbody");
    assert_int_equal(h.v, DESK_GO);
    assert_int_equal(h.way, 0);
    assert_string_equal(h.head, "POST /v1/files?a=b HTTP/1.1\r\nhOST:  " OURS "\t\r\nContent-Length: 4\r\nX-Any: 1\r\nConnection: close\r\n\r\n");
    h = hear_text("GET / HTTP/1.1\r\nHost: nation." KEY ".localhost:18460\r\n\r\n");
    assert_int_equal(h.v, DESK_GO);
    assert_int_equal(h.way, 2);
}

static void test_knows_strangers(void **state)
{
    (void)state;
    static const char *const HOSTS[] = {
        "127.0.0.1:18460", "localhost:18460", "console.localhost:18460", "evil.example", "console." KEY ".localhost", "console." KEY ".localhost:18461",
        "console." KEY ".localhost.evil.example:18460", "other." KEY ".localhost:18460", "." KEY ".localhost:18460", KEY ".localhost:18460", "", "console.",
        "console.bbcdefghijklmnopabcdefghijklmnop.localhost:18460", "x.console." KEY ".localhost:18460", "console." KEY ".localhost:18460.",
    };
    for (size_t i = 0; i < sizeof HOSTS / sizeof *HOSTS; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", HOSTS[i]);
        assert_int_equal(hear_text(text).v, DESK_STRANGER);
    }
}

static void test_refuses_what_is_no_request(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "GET / HTTP/1.1\r\n\r\n",                                                      /* no Host */
        "GET / HTTP/1.1\r\nHost: " OURS "\r\nHost: " OURS "\r\n\r\n",                  /* two */
        "GET / HTTP/1.0\r\nHost: " OURS "\r\n\r\n",
        "GET http://" OURS "/ HTTP/1.1\r\nHost: " OURS "\r\n\r\n",
        "CONNECT evil:443 HTTP/1.1\r\nHost: " OURS "\r\n\r\n",
        "GET /  HTTP/1.1\r\nHost: " OURS "\r\n\r\n",
        "GET / HTTP/1.1\nHost: " OURS "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: " OURS "\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: " OURS "\r\n folded: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : " OURS "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: " OURS "\r\nno colon\r\n\r\n",
        "\r\n\r\n", "\r\nGET / HTTP/1.1\r\nHost: " OURS "\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_int_equal(hear_text(BAD[i]).v, DESK_BAD);
    assert_int_equal(hear(slice_of("GET / HTTP/1.1\r\nHost: " OURS "\r\nX: \0\r\n\r\n", sizeof "GET / HTTP/1.1\r\nHost: " OURS "\r\nX: \0\r\n\r\n" - 1)).v, DESK_BAD);
}

static void test_waits_for_the_end_and_not_for_ever(void **state)
{
    (void)state;
    const char *text = "GET / HTTP/1.1\r\nHost: " OURS "\r\n\r\n";
    for (size_t n = 0; n < strlen(text); n++)
        assert_int_equal(hear(slice_of(text, n)).v, DESK_NEED);
    char *lots = malloc(DESK_HEAD_MAX);
    memset(lots, 'a', DESK_HEAD_MAX);
    assert_int_equal(hear(slice_of(lots, DESK_HEAD_MAX - 1)).v, DESK_NEED);
    assert_int_equal(hear(slice_of(lots, DESK_HEAD_MAX)).v, DESK_BAD);
    free(lots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hands_on_what_is_ours), cmocka_unit_test(test_knows_strangers),
        cmocka_unit_test(test_refuses_what_is_no_request), cmocka_unit_test(test_waits_for_the_end_and_not_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
