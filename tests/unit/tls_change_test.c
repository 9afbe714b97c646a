#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/base/file.h"
#include "gateway/tls/revoke.h"
#include "gateway/tls/sessions.h"
#include "tests/unit/crls.h"
#include "tests/unit/tls_link.h"

/* What changes under callers: the worker that they meet, the certificates of the door, its issuers. */

static const char CLINIC[] = "URI:pmhgw:clinic/3310010012";

static SSL_SESSION *session_of(struct tls_door *door, const struct pair *id)
{
    struct link l;
    link_begin(&l, door, id, NULL);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    SSL_SESSION *s = l.session;
    if (s)
        SSL_SESSION_up_ref(s);
    link_end(&l);
    return s;
}

/* Whether the session was taken; what the caller is then. */
static bool taken(struct tls_door *door, const struct pair *id, SSL_SESSION *s, enum err_code *ret_refusal)
{
    struct link l;
    link_begin(&l, door, id, s);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN);
    bool is = SSL_session_reused(l.client);
    *ret_refusal = tls_caller(l.server)->refusal;
    link_end(&l);
    return is;
}

static struct tls_door *door_of(struct world *w, struct tls_sessions *shared)
{
    struct tls_door_conf conf = conf_of(&w->pki);
    struct tls_door *d;
    conf.sessions = shared;
    assert_int_equal(tls_door_new(&d, &conf).code, E_OK);
    return d;
}

static void resumed_whatever_worker_is_met(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    struct tls_sessions *shared;
    enum err_code refusal;
    assert_int_equal(tls_sessions_new(&shared, 64).code, E_OK);
    struct tls_door *doors[2] = { door_of(w, shared), door_of(w, shared) };
    SSL_SESSION *s = session_of(doors[0], &id);
    for (int i = 0; i < 20; i++) {
        struct link l;
        link_begin(&l, doors[(i + 1) % 2], &id, s);
        link_shake(&l, 0);
        assert_true(SSL_session_reused(l.client));
        assert_string_equal(tls_caller(l.server)->identity, "clinic/3310010012");
        assert_string_equal(tls_caller(l.server)->code, "3310010012");
        say(&l, "x");
        assert_int_equal(l.plain.n, 1);
        SSL_SESSION_free(s);
        s = l.session; /* each resumption gives another one */
        SSL_SESSION_up_ref(s);
        link_end(&l);
    }
    tls_sessions_clear(shared);
    assert_false(taken(doors[0], &id, s, &refusal));
    assert_int_equal(refusal, E_OK);
    SSL_SESSION_free(s);
    tls_door_free(doors[0]);
    tls_door_free(doors[1]);
    tls_sessions_free(shared);
    pair_free(&id);
}

static void no_ticket_without_an_accepted_certificate(void **state)
{
    struct world *w = *state;
    struct pair stranger = client_new(&w->pki.issuer, "URI:pmhgw:nobody/1"), id = client_new(&w->pki.issuer, CLINIC);
    assert_null(session_of(w->door, &stranger));
    assert_null(session_of(w->door, NULL));
    SSL_SESSION *s = session_of(w->door, &id);
    assert_non_null(s);
    SSL_SESSION_free(s);
    pair_free(&stranger);
    pair_free(&id);
}

static void a_ticket_lives_no_longer_than_the_certificate(void **state)
{
    struct world *w = *state;
    struct pair id = pair_new(&w->pki.issuer, (struct wish){ .san = CLINIC, .eku = "clientAuth", .to_s = 100 });
    SSL_SESSION *s = session_of(w->door, &id);
    assert_non_null(s);
    assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(s), 1, 100);
    SSL_SESSION_free(s);
    pair_free(&id);
}

/* ---- other certificates ---- */

struct texts { struct buf cert, key, ca; };

static void texts_of(struct texts *t, const struct pki *server, const char *ca)
{
    buf_init(&t->cert, 1 << 16);
    buf_init(&t->key, 1 << 16);
    buf_init(&t->ca, 1 << 16);
    assert_int_equal(file_read(server->cert, &t->cert).code, E_OK);
    assert_int_equal(file_read(server->key, &t->key).code, E_OK);
    assert_int_equal(file_read(ca, &t->ca).code, E_OK);
}

static void texts_done(struct texts *t)
{
    buf_done(&t->cert);
    buf_done(&t->key);
    buf_done(&t->ca);
}

static struct tls_pem pem_of(const struct texts *t) { return (struct tls_pem){ buf_slice(&t->cert), buf_slice(&t->key), buf_slice(&t->ca) }; }

static bool shows(struct tls_door *door, const struct pair *id, X509 *cert)
{
    struct link l;
    link_begin(&l, door, id, NULL);
    link_shake(&l, 0);
    X509 *seen = SSL_get1_peer_certificate(l.client);
    bool is = seen && X509_cmp(seen, cert) == 0;
    X509_free(seen);
    link_end(&l);
    return is;
}

static void the_doors_own_certificate(void **state)
{
    struct world *w = *state;
    struct pki other;
    struct texts t;
    struct link l;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    enum err_code refusal;
    pki_begin(&other);
    struct tls_door *door = door_of(w, NULL);
    SSL_SESSION *s = session_of(door, &id);
    link_begin(&l, door, &id, NULL);
    link_shake(&l, 0);
    assert_true(shows(door, &id, w->pki.server.cert));
    texts_of(&t, &other, w->pki.ca);
    struct tls_pem pem = pem_of(&t);
    assert_int_equal(tls_door_renew(door, &pem).code, E_OK);
    assert_true(shows(door, &id, other.server.cert));
    say(&l, "still there");
    assert_int_equal(l.state, TLS_OPEN);
    assert_int_equal(l.plain.n, 11);
    assert_true(tls_trusted(l.server));
    assert_true(taken(door, &id, s, &refusal));
    assert_int_equal(refusal, E_OK);
    link_end(&l);
    SSL_SESSION_free(s);
    texts_done(&t);
    tls_door_free(door);
    pki_end(&other);
    pair_free(&id);
}

/* The issuer of the caller is none of the door's any more: for new, resumed and open connections. */
static void an_issuer_goes(void **state)
{
    struct world *w = *state;
    struct pki other;
    struct texts t;
    struct link open, begun;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    enum err_code refusal;
    pki_begin(&other);
    struct pair newcomer = client_new(&other.issuer, CLINIC);
    struct tls_door *door = door_of(w, NULL);
    SSL_SESSION *s = session_of(door, &id);
    link_begin(&open, door, &id, NULL);
    link_shake(&open, 0);
    link_begin(&begun, door, &id, NULL); /* its handshake falls on both sides of the change */
    SSL_do_handshake(begun.client);
    link_carry(&begun, 0);
    assert_int_equal(begun.state, TLS_HANDSHAKE);
    assert_false(taken(door, &newcomer, NULL, &refusal));
    assert_int_equal(refusal, E_CERT_REFUSED);
    texts_of(&t, &w->pki, other.ca);
    struct tls_pem pem = pem_of(&t);
    assert_int_equal(tls_door_renew(door, &pem).code, E_OK);
    link_shake(&begun, 0);
    assert_int_equal(begun.state, TLS_OPEN);
    assert_false(tls_trusted(begun.server));
    assert_false(tls_trusted(open.server));
    assert_false(taken(door, &id, s, &refusal));
    assert_int_equal(refusal, E_CERT_REFUSED);
    assert_false(taken(door, &newcomer, NULL, &refusal));
    assert_int_equal(refusal, E_OK);
    link_end(&open);
    link_end(&begun);
    SSL_SESSION_free(s);
    texts_done(&t);
    tls_door_free(door);
    pki_end(&other);
    pair_free(&newcomer);
    pair_free(&id);
}

static void what_is_wrong_changes_nothing(void **state)
{
    struct world *w = *state;
    struct pki other;
    struct texts good, strange;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    pki_begin(&other);
    texts_of(&good, &w->pki, w->pki.ca);
    texts_of(&strange, &other, other.ca);
    const struct tls_pem bad[] = {
        { buf_slice(&strange.cert), buf_slice(&good.key), buf_slice(&good.ca) }, /* not the key of the certificate */
        { SLICE_NONE, buf_slice(&good.key), buf_slice(&good.ca) },
        { buf_slice(&good.cert), SLICE_NONE, buf_slice(&good.ca) },
        { buf_slice(&good.cert), buf_slice(&good.key), SLICE_NONE }, /* the door asks for certificates */
        { buf_slice(&good.cert), buf_slice(&good.key), LIT("no PEM at all") },
        { buf_slice(&good.cert), buf_slice(&good.key), buf_slice(&good.key) },
        { slice_of(good.cert.p, good.cert.n / 2), buf_slice(&good.key), buf_slice(&good.ca) },
        { buf_slice(&good.cert), buf_slice(&good.key), slice_of(good.ca.p, good.ca.n - 30) },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(tls_door_renew(w->door, &bad[i]).code, E_CONFIG);
        assert_true(shows(w->door, &id, w->pki.server.cert));
    }
    texts_done(&good);
    texts_done(&strange);
    pki_end(&other);
    pair_free(&id);
}

/* ---- revoked ---- */

enum { TRIES = 4 };
struct listed { struct loop *loop; struct revocations *rv; char path[96]; };

static void put_list(const struct listed *to, const struct pair *by, struct crl_wish w)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    crl_put(&text, by, w);
    FILE *f = fopen(to->path, "w");
    assert_true(f && fwrite(text.p, 1, text.n, f) == text.n && fclose(f) == 0);
    buf_done(&text);
}

/* Read beside the loop: until there is a new turn. */
static void take_list(struct listed *to, const struct pair *by, struct crl_wish w)
{
    const uint64_t turn = revocations_turn(to->rv);
    put_list(to, by, w);
    revocations_take_fd(to->rv, open(to->path, O_RDONLY | O_CLOEXEC));
    while (revocations_turn(to->rv) == turn)
        uv_run(loop_uv(to->loop), UV_RUN_ONCE);
}

static uint64_t serial_in(const struct pair *id) { return (uint64_t)ASN1_INTEGER_get(X509_get0_serialNumber(id->cert)); }

/* His sessions, older ones too, lead nowhere, on any worker; he gets no others, and hears what he is when he has shown the certificate again. Others come back as before. */
static void who_is_revoked_begins_anew(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC), other = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010020");
    struct listed list;
    struct tls_sessions *shared;
    struct tls_door *doors[2];
    enum err_code refusal;
    snprintf(list.path, sizeof list.path, "%s/crl.pem", w->pki.dir);
    put_list(&list, &w->pki.issuer, (struct crl_wish){ .number = 1 });
    assert_int_equal(loop_new(&list.loop, clock_system()).code, E_OK);
    assert_int_equal(revocations_new(&list.rv, list.loop, &(struct revocations_conf){ .ca_path = w->pki.ca, .crl_path = list.path }).code, E_OK);
    assert_int_equal(tls_sessions_new(&shared, 64).code, E_OK);
    struct tls_door_conf conf = conf_of(&w->pki);
    conf.sessions = shared;
    conf.revocations = list.rv;
    for (int i = 0; i < 2; i++)
        assert_int_equal(tls_door_new(&doors[i], &conf).code, E_OK);
    SSL_SESSION *s[TRIES + 2], *of_other[TRIES]; /* a client offers each once */
    for (int i = 0; i < TRIES + 2; i++)
        s[i] = session_of(doors[i % 2], &id);
    for (int i = 0; i < TRIES; i++)
        of_other[i] = session_of(doors[i % 2], &other);
    assert_true(taken(doors[1], &id, s[TRIES], &refusal));
    take_list(&list, &w->pki.issuer, (struct crl_wish){ .number = 2, .serials = { serial_in(&id) }, .n = 1 });
    for (int i = 0; i < TRIES; i++) {
        assert_false(taken(doors[i % 2], &id, s[i], &refusal));
        assert_int_equal(refusal, E_OK); /* of the chain; the list is heard at each request */
        SSL_SESSION *again = session_of(doors[i % 2], &id);
        assert_true(!again || !taken(doors[i % 2], &id, again, &refusal));
        SSL_SESSION_free(again);
        assert_true(taken(doors[i % 2], &other, of_other[i], &refusal));
    }
    take_list(&list, &w->pki.issuer, (struct crl_wish){ .number = 3 }); /* reinstated */
    assert_true(taken(doors[0], &id, s[TRIES + 1], &refusal));
    for (int i = 0; i < TRIES + 2; i++)
        SSL_SESSION_free(s[i]);
    for (int i = 0; i < TRIES; i++)
        SSL_SESSION_free(of_other[i]);
    for (int i = 0; i < 2; i++)
        tls_door_free(doors[i]);
    tls_sessions_free(shared);
    revocations_close(list.rv);
    loop_stop(list.loop);
    loop_run(list.loop, 1000);
    revocations_free(list.rv);
    loop_free(list.loop);
    unlink(list.path);
    pair_free(&id);
    pair_free(&other);
}

/* ---- memory ---- */

/* An idle connection gives the certificate back; who the caller is stays known, in both directions text goes on, and the session is as good as before. */
static void rested_connections_go_on(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, CLINIC);
    struct link l;
    struct buf out;
    char c = 0;
    enum err_code refusal;
    link_begin(&l, w->door, &id, NULL);
    link_shake(&l, 0);
    for (int i = 0; i < 3; i++) {
        tls_rest(l.server);
        say(&l, "x");
        assert_int_equal(l.state, TLS_OPEN);
        buf_init(&out, NET_ROOM);
        assert_int_equal(tls_write(l.server, LIT("y"), &out).code, E_OK);
        assert_int_equal(BIO_write(SSL_get_rbio(l.client), out.p, (int)out.n), (int)out.n);
        buf_done(&out);
        assert_int_equal(SSL_read(l.client, &c, 1), 1);
        SSL_key_update(l.client, SSL_KEY_UPDATE_REQUESTED);
    }
    assert_int_equal(l.plain.n, 3);
    assert_string_equal(tls_caller(l.server)->identity, "clinic/3310010012");
    SSL_SESSION *s = l.session;
    SSL_SESSION_up_ref(s);
    link_end(&l);
    assert_true(taken(w->door, &id, s, &refusal));
    SSL_SESSION_free(s);
    pair_free(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_whatever_worker_is_met),
        cmocka_unit_test(no_ticket_without_an_accepted_certificate),
        cmocka_unit_test(a_ticket_lives_no_longer_than_the_certificate),
        cmocka_unit_test(the_doors_own_certificate),
        cmocka_unit_test(an_issuer_goes),
        cmocka_unit_test(what_is_wrong_changes_nothing),
        cmocka_unit_test(who_is_revoked_begins_anew),
        cmocka_unit_test(rested_connections_go_on),
    };
    return cmocka_run_group_tests(tests, world_begin, world_end);
}
