#ifndef GW_LOOP_ALARM_H
#define GW_LOOP_ALARM_H

/* A one-shot timer in nanoseconds. The timers of libuv count whole milliseconds from the moment at which the loop goes to sleep, so they fire the
 * later the later the work before them ended; this one is the kernel's, and fires when it was said, whatever the loop did meanwhile. */

#include "gateway/loop/loop.h"

struct alarm;

/* Monotonic nanoseconds. */
static inline uint64_t alarm_now(void) { return uv_hrtime(); }

/* fn from the loop. IO, NOMEM. */
ERR alarm_new(struct alarm **ret_a, struct loop *l, loop_fn *fn, void *arg);
/* At alarm_now() terms; what has passed fires in the next turn. Restarts when it is set. */
void alarm_set(struct alarm *a, uint64_t at_ns);
bool alarm_is_set(const struct alarm *a);
void alarm_free(struct alarm *a); /* fn will not run any more; memory goes with libuv's close. NULL is fine */

#endif
