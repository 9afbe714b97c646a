/* What the courier decides by itself: when to try again, whom it may send to, what a signature is over, where an address leads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "connectors/core/address.h"
#include "gateway/base/text.h"
#include "gateway/courier/pace.h"
#include "gateway/courier/sign.h"
#include "gateway/courier/targets.h"
#include "gateway/crypto/crypto.h"

#define GOOD(x) assert_true(err_ok(x))

/* ---- pace ---- */

static void test_waits_double_up_to_the_longest(void **state)
{
    (void)state;
    const struct pace p = { 1000, 60000 };
    for (uint64_t rnd = 0; rnd < 5000; rnd += 7) {
        assert_in_range(pace_wait(&p, 0, rnd), 750, 1250);
        assert_in_range(pace_wait(&p, 3, rnd), 6000, 10000);
        assert_in_range(pace_wait(&p, 6, rnd), 45000, 75000);
        assert_in_range(pace_wait(&p, UINT64_MAX, rnd), 45000, 75000);
    }
}

static void test_a_breaker_lets_one_probe_through(void **state)
{
    (void)state;
    struct breaker b = { 0 };
    for (unsigned i = 0; i < BREAKER_FAILURES - 1; i++) {
        assert_true(breaker_pass(&b, 100));
        breaker_bad(&b, 100, 0);
    }
    assert_true(breaker_pass(&b, 100));
    breaker_bad(&b, 100, 0);
    assert_false(breaker_pass(&b, 100));
    assert_false(breaker_pass(&b, 100 + BREAKER_MIN_MS / 2));
    const uint64_t later = 100 + 2 * BREAKER_MIN_MS;
    assert_true(breaker_would_pass(&b, later) && breaker_would_pass(&b, later)); /* looking takes nothing */
    assert_true(breaker_pass(&b, later));
    assert_false(breaker_would_pass(&b, later) || breaker_pass(&b, later));
    breaker_void(&b); /* it was not sent after all */
    assert_true(breaker_pass(&b, later));
    breaker_bad(&b, later, 0);
    assert_false(breaker_pass(&b, later + BREAKER_MIN_MS));
    assert_true(breaker_pass(&b, later + 3 * BREAKER_MIN_MS));
    breaker_good(&b);
    assert_true(breaker_pass(&b, later) && breaker_pass(&b, later));
}

static void test_a_crowd_waits_longer_than_one(void **state)
{
    (void)state;
    const struct breaker closed = { 0 }, open = { .until = 31000 };
    for (uint64_t rnd = 0; rnd < 5000; rnd += 7) {
        assert_in_range(crowd_wait(&closed, 0, 1000, rnd), 200, 399);
        assert_in_range(crowd_wait(&closed, 100, 1000, rnd), 1200, 2399);
        assert_in_range(crowd_wait(&closed, UINT64_MAX, 1000, rnd), 5000, 9999);
        assert_in_range(crowd_wait(&open, 0, 1000, rnd), 30000, 59999);
        assert_in_range(crowd_wait(&open, 0, 32000, rnd), 200, 399);
    }
}

/* ---- targets ---- */

static ERR parse(const char *yaml, struct targets **ret_t)
{
    struct buf line;
    buf_init(&line, 1024);
    struct err e = targets_parse(ret_t, "t", slice_str(yaml), &line);
    buf_done(&line);
    return e;
}

#define REST ", ca: /c.pem"

static void test_who_is_named_is_found_and_nobody_else(void **state)
{
    (void)state;
    struct targets *t;
    GOOD(parse("clinics:\n- { code: \"2719900017\", url: \"https://b.example/x\"" REST " }\n- { code: \"3319900019\", url: \"https://a.example:8443\"" REST ", private: true }\n"
               "portals:\n- { name: mynaportal, url: \"https://p.example/v1\"" REST " }\ndatabase: { url: \"https://d.example\"" REST " }\n", &t));
    assert_int_equal(targets_n(t), 4);
    assert_string_equal(targets_find(t, OPEN_CLINIC, LIT("3319900019"))->url, "https://a.example:8443");
    assert_true(targets_find(t, OPEN_CLINIC, LIT("3319900019"))->is_private);
    assert_false(targets_find(t, OPEN_CLINIC, LIT("2719900017"))->is_private);
    assert_non_null(targets_find(t, OPEN_PORTAL, LIT("mynaportal")));
    assert_non_null(targets_find(t, OPEN_DATABASE, SLICE_NONE));
    assert_null(targets_find(t, OPEN_ID5, SLICE_NONE));
    assert_null(targets_find(t, OPEN_CLINIC, LIT("mynaportal")));
    assert_null(targets_find(t, OPEN_CLINIC, LIT("331990001")));
    assert_null(targets_find(t, OPEN_CLINIC, LIT("a name that is longer than any recipient has")));
    assert_false(targets_no_database(t));
    targets_free(t);
    GOOD(parse("portals: []\ndatabase: none\n", &t));
    assert_true(targets_no_database(t) && targets_n(t) == 0);
    targets_free(t);
}

static void test_a_place_that_could_be_another_is_refused(void **state)
{
    (void)state;
    static const char *const URLS[] = {
        "http://a.example", "https://", "https://a.example/", "https://user@a.example/x", "https://a.example/?to=x", "https://a.example/#x", "https://a.example/ x",
        "ftp://a.example", "https://a.example/%2e%2e", "https://a.example\\\\@b.example",
    };
    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        struct targets *t;
        struct buf yaml;
        buf_init(&yaml, 512);
        buf_puts(&yaml, "id5: { url: \"");
        buf_puts(&yaml, URLS[i]);
        buf_puts(&yaml, "\"" REST " }\n");
        assert_true(err_is(parse(buf_cstr(&yaml), &t), E_CONFIG));
        buf_done(&yaml);
    }
    struct targets *t;
    assert_true(err_is(parse("id5: { url: \"https://a.example\" }\n", &t), E_CONFIG)); /* no issuers: any would do */
    assert_true(err_is(parse("clinics:\n- { code: \"331990001\", url: \"https://a.example\"" REST " }\n", &t), E_CONFIG));
    assert_true(err_is(parse("clinics:\n- { code: \"3319900019\", url: \"https://a.example\"" REST " }\n- { code: \"3319900019\", url: \"https://b.example\"" REST " }\n", &t), E_CONFIG));
    assert_true(err_is(parse("database: nobody\n", &t), E_CONFIG));
    assert_true(err_is(parse("id5: none\n", &t), E_CONFIG));
    assert_true(err_is(parse("claims: { url: \"https://a.example\"" REST " }\n", &t), E_CONFIG));
}

/* ---- addresses ---- */

static bool inside(const char *text)
{
    struct sockaddr_storage a = { 0 };
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
        memcpy(&a, &in, sizeof in);
    else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
        memcpy(&a, &in6, sizeof in6);
    else
        fail();
    return address_is_inside((const struct sockaddr *)&a);
}

static void test_addresses_inside_are_known_in_every_form(void **state)
{
    (void)state;
    static const char *const INSIDE[] = { "127.0.0.1", "127.255.1.2", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.127.255.255", "198.19.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::10.0.0.1", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1",
        "ff02::1", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1", "64:ff9b:1:a00:1::", "2002:7f00:1::", "2001:0:1::" };
    static const char *const OUTSIDE[] = { "8.8.8.8", "172.15.255.255", "172.32.0.1", "192.167.1.1", "100.63.1.1", "100.128.0.1", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "2606:4700::1", "2001:db8::1", "64:ff9b::8.8.8.8" };
    for (size_t i = 0; i < sizeof INSIDE / sizeof INSIDE[0]; i++)
        assert_true(inside(INSIDE[i]));
    for (size_t i = 0; i < sizeof OUTSIDE / sizeof OUTSIDE[0]; i++)
        assert_false(inside(OUTSIDE[i]));
    struct sockaddr other = { .sa_family = AF_UNIX };
    assert_true(address_is_inside(&other));
}

/* ---- signatures ---- */

static void test_a_signature_is_over_header_and_body(void **state)
{
    (void)state;
    const struct sign_claims c = { LIT("kid"), LIT("00ff"), LIT("3319900019"), 1790000000 };
    struct buf head, line;
    uint8_t digest[SIGN_DIGEST], want[SIGN_DIGEST], rs[SIGN_RS] = { 0 };
    buf_init(&head, SIGN_HEAD_MAX);
    buf_init(&line, SIGN_HEAD_MAX);
    GOOD(sign_begin(&c, LIT("{\"a\":1}"), &head, digest));
    struct buf json;
    buf_init(&json, SIGN_HEAD_MAX);
    assert_true(b64url_decode(buf_slice(&head), &json));
    assert_true(slice_eq(buf_slice(&json), LIT("{\"alg\":\"ES256\",\"kid\":\"kid\",\"iat\":1790000000,\"jti\":\"00ff\",\"aud\":\"3319900019\"}")));
    const struct slice parts[] = { buf_slice(&head), LIT("."), LIT("eyJhIjoxfQ") };
    GOOD(sha256(3, parts, want));
    assert_memory_equal(digest, want, sizeof want);
    GOOD(sign_header(buf_slice(&head), rs, &line));
    assert_true(slice_starts(buf_slice(&line), LIT("Pmhgw-Signature: ")));
    assert_non_null(strstr(buf_cstr(&line), "..AAAA"));
    buf_done(&head);
    buf_done(&line);
    buf_done(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_double_up_to_the_longest),
        cmocka_unit_test(test_a_breaker_lets_one_probe_through),
        cmocka_unit_test(test_a_crowd_waits_longer_than_one),
        cmocka_unit_test(test_who_is_named_is_found_and_nobody_else),
        cmocka_unit_test(test_a_place_that_could_be_another_is_refused),
        cmocka_unit_test(test_addresses_inside_are_known_in_every_form),
        cmocka_unit_test(test_a_signature_is_over_header_and_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
