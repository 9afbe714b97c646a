#ifndef GW_LOOKUP_FRESH_H
#define GW_LOOKUP_FRESH_H

/* What an answer was judged by must still hold when it leaves: a control flag, a withdrawal, an end of a session is in effect on every route within
 * a second after it was acknowledged, also while an answer waits for the audit log.
 *
 * An answer whose reading is older than FRESH_MS when its audit record is on disk is judged again by a new reading. What does not hold any more
 * silences it, and a second record says so. When even the new reading is older than FRESH_MAX_MS, or what is to be told has changed, the
 * answer is DEADLINE. The age of a reading is reckoned from the moment it was asked for, so it is never taken for younger than it is. */

#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

struct access;

enum { FRESH_MS = 200, FRESH_MAX_MS = 800 };

/* The handler's verdict on the person's hash as it is now: OK when the answer that stands in a->out may still leave. */
typedef struct err fresh_fn(void *arg, const struct redis_reply *hash);

struct fresh { /* of one access */
    fresh_fn *judge; /* NULL: the answer does not depend on a person's hash */
    void *arg;
    struct store_name person;
    uint64_t asked_ms;  /* when the hash was asked for, loop_now() */
    size_t told;        /* bytes of a->out that access_judge() wrote */
};

/* Right before the batch that reads the person's hash is sent. The last call counts. */
void fresh_watch(struct access *a, const struct store_name *person, fresh_fn *judge, void *arg);

/* For access.c: the record is on disk. False: the answer may leave. True: it is judged again, and fresh_done() or access_end() follows. */
bool fresh_again(struct access *a, void (*fresh_done)(struct access *a));

/* The same by steps, for access_list.c, of accesses that have a judge. The reading is older than that; the command that reads anew; what that says; and that nothing is told,
 * recorded once more: access_end() follows. */
bool fresh_older(const struct access *a, uint64_t ms);
void fresh_ask(struct access *a, struct redis_batch *b);
ERR fresh_verdict(struct access *a, const struct redis_reply *hash);
void fresh_silence(struct access *a, struct err why);

#endif
