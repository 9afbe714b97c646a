#ifndef GW_BASE_ARENA_H
#define GW_BASE_ARENA_H

/* Memory of one request: taken piece by piece, given back at once, wiped.
 * Fixed cap with sticky overflow: take on, check arena_ok() once before answering. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

struct arena;

/* cap in bytes: the most that all pieces together may take. NULL when out of memory. */
struct arena *arena_new(size_t cap);
/* Runs the reset hooks, wipes, frees. NULL is fine. */
void arena_free(struct arena *a);
/* The same, but the arena is kept for the next request. */
void arena_reset(struct arena *a);

/* n bytes, 16-aligned, zeroed; NULL sets the overflow. */
void *arena_get(struct arena *a, size_t n);
/* A copy; SLICE_NONE on overflow (and for an empty s). */
struct slice arena_dup(struct arena *a, struct slice s);
/* A NUL-terminated copy for the edges; NULL on overflow. */
char *arena_cstr(struct arena *a, struct slice s);

/* fn(arg) runs at reset, last registered first: for foreign resources (json_t, CURL).
 * When false is returned, the hook was not kept and the caller still owns the resource. */
__attribute__((warn_unused_result)) bool arena_on_reset(struct arena *a, void (*fn)(void *), void *arg);

/* FULL when any arena_get failed. */
ERR arena_check(const struct arena *a);

#endif
