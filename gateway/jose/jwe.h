#ifndef GW_JOSE_JWE_H
#define GW_JOSE_JWE_H

/* JWE compact serialisation with exactly alg "dir" and enc "A256GCM" (RFC 7516, RFC 7518 §4.5, §5.3).
 * The header may hold alg, enc, kid, typ and nothing else (no crit, zip, jwk, jku, x5u ...). */

#include "gateway/crypto/keyring.h"

enum { JWE_MAX = 4096 /* characters of a whole token */ };

struct jwe_keys; /* a fixed table of keys by kid */

/* All keys of one kind on the ring (KEY_LINK_JWE or KEY_TOKEN). CONFIG when there is none. */
ERR jwe_keys_new(struct jwe_keys **ret_k, const struct keyring *ring, enum key_kind kind);
/* One key outside a ring: for those who mint (the mock of online qualification, load tests). key: AEAD_KEY bytes, not kept. */
ERR jwe_keys_one(struct jwe_keys **ret_k, struct slice kid, const struct secret *key);
void jwe_keys_free(struct jwe_keys *k);
/* The keys of another ring instead of the ones it has; on an error it keeps those. */
ERR jwe_keys_renew(struct jwe_keys *k, const struct keyring *ring, enum key_kind kind);
/* Each gets the keys of the other: for those who take up several things of a ring, all of them or none. */
void jwe_keys_exchange(struct jwe_keys *a, struct jwe_keys *b);
size_t jwe_keys_count(const struct jwe_keys *k);

/* Opens a token; appends the plain text to *out. Any fault of the token, whatever it is, gives the one error NOTHING. */
ERR jwe_open(struct jwe_keys *k, struct slice token, struct buf *out);
/* Makes a token under the key `kid`; appends it to *out. */
ERR jwe_seal(struct jwe_keys *k, struct slice kid, struct slice plain, struct buf *out);

#endif
