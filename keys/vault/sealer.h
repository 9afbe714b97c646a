#ifndef GW_ZONE_NUMBER
#error "sealer.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_SEALER_H
#define KEYS_VAULT_SEALER_H

/* The vault's keys at work: one index key for all, one data key per municipality. */

#include "gateway/crypto/keyring.h"
#include "keys/vault/vault_decode.h"

enum { NZ_PROOF_BYTES = 16 };

struct nz_sealer;

/* Takes what it needs from the ring, which may be freed afterwards. CONFIG: no index key, or a data key of no municipality. */
ERR nz_sealer_new(struct nz_sealer **ret_s, const struct keyring *ring);
void nz_sealer_free(struct nz_sealer *s);

/* Whether numbers of this municipality may be kept: FORBIDDEN without a data key. */
ERR nz_sealer_knows(const struct nz_sealer *s, struct slice muni);
/* The index of a number within its municipality. */
ERR nz_sealer_index(struct nz_sealer *s, struct slice muni, struct slice digits, uint8_t out[static MAC_BYTES]);
/* That an index belongs to a subject, provable without the data key of the municipality: so a number whose data key was
 * destroyed can be sealed anew under its old subject, and an index that was moved in the store to another subject cannot. */
ERR nz_sealer_prove(struct nz_sealer *s, const uint8_t index[static MAC_BYTES], struct slice sid, uint8_t out[static NZ_PROOF_BYTES]);
/* Number to sealed form, bound to the name of its place in the store and the municipality. Appends. FORBIDDEN. */
ERR nz_sealer_seal(struct nz_sealer *s, struct slice muni, struct slice place, struct slice digits, struct buf *out);
/* And back. SEAL when it does not open or holds anything but 12 digits. */
ERR nz_sealer_open(struct nz_sealer *s, struct slice muni, struct slice place, struct slice sealed, struct buf *out);

/* The key of a file, sealed under the municipality's data key and bound to (municipality, file). Appends NZ_WRAPPED_KEY_BYTES. FORBIDDEN. */
ERR nz_sealer_wrap(struct nz_sealer *s, struct slice muni, struct slice file, struct slice key, struct buf *out);
/* And back. Appends NZ_FILE_KEY_BYTES. SEAL, FORBIDDEN. */
ERR nz_sealer_unwrap(struct nz_sealer *s, struct slice muni, struct slice file, struct slice wrapped, struct buf *out);

#endif
