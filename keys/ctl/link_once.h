#ifndef KEYS_CTL_LINK_ONCE_H
#define KEYS_CTL_LINK_ONCE_H

/* One question to redis-link, and one record to the audit log, by the operator's command. Blocking. */

#include "gateway/audit/audit.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"
#include "keys/ctl/state.h"

/* heard: replies are borrowed for the call; what it returns is returned. STORE_DOWN when redis-link cannot be reached within some seconds. What it writes
 * counts as what pmhgw-intake writes: see link_open(). The batch is taken. */
typedef struct err link_heard_fn(void *arg, const struct redis_reply *const *replies, size_t n);
ERR link_once(const struct state *s, struct redis_batch *b, link_heard_fn *heard, void *arg);

/* The names and seals of redis-link, from the ring of the state. */
ERR link_store(const struct state *s, struct keyring **ret_ring, struct store **ret_store);

/* The record is on disk. wall_ms is set here. */
ERR audit_append_once(const struct state *s, struct audit_rec *rec);

#endif
