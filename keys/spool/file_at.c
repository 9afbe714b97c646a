#include "keys/spool/file_at.h"

#include <errno.h>
#include <unistd.h>

struct err nz_at_error(int e)
{
    if (e == ENOSPC || e == EDQUOT || e == EFBIG)
        return FAIL(E_DISK_FULL);
    if (e == EMFILE || e == ENFILE)
        return FAIL(E_FULL);
    return e == ENOMEM ? FAIL(E_NOMEM) : FAIL(E_IO);
}

struct err nz_at_write(int fd, struct slice s, uint64_t at)
{
    while (s.n) {
        ssize_t k = pwrite(fd, s.p, s.n, (off_t)at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return k < 0 ? nz_at_error(errno) : FAIL(E_IO);
        s.p += k;
        s.n -= (size_t)k;
        at += (uint64_t)k;
    }
    return OK;
}

struct err nz_at_read(int fd, uint8_t *to, size_t n, uint64_t at, size_t *ret_got)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = pread(fd, to + got, n - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return FAIL(E_IO);
        if (k == 0)
            break;
        got += (size_t)k;
    }
    *ret_got = got;
    return OK;
}
