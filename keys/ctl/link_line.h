#ifndef KEYS_CTL_LINK_LINE_H
#define KEYS_CTL_LINK_LINE_H

/* Many questions to redis-link by the operator's command, one after the other. Blocking. Without the guard of the daemons: this is what brings an older store up
 * again. */

#include "gateway/redis/redis.h"
#include "keys/ctl/state.h"

struct link_line;
/* Which user's keys: the front's are u: p: ps: ep, the intake's s: rk: and what municipalities send. */
enum link_user { LINK_FRONT, LINK_INTAKE, LINK__USERS };

ERR link_line_new(struct link_line **ret_l, const struct state *s); /* STORE_DOWN when redis-link does not answer within some seconds */
void link_line_free(struct link_line *l);                           /* NULL is fine */

/* heard: replies are borrowed for the call; what it returns is returned. NULL: the replies do not matter. The batch is taken; NULL is NOMEM. */
typedef struct err link_line_fn(void *arg, const struct redis_reply *const *replies, size_t n);
ERR link_line_ask(struct link_line *l, enum link_user user, struct redis_batch *b, link_line_fn *heard, void *arg);

#endif
