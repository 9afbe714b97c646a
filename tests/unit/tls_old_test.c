#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/tls_link.h"

/* TLS 1.2, where a door allows it; and that every kind of key that callers may have still works with the algorithms that doors keep. */

static const char CLINIC[] = "URI:pmhgw:clinic/3310010012";

static int old_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL);
    pki_begin(&w->pki);
    struct tls_door_conf conf = conf_of(&w->pki);
    conf.tls12 = true;
    if (tls_door_new(&w->door, &conf).code != E_OK)
        return -1;
    *state = w;
    return 0;
}

struct seen { enum tls_state state; enum err_code refusal; int version; bool ticket; };

static struct seen try(struct tls_door *door, const struct pair *id, void (*prepare)(SSL *client))
{
    struct link l;
    link_begin(&l, door, id, NULL);
    if (prepare)
        prepare(l.client);
    link_shake(&l, 0);
    struct seen s = { l.state, tls_caller(l.server)->refusal, SSL_version(l.client), l.session && SSL_SESSION_is_resumable(l.session) };
    link_end(&l);
    return s;
}

static void v12(SSL *c) { SSL_set_max_proto_version(c, TLS1_2_VERSION); }
static void v11(SSL *c)
{
    SSL_set_security_level(c, 0);
    SSL_set_min_proto_version(c, TLS1_VERSION);
    SSL_set_max_proto_version(c, TLS1_1_VERSION);
}
static void suite(SSL *c, const char *list)
{
    v12(c);
    SSL_set_security_level(c, 0);
    assert_int_equal(SSL_set_cipher_list(c, list), 1);
}
static void gcm(SSL *c) { suite(c, "ECDHE-ECDSA-AES128-GCM-SHA256"); }
static void chacha(SSL *c) { suite(c, "ECDHE-ECDSA-CHACHA20-POLY1305"); }
static void cbc(SSL *c) { suite(c, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES128-SHA"); }
static void rsa_exchange(SSL *c) { suite(c, "AES128-GCM-SHA256:AES256-GCM-SHA384:AES128-SHA"); }
static void dhe(SSL *c) { suite(c, "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-CHACHA20-POLY1305"); }
static void ccm(SSL *c) { suite(c, "ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-CCM8"); }
static void no_master_secret(SSL *c)
{
    v12(c);
    SSL_set_options(c, SSL_OP_NO_EXTENDED_MASTER_SECRET);
}

static void aead_with_ecdhe_only(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    static void (*const GOOD[])(SSL *) = { v12, gcm, chacha };
    static void (*const BAD[])(SSL *) = { v11, cbc, rsa_exchange, dhe, ccm, no_master_secret };
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        struct seen s = try(w->door, &id, GOOD[i]);
        assert_int_equal(s.state, TLS_OPEN);
        assert_int_equal(s.refusal, E_OK);
        assert_int_equal(s.version, TLS1_2_VERSION);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(try(w->door, &id, BAD[i]).state, TLS_FAILED);
    assert_int_equal(try(w->door, &id, NULL).version, TLS1_3_VERSION); /* who can speaks the newer one */
    pair_free(&id);
}

static void old_sessions_are_not_resumed(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    struct link l;
    link_begin(&l, w->door, &id, NULL);
    v12(l.client);
    link_shake(&l, 0);
    SSL_SESSION *s = SSL_get1_session(l.client);
    link_end(&l);
    link_begin(&l, w->door, &id, s);
    v12(l.client);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    assert_false(SSL_session_reused(l.client));
    assert_int_equal(tls_caller(l.server)->refusal, E_OK);
    link_end(&l);
    SSL_SESSION_free(s);
    pair_free(&id);
}

static void nothing_is_negotiated_again(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    struct link l;
    char c;
    link_begin(&l, w->door, &id, NULL);
    v12(l.client);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    assert_int_equal(SSL_renegotiate(l.client), 1);
    SSL_do_handshake(l.client);
    link_carry(&l, 0);
    int r = SSL_read(l.client, &c, 1);
    assert_true(r <= 0);
    assert_int_equal(SSL_get_error(l.client, r), SSL_ERROR_SSL); /* no_renegotiation, or the end */
    assert_int_equal(l.plain.n, 0);
    link_end(&l);
    pair_free(&id);
}

static void nothing_is_compressed(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    struct link l;
    link_begin(&l, w->door, &id, NULL);
    v12(l.client);
    SSL_clear_options(l.client, SSL_OP_NO_COMPRESSION);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    assert_null(SSL_get_current_compression(l.client));
    link_end(&l);
    pair_free(&id);
}

static void no_early_data(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    struct link l;
    size_t n = 0;
    link_begin(&l, w->door, &id, NULL);
    link_shake(&l, 0);
    SSL_SESSION *s = l.session;
    assert_non_null(s);
    SSL_SESSION_up_ref(s);
    assert_int_equal(SSL_SESSION_get_max_early_data(s), 0);
    link_end(&l);
    SSL_SESSION_set_max_early_data(s, 16384); /* a client that tries all the same */
    link_begin(&l, w->door, &id, s);
    assert_int_equal(SSL_write_early_data(l.client, "early", 5, &n), 1);
    link_carry(&l, 0);
    assert_int_equal(l.plain.n, 0);
    link_shake(&l, 0);
    assert_int_equal(SSL_get_early_data_status(l.client), SSL_EARLY_DATA_REJECTED);
    assert_int_equal(l.plain.n, 0);
    link_end(&l);
    SSL_SESSION_free(s);
    pair_free(&id);
}

/* A door without the setting, and one with it, take every kind of key. */
static void every_kind_of_key(void **state)
{
    struct world *w = *state;
    static const char *const KINDS[] = { "P-256", "P-384", "P-521", "RSA", "ED25519", "ED448" };
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct pair id = pair_new(&w->pki.issuer, (struct wish){ .san = CLINIC, .eku = "clientAuth", .kind = KINDS[i] });
        struct seen s = try(w->door, &id, NULL);
        assert_int_equal(s.state, TLS_OPEN);
        assert_int_equal(s.refusal, E_OK);
        assert_true(s.ticket);
        s = try(w->door, &id, v12);
        assert_int_equal(s.state, TLS_OPEN);
        assert_int_equal(s.refusal, E_OK);
        pair_free(&id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aead_with_ecdhe_only),
        cmocka_unit_test(old_sessions_are_not_resumed),
        cmocka_unit_test(nothing_is_negotiated_again),
        cmocka_unit_test(nothing_is_compressed),
        cmocka_unit_test(no_early_data),
        cmocka_unit_test(every_kind_of_key),
    };
    return cmocka_run_group_tests(tests, old_begin, world_end);
}
