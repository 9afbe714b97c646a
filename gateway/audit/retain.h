#ifndef GW_AUDIT_RETAIN_H
#define GW_AUDIT_RETAIN_H

/* Removes entries past their time: whole segments, oldest first, in this order, so that a crash between any two steps loses nothing and leaves nothing:
 *
 *   1. the newest entry of the segment is older than keep_ms, and the leaf hashes of all its entries stand in the tiles
 *   2. a LOG_PRUNED entry is durable; count: segments removed since the beginning of the log, these included
 *   3. the file "pruned" (segment.h): the last entry that may be gone, and its chain hash
 *   4. index and segment are removed; what a crash left of them, at the next look
 *
 * Tiles and checkpoints stay: old checkpoints and the proofs of later entries hold. pmhgw-audit only. */

#include "gateway/audit/segment.h"
#include "gateway/loop/loop.h"

enum { RETAIN_AT_ONCE = 64 /* segments for one LOG_PRUNED */ };

struct audit_retain;

struct audit_retain_conf {
    const char *dir;      /* borrowed for good */
    uint64_t keep_ms;
    uint64_t first_ms, every_ms; /* the first look after the start; then */
    /* Has the entry written; then calls audit_retain_told(). From the loop. */
    void (*tell)(void *arg, uint32_t segments);
    /* Entries up to seq are going to be removed now. From the loop. */
    void (*pruned)(void *arg, uint64_t seq);
    uint64_t (*seq)(void *arg); /* entries in the log */
    void *arg;
};

ERR audit_retain_new(struct audit_retain **ret_t, struct loop *l, struct audit_retain_conf conf);
/* The entry is durable, or it is not. */
void audit_retain_told(struct audit_retain *t, struct err e);
/* Finishes the piece of work that runs, frees, and calls fn(arg). NULL is fine, fn is called. */
void audit_retain_close(struct audit_retain *t, loop_fn *fn, void *arg);

/* ---- the blocking half, for the above and for tests. dir: the folder of the log ---- */

/* The point behind the segments that may go, of those with entries up to seq; equal to `from` when there are none. IO; SEAL: a segment does not fit its
 * tiles: it is kept, and so is what comes after it. */
ERR retain_look(int dir, const char *path, const struct log_point *from, uint64_t seq, uint64_t older_ms, struct log_point *ret_to);
/* Step 3. IO. */
ERR retain_mark(int dir, const struct log_point *to);
/* Step 4, for everything up to the mark. IO. */
ERR retain_remove(int dir, const struct log_point *to);

#endif
