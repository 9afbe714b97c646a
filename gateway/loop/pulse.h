#ifndef GW_LOOP_PULSE_H
#define GW_LOOP_PULSE_H

/* Of the loop: once a second says in the metrics that the process lives, how late its loop was, and what processor time it took. */

#include "gateway/loop/loop.h"
#include "gateway/metrics/metrics.h"

struct pulse;
ERR pulse_new(struct pulse **ret_p, struct loop *l, struct metrics *m); /* m outlives it */
void pulse_free(struct pulse *p);                                      /* NULL is fine */

#endif
