#ifndef GW_ZONE_NUMBER
#error "hasher.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_HASHER_H
#define KEYS_STAFF_HASHER_H

/* Argon2id on the thread pool: a few at a time, a few waiting, the others are BUSY; so is a municipality that has its share waiting, so that a flood of one
 * does not keep the staff of all others out. What goes in is copied and wiped. */

#include "gateway/loop/loop.h"
#include "keys/staff/password.h"

enum { NZ_HASH_AT_ONCE = 2, NZ_HASH_QUEUE_MAX = 64, NZ_HASH_SHARE_MAX = 16, NZ_HASH_ITEMS = NZ_PASSWORDS_KEPT + 2 };

struct nz_hasher;

struct nz_hash_item { struct slice password; uint8_t salt[NZ_SALT_BYTES]; };
/* hash: one an item, in the order of the items, borrowed for the call; NULL unless e is OK. CANCELED when the process ends, NOMEM, CRYPTO. */
typedef void nz_hashed_fn(void *arg, struct err e, const uint8_t (*hash)[NZ_HASH_BYTES]);

ERR nz_hasher_new(struct nz_hasher **ret_h, struct loop *l);
/* What waits ends with CANCELED, from the loop. */
void nz_hasher_close(struct nz_hasher *h);
bool nz_hasher_idle(const struct nz_hasher *h);
void nz_hasher_free(struct nz_hasher *h); /* idle; NULL is fine */

/* n 1 to NZ_HASH_ITEMS. fn once, from the loop, unless this fails: BUSY, NOMEM. */
ERR nz_hasher_run(struct nz_hasher *h, const char muni[static 6], size_t n, const struct nz_hash_item *item, nz_hashed_fn *fn, void *arg);

#endif
