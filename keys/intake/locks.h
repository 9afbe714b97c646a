#ifndef GW_ZONE_NUMBER
#error "locks.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_LOCKS_H
#define KEYS_INTAKE_LOCKS_H

/* Which names are being judged and written right now, so that two rows about one person, one subject or one resident key are
 * never in the air together. A name is 16 bytes, random or a keyed sum. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

enum { NZ_LOCK_BYTES = 16 };

struct nz_locks;
ERR nz_locks_new(struct nz_locks **ret_l, size_t max);
void nz_locks_free(struct nz_locks *l);
/* All n names or none; false when one is taken or there is no room. The same name twice in one call counts once. */
bool nz_locks_take(struct nz_locks *l, const uint8_t (*names)[NZ_LOCK_BYTES], size_t n);
void nz_locks_give(struct nz_locks *l, const uint8_t (*names)[NZ_LOCK_BYTES], size_t n);
size_t nz_locks_count(const struct nz_locks *l);

#endif
