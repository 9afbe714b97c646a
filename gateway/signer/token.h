#ifndef GW_SIGNER_TOKEN_H
#define GW_SIGNER_TOKEN_H

/* A P-256 key in a PKCS#11 token, by its URI (RFC 7512): the private half stays there. Inside the signer. */

#include "gateway/signer/signer.h"

struct token_key;

/* "pkcs11:token=...;object=...[;id=...]?pin-source=/file[&module-path=/module.so]". Without module-path the modules of p11-kit's configuration are asked. The file of
 * the PIN must be ours alone; pin-value is taken too. CONFIG: not that form, no such module or token, the PIN is refused, no such key or more than one, no P-256
 * key, no public key of the same id beside it. What was wrong is in the log, without the URI. */
ERR token_key_open(struct token_key **ret_t, const char *uri);
void token_key_free(struct token_key *t); /* NULL is fine */
void token_key_public(const struct token_key *t, uint8_t ret_x[static SIGNER_COORDINATE], uint8_t ret_y[static SIGNER_COORDINATE]);
/* Waits for the token. SIGNER_DOWN: it does not sign, also not after a new login: it was taken out, or restarted with other keys. */
ERR token_key_sign(struct token_key *t, const uint8_t digest[static SIGNER_DIGEST], uint8_t ret_rs[static SIGNER_SIGNATURE]);

#endif
