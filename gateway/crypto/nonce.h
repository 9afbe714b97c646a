#ifndef GW_CRYPTO_NONCE_H
#define GW_CRYPTO_NONCE_H

/* Random nonces for AES-GCM, drawn from the operating system in blocks. The block sits on a page that the kernel wipes in
 * a child after fork(), so that two processes never use one nonce. Private to gateway/crypto. */

#include "gateway/crypto/crypto.h"

struct nonces;

ERR nonces_new(struct nonces **ret_n); /* NOMEM */
void nonces_free(struct nonces *n);    /* NULL is fine */
void nonces_next(struct nonces *n, uint8_t out[static AEAD_NONCE]);

#endif
