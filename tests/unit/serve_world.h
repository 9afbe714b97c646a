#ifndef TESTS_SERVE_WORLD_H
#define TESTS_SERVE_WORLD_H

/* A door on the loopback, its loop in a thread of its own, and blocking TLS clients. */

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "gateway/serve/serve.h"
#include "tests/unit/certs.h"

enum { CLIENT_WAIT_S = 5, ANSWER_MAX = 4 << 20 };

struct world {
    struct pki pki;
    struct pair clinic, portal, stranger;
    pthread_t thread;
    sem_t ready;
    const struct route *routes;
    size_t n_routes;
    struct door_limits limits;
    const struct budget_conf *budget_conf; /* NULL: no budget */
    struct budget *budget;
    atomic_int shed_told;    /* times on_shed was called */
    atomic_uint shed;        /* that it was told of */
    atomic_int shed_why;     /* the last time */
    uv_async_t stop, look;
    sem_t looked;
    unsigned conns;          /* of the door, as its thread saw it last; between `look` and `looked` */
    bool stopping;
    struct loop *loop;
    struct door *door;
    unsigned port;
    atomic_int refused;      /* times on_refused was called */
    atomic_uint refusals;    /* that it was told of */
    atomic_bool deny;        /* what allow says: no */
    atomic_int refuse_mode;  /* what on_refused does: 0 agrees at once, 1 agrees later, 2 fails */
    atomic_llong ahead_ms;   /* how far the door's wall clock is ahead */
    atomic_int gone, ended;  /* streams that ended that way */
    atomic_int late_answers; /* handlers that answered after everything was over */
};

static inline uint64_t world_wall(void *ctx)
{
    struct clock real = clock_system();
    return clock_wall(&real) + (uint64_t)atomic_load(&((struct world *)ctx)->ahead_ms);
}

static inline uint64_t world_mono(void *ctx)
{
    struct clock real = clock_system();
    (void)ctx;
    return clock_mono(&real);
}

static inline void pause_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* ---- the server's thread ---- */

static inline void world_on_stop(void *arg)
{
    struct world *w = arg;
    door_close(w->door);
    budget_stop(w->budget);
    uv_close((uv_handle_t *)&w->stop, NULL);
    uv_close((uv_handle_t *)&w->look, NULL);
}

static inline void world_on_look(uv_async_t *a)
{
    struct world *w = a->data;
    w->conns = door_conns(w->door);
    sem_post(&w->looked);
}

static inline void world_on_async(uv_async_t *a) { loop_stop(((struct world *)a->data)->loop); }

static inline struct err world_allow(void *ctx, struct req *r)
{
    (void)r;
    return atomic_load(&((struct world *)ctx)->deny) ? FAIL(E_BASIS) : OK;
}

static inline struct err world_authorize(void *ctx, struct req *r, struct slice authorization)
{
    (void)ctx, (void)r;
    return slice_eq(authorization, LIT("Bearer good")) ? OK : FAIL(E_TOKEN);
}

struct refusal {
    struct req *r;
    void (*done)(struct req *r, struct err e);
};

static inline void world_recorded(void *arg)
{
    struct refusal *f = arg;
    f->done(f->r, OK);
    free(f);
}

static inline void world_on_refused(void *ctx, struct req *r, struct err why, void (*done)(struct req *r, struct err e))
{
    struct world *w = ctx;
    (void)why;
    atomic_fetch_add(&w->refused, 1);
    atomic_fetch_add(&w->refusals, req_refusals(r));
    if (atomic_load(&w->refuse_mode) == 1) {
        struct refusal *f = calloc(1, sizeof *f);
        must(f != NULL);
        *f = (struct refusal){ r, done };
        must(err_ok(loop_defer(req_loop(r), world_recorded, f)));
        return;
    }
    done(r, atomic_load(&w->refuse_mode) == 2 ? FAIL(E_AUDIT_DOWN) : OK);
}

static inline void world_problem(struct buf *out, const struct err_info *row, struct req_id id, void (*extra)(struct jsonw *w, void *arg), void *arg)
{
    (void)id, (void)extra, (void)arg;
    buf_puts(out, "<problem of=\"");
    buf_puts(out, row->slug);
    buf_puts(out, "\"/>");
}

static const struct dialect WORLD_DIALECT = { .prefix = "/x/", .media = "application/x+dialect", .problem = world_problem };

static inline void world_on_shed(void *ctx, struct slice identity, enum err_code why, uint32_t count)
{
    struct world *w = ctx;
    must(identity.n < 64);
    atomic_store(&w->shed_why, (int)why);
    atomic_fetch_add(&w->shed, count);
    atomic_fetch_add(&w->shed_told, 1);
}

static inline void world_budget(struct world *w)
{
    if (!w->budget_conf)
        return;
    struct budget_conf c = *w->budget_conf;
    c.on_shed = world_on_shed;
    c.ctx = w;
    must(err_ok(budget_new(&w->budget, w->loop, &c)));
}

static inline void *world_thread(void *arg)
{
    struct world *w = arg;
    struct door_conf conf = {
        .name = LITERAL("clinic"),
        .host = "127.0.0.1",
        .tls = { .cert_path = w->pki.cert, .key_path = w->pki.key, .ca_path = w->pki.ca, .session_context = "clinic" },
        .routes = w->routes, .n_routes = w->n_routes,
        .dialect = &WORLD_DIALECT,
        .allow = world_allow,
        .authorize = world_authorize,
        .on_refused = world_on_refused,
        .limits = w->limits,
        .ctx = w,
    };
    must(err_ok(loop_new(&w->loop, (struct clock){ world_wall, world_mono, w })));
    world_budget(w);
    conf.budget = w->budget;
    must(err_ok(door_new(&w->door, w->loop, &conf)));
    w->port = door_port(w->door);
    must(uv_async_init(loop_uv(w->loop), &w->stop, world_on_async) == 0);
    must(uv_async_init(loop_uv(w->loop), &w->look, world_on_look) == 0);
    w->stop.data = w->look.data = w;
    loop_on_stop(w->loop, world_on_stop, w);
    sem_post(&w->ready);
    loop_run(w->loop, 3000);
    loop_free(w->loop);
    if (w->budget)
        must(budget_state(w->budget).in_work == 0 && budget_state(w->budget).waiting == 0 && budget_state(w->budget).bytes == 0);
    budget_free(w->budget);
    return NULL;
}

static inline void world_start(struct world *w)
{
    pki_begin(&w->pki);
    struct pair other = ca_new();
    w->clinic = client_new(&w->pki.issuer, "URI:pmhgw:clinic/3310010012");
    w->portal = client_new(&w->pki.issuer, "URI:pmhgw:portal/mynaportal");
    w->stranger = client_new(&other, "URI:pmhgw:clinic/3310010012");
    pair_free(&other);
    must(sem_init(&w->ready, 0, 0) == 0 && sem_init(&w->looked, 0, 0) == 0);
    must(pthread_create(&w->thread, NULL, world_thread, w) == 0);
    sem_wait(&w->ready); /* until the thread listens */
}

/* Connections of the door; before world_begin_stop(). */
static inline unsigned world_conns(struct world *w)
{
    must(!w->stopping && uv_async_send(&w->look) == 0);
    sem_wait(&w->looked);
    return w->conns;
}

/* The loop begins to stop; once. */
static inline void world_begin_stop(struct world *w)
{
    if (!w->stopping)
        uv_async_send(&w->stop);
    w->stopping = true;
}

static inline void world_stop(struct world *w)
{
    world_begin_stop(w);
    pthread_join(w->thread, NULL);
    sem_destroy(&w->ready);
    sem_destroy(&w->looked);
    pair_free(&w->clinic);
    pair_free(&w->portal);
    pair_free(&w->stranger);
    pki_end(&w->pki);
}

/* ---- clients ---- */

struct client {
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    struct buf in; /* received; the answer in front is taken off by client_answer() */
    int status;
    struct buf answer; /* head and body of the last answer */
};

static inline int client_socket(const struct world *w)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)w->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval limit = { .tv_sec = CLIENT_WAIT_S };
    must(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    must(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    must(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    return fd;
}

/* id NULL: without a certificate. false when the handshake fails. */
static inline bool client_open(struct client *c, const struct world *w, const struct pair *id)
{
    *c = (struct client){ .fd = client_socket(w), .ctx = SSL_CTX_new(TLS_client_method()) };
    buf_init(&c->in, ANSWER_MAX);
    buf_init(&c->answer, ANSWER_MAX);
    if (id)
        must(SSL_CTX_use_certificate(c->ctx, id->cert) == 1 && SSL_CTX_use_PrivateKey(c->ctx, id->key) == 1);
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    return SSL_connect(c->ssl) == 1;
}

static inline void client_close(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
    buf_done(&c->in);
    buf_done(&c->answer);
}

static inline bool client_send(struct client *c, struct slice s)
{
    ERR_clear_error();
    return SSL_write(c->ssl, s.p, (int)s.n) == (int)s.n;
}

/* Bytes of the first answer in `in`, 0 while it is incomplete. */
static inline size_t client_complete(struct client *c)
{
    const char *text = buf_cstr(&c->in), *end = c->in.n ? strstr(text, "\r\n\r\n") : NULL;
    if (!end)
        return 0;
    const char *length = strstr(text, "Content-Length: ");
    size_t n = (size_t)(end - text) + 4;
    if (length && length < end)
        n += strtoul(length + 16, NULL, 10);
    return n <= c->in.n ? n : 0;
}

/* The next answer: its status, 0 when the connection ends first. */
static inline int client_answer(struct client *c)
{
    size_t n;
    buf_reset(&c->answer);
    c->status = 0;
    while ((n = client_complete(c)) == 0) {
        uint8_t *at = buf_room(&c->in, 16384);
        ERR_clear_error();
        int r = at ? SSL_read(c->ssl, at, 16384) : 0;
        if (r <= 0)
            return 0;
        buf_grew(&c->in, (size_t)r);
    }
    buf_put(&c->answer, slice_of(c->in.p, n));
    buf_drop(&c->in, n);
    c->status = (int)strtol(buf_cstr(&c->answer) + 9, NULL, 10);
    return c->status;
}

static inline int client_ask(struct client *c, struct slice request)
{
    return client_send(c, request) ? client_answer(c) : 0;
}

static inline bool client_heard(struct client *c, const char *text)
{
    return c->answer.n > 0 && strstr(buf_cstr(&c->answer), text) != NULL;
}

/* The server has closed, by the protocol. */
static inline bool client_ended(struct client *c)
{
    char b;
    ERR_clear_error();
    int r = SSL_read(c->ssl, &b, 1);
    return r <= 0 && SSL_get_error(c->ssl, r) == SSL_ERROR_ZERO_RETURN;
}

#endif
