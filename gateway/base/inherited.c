#include "gateway/base/inherited.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/text.h"

enum { FIRST = 3, FDS_MAX = 8 };

static bool number(const char *name, uint64_t *ret_n)
{
    const char *text = getenv(name);
    return text && u64_parse(slice_str(text), ret_n);
}

static bool same(const struct sockaddr_storage *a, socklen_t n, const void *b, size_t b_n) { return n == b_n && slice_eq(slice_of(a, n), slice_of(b, b_n)); }

static bool unix_at(const struct sockaddr_storage *a, socklen_t n, const char *path)
{
    const struct sockaddr_un *u = (const void *)a;
    size_t head = offsetof(struct sockaddr_un, sun_path);
    return a->ss_family == AF_UNIX && n > head && strnlen(u->sun_path, n - head) == strlen(path) && strncmp(u->sun_path, path, n - head) == 0;
}

static bool tcp_at(const struct sockaddr_storage *a, socklen_t n, const char *host, unsigned port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
        return same(a, n, &v4, sizeof v4);
    return inet_pton(AF_INET6, host, &v6.sin6_addr) == 1 && same(a, n, &v6, sizeof v6);
}

/* path NULL: host and port. */
static int find(const char *path, const char *host, unsigned port)
{
    uint64_t pid, n;
    if (!number("LISTEN_PID", &pid) || pid != (uint64_t)getpid() || !number("LISTEN_FDS", &n) || n > FDS_MAX)
        return -1;
    for (int fd = FIRST; fd < FIRST + (int)n; fd++) {
        struct sockaddr_storage a = { 0 };
        socklen_t len = sizeof a;
        if (getsockname(fd, (struct sockaddr *)&a, &len) != 0 || len > sizeof a)
            continue;
        if ((path ? unix_at(&a, len, path) : tcp_at(&a, len, host, port)) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
            return fd;
    }
    return -1;
}

int inherited_unix(const char *path) { return find(path, NULL, 0); }
int inherited_tcp(const char *host, unsigned port) { return find(NULL, host, port); }
