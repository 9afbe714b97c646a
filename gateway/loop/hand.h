#ifndef GW_LOOP_HAND_H
#define GW_LOOP_HAND_H

/* A thread beside the loop for one kind of work that blocks, one piece at a time. What uv_queue_work() does, for work that comes thousands of times a second:
 * there the thread tells the loop with a lock in its hand and before it is done telling, so that a loop that wakes up at once waits for it twice. */

#include "gateway/loop/loop.h"

struct hand;

/* Starts the thread. work(arg) runs on it, then done(arg) from the loop; what one wrote the other may read. NOMEM, IO. Before box_enter(). */
ERR hand_new(struct hand **ret_h, struct loop *l, loop_fn *work, loop_fn *done, void *arg);
/* One piece of work; not while one is under way, which is until done() is called. */
void hand_start(struct hand *h);
/* Ends the thread; not while work is under way. Memory goes with libuv's close. NULL is fine. */
void hand_free(struct hand *h);

#endif
