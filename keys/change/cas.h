#ifndef GW_ZONE_NUMBER
#error "cas.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_CAS_H
#define KEYS_CHANGE_CAS_H

/* One script: commands that run all together, and only while what was read still stands. A script whose answer was given up and that is carried out
 * late finds the journal rewritten and does nothing. */

#include "gateway/base/arena.h"
#include "gateway/redis/redis.h"

enum { NZ_CAS_ARGS = 5, NZ_CAS_CHECKS = 1100, NZ_CAS_COMMANDS = 1700 };

struct nz_cas;
struct nz_cas *nz_cas_new(struct arena *a); /* NULL: the arena is full */
/* Key (and field, of a hash) holds exactly this; empty: nothing is there. All slices are borrowed until nz_cas_batch(). */
void nz_cas_expect(struct nz_cas *c, struct slice key, struct slice field, struct slice value);
void nz_cas_add(struct nz_cas *c, size_t n, const struct slice *args);
/* The command before this one runs only while the field of the hash holds exactly this when its turn comes; empty: while it is not there. Otherwise it alone is left out. */
void nz_cas_only_if(struct nz_cas *c, struct slice key, struct slice field, struct slice value);
#define NZ_CAS(c, ...) \
    nz_cas_add((c), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
/* The batch with the one command; its reply: 1 done, 0 something has changed. FULL, NOMEM. */
ERR nz_cas_batch(const struct nz_cas *c, struct redis_batch **ret_b);

#endif
