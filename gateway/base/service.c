#include "gateway/base/service.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/text.h"

void service_tell(const char *lines)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof a.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(a.sun_path, path, n);
    if (a.sun_path[0] == '@')
        a.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    (void)sendto(fd, lines, strlen(lines), MSG_NOSIGNAL, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

static bool number(const char *name, uint64_t *ret_n)
{
    const char *text = getenv(name);
    return text && u64_parse(slice_str(text), ret_n);
}

uint64_t service_watchdog_ms(void)
{
    enum { US_OF_MS = 1000 };
    uint64_t us, pid;
    if (!number("WATCHDOG_USEC", &us) || (number("WATCHDOG_PID", &pid) && pid != (uint64_t)getpid()))
        return 0;
    return us / US_OF_MS;
}
