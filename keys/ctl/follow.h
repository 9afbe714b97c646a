#ifndef KEYS_CTL_FOLLOW_H
#define KEYS_CTL_FOLLOW_H

/* A task to its end: by server-sent events, by asking where those do not come through. */

#include "keys/ctl/muni_door.h"
#include "keys/ctl/task_view.h"

enum follow_end {
    FOLLOW_ENDED,
    FOLLOW_STOPPED, /* Ctrl-C, or too long without progress: the gateway goes on; said so */
    FOLLOW_FAILED   /* no such task, or the door stays away; said why */
};
/* idle_s: how long it may make no progress. */
enum follow_end follow_task(struct muni_door *d, const char *id, uint64_t idle_s, struct task_view *ret_v);

#endif
