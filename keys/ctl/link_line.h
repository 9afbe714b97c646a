#ifndef KEYS_CTL_LINK_LINE_H
#define KEYS_CTL_LINK_LINE_H

/* Many questions to redis-link by the operator's command, one after the other. Blocking. Without the guard of the daemons: this is what brings an older store up
 * again. */

#include "keys/ctl/link_open.h"

struct link_line;

ERR link_line_new(struct link_line **ret_l, const struct state *s); /* STORE_DOWN when redis-link does not answer within some seconds */
void link_line_free(struct link_line *l);                           /* NULL is fine */

/* heard: replies are borrowed for the call; what it returns is returned. NULL: the replies do not matter. The batch is taken; NULL is NOMEM. */
typedef struct err link_line_fn(void *arg, const struct redis_reply *const *replies, size_t n);
ERR link_line_ask(struct link_line *l, enum link_user user, struct redis_batch *b, link_line_fn *heard, void *arg);

#endif
