#ifndef GW_STORE_RING_WATCH_H
#define GW_STORE_RING_WATCH_H

/* A daemon that may still read files takes up its keyring when that changes: keys that were added or destroyed count within a second (docs/decisions/0027). */

#include "gateway/crypto/keyring.h"
#include "gateway/loop/loop.h"

struct ring_watch;
/* take: gets the ring, which is its own then; on an error it keeps what it had (and frees the ring), and is asked again after some seconds.
 * taken: what take() got counts now; may be NULL. Paths are borrowed. */
struct ring_watch_on { ERR (*take)(void *arg, struct keyring *ring); void (*taken)(void *arg); void *arg; };
ERR ring_watch_new(struct ring_watch **ret_w, struct loop *l, const char *ring_path, const char *master_path, const struct ring_watch_on *on);
void ring_watch_close(struct ring_watch *w); /* NULL is fine */

#endif
