#ifndef KEYS_CTL_REPLAY_VRS_H
#define KEYS_CTL_REPLAY_VRS_H

/* What leads to the tickets of residents who were erased, and what VRS has of them, in a redis-link that came back older: that goes, this is to be taken back there (decision 47). */

#include "gateway/audit/audit.h"
#include "gateway/store/store.h"
#include "keys/change/cas.h"
#include "keys/ctl/link_line.h"

/* The intake of this state reports to VRS. CONFIG: its settings cannot be read. */
ERR replay_vrs_asked(const struct state *s, bool *ret_yes);

/* Sans I/O. Of an erasure (REPLAY_ERASURE), before the store is told of it: of what it still has of the person, and of which VRS may have heard, from *io_at on, the indexes of tickets that are still
 * the person's go, and with to_vrs marks are made. *ret_n: of how many; 0: that was all. What c holds borrows from hash and a. Again: the same. FULL, SEAL. */
ERR replay_vrs_marks(struct store *s, const struct audit_rec *rec, const struct redis_reply *hash, bool to_vrs, size_t *io_at, struct arena *a, struct nz_cas *c, size_t *ret_n);

/* The same, asked and written. dry: only counted. *io_n: the marks are added. Blocking. */
ERR replay_vrs(struct link_line *line, struct store *s, const struct audit_rec *rec, bool to_vrs, bool dry, uint64_t *io_n);

#endif
