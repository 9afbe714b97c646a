#include "mocks/synth/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { PATH_BYTES_MAX = 4096, PIECE = 256 * 1024, PIECE_MAX = 1024 * 1024 };

ERR sink_open(struct sink *s, const char *dir, struct slice name)
{
    s->fd = -1;
    buf_init(&s->path, PATH_BYTES_MAX);
    buf_init(&s->part, PATH_BYTES_MAX);
    buf_init(&s->out, PIECE_MAX);
    buf_puts(&s->path, dir);
    buf_putc(&s->path, '/');
    buf_put(&s->path, name);
    buf_put(&s->part, buf_slice(&s->path));
    buf_puts(&s->part, ".part");
    if (!buf_cstr(&s->path) || !buf_cstr(&s->part))
        return FAIL(E_FULL);
    s->fd = open(buf_cstr(&s->part), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return s->fd < 0 ? FAIL(E_IO) : OK;
}

static struct err write_all(struct sink *s)
{
    TRY(buf_check(&s->out));
    struct slice rest = buf_slice(&s->out);
    while (rest.n > 0) {
        ssize_t k = write(s->fd, rest.p, rest.n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return FAIL(E_IO);
        rest = slice_of(rest.p + k, rest.n - (size_t)k);
    }
    s->out.n = 0; /* not buf_reset: the content is synthetic, and wiping it would cost as much as making it */
    return OK;
}

ERR sink_flow(struct sink *s) { return s->out.n < PIECE ? buf_check(&s->out) : write_all(s); }

ERR sink_commit(struct sink *s)
{
    TRY(write_all(s));
    int synced = fsync(s->fd), closed = close(s->fd);
    s->fd = -1;
    if (synced != 0 || closed != 0 || rename(buf_cstr(&s->part), buf_cstr(&s->path)) != 0) {
        unlink(buf_cstr(&s->part));
        return FAIL(E_IO);
    }
    return OK;
}

void sink_done(struct sink *s)
{
    if (s->fd > 0) {
        close(s->fd);
        unlink(buf_cstr(&s->part));
    }
    buf_done(&s->path);
    buf_done(&s->part);
    buf_done(&s->out);
}
