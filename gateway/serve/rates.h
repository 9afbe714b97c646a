#ifndef GW_SERVE_RATES_H
#define GW_SERVE_RATES_H

/* How often somebody asks, counted together by all processes that share a table: made before fork(). A bucket is one number, changed in one step, so that a
 * process that dies leaves nothing behind it. Sans I/O: the time is handed in, in milliseconds of the machine's steady clock. */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/base/err.h"

struct rate { unsigned per_s, burst; }; /* per_s 0: any number. burst: so many at once; at least 1 is taken */

/* When it would be full again, in nanoseconds; 0 is full. */
struct bucket { _Atomic uint64_t full_ns; };
/* One request. false: too often, nothing was taken; *ret_after_ms: when there is room for one again. */
bool bucket_take(struct bucket *b, struct rate rate, uint64_t now_ms, uint64_t *ret_after_ms);
/* n at once, all of them also when there is no room for so many: they are owed, and bucket_take() waits until they have run off. false: more than the room is owed already. */
bool bucket_owe(struct bucket *b, struct rate rate, unsigned n, uint64_t now_ms, uint64_t *ret_after_ms);

struct rates;
enum { RATES_DEFAULT = 16384 /* buckets that are not full at one time; who finds no place has one of his own in each process */ };
ERR rates_new(struct rates **ret_t, size_t n); /* n: rounded up to a power of two. NOMEM */
void rates_free(struct rates *t);              /* of this process; NULL is fine */
uint64_t rates_seed(const struct rates *t);    /* for hashes of names, so that nobody can choose names that meet */
/* That of a name, by its hash: NULL when every place where it could be is in use. Valid until the next call. */
struct bucket *rates_bucket(struct rates *t, uint64_t hash, uint64_t now_ms);

#endif
