#ifndef KEYS_CTL_REPLAY_ROWS_H
#define KEYS_CTL_REPLAY_ROWS_H

/* Rows that wait or are held in a redis-link that came back older, of residents whom a municipality has erased since: they would register them anew. They are
 * looked for before anything else is replayed, because what leads from the person to its resident keys goes with the erasure. Blocking. */

#include "gateway/audit/audit.h"
#include "gateway/store/store.h"
#include "keys/ctl/link_line.h"

struct replay_rows;
ERR replay_rows_new(struct replay_rows **ret_x, struct link_line *line, struct store *store);
void replay_rows_free(struct replay_rows *x); /* NULL is fine */

/* Of an erasure (REPLAY_ERASURE): its resident keys and subjects are kept in mind, and unless dry the store is told (keys/intake/erased.h). SEAL, FORBIDDEN: it
 * cannot be known any more. */
ERR replay_rows_note(struct replay_rows *x, const struct audit_rec *rec, bool dry);
/* Drops the rows that were received before, as refused. dry: only counts. *ret_n: how many. Again: those that are left. */
ERR replay_rows_drop(struct replay_rows *x, uint64_t now_ms, bool dry, uint64_t *ret_n);

#endif
