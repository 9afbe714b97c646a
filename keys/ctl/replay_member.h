#ifndef KEYS_CTL_REPLAY_MEMBER_H
#define KEYS_CTL_REPLAY_MEMBER_H

/* Members of staff in a redis-link that came back older. Blocking. */

#include "gateway/audit/audit.h"
#include "gateway/store/store.h"
#include "keys/ctl/link_line.h"

/* The user of a change (REPLAY_STAFF) is withdrawn when the store has not got the change: *ret_lost. dry: it is only looked. Again: nothing. */
ERR replay_member(struct link_line *line, struct store *store, const struct audit_rec *rec, bool dry, bool *ret_lost);
/* Ends are not replayed one by one: all sessions of staff that were opened until now have ended. */
ERR replay_sessions_end(struct link_line *line, uint64_t now_ms);

#endif
