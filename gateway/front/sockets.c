#include "gateway/front/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/inherited.h"

/* A bound socket, or -1 with errno. */
static int bound(const struct door_at *at, int share)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)at->port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)at->port) };
    bool is4 = inet_pton(AF_INET, at->host, &v4.sin_addr) == 1;
    if (!is4 && inet_pton(AF_INET6, at->host, &v6.sin6_addr) != 1) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &share, sizeof share) == 0 &&
        (is4 ? bind(fd, (struct sockaddr *)&v4, sizeof v4) : bind(fd, (struct sockaddr *)&v6, sizeof v6)) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* One that whoever started us keeps open: the workers accept from the same queue then. */
static int handed(const struct door_at *at)
{
    int fd = inherited_tcp(at->host, (unsigned)at->port);
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int sockets_taken(const struct door_at *at)
{
    if (inherited_tcp(at->host, (unsigned)at->port) >= 0)
        return 0;
    int fd = bound(at, 0);
    if (fd < 0)
        return errno;
    int why = listen(fd, 1) == 0 ? 0 : errno;
    close(fd);
    return why;
}

struct err sockets_grow(struct sockets *s, const struct door_at at[static DOORS_MAX], unsigned n)
{
    for (; s->n < n && s->n < SOCKETS_MAX; s->n++) {
        for (unsigned d = 0; d < s->doors; d++) {
            s->fd[d][s->n] = handed(&at[d]);
            if (s->fd[d][s->n] < 0)
                s->fd[d][s->n] = bound(&at[d], 1);
            if (s->fd[d][s->n] >= 0)
                continue;
            int why = errno;
            while (d-- > 0)
                close(s->fd[d][s->n]);
            errno = why;
            return FAIL(E_IO);
        }
    }
    return OK;
}

unsigned sockets_of(const struct sockets *s, unsigned door, unsigned i, unsigned n, int out[static SOCKETS_MAX])
{
    unsigned k = 0;
    for (unsigned at = i; at < s->n; at += n)
        out[k++] = s->fd[door][at];
    return k;
}

void sockets_leave(const struct sockets *s, unsigned i, unsigned n)
{
    for (unsigned at = 0; at < s->n; at++)
        for (unsigned d = 0; at % n != i && d < s->doors; d++)
            close(s->fd[d][at]);
}
