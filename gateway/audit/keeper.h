#ifndef GW_AUDIT_KEEPER_H
#define GW_AUDIT_KEEPER_H

/* Keeps tiles and checkpoint behind a log that grows: off the loop, never before an acknowledgement. pmhgw-audit only.
 *
 *   checkpoint   the newest signed note, replaced whole
 *   checkpoints  a line an hour: size, root, signature (base64), time; only appended
 *   pruned       last entry whose segment was removed, in the form of "head" (segment.h pruned_read); written, synced and renamed by the
 *                retention before it removes segments. Tiles stay. The log then holds a LOG_PRUNED entry, appended before anything is
 *                removed, whose count is the number of segments removed since the beginning of the log: `verify` asks for it. */

#include "gateway/audit/note.h"

struct audit_keeper;

enum { AUDIT_CHECKPOINT_MS = 200, AUDIT_HISTORY_MS = 3600 * 1000 };

struct audit_keeper_conf {
    const char *dir;           /* borrowed for good */
    const char *origin;        /* name of the log and of its key */
    const struct secret *seed; /* 32 bytes; borrowed for the call */
};

/* Opens behind a log of `seq` entries that the writer has found whole. Makes what is missing of the tiles, checks that the tree contains
 * the last checkpoint, and signs one. Blocking: a moment, or a few seconds per ten million entries when tiles are missing.
 * SEAL: the log does not contain what was signed, see the log line; nothing was signed. IO, CRYPTO, CONFIG. */
ERR audit_keeper_new(struct audit_keeper **ret_k, struct loop *l, struct audit_keeper_conf conf, uint64_t seq);
/* The log has so many entries now, all of them committed. From the loop; does no work by itself. */
void audit_keeper_grew(struct audit_keeper *k, uint64_t seq);

/* e OK: the newest checkpoint and its note, borrowed for the call. */
typedef void keeper_checkpoint_fn(void *arg, struct err e, const struct tree_head *head, struct slice note);
/* A checkpoint that covers at least `size` entries (0: whatever is newest). done once, never before the return. AUDIT_DOWN: the disk
 * refuses, or so many entries do not exist, or we are closing. */
void audit_keeper_ask(struct audit_keeper *k, uint64_t size, keeper_checkpoint_fn *done, void *arg);

/* Signs what was committed, frees, and then calls fn(arg). */
void audit_keeper_close(struct audit_keeper *k, loop_fn *fn, void *arg);

#endif
