#include "gateway/loop/wire.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "gateway/base/must.h"

enum { KEEP_BYTES = 256 * 1024 }; /* a larger buffer is given back after the burst */

struct wire {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } s;
    uv_idle_t turn;
    uv_connect_t connect;
    uv_write_t write;
    unsigned open; /* handles */
    const struct wire_ops *ops;
    void *ctx;
    bool up, closing, paused, offer_due, slow;
    struct buf out;     /* waits for the end of the turn */
    struct buf sending; /* with libuv until on_written */
    size_t in_n;
    uint8_t in[WIRE_IN_BYTES];
};

_Static_assert(WIRE_PATH_MAX < sizeof(((struct sockaddr_un *)0)->sun_path), "a path needs its NUL");

static void on_closed(uv_handle_t *h)
{
    struct wire *w = h->data;
    if (--w->open > 0)
        return;
    buf_done(&w->out);
    buf_done(&w->sending);
    explicit_bzero(w->in, sizeof w->in);
    free(w);
}

static void close_handles(struct wire *w)
{
    w->closing = true;
    uv_close(&w->s.handle, on_closed);
    uv_close((uv_handle_t *)&w->turn, on_closed);
}

static void gone(struct wire *w)
{
    if (w->closing)
        return;
    close_handles(w);
    w->ops->on_gone(w->ctx);
}

static void emptied(struct buf *b)
{
    if (b->cap > KEEP_BYTES)
        buf_done(b);
    else
        buf_reset(b);
}

static void on_written(uv_write_t *req, int status);

/* Moves out to sending and on to the kernel; what the kernel does not take stays with libuv. False when broken. */
static bool push(struct wire *w)
{
    if (!w->up || w->sending.n > 0 || (w->out.n == 0 && !w->out.failed))
        return true;
    if (!err_ok(buf_check(&w->out)))
        return false;
    struct buf full = w->out;
    w->out = w->sending;
    w->sending = full;
    uv_buf_t b = uv_buf_init((char *)w->sending.p, (unsigned)w->sending.n);
    int k = uv_try_write(&w->s.stream, &b, 1);
    if (k < 0 && k != UV_EAGAIN)
        return false;
    size_t done = k > 0 ? (size_t)k : 0;
    if (done == w->sending.n) {
        emptied(&w->sending);
        return true;
    }
    w->slow = true;
    b = uv_buf_init((char *)w->sending.p + done, (unsigned)(w->sending.n - done));
    return uv_write(&w->write, &w->s.stream, &b, 1, on_written) == 0;
}

static void flush(struct wire *w)
{
    bool had = w->out.n > 0 || w->slow;
    if (!push(w)) {
        gone(w);
        return;
    }
    if (!had || wire_unsent(w) > 0)
        return;
    w->slow = false;
    if (w->ops->on_drained)
        w->ops->on_drained(w->ctx);
}

static void on_written(uv_write_t *req, int status)
{
    struct wire *w = req->data;
    if (w->closing)
        return;
    emptied(&w->sending);
    if (status < 0)
        gone(w);
    else
        flush(w);
}

static void offer(struct wire *w)
{
    struct slice in = slice_of(w->in, w->in_n);
    if (in.n == 0 || w->paused)
        return;
    w->ops->on_bytes(w->ctx, &in);
    size_t used = w->in_n - in.n;
    memmove(w->in, w->in + used, in.n);
    explicit_bzero(w->in + in.n, used);
    w->in_n = in.n;
}

static void on_turn(uv_idle_t *h)
{
    struct wire *w = h->data;
    uv_idle_stop(&w->turn);
    if (w->offer_due) {
        w->offer_due = false;
        offer(w);
    }
    if (!w->closing)
        flush(w);
}

static void on_room(uv_handle_t *h, size_t hint, uv_buf_t *b)
{
    (void)hint;
    struct wire *w = h->data;
    *b = uv_buf_init((char *)w->in + w->in_n, (unsigned)(sizeof w->in - w->in_n));
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    (void)b;
    struct wire *w = s->data;
    if (n == 0 || w->closing)
        return;
    if (n < 0) {
        gone(w);
        return;
    }
    w->in_n += (size_t)n;
    offer(w);
}

static void on_connected(uv_connect_t *req, int status)
{
    struct wire *w = req->data;
    if (w->closing)
        return;
    if (status < 0 || uv_read_start(&w->s.stream, on_room, on_read) != 0) {
        gone(w);
        return;
    }
    w->up = true;
    if (w->ops->on_up)
        w->ops->on_up(w->ctx);
}

static struct wire *wire_new(struct loop *l, bool tcp, size_t out_max, const struct wire_ops *ops, void *ctx)
{
    struct wire *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->ops = ops;
    w->ctx = ctx;
    buf_init(&w->out, out_max);
    buf_init(&w->sending, out_max);
    if (tcp)
        uv_tcp_init(loop_uv(l), &w->s.tcp);
    else
        uv_pipe_init(loop_uv(l), &w->s.pipe, 0);
    uv_idle_init(loop_uv(l), &w->turn);
    w->open = 2;
    w->s.handle.data = w->turn.data = w->connect.data = w->write.data = w;
    return w;
}

bool wire_path_ok(const char *path)
{
    size_t n = path ? strlen(path) : 0;
    return n > 0 && n <= WIRE_PATH_MAX;
}

struct err wire_connect(struct wire **ret_w, struct loop *l, const char *path, size_t out_max, const struct wire_ops *ops, void *ctx)
{
    if (!wire_path_ok(path))
        return FAIL(E_CONFIG);
    struct wire *w = wire_new(l, false, out_max, ops, ctx);
    if (!w)
        return FAIL(E_NOMEM);
    uv_pipe_connect(&w->connect, &w->s.pipe, path, on_connected);
    *ret_w = w;
    return OK;
}

struct err wire_connect_tcp(struct wire **ret_w, struct loop *l, const struct sockaddr *to, size_t out_max, const struct wire_ops *ops, void *ctx)
{
    struct wire *w = wire_new(l, true, out_max, ops, ctx);
    if (!w)
        return FAIL(E_NOMEM);
    if (uv_tcp_connect(&w->connect, &w->s.tcp, to, on_connected) != 0) {
        close_handles(w);
        return FAIL(E_IO);
    }
    uv_tcp_nodelay(&w->s.tcp, 1);
    *ret_w = w;
    return OK;
}

struct err wire_accept(struct wire **ret_w, struct loop *l, uv_stream_t *listener, size_t out_max, const struct wire_ops *ops, void *ctx)
{
    struct wire *w = wire_new(l, false, out_max, ops, ctx);
    if (!w)
        return FAIL(E_NOMEM);
    if (uv_accept(listener, &w->s.stream) != 0 || uv_read_start(&w->s.stream, on_room, on_read) != 0) {
        close_handles(w);
        return FAIL(E_IO);
    }
    w->up = true;
    *ret_w = w;
    return OK;
}

void wire_close(struct wire *w)
{
    if (!w || w->closing)
        return;
    if (w->up && w->sending.n == 0 && w->out.n > 0 && err_ok(buf_check(&w->out))) {
        uv_buf_t b = uv_buf_init((char *)w->out.p, (unsigned)w->out.n);
        uv_try_write(&w->s.stream, &b, 1);
    }
    close_handles(w);
}

struct buf *wire_out(struct wire *w)
{
    if (!w->closing)
        uv_idle_start(&w->turn, on_turn);
    return &w->out;
}

size_t wire_unsent(const struct wire *w) { return w->out.n + w->sending.n; }

void wire_pause(struct wire *w, bool on)
{
    if (w->closing || w->paused == on)
        return;
    w->paused = on;
    if (on) {
        uv_read_stop(&w->s.stream);
        return;
    }
    w->offer_due = true;
    uv_idle_start(&w->turn, on_turn);
    uv_read_start(&w->s.stream, on_room, on_read);
}

bool wire_alive(struct wire *const *w, size_t n)
{
    struct pollfd at[WIRE_ALIVE_MAX];
    MUST(n <= WIRE_ALIVE_MAX);
    for (size_t i = 0; i < n; i++) {
        uv_os_fd_t fd;
        if (w[i]->closing || !w[i]->up || uv_fileno(&w[i]->s.handle, &fd) != 0)
            return false;
        at[i] = (struct pollfd){ .fd = fd, .events = POLLRDHUP };
    }
    int told; /* of those that are gone: nothing else is asked for, and an error is told without */
    do {
        told = poll(at, n, 0);
    } while (told < 0 && errno == EINTR);
    return told == 0;
}

struct err wire_peer_uid(const struct wire *w, uid_t *ret_uid)
{
    uv_os_fd_t fd;
    struct ucred cred;
    socklen_t n = sizeof cred;
    if (uv_fileno(&w->s.handle, &fd) != 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) != 0)
        return FAIL(E_IO);
    *ret_uid = cred.uid;
    return OK;
}
