#ifndef GW_REDIS_READER_H
#define GW_REDIS_READER_H

/* Replies out of bytes, for who speaks to a server of Redis' kind himself (gateway/relay): the same limits as those of the pool (redis.h), and no text of an error. */

#include "gateway/redis/redis.h"

struct redis_reader;
struct redis_reader *redis_reader_new(void); /* NULL when out of memory */
void redis_reader_free(struct redis_reader *r); /* NULL is fine */

typedef bool redis_reader_fn(void *arg, const struct redis_reply *reply); /* borrowed for the call; false: no more */
/* Hands on each reply that is complete now. False: what came is no reply, or fn said false; then nothing more may be fed. */
bool redis_reader_feed(struct redis_reader *r, struct slice in, redis_reader_fn *fn, void *arg);

#endif
