#ifndef GW_METRICS_EXPOSE_H
#define GW_METRICS_EXPOSE_H

/* What the processes of this machine count, all together. */

#include "gateway/base/buf.h"

enum { METRICS_EXPOSED_MAX = 4 << 20 };

/* Appends the numbers of every daemon in dir in the text format of Prometheus (0.0.4): counters and gauges of the processes of one daemon are added up, of "oldest" ones
 * the greatest is told, of "first" ones the smallest that is not 0; gauges of a process that has not told anything for five seconds are left out. Opens the files by their names, reads no folder. IO when
 * the name of the folder is too long, NOMEM, FULL. wall_ms: now. */
ERR metrics_expose(const char *dir, uint64_t wall_ms, struct buf *out);

/* One series at a time, in the order of their text; sum: as above. For who shows them otherwise. values: 1, or those of a histogram (layout.h). */
struct metrics_series { struct slice text; /* name{labels} */ unsigned kind; const uint64_t *values; };
typedef void metrics_each_fn(void *arg, const struct metrics_series *s);
ERR metrics_each(const char *dir, uint64_t wall_ms, metrics_each_fn *fn, void *arg);

#endif
