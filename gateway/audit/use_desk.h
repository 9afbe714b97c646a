#ifndef GW_AUDIT_USE_DESK_H
#define GW_AUDIT_USE_DESK_H

/* Decides who uses a link key first, and has the record of it written (message USE of audit.h). pmhgw-audit only.
 *
 * A use is under way while its record is written: others of the same key wait for what becomes of it. Then it is in the set (uses.h), or, when the
 * write failed, the next one that waited is written in its place. After a start the set is made from the log; until then all wait. */

#include "gateway/audit/uses.h"
#include "gateway/audit/writer.h"

enum { USE_ASKED_MAX = 65536 /* not answered yet */ };

struct use_desk;

struct use_desk_conf {
    const char *dir;             /* borrowed for good */
    struct audit_writer *writer; /* closed before the desk */
    const struct audit_found *found; /* borrowed for the call */
    size_t uses_max;
    uint64_t again_ms;           /* between two tries to read a log that cannot be read */
};

/* Begins to read the log, off the loop. IO, NOMEM. */
ERR use_desk_new(struct use_desk **ret_d, struct loop *l, struct use_desk_conf conf);

/* rec: audit_is_use(), with until_s and wall_ms. done once, maybe before the return. OK: on disk and the first, used_ms is its wall_ms. USED: nothing was written,
 * used_ms is that of the first. AUDIT_DOWN: not written (as audit_writer_append, too many wait, no room, ends too late to be remembered, the log cannot be read, stopping). */
typedef void use_desk_fn(void *arg, struct err e, uint64_t seq, uint64_t used_ms);
void use_desk_ask(struct use_desk *d, const struct audit_rec *rec, enum ipc_role from, use_desk_fn *done, void *arg);

/* Of the entries up to seq, the last one behind which nothing can be a use that is alive, by the clock that nobody sets: so far the log may be pruned. */
uint64_t use_desk_prunable(struct use_desk *d, uint64_t seq);

/* Takes nothing more; what waits for the log to be read is refused. Before audit_writer_close(). NULL is fine. */
void use_desk_stop(struct use_desk *d);
/* Behind audit_writer_close(): frees, and calls fn(arg). NULL is fine, fn is called. */
void use_desk_close(struct use_desk *d, loop_fn *fn, void *arg);

#endif
