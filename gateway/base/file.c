#include "gateway/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE = 4096 };

static ssize_t read_some(int fd, void *p, size_t n)
{
    for (;;) {
        ssize_t k = read(fd, p, n);
        if (k >= 0 || errno != EINTR)
            return k;
    }
}

static ERR at_end(int fd)
{
    uint8_t more;
    ssize_t k = read_some(fd, &more, 1);
    return k == 0 ? OK : k < 0 ? FAIL(E_IO) : FAIL(E_FULL);
}

struct err fd_read_all(int fd, struct buf *out)
{
    for (;;) {
        size_t left = out->max - out->n, want = left < PIECE ? left : PIECE;
        if (want == 0)
            return at_end(fd);
        uint8_t *room = buf_room(out, want);
        if (!room)
            return buf_check(out);
        ssize_t k = read_some(fd, room, want);
        if (k < 0)
            return FAIL(E_IO);
        if (k == 0)
            return OK;
        buf_grew(out, (size_t)k);
    }
}

struct err file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = fd_read_all(fd, out);
    close(fd);
    return e;
}

struct err fd_read_up_to(int fd, uint8_t *to, size_t n, size_t *ret_n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t k = read_some(fd, to + have, n - have);
        if (k < 0)
            return FAIL(E_IO);
        if (k == 0)
            break;
        have += (size_t)k;
    }
    *ret_n = have;
    return OK;
}

int file_new(const char *path)
{
    return unlink(path) == 0 || errno == ENOENT ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
}

struct err fd_write_all(int fd, struct slice s)
{
    while (s.n) {
        ssize_t k = write(fd, s.p, s.n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return FAIL(E_IO);
        s.p += k;
        s.n -= (size_t)k;
    }
    return OK;
}
