#ifndef GW_CRYPTO_CRYPTO_H
#define GW_CRYPTO_CRYPTO_H

/* AES-256-GCM and HMAC-SHA-256 over kept OpenSSL contexts. libcrypto only: the vault links this. */

#include "gateway/base/buf.h"
#include "gateway/base/secret.h"

enum { AEAD_KEY = 32, AEAD_NONCE = 12, AEAD_TAG = 16, AEAD_OVERHEAD = 1 + AEAD_NONCE + AEAD_TAG, MAC_BYTES = 32, SHA256_BYTES = 32 };

struct aead; /* a key ready for use */
ERR aead_new(struct aead **ret_a, const struct secret *key); /* key: AEAD_KEY bytes */
void aead_free(struct aead *a);

/* Sealed form: version u8 (1) | nonce | ciphertext | tag. The nonce is random. Appends plain.n + AEAD_OVERHEAD bytes. */
ERR aead_seal(struct aead *a, struct slice ad, struct slice plain, struct buf *out);
/* SEAL when the value does not open under this key and associated data. Appends the plain text. */
ERR aead_open(struct aead *a, struct slice ad, struct slice sealed, struct buf *out);
/* The bare operation for JOSE: iv AEAD_NONCE bytes, tag AEAD_TAG bytes, out has room for in.n. */
ERR aead_open_raw(struct aead *a, struct slice iv, struct slice ad, struct slice in, struct slice tag, uint8_t *out);
ERR aead_seal_raw(struct aead *a, struct slice iv, struct slice ad, struct slice in, uint8_t *out, uint8_t tag[static AEAD_TAG]);

struct mac; /* HMAC-SHA-256 key ready for use */
ERR mac_new(struct mac **ret_m, const struct secret *key);
void mac_free(struct mac *m);
/* HMAC over the concatenation of the parts, each preceded by its length as u32 big endian, so that parts cannot shift. */
ERR mac_sum(struct mac *m, size_t n, const struct slice *parts, uint8_t out[static MAC_BYTES]);
#define MAC_SUM(m, out, ...) \
    mac_sum((m), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ }, (out))

/* A keyed permutation of blocks (AES-256, one block): a name that is random to whoever has no key, and can be turned back with it. */
enum { PRP_KEY = 32, PRP_BLOCK = 16 };
struct prp;
ERR prp_new(struct prp **ret_p, const struct secret *key); /* key: PRP_KEY bytes */
void prp_free(struct prp *p);
ERR prp_there(struct prp *p, const uint8_t in[static PRP_BLOCK], uint8_t out[static PRP_BLOCK]);
ERR prp_back(struct prp *p, const uint8_t in[static PRP_BLOCK], uint8_t out[static PRP_BLOCK]);

/* Plain SHA-256: for certificates, chains and random tokens; never for anything derived from a number. */
ERR sha256(size_t n, const struct slice *parts, uint8_t out[static SHA256_BYTES]);
/* The same piece by piece. */
struct sha256;
ERR sha256_new(struct sha256 **ret_h);
ERR sha256_put(struct sha256 *h, struct slice part);
ERR sha256_done(struct sha256 *h, uint8_t out[static SHA256_BYTES]); /* then only free is left */
void sha256_free(struct sha256 *h); /* wipes; NULL is fine */

#endif
