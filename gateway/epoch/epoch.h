#ifndef GW_EPOCH_EPOCH_H
#define GW_EPOCH_EPOCH_H

/* Notices a redis-link that is older than the audit log knows it (docs/access.md, docs/operations.md).
 *
 * `ep` in redis-link is raised, by redis_raise() in the round trip of the act, by everything that must not be forgotten: uses of link keys, withdrawals,
 * ends of sessions, flags, erasures, pseudonyms, changes of users of staff, and what municipalities had stored or ordered. The audit record of the act carries
 * the number that it became. So whatever number the log has, a store that has not gone back has it, or a greater one.
 *
 * Every connection of the pool asks the log first and its own server after, and takes no batches before that has been good: redis_ready() tells why. The
 * audit daemon away: AUDIT_DOWN, as for everything else. Older: STORE_OLDER, a line in the log, one record (AU_STORE_OLDER); asked anew every second. */

#include "gateway/audit/audit.h"
#include "gateway/redis/redis.h"

/* Where reconciling begins, below what the store says: acts that reached a store which went back under a living connection raised its number before that was
 * noticed, by less than this. Also how far beyond everything known the number is set afterwards, so that no daemon remembers a greater one. */
enum { EPOCH_MARGIN = 1 << 16 };

struct epoch;

struct epoch_conf {
    struct loop *loop;
    struct redis *redis;
    struct audit *audit;
    struct lit actor; /* the daemon's name in the audit log */
    bool marks;       /* see below */
};
/* Right after redis_new() and audit_new(). */
ERR epoch_new(struct epoch **ret_e, const struct epoch_conf *conf);
/* Before the two are closed. NULL is fine. */
void epoch_close(struct epoch *e);

/* marks: acts whose own records do not carry the number that they raised (rows that were stored: their record is written before) are told to the log within
 * EPOCH_TOLD_MS by a record of its own (AU_STORE_MARK). */
enum { EPOCH_TOLD_MS = 1000 };

/* What the number has to be after reconciling: beyond the log's, the store's, and what any daemon has seen of either. */
uint64_t epoch_after(uint64_t store, uint64_t log);
/* Acts of the log with a number up to this are in a store that says `store`. */
uint64_t epoch_since(uint64_t store);

#endif
