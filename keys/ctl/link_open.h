#ifndef KEYS_CTL_LINK_OPEN_H
#define KEYS_CTL_LINK_OPEN_H

/* A connection to redis-link by the operator's command, as one of the daemons. */

#include "gateway/redis/redis.h"
#include "keys/ctl/state.h"

/* Which user's keys: the front's are u: p: ps: ep, the intake's s: rk: and what municipalities send. */
enum link_user { LINK_FRONT, LINK_INTAKE, LINK__USERS };

/* What it writes counts when the replicas have it that the settings of that daemon ask for (redis_wait_replicas, redis_wait_ms), as what the daemon writes.
 * CONFIG: they cannot be read; why has been said. IO: the password cannot. */
ERR link_open(struct redis **ret_r, struct loop *l, const struct state *s, enum link_user user);

#endif
