#ifndef GW_SIGNER_BOX_OF_KEYS_H
#define GW_SIGNER_BOX_OF_KEYS_H

/* The private keys, ready to sign. Inside the signer, and for `pmhgw up`, which has the public half certified. */

#include "gateway/crypto/keyring.h"
#include "gateway/signer/signer.h"

struct key_box;

/* From a ring of the signer: scalars of P-256 under KEY_SIGN_SHC, KEY_SIGN_VDS and KEY_SIGN_WEBHOOK, the id is the number, below SIGNER_NUMBER_URI. CONFIG: an id that is none, a scalar out of range, too many. */
ERR key_box_new(struct key_box **ret_b, const struct keyring *ring);
/* One more key: "pkcs11:..." in a token (token.h), anything else what OpenSSL opens by a URI: "file:/..." (PEM, DER). Those of a use are numbered from
 * SIGNER_NUMBER_URI on, in the order in which they come: the last one is the newest. CONFIG: no P-256 key there, or too many. */
ERR key_box_add_uri(struct key_box *b, enum signer_use use, const char *uri);
void key_box_free(struct key_box *b); /* NULL is fine */

const struct signer_keys *key_box_public(const struct key_box *b);
/* NOTHING: no such key. CRYPTO. SIGNER_DOWN: its token does not sign. */
ERR key_box_sign(struct key_box *b, enum signer_use use, uint8_t number, const uint8_t digest[static SIGNER_DIGEST], uint8_t ret_rs[static SIGNER_SIGNATURE]);

#endif
