#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/inherited.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/ipc/frame.h"
#include "gateway/loop/away.h"
#include "gateway/loop/wire.h"

enum {
    HELLO_MS = 2000,
    BACKLOG = 128,
    UNSENT_HIGH = 1024 * 1024,                                                    /* reading stops above */
    OUT_MAX = UNSENT_HIGH + IPC_INFLIGHT_MAX * (IPC_HEAD_BYTES + IPC_BODY_MAX)    /* what may still come after that */
};

struct peer {
    struct ipc_server *server;
    struct wire *wire;
    struct timer *hello;
    enum ipc_role role;
    bool greeted;
    bool paused;
    bool busy, dead; /* inside on_bytes; dropped meanwhile, freed when on_bytes ends */
    unsigned inflight;
    struct ipc_call *calls;
    struct peer *next, **at;
};

struct ipc_call {
    struct peer *peer; /* NULL: the connection has gone, nobody waits for the reply */
    uint8_t type;
    uint32_t id;
    struct ipc_call *next, **at;
};

struct ipc_server {
    uv_pipe_t listener;
    struct away away;
    struct loop *loop;
    struct ipc_server_conf conf;
    struct peer *peers;
    unsigned n_peers;
    bool of_group; /* the rights of the socket's file say who may connect */
    bool closing;
    struct timer *left;  /* while leaving: the end of patience, or of the last connection */
    loop_fn *on_left;
    void *on_left_arg;
};

static void peer_free(struct peer *p)
{
    if (p->busy)
        p->dead = true;
    else
        free(p);
}

static void peer_drop(struct peer *p)
{
    for (struct ipc_call *c = p->calls; c; c = c->next)
        c->peer = NULL;
    p->calls = NULL;
    *p->at = p->next;
    if (p->next)
        p->next->at = p->at;
    p->server->n_peers--;
    if (p->server->on_left && p->server->n_peers == 0)
        timer_start(p->server->left, 0);
    timer_free(p->hello);
    wire_close(p->wire);
    peer_free(p);
}

static void on_gone(void *ctx)
{
    struct peer *p = ctx;
    p->wire = NULL;
    peer_drop(p);
}

static void on_hello_late(void *arg) { peer_drop(arg); }

static void breach(struct peer *p)
{
    struct ipc_server *s = p->server;
    peer_drop(p);
    if (s->conf.on_breach)
        s->conf.on_breach(s->conf.ctx);
}

/* Stops reading when too much is unanswered or unread by the peer, and starts again at half of that. */
static void balance(struct peer *p)
{
    size_t unsent = wire_unsent(p->wire);
    if (p->inflight >= IPC_INFLIGHT_MAX || unsent > UNSENT_HIGH)
        p->paused = true;
    else if (p->inflight <= IPC_INFLIGHT_MAX / 2 && unsent <= UNSENT_HIGH / 2)
        p->paused = false;
    wire_pause(p->wire, p->paused);
}

static void on_drained(void *ctx) { balance(ctx); }

static struct err same_cap(struct slice ours, void *theirs)
{
    return secret_equal(ours, *(const struct slice *)theirs) ? OK : FAIL(E_FORBIDDEN);
}

static bool greet(struct peer *p, const struct ipc_frame *f)
{
    if (f->type != IPC_HELLO || f->body.n != IPC_HELLO_BYTES || f->body.p[0] >= IPC__ROLES)
        return false;
    struct slice cap = slice_of(f->body.p + 1, IPC_CAP_BYTES);
    struct secret *ours = p->server->conf.caps[f->body.p[0]];
    if (!ours || !err_ok(secret_use(ours, same_cap, &cap)))
        return false;
    p->role = (enum ipc_role)f->body.p[0];
    p->greeted = true;
    timer_stop(p->hello);
    ipc_frame_put_reply(wire_out(p->wire), IPC_HELLO, f->id, E_OK, SLICE_NONE);
    return true;
}

static const struct ipc_rule *rule_of(const struct peer *p, const struct ipc_frame *f)
{
    const struct ipc_server_conf *conf = &p->server->conf;
    for (size_t i = 0; i < conf->n_rules; i++) {
        const struct ipc_rule *r = &conf->rules[i];
        if (r->type == f->type)
            return (r->roles & IPC_BIT(p->role)) && f->body.n >= r->min && f->body.n <= r->max ? r : NULL;
    }
    return NULL;
}

static bool dispatch(struct peer *p, const struct ipc_frame *f)
{
    if (f->reply)
        return false;
    if (!p->greeted)
        return greet(p, f);
    const struct ipc_rule *r = rule_of(p, f);
    struct ipc_call *c = r ? malloc(sizeof *c) : NULL;
    if (r && !c) {
        peer_drop(p); /* for want of memory: nothing that it did wrong */
        return true;
    }
    if (!c)
        return false;
    *c = (struct ipc_call){ .peer = p, .type = f->type, .id = f->id, .next = p->calls, .at = &p->calls };
    if (c->next)
        c->next->at = &c->next;
    p->calls = c;
    p->inflight++;
    r->handler(p->server->conf.ctx, c, p->role, f->body);
    return true;
}

static void on_bytes(void *ctx, struct slice *in)
{
    struct peer *p = ctx;
    bool good = true;
    p->busy = true;
    while (good && !p->dead && !p->paused) {
        struct ipc_frame f;
        enum ipc_frame_ev ev = ipc_frame_next(in, &f);
        if (ev == IPC_FRAME_NEED)
            break;
        good = ev == IPC_FRAME_GOT && dispatch(p, &f);
        if (good && !p->dead)
            balance(p);
    }
    p->busy = false;
    if (p->dead)
        free(p);
    else if (!good)
        breach(p);
}

static const struct wire_ops PEER_OPS = { .on_bytes = on_bytes, .on_drained = on_drained, .on_gone = on_gone };

void ipc_reply(struct ipc_call *call, struct err e, struct slice body)
{
    struct peer *p = call->peer;
    if (p) {
        ipc_frame_put_reply(wire_out(p->wire), call->type, call->id, e.code, err_ok(e) ? body : SLICE_NONE);
        *call->at = call->next;
        if (call->next)
            call->next->at = call->at;
        p->inflight--;
        balance(p);
    }
    free(call);
}

void ipc_breach(struct ipc_call *call)
{
    if (call->peer)
        breach(call->peer); /* leaves its calls to themselves */
    free(call);
}

static struct peer *peer_new(struct ipc_server *s)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    *p = (struct peer){ .server = s, .next = s->peers, .at = &s->peers };
    if (!err_ok(timer_new(&p->hello, s->loop, on_hello_late, p)) ||
        !err_ok(wire_accept(&p->wire, s->loop, (uv_stream_t *)&s->listener, OUT_MAX, &PEER_OPS, p))) {
        timer_free(p->hello);
        free(p);
        return NULL;
    }
    if (p->next)
        p->next->at = &p->next;
    s->peers = p;
    s->n_peers++;
    timer_start(p->hello, HELLO_MS);
    return p;
}

static void caps_free(struct ipc_server_conf *conf)
{
    for (int i = 0; i < IPC__ROLES; i++)
        secret_free(conf->caps[i]);
}

static void server_free(void *server)
{
    struct ipc_server *s = server;
    timer_free(s->left);
    caps_free(&s->conf);
    free(s);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct ipc_server *s = listener->data;
    if (status != 0 || s->closing || s->on_left)
        return;
    struct peer *p = peer_new(s);
    if (!p) {
        away_turn(&s->away, listener);
        return;
    }
    uid_t uid;
    if (s->n_peers > s->conf.conns_max)
        peer_drop(p);
    else if (!s->of_group && (!err_ok(wire_peer_uid(p->wire, &uid)) || (uid != 0 && uid != geteuid())))
        breach(p);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct ipc_server *s = h->data;
    away_end(&s->away, server_free, s);
}

static ERR listen_at(struct ipc_server *s, const char *path)
{
    struct stat st;
    if (!wire_path_ok(path))
        return FAIL(E_CONFIG);
    int fd = inherited_unix(path);
    s->of_group = fd >= 0 && lstat(path, &st) == 0 && (st.st_mode & S_IWGRP) && !(st.st_mode & S_IWOTH);
    if (fd >= 0)
        return uv_pipe_open(&s->listener, fd) == 0 && uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection) == 0 ? OK : FAIL(E_IO);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    /* nobody can connect between bind and chmod: the socket does not listen yet */
    if (uv_pipe_bind(&s->listener, path) != 0 || chmod(path, 0600) != 0 ||
        uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection) != 0)
        return FAIL(E_IO);
    return OK;
}

static void on_left(void *arg)
{
    struct ipc_server *s = arg;
    loop_fn *done = s->on_left;
    s->on_left = NULL;
    if (done && !s->closing)
        done(s->on_left_arg);
}

void ipc_server_leave(struct ipc_server *s, loop_fn *done, void *arg)
{
    s->on_left = done;
    s->on_left_arg = arg;
    for (struct peer *p = s->peers, *next; p; p = next) {
        next = p->next;
        if (p->greeted)
            ipc_frame_put_reply(wire_out(p->wire), IPC_HELLO, IPC_LEAVE_ID, E_OK, SLICE_NONE);
        else
            peer_drop(p);
    }
    if (s->n_peers == 0)
        on_left(s);
    else
        timer_start(s->left, IPC_LEAVE_MS);
}

struct err ipc_server_new(struct ipc_server **ret_s, struct loop *l, struct ipc_server_conf conf)
{
    struct ipc_server *s = calloc(1, sizeof *s);
    if (!s) {
        caps_free(&conf);
        return FAIL(E_NOMEM);
    }
    s->loop = l;
    s->conf = conf;
    uv_pipe_init(loop_uv(l), &s->listener, 0);
    s->listener.data = s;
    struct err e = timer_new(&s->left, l, on_left, s);
    if (err_ok(e))
        e = listen_at(s, conf.path);
    s->conf.path = NULL; /* the caller's, not kept */
    if (!err_ok(e)) {
        uv_close((uv_handle_t *)&s->listener, on_listener_closed);
        return e;
    }
    *ret_s = s;
    return OK;
}

void ipc_server_close(struct ipc_server *s)
{
    if (!s || s->closing)
        return;
    s->closing = true;
    while (s->peers)
        peer_drop(s->peers);
    uv_close((uv_handle_t *)&s->listener, on_listener_closed);
}
