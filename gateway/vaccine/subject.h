#ifndef GW_VACCINE_SUBJECT_H
#define GW_VACCINE_SUBJECT_H

/* 予防接種対象者: what the municipality's record of a person says that a dose needs. Sans I/O. */

#include "gateway/base/arena.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

/* 減免区分 as that municipality has registered it now, from the reply to HGETALL p:{h}; SLICE_NONE: none. The text lives in the arena.
 * SEAL, FORBIDDEN (the municipality has no key any more), NOMEM. */
ERR subject_reduction(struct store *s, const char muni[static 6], const struct store_name *person, const struct redis_reply *hash, struct arena *a,
                      struct slice *ret_reduction);

#endif
