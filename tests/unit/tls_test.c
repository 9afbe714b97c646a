#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/tls_link.h"

/* ---- sessions ---- */

static SSL_SESSION *session_of(struct tls_door *door, const struct pair *id)
{
    struct link l;
    link_begin(&l, door, id, NULL);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    SSL_SESSION *s = l.session;
    assert_non_null(s);
    SSL_SESSION_up_ref(s);
    link_end(&l);
    return s;
}

static void resumed(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    SSL_SESSION *s = session_of(w->door, &id);
    struct link l;
    link_begin(&l, w->door, &id, s);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    assert_true(SSL_session_reused(l.client));
    assert_string_equal(tls_caller(l.server)->identity, "clinic/3310010012");
    assert_int_equal(tls_caller(l.server)->refusal, E_OK);
    link_end(&l);
    SSL_SESSION_free(s);
    pair_free(&id);
}

/* The certificate expires between the handshake and its resumption. */
static void resumed_after_expiry(void **state)
{
    struct world *w = *state;
    struct pair id = pair_new(&w->pki.issuer,
                              (struct wish){ .san = "URI:pmhgw:clinic/3310010012", .eku = "clientAuth", .to_s = 2 });
    SSL_SESSION *s = session_of(w->door, &id);
    struct link l;
    nanosleep(&(struct timespec){ .tv_sec = 3 }, NULL);
    link_begin(&l, w->door, &id, s);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    assert_false(SSL_session_reused(l.client));
    assert_int_equal(tls_caller(l.server)->refusal, E_CERT_REFUSED);
    assert_int_equal(tls_caller(l.server)->role, CALLER_NONE);
    link_end(&l);
    SSL_SESSION_free(s);
    pair_free(&id);
}

static void session_of_another_door(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    struct tls_door_conf conf = conf_of(&w->pki);
    struct tls_door *other;
    conf.session_context = "portal";
    assert_int_equal(tls_door_new(&other, &conf).code, E_OK);
    SSL_SESSION *s = session_of(other, &id);
    struct link l;
    link_begin(&l, w->door, &id, s);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    assert_false(SSL_session_reused(l.client));
    assert_int_equal(tls_caller(l.server)->refusal, E_OK);
    link_end(&l);
    SSL_SESSION_free(s);
    tls_door_free(other);
    pair_free(&id);
}

/* ---- protocol ---- */

static enum tls_state try_client(struct world *w, void (*prepare)(SSL *client))
{
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    struct link l;
    link_begin(&l, w->door, &id, NULL);
    prepare(l.client);
    link_shake(&l, 0);
    enum tls_state st = l.state;
    link_end(&l);
    pair_free(&id);
    return st;
}

static void only_1_2(SSL *c) { SSL_set_max_proto_version(c, TLS1_2_VERSION); }
static void other_group(SSL *c) { SSL_set1_groups_list(c, "P-521"); }
static void p_256(SSL *c) { SSL_set1_groups_list(c, "P-256"); }
static void alpn_h1(SSL *c) { SSL_set_alpn_protos(c, (const unsigned char *)"\x02h2\x08http/1.1", 12); }
static void alpn_h2(SSL *c) { SSL_set_alpn_protos(c, (const unsigned char *)"\x02h2", 3); }

static void protocol(void **state)
{
    struct world *w = *state;
    assert_int_equal(try_client(w, only_1_2), TLS_FAILED);
    assert_int_equal(try_client(w, other_group), TLS_FAILED);
    assert_int_equal(try_client(w, alpn_h2), TLS_FAILED);
    assert_int_equal(try_client(w, alpn_h1), TLS_OPEN);
    assert_int_equal(try_client(w, p_256), TLS_OPEN);
}

static void plain_http_is_refused(void **state)
{
    struct world *w = *state;
    struct tls_conn *c = tls_conn_new(w->door);
    struct buf out, plain;
    buf_init(&out, 4096);
    buf_init(&plain, 4096);
    assert_int_equal(tls_feed(c, LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), &out, &plain), TLS_FAILED);
    assert_int_equal(tls_feed(c, LIT("more"), &out, &plain), TLS_FAILED);
    assert_int_equal(plain.n, 0);
    assert_int_equal(tls_write(c, LIT("x"), &out).code, E_IO);
    assert_int_equal(tls_caller(c)->refusal, E_CERT_MISSING);
    tls_conn_free(c);
    tls_conn_free(NULL);
    buf_done(&out);
    buf_done(&plain);
}

static void key_updates_are_bounded(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    struct link l;
    link_begin(&l, w->door, &id, NULL);
    link_shake(&l, 0);
    int n = 0;
    while (n < 500 && l.state == TLS_OPEN) {
        SSL_key_update(l.client, SSL_KEY_UPDATE_NOT_REQUESTED);
        say(&l, "x");
        n++;
    }
    assert_int_equal(l.state, TLS_FAILED);
    assert_true(n > 4 && n < 100);
    link_end(&l);
    pair_free(&id);
}

/* ---- bytes ---- */

static void opened(struct link *l, struct world *w, struct pair *id)
{
    *id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    link_begin(l, w->door, id, NULL);
    link_shake(l, 0);
    assert_int_equal(l->state, TLS_OPEN);
}

static void big_answer(void **state)
{
    struct world *w = *state;
    struct pair id;
    struct link l;
    struct buf out;
    opened(&l, w, &id);
    enum { N = 100000 };
    static uint8_t sent[N], got[N];
    for (size_t i = 0; i < N; i++)
        sent[i] = (uint8_t)(i * 31);
    buf_init(&out, 1 << 20);
    assert_int_equal(tls_write(l.server, ARR(sent), &out).code, E_OK);
    assert_int_equal(BIO_write(SSL_get_rbio(l.client), out.p, (int)out.n), (int)out.n);
    int have = 0, r;
    while (have < N && (r = SSL_read(l.client, got + have, N - have)) > 0)
        have += r;
    assert_memory_equal(sent, got, N);
    buf_done(&out);

    struct buf small; /* no room: an error, not half an answer */
    buf_init(&small, 1000);
    assert_int_equal(tls_write(l.server, ARR(sent), &small).code, E_FULL);
    buf_done(&small);
    link_end(&l);
    pair_free(&id);
}

/* More plain text than there is room for is kept, and comes with the next calls. */
static void little_room(void **state)
{
    struct world *w = *state;
    struct pair id;
    struct link l;
    struct buf out, plain, all;
    opened(&l, w, &id);
    static uint8_t sent[50000];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (uint8_t)(i * 7);
    assert_int_equal(SSL_write(l.client, sent, sizeof sent), (int)sizeof sent);
    char *p;
    size_t n = (size_t)BIO_get_mem_data(SSL_get_wbio(l.client), &p);
    buf_init(&out, NET_ROOM);
    buf_init(&plain, 1000);
    buf_init(&all, 100000);
    enum tls_state st = tls_feed(l.server, slice_of(p, n), &out, &plain);
    for (int i = 0; i < 100 && plain.n > 0; i++) {
        assert_int_equal(st, TLS_OPEN);
        assert_true(plain.n <= 1000);
        buf_put(&all, buf_slice(&plain));
        buf_reset(&plain);
        st = tls_feed(l.server, SLICE_NONE, &out, &plain);
    }
    assert_true(slice_eq(buf_slice(&all), ARR(sent)));
    buf_done(&out);
    buf_done(&plain);
    buf_done(&all);
    link_end(&l);
    pair_free(&id);
}

/* Between records, in the middle of one, and during the handshake. */
static void rests(void **state)
{
    struct world *w = *state;
    struct pair id;
    struct link l;
    struct buf out;
    opened(&l, w, &id);
    tls_rest(l.server);
    say(&l, "a");
    assert_int_equal(SSL_write(l.client, "bc", 2), 2);
    char *p;
    size_t n = (size_t)BIO_get_mem_data(SSL_get_wbio(l.client), &p);
    buf_init(&out, NET_ROOM);
    assert_int_equal(tls_feed(l.server, slice_of(p, 10), &out, &l.plain), TLS_OPEN);
    tls_rest(l.server);
    assert_int_equal(tls_feed(l.server, slice_of(p + 10, n - 10), &out, &l.plain), TLS_OPEN);
    assert_true(slice_eq(buf_slice(&l.plain), LIT("abc")));
    tls_rest(l.server);
    assert_int_equal(tls_write(l.server, LIT("x"), &out).code, E_OK);
    buf_done(&out);
    link_end(&l);
    link_begin(&l, w->door, &id, NULL);
    tls_rest(l.server);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    link_end(&l);
    pair_free(&id);
}

static void farewell(void **state)
{
    struct world *w = *state;
    struct pair id;
    struct link l;
    struct buf out;
    char c;
    opened(&l, w, &id);
    say(&l, "last words");
    SSL_shutdown(l.client);
    link_carry(&l, 0);
    assert_int_equal(l.state, TLS_CLOSED);
    assert_true(slice_eq(buf_slice(&l.plain), LIT("last words")));
    buf_init(&out, NET_ROOM);
    assert_int_equal(tls_write(l.server, LIT("answer"), &out).code, E_OK); /* half closed: we may still speak */
    tls_shutdown(l.server, &out);
    assert_int_equal(BIO_write(SSL_get_rbio(l.client), out.p, (int)out.n), (int)out.n);
    for (int i = 0; i < 6; i++)
        assert_int_equal(SSL_read(l.client, &c, 1), 1);
    int r = SSL_read(l.client, &c, 1);
    assert_int_equal(SSL_get_error(l.client, r), SSL_ERROR_ZERO_RETURN);
    buf_done(&out);
    link_end(&l);
    pair_free(&id);
}

static void tampered_record(void **state)
{
    struct world *w = *state;
    struct pair id;
    struct link l;
    struct buf out;
    opened(&l, w, &id);
    assert_int_equal(SSL_write(l.client, "hello", 5), 5);
    char *p;
    long n = BIO_get_mem_data(SSL_get_wbio(l.client), &p);
    p[n - 1] ^= 1;
    buf_init(&out, NET_ROOM);
    assert_int_equal(tls_feed(l.server, slice_of(p, (size_t)n), &out, &l.plain), TLS_FAILED);
    assert_int_equal(l.plain.n, 0);
    buf_done(&out);
    link_end(&l);
    pair_free(&id);
}

/* ---- doors ---- */

static void bad_configuration(void **state)
{
    struct world *w = *state;
    struct tls_door *d;
    struct pki other;
    pki_begin(&other);
    struct tls_door_conf conf = conf_of(&w->pki);
    conf.cert_path = "/nonexistent";
    assert_int_equal(tls_door_new(&d, &conf).code, E_CONFIG);
    conf = conf_of(&w->pki);
    conf.key_path = other.key; /* not the key of the certificate */
    assert_int_equal(tls_door_new(&d, &conf).code, E_CONFIG);
    conf = conf_of(&w->pki);
    conf.ca_path = "/nonexistent";
    assert_int_equal(tls_door_new(&d, &conf).code, E_CONFIG);
    conf = conf_of(&w->pki);
    conf.ca_path = w->pki.key; /* not a certificate */
    assert_int_equal(tls_door_new(&d, &conf).code, E_CONFIG);
    tls_door_free(NULL);
    pki_end(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed),
        cmocka_unit_test(resumed_after_expiry),
        cmocka_unit_test(session_of_another_door),
        cmocka_unit_test(protocol),
        cmocka_unit_test(plain_http_is_refused),
        cmocka_unit_test(key_updates_are_bounded),
        cmocka_unit_test(big_answer),
        cmocka_unit_test(little_room),
        cmocka_unit_test(rests),
        cmocka_unit_test(farewell),
        cmocka_unit_test(tampered_record),
        cmocka_unit_test(bad_configuration),
    };
    return cmocka_run_group_tests_name("tls", tests, world_begin, world_end);
}
