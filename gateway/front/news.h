#ifndef GW_FRONT_NEWS_H
#define GW_FRONT_NEWS_H

/* Files that change while the workers run. A worker may open nothing any more; its parent looks at the files and hands it descriptors of those
 * that have changed, so that no worker has to be ended for them. The parent reads none. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

enum { NEWS_FILES_MAX = 2, NEWS_GROUPS_MAX = 4, NEWS_SOCKETS = 255 /* instead of a group: listening sockets of a worker that is away */, NEWS_LOOK_MS = 200, NEWS_AGAIN_MS = 2000 };

/* Files that are read together. */
struct news_group { const char *path[NEWS_FILES_MAX]; size_t n; };

struct news_sign { ino_t file; off_t size; struct timespec written, changed; };

struct news {
    const struct news_group *groups;
    size_t n;
    struct news_sign seen[NEWS_GROUPS_MAX][NEWS_FILES_MAX];
};

/* groups: n of them, at most NEWS_GROUPS_MAX; not copied. What they are now is known. */
void news_begin(struct news *w, const struct news_group *groups, size_t n);
/* Files of the group are others than when this was asked last. */
bool news_changed(struct news *w, size_t group);
/* Opens the files and sends their descriptors. False when that cannot be done now. */
bool news_send(int socket, const struct news *w, size_t group);
/* The descriptors themselves; n up to NEWS_FILES_MAX. */
bool news_send_sockets(int socket, const int *fds, size_t n);
/* In the worker: one message, without waiting. Descriptors are the caller's. False when there is none, or none of ours. */
struct news_message { size_t group, n; int fd[NEWS_FILES_MAX]; };
bool news_receive(int socket, struct news_message *ret_m);
/* It could not be taken up: the parent sends it once more, after NEWS_AGAIN_MS. */
void news_ask_again(int socket, size_t group);
/* In the parent: one such request, without waiting. */
bool news_asked_again(int socket, size_t *ret_group);

#endif
