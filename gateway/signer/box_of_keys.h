#ifndef GW_SIGNER_BOX_OF_KEYS_H
#define GW_SIGNER_BOX_OF_KEYS_H

/* The private keys, ready to sign. Inside the signer, and for `pmhgw up`, which has the public half certified. */

#include "gateway/crypto/keyring.h"
#include "gateway/signer/signer.h"

struct key_box;

/* From a ring of the signer: scalars of P-256 under KEY_SIGN_SHC, KEY_SIGN_VDS and KEY_SIGN_WEBHOOK, the id is the number. CONFIG: an id that is none, a scalar out of range, too many. */
ERR key_box_new(struct key_box **ret_b, const struct keyring *ring);
/* One more key, of what OpenSSL can open by a URI: "file:/..." (PEM, DER), "pkcs11:..." by the provider of that name. It has the number SIGNER_NUMBER_MAX.
 * CONFIG: no P-256 key there, no such provider. The provider is loaded behind the default one, and stays. */
ERR key_box_add_uri(struct key_box *b, enum signer_use use, const char *uri);
void key_box_free(struct key_box *b); /* NULL is fine */

const struct signer_keys *key_box_public(const struct key_box *b);
/* NOTHING: no such key. CRYPTO. */
ERR key_box_sign(struct key_box *b, enum signer_use use, uint8_t number, const uint8_t digest[static SIGNER_DIGEST], uint8_t ret_rs[static SIGNER_SIGNATURE]);

#endif
