#ifndef GW_FRONT_SUPERVISOR_H
#define GW_FRONT_SUPERVISOR_H

/* The parent of the workers: starts them, starts them again when they die, renews them on SIGHUP, stops them. It holds no key,
 * no socket and no request. */

#include <sys/types.h>

#include "gateway/front/news.h"

enum { WORKERS_MAX = 64, EXIT_SETTINGS = 78 /* EX_CONFIG: starting again would not help */ };

/* What a worker has of its parent. */
struct worker_lines {
    unsigned number; /* from 0 */
    int life;        /* end of file when the parent is gone, also where a change of user has cleared PR_SET_PDEATHSIG */
    int ready;       /* one byte, once, when requests are answered */
    int news;        /* news_receive(): files that have changed */
};

/* Runs `work` in `workers` children (1..WORKERS_MAX); what it returns is the child's exit status. Returns the exit status of the
 * program: 0 after an orderly stop, EXIT_SETTINGS when a worker says so before any was ready. SIGHUP renews one worker after the
 * other, so that certificates are read again and the doors stay open. The files of the groups are looked at every NEWS_LOOK_MS, and every worker
 * hears when they have changed. */
struct supervised { unsigned workers; const struct news_group *groups; size_t n_groups; };
int supervise(const struct supervised *what, int (*work)(void *arg, struct worker_lines lines), void *arg);

#endif
