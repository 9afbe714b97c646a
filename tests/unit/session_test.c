#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/clinic/session.h"

static int set_up(void **state)
{
    char dir[] = "/tmp/session_test_XXXXXX", ring[64], master[64];
    struct keyring *keys;
    struct store *s;
    assert_non_null(mkdtemp(dir));
    snprintf(ring, sizeof ring, "%s/ring", dir), snprintf(master, sizeof master, "%s/master", dir);
    static const enum key_kind KINDS[] = { KEY_LINK_INDEX, KEY_LINK_COMMON, KEY_AUDIT_HANDLE };
    assert_int_equal(keyring_create(RING_LINK, ring, master).code, E_OK);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        assert_int_equal(keyring_add(RING_LINK, ring, master, KINDS[i], LIT("1"), NULL).code, E_OK);
    assert_int_equal(keyring_load(&keys, RING_LINK, ring, master).code, E_OK);
    assert_int_equal(store_new(&s, keys).code, E_OK);
    keyring_free(keys);
    unlink(ring), unlink(master), rmdir(dir);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    store_free(*state);
    return 0;
}

static void token_is_fresh_base64url(void **state)
{
    struct person p;
    struct session_token a, b;
    assert_int_equal(store_person(*state, LIT("PMH-1"), &p).code, E_OK);
    assert_int_equal(session_token_new(*state, &p, &a).code, E_OK);
    assert_int_equal(session_token_new(*state, &p, &b).code, E_OK);
    assert_memory_not_equal(a.text, b.text, sizeof a.text);
    assert_memory_not_equal(a.name.b, b.name.b, sizeof a.name.b);
    for (size_t i = 0; i < sizeof a.text; i++)
        assert_non_null(memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", a.text[i], 64));
}

static void token_leads_to_its_session(void **state)
{
    struct person p, found;
    struct session_token t;
    struct consent_name name;
    assert_int_equal(store_person(*state, LIT("PMH-1"), &p).code, E_OK);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(session_token_new(*state, &p, &t).code, E_OK);
        assert_int_equal(session_token_read(*state, ARR(t.text), &found, &name).code, E_OK);
        assert_memory_equal(found.h, p.h, sizeof p.h);
        assert_memory_equal(name.b, t.name.b, sizeof name.b);
    }
}

static void what_is_no_token_leads_to_nobody(void **state)
{
    struct person p, first, second;
    struct session_token t;
    struct consent_name name;
    char text[SESSION_TOKEN_CHARS];
    assert_int_equal(store_person(*state, LIT("PMH-1"), &p).code, E_OK);
    assert_int_equal(session_token_new(*state, &p, &t).code, E_OK);
    memcpy(text, t.text, sizeof text);
    text[SESSION_TOKEN_CHARS - 1] = '_'; /* ends in bits that no byte takes */
    const struct slice bad[] = { ARR(text), slice_of(t.text, SESSION_TOKEN_CHARS - 1), slice_of("", 0), LIT("===========================================") };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(session_token_read(*state, bad[i], &first, &name).code, E_OK);
        assert_int_equal(session_token_read(*state, bad[i], &second, &name).code, E_OK);
        assert_memory_not_equal(first.h, second.h, sizeof first.h); /* by chance, each time */
        assert_memory_not_equal(first.h, p.h, sizeof p.h);
    }
}

static void a_session_by_a_ticket_is_for_its_municipality_and_program(void **state)
{
    (void)state;
    struct session all = { .open.kinds = 1 }, one = { .held.muni = { '3', '3', '1', '0', '0', '7' }, .held.program = "p1" };
    assert_true(session_is_for(&all, LIT("331007"), LIT("p1")) && session_is_for_program(&all, LIT("p2")));
    assert_true(session_is_for(&one, LIT("331007"), LIT("p1")) && session_is_for_program(&one, LIT("p1")));
    assert_false(session_is_for(&one, LIT("222127"), LIT("p1")) || session_is_for(&one, LIT("331007"), LIT("p10")) || session_is_for_program(&one, LIT("p2")));
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
        cmocka_unit_test(token_is_fresh_base64url), cmocka_unit_test(token_leads_to_its_session), cmocka_unit_test(what_is_no_token_leads_to_nobody),
        cmocka_unit_test(a_session_by_a_ticket_is_for_its_municipality_and_program), cmocka_unit_test(expiry_has_two_bounds),
    };
    return cmocka_run_group_tests_name("session", tests, set_up, tear_down);
}
