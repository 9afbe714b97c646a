#ifndef GW_LOOP_DUE_H
#define GW_LOOP_DUE_H

/* Many deadlines on one timer: O(log n) to add and to drop. */

#include "gateway/loop/loop.h"

/* Embed as the first member of the operation that it belongs to. */
struct due_item {
    uint64_t at; /* loop_now() terms, in an exact one alarm_now() terms; 0: the next turn */
    size_t slot; /* 0: not waiting */
};

struct due;
/* The item has been taken out; what it belongs to may be freed. From the loop. */
typedef void due_fn(void *ctx, struct due_item *it);

ERR due_new(struct due **ret_d, struct loop *l, due_fn *fn, void *ctx);
/* In nanoseconds, on a timer that does not depend on when the loop slept (alarm.h). */
ERR due_new_exact(struct due **ret_d, struct loop *l, due_fn *fn, void *ctx);
void due_free(struct due *d); /* items that still wait are the caller's; NULL is fine */
/* Grows as needed: the caller bounds the count. Out of memory ends the process: an operation that cannot be
 * remembered cannot be completed. */
void due_add(struct due *d, struct due_item *it, uint64_t at);
void due_drop(struct due *d, struct due_item *it); /* nothing when it does not wait */

#endif
