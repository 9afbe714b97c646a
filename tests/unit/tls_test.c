#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "gateway/tls/caller.h"
#include "tests/unit/certs.h"

enum { PLAIN_ROOM = 64 * 1024, NET_ROOM = 1 << 21 };

struct world {
    struct pki pki;
    struct tls_door *door;
};

static struct tls_door_conf conf_of(const struct pki *k)
{
    return (struct tls_door_conf){ .cert_path = k->cert, .key_path = k->key, .ca_path = k->ca, .session_context = "clinic" };
}

static int world_begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL);
    pki_begin(&w->pki);
    struct tls_door_conf conf = conf_of(&w->pki);
    if (tls_door_new(&w->door, &conf).code != E_OK)
        return -1;
    *state = w;
    return 0;
}

static int world_end(void **state)
{
    struct world *w = *state;
    tls_door_free(w->door);
    pki_end(&w->pki);
    free(w);
    return 0;
}

/* ---- a client beside the connection, joined by memory ---- */

struct link {
    SSL_CTX *ctx;
    SSL *client;
    struct tls_conn *server;
    enum tls_state state;
    struct buf plain;
    SSL_SESSION *session; /* the newest that the client was given */
};

static int on_session(SSL *ssl, SSL_SESSION *s)
{
    struct link *l = SSL_get_app_data(ssl);
    SSL_SESSION_free(l->session);
    l->session = s;
    return 1; /* kept */
}

static void link_begin(struct link *l, struct tls_door *door, const struct pair *id, SSL_SESSION *resume)
{
    *l = (struct link){ .ctx = SSL_CTX_new(TLS_client_method()) };
    SSL_CTX_set_session_cache_mode(l->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(l->ctx, on_session);
    if (id) {
        assert_int_equal(SSL_CTX_use_certificate(l->ctx, id->cert), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(l->ctx, id->key), 1);
    }
    l->client = SSL_new(l->ctx);
    SSL_set_app_data(l->client, l);
    SSL_set_bio(l->client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(l->client);
    if (resume)
        assert_int_equal(SSL_set_session(l->client, resume), 1);
    l->server = tls_conn_new(door);
    assert_non_null(l->server);
    buf_init(&l->plain, PLAIN_ROOM);
}

static void link_end(struct link *l)
{
    tls_conn_free(l->server);
    SSL_set_shutdown(l->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its session is spoilt */
    SSL_SESSION_free(l->session);
    SSL_free(l->client);
    SSL_CTX_free(l->ctx);
    buf_done(&l->plain);
}

/* One exchange in both directions; step limits what the server is given at once. */
static void link_carry(struct link *l, size_t step)
{
    struct buf out;
    char *p;
    buf_init(&out, NET_ROOM);
    size_t n = (size_t)BIO_get_mem_data(SSL_get_wbio(l->client), &p);
    struct slice all = slice_of(p, n), part;
    while (all.n > 0) {
        slice_take(&all, step && step < all.n ? step : all.n, &part);
        l->state = tls_feed(l->server, part, &out, &l->plain);
    }
    (void)BIO_reset(SSL_get_wbio(l->client));
    if (out.n)
        assert_int_equal(BIO_write(SSL_get_rbio(l->client), out.p, (int)out.n), (int)out.n);
    buf_done(&out);
}

static void link_shake(struct link *l, size_t step)
{
    char c;
    for (int i = 0; i < 8; i++) {
        ERR_clear_error();
        SSL_do_handshake(l->client);
        link_carry(l, step);
    }
    SSL_read(l->client, &c, 1); /* takes the ticket */
}

static void say(struct link *l, const char *s)
{
    assert_int_equal(SSL_write(l->client, s, (int)strlen(s)), (int)strlen(s));
    link_carry(l, 0);
}

/* ---- who calls ---- */

static void names(void **state)
{
    (void)state;
    static const struct {
        struct slice uri;
        enum caller_role role; /* NONE: refused */
        const char *code, *system;
    } CASES[] = {
        { LIT("pmhgw:municipality/331007/kodomo"), CALLER_MUNICIPALITY, "331007", "kodomo" },
        { LIT("pmhgw:clinic/3310010012"), CALLER_CLINIC, "3310010012", "" },
        { LIT("pmhgw:portal/mynaportal"), CALLER_PORTAL, "", "mynaportal" },
        { LIT("pmhgw:operator/local-1"), CALLER_OPERATOR, "", "local-1" },
        { LIT("pmhgw:gateway/intake"), CALLER_GATEWAY, "", "intake" },
        { LIT("pmhgw:portal/abcdefghijklmnopqrstuvwxyz012345"), CALLER_PORTAL, "", "abcdefghijklmnopqrstuvwxyz012345" },
        { LIT("pmhgw:portal/abcdefghijklmnopqrstuvwxyz0123456"), CALLER_NONE, "", "" },
        { LIT(""), CALLER_NONE, "", "" },
        { LIT("pmhgw:"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/331001001"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/33100100123"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/331001001a"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/3310010012/x"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/3310010012\0"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/3310010012\n"), CALLER_NONE, "", "" },
        { LIT("pmhgw:clinic/\0003310010012"), CALLER_NONE, "", "" },
        { LIT("PMHGW:clinic/3310010012"), CALLER_NONE, "", "" },
        { LIT(" pmhgw:clinic/3310010012"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/33100/kodomo"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/3310070/kodomo"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/Kodomo"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/ko/do"), CALLER_NONE, "", "" },
        { LIT("pmhgw:municipality/331007/ko.do"), CALLER_NONE, "", "" },
        { LIT("pmhgw:portal/my naportal"), CALLER_NONE, "", "" },
        { LIT("pmhgw:portal/../x"), CALLER_NONE, "", "" },
        { LIT("pmhgw:king/x"), CALLER_NONE, "", "" },
        { LIT("https://clinic/3310010012"), CALLER_NONE, "", "" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct caller c = { 0 };
        assert_int_equal(caller_parse(&c, CASES[i].uri), CASES[i].role != CALLER_NONE);
        assert_int_equal(c.role, CASES[i].role);
        assert_string_equal(c.code, CASES[i].code);
        assert_string_equal(c.system, CASES[i].system);
        if (c.role != CALLER_NONE)
            assert_true(slice_eq(slice_str(c.identity), slice_of(CASES[i].uri.p + 6, CASES[i].uri.n - 6)));
        else
            assert_string_equal(c.identity, "");
    }
}

static void judged(struct world *w, const struct pair *id, enum err_code want)
{
    struct link l;
    link_begin(&l, w->door, id, NULL);
    link_shake(&l, 0);
    assert_int_equal(l.state, TLS_OPEN); /* whatever the certificate: the refusal is a document */
    const struct caller *who = tls_caller(l.server);
    assert_int_equal(who->refusal, want);
    assert_int_equal(who->role, want == E_OK ? CALLER_CLINIC : CALLER_NONE);
    assert_string_equal(who->identity, want == E_OK ? "clinic/3310010012" : "");
    say(&l, "hello");
    assert_true(slice_eq(buf_slice(&l.plain), LIT("hello")));
    link_end(&l);
}

static void certificates(void **state)
{
    struct world *w = *state;
    static const char GOOD[] = "URI:pmhgw:clinic/3310010012";
    struct pair other = ca_new();
    struct pair signer = client_new(&w->pki.issuer, GOOD);
    const struct {
        const struct pair *by;
        struct wish wish;
        enum err_code want;
    } CASES[] = {
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth" }, E_OK },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth,serverAuth" }, E_OK },
        { &w->pki.issuer, { .san = "DNS:a.example,URI:pmhgw:clinic/3310010012", .eku = "clientAuth" }, E_OK },
        { &other, { .san = GOOD, .eku = "clientAuth" }, E_CERT_REFUSED },
        { NULL, { .san = GOOD, .eku = "clientAuth" }, E_CERT_REFUSED },
        { &signer, { .san = GOOD, .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth", .from_s = -7200, .to_s = -3600 }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth", .from_s = 3600, .to_s = 7200 }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "serverAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = GOOD, .eku = "clientAuth", .ca = true }, E_CERT_REFUSED },
        { &w->pki.issuer, { .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "DNS:clinic.example", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "URI:https://clinic/3310010012", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "URI:pmhgw:clinic/3310010012,URI:pmhgw:clinic/3310010013", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "URI:pmhgw:clinic/3310010012,URI:https://x", .eku = "clientAuth" }, E_CERT_REFUSED },
        { &w->pki.issuer, { .san = "email:pmhgw@clinic.example", .eku = "clientAuth" }, E_CERT_REFUSED },
    };
    judged(w, NULL, E_CERT_MISSING);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct pair id = pair_new(CASES[i].by, CASES[i].wish);
        judged(w, &id, CASES[i].want);
        pair_free(&id);
    }
    pair_free(&signer);
    pair_free(&other);
}

static void fingerprint(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:municipality/331007/kodomo");
    uint8_t want[32];
    struct link l;
    assert_int_equal(X509_digest(id.cert, EVP_sha256(), want, NULL), 1);
    link_begin(&l, w->door, &id, NULL);
    link_shake(&l, 1); /* byte by byte */
    const struct caller *who = tls_caller(l.server);
    assert_int_equal(who->role, CALLER_MUNICIPALITY);
    assert_string_equal(who->code, "331007");
    assert_string_equal(who->system, "kodomo");
    assert_memory_equal(who->cert_sha256, want, sizeof want);
    link_end(&l);
    pair_free(&id);
}

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
    assert_true(SSL_session_reused(l.client));
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

static void door_that_does_not_ask(void **state)
{
    struct world *w = *state;
    struct pair id = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    struct tls_door_conf conf = conf_of(&w->pki);
    struct world open = { .pki = w->pki };
    conf.ca_path = NULL;
    assert_int_equal(tls_door_new(&open.door, &conf).code, E_OK);
    judged(&open, &id, E_CERT_MISSING);
    tls_door_free(open.door);
    pair_free(&id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(certificates),
        cmocka_unit_test(fingerprint),
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
        cmocka_unit_test(door_that_does_not_ask),
    };
    return cmocka_run_group_tests_name("tls", tests, world_begin, world_end);
}
