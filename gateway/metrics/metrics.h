#ifndef GW_METRICS_METRICS_H
#define GW_METRICS_METRICS_H

/* What a process counts, in a file of its own that `pmhgw metrics`, `pmhgw top` and the operator's /metrics read: numbers under names of the program
 * text. A label is a word of the program text or one of our municipalities, so nothing that came from outside can become one.
 *
 * The file (DIR/<daemon>-<slot>.m) is mapped: counting is a store. One process writes it, readers see each number whole, but not all of one moment.
 * Counters go on where the process before in that slot ended; gauges begin at 0. */

#include <stdint.h>

#include "gateway/base/err.h"
#include "gateway/base/log.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_OLDEST, METRIC_HISTOGRAM, METRIC_FIRST };

enum metric_family {
#define X(sym, name, kind, help) MF_##sym,
#include "gateway/metrics/families.def"
#undef X
    MF__MAX
};

struct metric_label {
    const char *key;                       /* a literal */
    enum { MV_LIT, MV_MUNI } kind;
    union { struct lit lit; char muni[6]; } v;
};
#define METRIC_LIT(k, l) ((struct metric_label){ .key = "" k, .kind = MV_LIT, .v.lit = (l) })

struct metrics;
/* Before box_enter(): makes or takes up the file of the first slot that nobody holds (64 slots a daemon). dir NULL or "": nothing is kept, everything else
 * works. IO, FULL when every slot is held, NOMEM. */
ERR metrics_open(struct metrics **ret_m, const char *dir, struct lit daemon);
void metrics_close(struct metrics *m); /* NULL is fine */
/* That the process lives; once a second. Without it for five seconds its gauges count no more. wall_ms: now. */
void metrics_beat(struct metrics *m, uint64_t wall_ms);

/* The place of one number (a histogram: of its numbers), valid as long as m; the same one for the same family and labels. At most 3 labels. m may be NULL, and
 * when the file is full (METRICS_FULL is logged once) the place is one that nobody reads. */
typedef uint64_t metric;
metric *metrics_of(struct metrics *m, enum metric_family f, size_t n_labels, const struct metric_label *labels);

static inline void metric_set(metric *at, uint64_t v) { __atomic_store_n(at, v, __ATOMIC_RELAXED); }
static inline void metric_add(metric *at, uint64_t n) { metric_set(at, *at + n); }
static inline void metric_sub(metric *at, uint64_t n) { metric_set(at, *at - n); }
/* For places of a HISTOGRAM. */
void metric_took(metric *at, uint64_t ns);

#endif
