#ifndef GW_REDIS_SWAP_H
#define GW_REDIS_SWAP_H

/* One script: commands that run all together, and only while what was read still stands. Connections are shared, so that WATCH is no way to say it. */

#include "gateway/redis/redis.h"

struct redis_swap;
/* max: bytes of all of it. NULL when out of memory. */
struct redis_swap *redis_swap_new(size_t max);
void redis_swap_free(struct redis_swap *s); /* wipes; NULL is fine */
/* Key (and field, of a hash) holds exactly this; an empty value: nothing is there. Slices are copied. */
void redis_swap_expect(struct redis_swap *s, struct slice key, struct slice field, struct slice value);
/* There is room: what key holds has fewer than max members. */
enum redis_count { REDIS_COUNT_ZSET, REDIS_COUNT_HASH, REDIS_COUNT_LIST };
void redis_swap_room(struct redis_swap *s, enum redis_count count, struct slice key, uint64_t max);
void redis_swap_add(struct redis_swap *s, size_t n, const struct slice *args);
#define REDIS_SWAP(s, ...) \
    redis_swap_add((s), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
/* Appends the one command; its reply: 1 done, 0 something has changed and nothing was done, REDIS_SWAP_FULL nothing has changed, there is no room, and nothing was
 * done. FULL, NOMEM: nothing was appended. */
enum { REDIS_SWAP_FULL = -1 };
ERR redis_swap_put(const struct redis_swap *s, struct redis_batch *b);

#endif
