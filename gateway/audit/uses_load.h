#ifndef GW_AUDIT_USES_LOAD_H
#define GW_AUDIT_USES_LOAD_H

/* The uses that are still alive, out of the log on disk: after a start. Blocking, on a worker; touches nothing that the loop does. */

#include <stdatomic.h>

#include "gateway/audit/uses.h"

enum {
    USES_BACK_S = 48 * 3600, /* a use is written at most so long before it ends, and what was written so recently is loaded whatever its end says */
    USES_QUIET = 64,         /* segments one after the other that are older: behind them nobody looks */
    USES_SEARCH = 256        /* segments that are read through before the newest use of all has been found */
};

struct uses_load {
    int dir;
    uint64_t oldest, newest;   /* entries that are there; of what came later none is a use */
    struct uses_now now;
    const atomic_bool *stop;   /* looked at between segments; true: CANCELED */
    struct uses *uses;         /* filled */
    uint64_t from;             /* first entry of the oldest segment that a use came from; 0: none */
    uint64_t since_ms;         /* R, below */
};

/* R is now, or the time of the newest use when that was earlier: while the clock is far ahead no link key is good, so no use says so. Loaded is what was written
 * in the USES_BACK_S before R, or ends after R. Each is held for what is left of those USES_BACK_S, AUDIT_USE_S at most.
 * IO, NOMEM; AUDIT_DOWN: a segment that is needed is not whole. */
ERR uses_load(struct uses_load *l);

#endif
