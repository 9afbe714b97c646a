#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/ipc/frame.h"
#include "gateway/loop/wire.h"

enum { CALL_ID = 1, IN_BYTES = 4 * (IPC_HEAD_BYTES + IPC_BODY_MAX) };

struct once {
    int fd;
    struct clock clock;
    uint64_t deadline;
    size_t n;
    uint8_t in[IN_BYTES];
};

static ERR await(struct once *o, short events)
{
    for (;;) {
        uint64_t now = clock_mono(&o->clock);
        if (now >= o->deadline)
            return FAIL(E_DEADLINE);
        struct pollfd p = { .fd = o->fd, .events = events };
        int k = poll(&p, 1, (int)(o->deadline - now));
        if (k > 0)
            return OK;
        if (k < 0 && errno != EINTR)
            return FAIL(E_IO);
    }
}

static ERR open_socket(struct once *o, const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    if (!wire_path_ok(path))
        return FAIL(E_CONFIG);
    memcpy(a.sun_path, path, strlen(path) + 1);
    o->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (o->fd < 0)
        return FAIL(E_IO);
    /* a unix socket connects at once; EAGAIN: its queue is full */
    while (connect(o->fd, (struct sockaddr *)&a, sizeof a) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            return FAIL(E_IO);
        if (clock_mono(&o->clock) >= o->deadline)
            return FAIL(E_DEADLINE);
        poll(NULL, 0, 5);
    }
    return OK;
}

static ERR send_all(struct once *o, struct slice s)
{
    while (s.n) {
        ssize_t k = send(o->fd, s.p, s.n, MSG_NOSIGNAL);
        if (k < 0 && errno != EAGAIN && errno != EINTR)
            return FAIL(E_IO);
        if (k > 0) {
            s.p += k;
            s.n -= (size_t)k;
            continue;
        }
        TRY(await(o, POLLOUT));
    }
    return OK;
}

/* The reply with this id. The frame borrows from o->in; the next call drops it. */
static ERR receive(struct once *o, uint32_t id, uint8_t type, struct ipc_frame *ret_f)
{
    for (;;) {
        struct slice in = slice_of(o->in, o->n);
        enum ipc_frame_ev ev = ipc_frame_next(&in, ret_f);
        if (ev == IPC_FRAME_GOT) {
            if (!ret_f->reply || ret_f->id != id || ret_f->type != type)
                return FAIL(E_PROTOCOL);
            return OK;
        }
        if (ev == IPC_FRAME_BAD || o->n == sizeof o->in)
            return FAIL(E_PROTOCOL);
        TRY(await(o, POLLIN));
        ssize_t k = recv(o->fd, o->in + o->n, sizeof o->in - o->n, 0);
        if (k < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (k <= 0)
            return FAIL(E_IO);
        o->n += (size_t)k;
    }
}

static void drop_first(struct once *o, const struct ipc_frame *f)
{
    size_t used = (size_t)(f->body.p - o->in) + f->body.n;
    o->n -= used;
    memmove(o->in, o->in + used, o->n);
}

static struct err put_cap(struct slice cap, void *out)
{
    buf_put(out, cap);
    return OK;
}

static ERR exchange(struct once *o, struct buf *out, uint8_t type, struct ipc_frame *ret_f)
{
    TRY(buf_check(out));
    TRY(send_all(o, buf_slice(out)));
    TRY(receive(o, 0, IPC_HELLO, ret_f));
    if (ret_f->code != E_OK)
        return FAIL(E_PROTOCOL);
    drop_first(o, ret_f);
    TRY(receive(o, CALL_ID, type, ret_f));
    return ret_f->code == E_OK ? OK : FAIL(ret_f->code);
}

struct err ipc_call_once(const char *path, enum ipc_role role, const struct secret *cap, uint8_t type, struct slice body,
                         unsigned timeout_ms, uint8_t *ret_body, size_t cap_body, size_t *ret_n)
{
    struct once o = { .fd = -1, .clock = clock_system() };
    struct buf hello, out;
    struct ipc_frame f;
    o.deadline = clock_mono(&o.clock) + timeout_ms;
    buf_init(&hello, IPC_BODY_MAX);
    buf_init(&out, 2 * (IPC_HEAD_BYTES + IPC_BODY_MAX));
    buf_putc(&hello, (uint8_t)role);
    struct err e = secret_use(cap, put_cap, &hello);
    if (err_ok(e))
        e = body.n <= IPC_BODY_MAX ? buf_check(&hello) : FAIL(E_FULL);
    if (!err_ok(e))
        goto out;
    ipc_frame_put(&out, IPC_HELLO, 0, buf_slice(&hello));
    ipc_frame_put(&out, type, CALL_ID, body);
    e = open_socket(&o, path);
    if (err_ok(e))
        e = exchange(&o, &out, type, &f);
    if (err_ok(e) && f.body.n > cap_body)
        e = FAIL(E_FULL);
    if (err_ok(e)) {
        if (f.body.n)
            memcpy(ret_body, f.body.p, f.body.n);
        *ret_n = f.body.n;
    }
out:
    if (o.fd >= 0)
        close(o.fd);
    explicit_bzero(o.in, sizeof o.in);
    buf_done(&hello);
    buf_done(&out);
    return e;
}
