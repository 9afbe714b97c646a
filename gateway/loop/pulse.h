#ifndef GW_LOOP_PULSE_H
#define GW_LOOP_PULSE_H

/* Of the loop: once a second says in the metrics that the process lives, how late its loop was, and what processor time it took; and tells the service manager that it lives, when that
 * wants to hear it (settings below 2 s are too short for it). */

#include "gateway/loop/loop.h"
#include "gateway/metrics/metrics.h"

struct pulse;
ERR pulse_new(struct pulse **ret_p, struct loop *l, struct metrics *m); /* m outlives it */
void pulse_free(struct pulse *p);                                      /* NULL is fine */

#endif
