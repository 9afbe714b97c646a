#ifndef GW_ZONE_NUMBER
#error "backlog.h belongs to the number zone"
#endif
#ifndef KEYS_CONSOLE_BACKLOG_H
#define KEYS_CONSOLE_BACKLOG_H

/* What waits of a municipality's tasks, of the operations that somebody may see. Sans I/O: one command, one reply. */

#include "gateway/redis/redis.h"
#include "keys/intake/names.h"
#include "keys/registration/registration.h"

enum { NZ_BACKLOG_TASKS = 500 /* open ones, oldest first, and as many of the newest for held rows */ };

struct nz_backlog_view {
    uint64_t rows, files, oldest_ms /* 0: nothing waits */, stalled /* tasks whose rows have waited for an upstream for too long */, held /* rows */;
    bool at_least; /* there are more tasks than were looked at */
};
struct nz_backlog_ask { const char *muni; uint64_t now_ms; bool upstream_down; bool sees[NZ_FORM__MAX]; };

void nz_backlog_look(struct redis_batch *b, const struct nz_backlog_ask *a);
ERR nz_backlog_heard(const struct redis_reply *reply, struct nz_backlog_view *ret_v);

#endif
