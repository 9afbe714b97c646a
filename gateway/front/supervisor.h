#ifndef GW_FRONT_SUPERVISOR_H
#define GW_FRONT_SUPERVISOR_H

/* The parent of the workers: starts them, starts them again when they die, exchanges them, stops them. It holds the listening sockets, but no key and no request.
 *
 *   SIGHUP   reads the settings anew, and starts new workers with them beside the old ones. When all of those answer, the old ones let nobody in any more, say with
 *            each answer that it is the last on its connection, and end. When one does not, the new ones are ended and the old ones stay.
 *   SIGUSR2  does the same with the program that lies where this one was started from: it takes this process over, with sockets and workers. When its
 *            workers do not come up, the program that was there takes over again.
 *   SIGTERM, SIGINT: stops.
 *
 * What became of it is in the log: reloaded, reload_refused, upgraded, upgrade_refused (docs/operations.md). */

#include <sys/types.h>

#include "gateway/base/err.h"
#include "gateway/front/news.h"
#include "gateway/front/sockets.h"

enum { WORKERS_MAX = SOCKETS_MAX, EXIT_SETTINGS = 78 /* EX_CONFIG: starting again would not help */ };

/* What a worker has of its parent. */
struct worker_lines {
    unsigned number; /* from 0 */
    int life;        /* end of file when the parent is gone, also where a change of user has cleared PR_SET_PDEATHSIG */
    int ready;       /* the byte `name`, once, when requests are answered */
    uint8_t name;
    int news;        /* news_receive(): files that have changed */
    int socket[DOORS_MAX][SOCKETS_MAX]; /* bound; n_sockets of each door */
    unsigned n_sockets[DOORS_MAX];
};

/* The settings as they were read once. */
struct reading {
    void *settings;
    unsigned workers;                 /* 1..WORKERS_MAX */
    uint64_t stop_ms;                 /* a worker ends within this time */
    const struct news_group *groups;  /* files that are looked at every NEWS_LOOK_MS: every worker hears when they have changed */
    size_t n_groups;
};

struct over; /* what another program of ours handed to this one: over.h */

struct supervised {
    struct reading first;
    struct door_at doors[DOORS_MAX];
    /* The settings as they are now, while `old` are in force. What is wrong has been said. */
    ERR (*read)(void *ctx, const void *old, struct reading *ret_r);
    void (*forget)(void *settings);
    void (*adopted)(void *settings);  /* they are in force */
    int (*work)(void *settings, const struct worker_lines *lines); /* in the child; its exit status */
    /* Another program is going to take this process over: what it shall have besides, in the environment and by descriptors; and back again, when it did not come to that. */
    void (*hand)(void *ctx);
    void (*unhand)(void *ctx);
    void *ctx;
    struct board *board;              /* board.h; NULL: nobody is told who has to be there */
    char *const *argv;                /* of this program */
    const struct over *over;          /* NULL: started by nobody of ours */
};

/* Returns the exit status of the program: 0 after an orderly stop, EXIT_SETTINGS when a worker says so before any was ready. */
int supervise(const struct supervised *what);

#endif
