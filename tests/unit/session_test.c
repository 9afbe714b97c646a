#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/clinic/session.h"

static struct session sample(void)
{
    struct session s = { .expires_ms = 1234567890123, .scope = { 5, 0x3001 }, .consent = { .version = 7, .given_s = 1700000000 } };
    memset(s.person.h, 'a', sizeof s.person.h);
    memset(s.handle, 7, sizeof s.handle);
    memcpy(s.identity, "clinic/3310010012", 17);
    memset(s.cert, 9, sizeof s.cert);
    memset(s.consent.name.b, 3, sizeof s.consent.name.b);
    memcpy(s.purpose, "treatment", 9);
    return s;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct session in = sample(), out;
    struct buf b;
    buf_init(&b, SESSION_PLAIN_MAX);
    assert_int_equal(session_encode(&in, &b).code, E_OK);
    assert_int_equal(session_decode(buf_slice(&b), &out).code, E_OK);
    assert_memory_equal(out.person.h, in.person.h, sizeof in.person.h);
    assert_memory_equal(out.handle, in.handle, sizeof in.handle);
    assert_string_equal(out.identity, in.identity);
    assert_int_equal(out.expires_ms, in.expires_ms);
    assert_memory_equal(out.cert, in.cert, sizeof in.cert);
    assert_memory_equal(out.consent.name.b, in.consent.name.b, sizeof in.consent.name.b);
    assert_int_equal(out.consent.version, 7);
    assert_int_equal(out.consent.given_s, 1700000000);
    assert_int_equal(out.scope.kinds, 5);
    assert_int_equal(out.scope.fields, 0x3001);
    assert_memory_equal(out.purpose, in.purpose, sizeof in.purpose);
    buf_done(&b);
}

static void a_part_or_more_is_refused(void **state)
{
    (void)state;
    struct session in = sample(), out;
    struct buf b;
    buf_init(&b, SESSION_PLAIN_MAX);
    assert_int_equal(session_encode(&in, &b).code, E_OK);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(session_decode(slice_of(b.p, n), &out).code, E_SEAL);
    buf_putc(&b, 'x');
    assert_int_equal(session_decode(buf_slice(&b), &out).code, E_SEAL);
    buf_done(&b);
}

static void other_version_and_open_identity_are_refused(void **state)
{
    (void)state;
    struct session in = sample(), out;
    struct buf b;
    buf_init(&b, SESSION_PLAIN_MAX);
    assert_int_equal(session_encode(&in, &b).code, E_OK);
    b.p[0] = 1;
    assert_int_equal(session_decode(buf_slice(&b), &out).code, E_SEAL);
    buf_reset(&b);
    memset(in.identity, 'x', sizeof in.identity);
    assert_int_equal(session_encode(&in, &b).code, E_OK);
    assert_int_equal(session_decode(buf_slice(&b), &out).code, E_SEAL);
    buf_done(&b);
}

static void token_is_fresh_base64url(void **state)
{
    (void)state;
    char a[SESSION_TOKEN_CHARS], b[SESSION_TOKEN_CHARS];
    session_token(a);
    session_token(b);
    assert_memory_not_equal(a, b, sizeof a);
    for (size_t i = 0; i < sizeof a; i++)
        assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", a[i], 64));
}

static void expiry_has_two_bounds(void **state)
{
    (void)state;
    const uint64_t iat = 1700000000, now = iat * 1000, day = UINT64_C(86400000);
    assert_int_equal(session_expiry(now, 3600000, iat), now + 3600000);
    assert_int_equal(session_expiry(now + 1000, day, iat), now + day);
    assert_int_equal(session_expiry(now + day + 20000, day, iat), now + day + 21000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),  cmocka_unit_test(a_part_or_more_is_refused),
        cmocka_unit_test(other_version_and_open_identity_are_refused),
        cmocka_unit_test(token_is_fresh_base64url), cmocka_unit_test(expiry_has_two_bounds),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
