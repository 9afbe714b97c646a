#ifndef GW_SIGNER_SIGNER_H
#define GW_SIGNER_SIGNER_H

/* pmhgw-signer: holds the private P-256 keys of certificates and of messages to partners, and signs SHA-256 digests. This is the side that asks.
 * The process parses nothing: bodies have fixed sizes. It has no network, no Redis, no personal data (docs/decisions/0038). */

#include "gateway/base/buf.h"
#include "gateway/ipc/ipc.h"

enum { SIGNER_DIGEST = 32, SIGNER_SIGNATURE = 64 /* r || s */, SIGNER_COORDINATE = 32, SIGNER_KEYS_MAX = 16, SIGNER_NUMBER_URI = 240 /* from here on: keys outside the ring */, SIGNER_NUMBER_MAX = 255 };

/* What a key may be used for; numbers are on the wire and in the ring. */
enum signer_use { SIGNER_SHC = 1, SIGNER_VDS = 2, SIGNER_WEBHOOK = 3, SIGNER_USE__MAX };

struct signer_key {
    enum signer_use use;
    uint8_t number;  /* 1..255; of the keys of a use, the one with the greatest number signs what is new */
    uint8_t x[SIGNER_COORDINATE], y[SIGNER_COORDINATE];
};
struct signer_keys { size_t n; struct signer_key key[SIGNER_KEYS_MAX]; };
/* The newest of a use; NULL: there is none. */
const struct signer_key *signer_newest(const struct signer_keys *k, enum signer_use use);

struct signer; /* client side */
/* cap: the capability of our role; moved in. */
ERR signer_new(struct signer **ret_s, struct loop *l, const char *socket_path, enum ipc_role role, struct secret *cap);
void signer_close(struct signer *s); /* pending calls end with CANCELED, from the loop */
bool signer_up(const struct signer *s);

/* Answers come from the loop, once, never before the return; calls are pipelined: all of one loop turn go out together. SIGNER_DOWN: not connected, lost,
 * late; NOTHING: no such key; CRYPTO. */
typedef void signer_sign_fn(void *arg, struct err e, const uint8_t *signature /* SIGNER_SIGNATURE, borrowed; NULL unless OK */);
void signer_sign(struct signer *s, enum signer_use use, uint8_t number, const uint8_t digest[static SIGNER_DIGEST], uint64_t deadline, signer_sign_fn *done,
                 void *arg);
typedef void signer_keys_fn(void *arg, struct err e, const struct signer_keys *keys /* borrowed; NULL unless OK */);
void signer_ask_keys(struct signer *s, uint64_t deadline, signer_keys_fn *done, void *arg);
/* Blocking, for the operator's command. */
ERR signer_keys_once(const char *socket_path, enum ipc_role role, const struct secret *cap, unsigned timeout_ms, struct signer_keys *ret_k);

/* Wire: everything is one byte or bytes; nothing is text. */
enum {
    SIGNER_MSG_SIGN = 1, /* use u8 | number u8 | digest[32]; reply signature[64] */
    SIGNER_MSG_KEYS = 2  /* empty; reply (use u8 | number u8 | x[32] | y[32]) ... */
};
enum { SIGNER_SIGN_BYTES = 2 + SIGNER_DIGEST, SIGNER_KEY_BYTES = 2 + 2 * SIGNER_COORDINATE };
void signer_keys_encode(const struct signer_keys *k, struct buf *out);
bool signer_keys_decode(struct slice body, struct signer_keys *ret_k); /* false: not whole keys, too many, an unknown use, one twice */

#endif
