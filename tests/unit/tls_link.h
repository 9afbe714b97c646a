#ifndef TESTS_TLS_LINK_H
#define TESTS_TLS_LINK_H

/* A TLS door and a client of it, joined by memory. Included after cmocka.h. */

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <string.h>

#include "gateway/tls/tls.h"
#include "tests/unit/certs.h"

enum { PLAIN_ROOM = 64 * 1024, NET_ROOM = 1 << 21 };

struct world {
    struct pki pki;
    struct tls_door *door;
};

static inline struct tls_door_conf conf_of(const struct pki *k)
{
    return (struct tls_door_conf){ .cert_path = k->cert, .key_path = k->key, .ca_path = k->ca, .session_context = "clinic" };
}

static inline int world_begin(void **state)
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

static inline int world_end(void **state)
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

static inline int on_session(SSL *ssl, SSL_SESSION *s)
{
    struct link *l = SSL_get_app_data(ssl);
    SSL_SESSION_free(l->session);
    l->session = s;
    return 1; /* kept */
}

static inline void link_begin(struct link *l, struct tls_door *door, const struct pair *id, SSL_SESSION *resume)
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

static inline void link_end(struct link *l)
{
    tls_conn_free(l->server);
    SSL_set_shutdown(l->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its session is spoilt */
    SSL_SESSION_free(l->session);
    SSL_free(l->client);
    SSL_CTX_free(l->ctx);
    buf_done(&l->plain);
}

/* One exchange in both directions; step limits what the server is given at once. */
static inline void link_carry(struct link *l, size_t step)
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

static inline void link_shake(struct link *l, size_t step)
{
    char c;
    for (int i = 0; i < 8; i++) {
        ERR_clear_error();
        SSL_do_handshake(l->client);
        link_carry(l, step);
    }
    SSL_read(l->client, &c, 1); /* takes the ticket */
}

static inline void say(struct link *l, const char *s)
{
    assert_int_equal(SSL_write(l->client, s, (int)strlen(s)), (int)strlen(s));
    link_carry(l, 0);
}

#endif
