#include "gateway/front/news.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct news_sign look(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct news_sign){ 0 };
    return (struct news_sign){ st.st_ino, st.st_size, st.st_mtim, st.st_ctim };
}

static bool same_time(const struct timespec *a, const struct timespec *b) { return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec; }

static bool same(const struct news_sign *a, const struct news_sign *b)
{
    return a->file == b->file && a->size == b->size && same_time(&a->written, &b->written) && same_time(&a->changed, &b->changed);
}

bool news_changed(struct news *w, size_t group)
{
    bool changed = false;
    for (size_t i = 0; i < w->groups[group].n; i++) {
        struct news_sign now = look(w->groups[group].path[i]);
        changed |= !same(&now, &w->seen[group][i]);
        w->seen[group][i] = now;
    }
    return changed;
}

void news_begin(struct news *w, const struct news_group *groups, size_t n)
{
    *w = (struct news){ .groups = groups, .n = n < NEWS_GROUPS_MAX ? n : NEWS_GROUPS_MAX };
    for (size_t g = 0; g < w->n; g++)
        (void)news_changed(w, g);
}

union room { char bytes[CMSG_SPACE(NEWS_FILES_MAX * sizeof(int))]; struct cmsghdr align; };

static bool send_fds(int socket, uint8_t group, const int *fds, size_t n)
{
    union room room = { { 0 } };
    struct iovec iov = { &group, 1 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    return sendmsg(socket, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

bool news_send(int socket, const struct news *w, size_t group)
{
    const struct news_group *g = &w->groups[group];
    int fds[NEWS_FILES_MAX] = { -1, -1 };
    size_t n = 0;
    while (n < g->n && (fds[n] = open(g->path[n], O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) >= 0)
        n++;
    bool sent = n == g->n && send_fds(socket, (uint8_t)group, fds, n);
    while (n > 0)
        close(fds[--n]);
    return sent;
}

bool news_send_sockets(int socket, const int *fds, size_t n) { return send_fds(socket, NEWS_SOCKETS, fds, n); }

bool news_receive(int socket, struct news_message *ret_m)
{
    union room room;
    uint8_t group;
    struct iovec iov = { &group, 1 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
    if (recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return false;
    *ret_m = (struct news_message){ .group = group, .n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int) };
    memcpy(ret_m->fd, CMSG_DATA(c), ret_m->n * sizeof(int)); /* no more than NEWS_FILES_MAX: there was no room for others */
    return true;
}

void news_ask_again(int socket, size_t group)
{
    uint8_t g = (uint8_t)group;
    (void)!write(socket, &g, 1); /* full or gone: a later change comes all the same */
}

bool news_asked_again(int socket, size_t *ret_group)
{
    uint8_t g;
    if (recv(socket, &g, 1, MSG_DONTWAIT) != 1 || g >= NEWS_GROUPS_MAX)
        return false;
    *ret_group = g;
    return true;
}
