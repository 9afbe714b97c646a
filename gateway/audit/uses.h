#ifndef GW_AUDIT_USES_H
#define GW_AUDIT_USES_H

/* The link keys that have been used up, by the handle of the use (ref of their record, 16 bytes that a keyed hash made: they spread by themselves).
 *
 * USES_SHARDS small tables with open addressing, chosen by the handle's first bits. Each grows by itself, to half as much again as is in it, and forgets what has
 * ended when it does: a step touches a 4,096th of the set. No handle of a living use is ever given up for want of memory: whoever wants to add one
 * reserves the room first. Sans I/O; one thread at a time. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/audit/audit.h"

enum { USES_SHARDS = 4096, USES_MAX = 16 << 20 };

struct uses;

/* A use ends when both clocks have come so far: the wall clock to until_s, and the monotonic one, that nobody can set, to held_ms. */
struct use { uint64_t used_ms; uint64_t held_ms; uint32_t until_s; };
struct uses_now { uint64_t wall_ms, mono_ms; };

/* At most max of them. NOMEM. */
ERR uses_new(struct uses **ret_u, size_t max);
void uses_free(struct uses *u); /* NULL is fine */

/* Room for ref until uses_add() or uses_release() of it. NOMEM: there is none, or max are there. */
ERR uses_reserve(struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES], struct uses_now now);
void uses_release(struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES]);
/* Into the room that was reserved. One that is there keeps the earlier use and the later ends. */
void uses_add(struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES], const struct use *use);

/* A use that has ended may still be found, until it is forgotten. */
bool uses_find(const struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES], uint64_t *ret_used_ms);

/* Looks at the next `shards` of them, in turn, and gives back the memory of what has ended where that is worth it. */
void uses_forget(struct uses *u, struct uses_now now, unsigned shards);

size_t uses_count(const struct uses *u); /* without what is only reserved */
size_t uses_bytes(const struct uses *u);

#endif
