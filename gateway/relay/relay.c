#include "gateway/relay/relay.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/inherited.h"
#include "gateway/loop/away.h"
#include "gateway/loop/wire.h"
#include "gateway/relay/far.h"
#include "gateway/relay/names.h"
#include "gateway/relay/seek.h"

enum { OUT_MAX = 72 * 1024 * 1024, MUCH = 4 * 1024 * 1024 /* waits on one side: the other is not read */, GREET_MS = 1000, TICK_MS = 200, BACKLOG = 512, OUT_BYTES = 8 * 1024 };

struct pair {
    struct relay *relay;
    struct wire *near;
    struct far *far;
    struct redis_reader *reader; /* until it is passed on */
    struct names *names;         /* of a Cluster */
    unsigned heard;              /* of the answers to AUTH and ROLE */
    bool passes;
    uint64_t until;
    struct pair *next, **at;
};

struct relay {
    struct loop *loop;
    struct relay_conf conf;
    uv_pipe_t listener;
    struct away away;
    struct seek *seek;
    struct timer *tick;
    struct pair *pairs;
    unsigned n_pairs;
    bool closing, told_wrong;
};

/* ---- pairs ---- */

static void pair_end(struct pair *p)
{
    struct relay *r = p->relay;
    *p->at = p->next;
    if (p->next)
        p->next->at = p->at;
    r->n_pairs--;
    far_close(p->far);
    wire_close(p->near);
    redis_reader_free(p->reader);
    names_free(p->names);
    free(p);
}

static void end_all(struct relay *r)
{
    while (r->pairs)
        pair_end(r->pairs);
}

static void pass_on(struct pair *p)
{
    redis_reader_free(p->reader);
    p->reader = NULL;
    p->passes = true;
    p->relay->told_wrong = false;
    wire_pause(p->near, false);
}

/* False: the server is none for us. */
static bool on_greeting(void *arg, const struct redis_reply *reply)
{
    struct pair *p = arg;
    if (p->heard++ == 0)
        return redis_reply_type(reply) == REDIS_STATUS;
    return p->heard == 2 && slice_eq(redis_reply_str(redis_reply_at(reply, 0)), LIT("master"));
}

static void greeted(struct pair *p, struct slice in)
{
    struct relay *r = p->relay;
    if (!redis_reader_feed(p->reader, in, on_greeting, p)) {
        if (!r->told_wrong)
            LOG(WARN, "relay_server_refused", LF("why", p->heard > 1 ? LITERAL("it is no master") : LITERAL("it refuses the user of the relay")));
        r->told_wrong = true;
        pair_end(p);
    } else if (p->heard == 2) {
        pass_on(p);
    }
}

/* ---- the server's side ---- */

static void on_far_up(void *ctx)
{
    struct pair *p = ctx;
    struct buf out;
    buf_init(&out, OUT_BYTES);
    struct err e = seek_put_auth(&out, p->relay->conf.user, p->relay->conf.password);
    SEEK_COMMAND(&out, LIT("ROLE"));
    if (err_ok(e) && err_ok(buf_check(&out)))
        far_put(p->far, buf_slice(&out));
    buf_done(&out); /* else it ends by its time */
}

static void on_far_bytes(void *ctx, struct slice in)
{
    struct pair *p = ctx;
    if (!p->passes) {
        greeted(p, in);
        return;
    }
    buf_put(wire_out(p->near), in);
    if (wire_unsent(p->near) > MUCH)
        far_pause(p->far, true);
}

static void on_far_drained(void *ctx)
{
    struct pair *p = ctx;
    if (p->passes)
        wire_pause(p->near, false);
}

/* It was carrying: whatever comes next may be another server, or the same one with less. */
static void on_far_gone(void *ctx)
{
    struct pair *p = ctx;
    struct relay *r = p->relay;
    const bool carried = p->passes;
    p->far = NULL;
    pair_end(p);
    if (!carried)
        return;
    LOG(WARN, "relay_server_lost", LF("connections", r->n_pairs));
    end_all(r);
}

static const struct far_ops FAR_OPS = { .on_up = on_far_up, .on_bytes = on_far_bytes, .on_drained = on_far_drained, .on_gone = on_far_gone };

/* ---- the daemon's side ---- */

static bool put_named(struct pair *p, struct slice in)
{
    struct buf out;
    buf_init(&out, OUT_MAX);
    const bool good = names_feed(p->names, in, &out) && err_ok(buf_check(&out));
    if (good)
        far_put(p->far, buf_slice(&out));
    else
        LOG(ERROR, "relay_unknown_command");
    buf_done(&out);
    return good;
}

static void on_near_bytes(void *ctx, struct slice *in)
{
    struct pair *p = ctx;
    const struct slice all = *in;
    *in = SLICE_NONE;
    if (!p->names)
        far_put(p->far, all);
    else if (!put_named(p, all)) {
        pair_end(p);
        return;
    }
    if (far_unsent(p->far) > MUCH)
        wire_pause(p->near, true);
}

static void on_near_drained(void *ctx)
{
    struct pair *p = ctx;
    if (p->passes)
        far_pause(p->far, false);
}

static void on_near_gone(void *ctx)
{
    struct pair *p = ctx;
    p->near = NULL;
    pair_end(p);
}

static const struct wire_ops NEAR_OPS = { .on_bytes = on_near_bytes, .on_drained = on_near_drained, .on_gone = on_near_gone };

static bool pair_open(struct relay *r, struct pair *p, const struct place_at *to)
{
    p->reader = redis_reader_new();
    if (r->conf.place->kind == PLACE_CLUSTER)
        p->names = names_new(slice_str(r->conf.tag));
    if (!p->reader || (r->conf.place->kind == PLACE_CLUSTER && !p->names))
        return false;
    p->until = loop_now(r->loop) + GREET_MS;
    return err_ok(far_open(&p->far, r->loop, to, r->conf.secure, &FAR_OPS, p));
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct relay *r = listener->data;
    struct pair *p = status == 0 ? calloc(1, sizeof *p) : NULL;
    if (status != 0)
        return;
    if (!p || !err_ok(wire_accept(&p->near, r->loop, listener, OUT_MAX, &NEAR_OPS, p))) {
        free(p);
        away_turn(&r->away, listener);
        return;
    }
    p->relay = r;
    p->next = r->pairs;
    p->at = &r->pairs;
    if (p->next)
        p->next->at = &p->next;
    r->pairs = p;
    r->n_pairs++;
    const struct place_at *to = r->closing ? NULL : seek_found(r->seek);
    wire_pause(p->near, true);
    if (!to || r->n_pairs > RELAY_CONNS_MAX || !pair_open(r, p, to))
        pair_end(p);
}

static void on_tick(void *arg)
{
    struct relay *r = arg;
    const uint64_t now = loop_now(r->loop);
    struct pair *p = r->pairs;
    while (p) {
        struct pair *next = p->next;
        if (!p->passes && now > p->until)
            pair_end(p);
        p = next;
    }
    timer_start(r->tick, TICK_MS);
}

static void on_changed(void *ctx)
{
    struct relay *r = ctx;
    end_all(r);
    const struct place_at *to = seek_found(r->seek);
    if (to) /* an address of the operator's own servers */
        LOG(NOTE, "relay_master", LF("address", (struct lit){ to->ip }), LF("port", to->port));
    else
        LOG(ERROR, "relay_no_master");
}

/* ---- */

static ERR listen_at(struct relay *r, const char *path)
{
    struct stat st;
    if (!wire_path_ok(path))
        return FAIL(E_CONFIG);
    int fd = inherited_unix(path);
    if (fd >= 0)
        return uv_pipe_open(&r->listener, fd) == 0 && uv_listen((uv_stream_t *)&r->listener, BACKLOG, on_connection) == 0 ? OK : FAIL(E_IO);
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
    /* nobody can connect between bind and chmod: the socket does not listen yet */
    if (uv_pipe_bind(&r->listener, path) != 0 || chmod(path, 0600) != 0 || uv_listen((uv_stream_t *)&r->listener, BACKLOG, on_connection) != 0)
        return FAIL(E_IO);
    return OK;
}

static ERR begin(struct relay *r)
{
    const bool sentinels = r->conf.place->kind == PLACE_SENTINEL;
    struct seek_conf seek = {
        .loop = r->loop, .place = r->conf.place, .secure = r->conf.secure, .changed = on_changed, .ctx = r,
        .user = sentinels ? r->conf.sentinel_user : r->conf.user, .password = sentinels ? r->conf.sentinel_password : r->conf.password,
    };
    seek.slot = seek_slot_of(slice_str(r->conf.tag));
    seek.here_only = r->conf.here_only;
    TRY(seek_new(&r->seek, &seek));
    TRY(timer_new(&r->tick, r->loop, on_tick, r));
    timer_start(r->tick, TICK_MS);
    return listen_at(r, r->conf.listen);
}

static void on_listener_closed(uv_handle_t *h)
{
    struct relay *r = h->data;
    away_end(&r->away, free, r);
}

struct err relay_new(struct relay **ret_r, struct loop *l, const struct relay_conf *conf)
{
    struct relay *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(E_NOMEM);
    r->loop = l;
    r->conf = *conf;
    uv_pipe_init(loop_uv(l), &r->listener, 0);
    r->listener.data = r;
    struct err e = begin(r);
    if (err_ok(e))
        *ret_r = r;
    else
        relay_close(r);
    return e;
}

void relay_close(struct relay *r)
{
    if (!r || r->closing)
        return;
    r->closing = true;
    end_all(r);
    seek_close(r->seek);
    timer_free(r->tick);
    uv_close((uv_handle_t *)&r->listener, on_listener_closed);
}
