#ifndef GW_CRYPTO_KEYRING_H
#define GW_CRYPTO_KEYRING_H

/* A ring of data keys in one binary file, each wrapped by the ring's master key (a file of 32 bytes, mode 0600).
 * Destroying an entry makes everything sealed under it unreadable for good (暗号化消去).
 *
 *   file  = "PMHGWKR1" | entries
 *   entry = kind u8 | id[16] NUL-padded | sealed key (AEAD_OVERHEAD + 32 bytes), associated data = kind | id
 *
 * Three rings: the vault's (NUM_*), the signer's (SIGN_*) and the link zone's (the rest). A ring of one zone refuses kinds of another. */

#include "gateway/crypto/crypto.h"

enum key_kind {
    KEY_NUM_INDEX = 1,   /* vault: HMAC of municipality and number; id "1" (version) */
    KEY_NUM_DATA = 2,    /* vault: seals numbers; id = muni_code */
    KEY_LINK_INDEX = 16, /* h of a PMH key, and every other name in redis-link; id "1" */
    KEY_LINK_DATA = 17,  /* seals records of a municipality; id = muni_code */
    KEY_LINK_COMMON = 18,/* seals what belongs to no municipality: pseudonyms, sessions; id "1" */
    KEY_LINK_JWE = 19,   /* opens PMH link keys; id = kid */
    KEY_TOKEN = 20,      /* seals access tokens of the municipal door; id = kid */
    KEY_AUDIT_HANDLE = 21,/* subject handles in the audit log; id "1" */
    KEY_SIGN_SHC = 32,   /* signer: P-256 scalar of SMART Health Cards; id = its number, "1", "2" ... */
    KEY_SIGN_VDS = 33,   /* signer: the same of VDS-NC */
    KEY_SIGN_WEBHOOK = 34/* signer: the same of messages to partners (gateway/courier) */
};
enum { KEY_ID_MAX = 16, KEYRING_MAX = 4096 /* entries */ };
enum keyring_zone { RING_VAULT, RING_LINK, RING_SIGNER };

struct keyring;

/* CONFIG: unreadable, wrong size, other zone; SEAL: the master key does not open an entry. */
ERR keyring_load(struct keyring **ret_r, enum keyring_zone zone, const char *ring_path, const char *master_path);
/* The same from open files, which are closed: for a process that may open nothing any more. */
ERR keyring_load_fds(struct keyring **ret_r, enum keyring_zone zone, int ring, int master);
/* The same from the bytes of a ring file and its opened master key: the sans-I/O half, for tests and fuzzing. */
ERR keyring_parse(struct keyring **ret_r, enum keyring_zone zone, struct slice file, struct aead *master);
void keyring_free(struct keyring *r);

/* The key, borrowed from the ring; NULL when there is none. */
const struct secret *keyring_find(const struct keyring *r, enum key_kind kind, struct slice id);
/* Walks the entries of one kind; *at starts at 0. false at the end. */
bool keyring_each(const struct keyring *r, enum key_kind kind, size_t *at, struct slice *ret_id, const struct secret **ret_key);

/* -- for `pmhgw keys` and `pmhgw up`: make and change ring files (written whole to a new file, synced, renamed) -- */

/* New master key file and empty ring, unless they exist. */
ERR keyring_create(enum keyring_zone zone, const char *ring_path, const char *master_path);
/* Adds a fresh random key, or the given bytes (32) when key is not NULL; an existing (kind, id) is kept and OK is returned. */
ERR keyring_add(enum keyring_zone zone, const char *ring_path, const char *master_path, enum key_kind kind, struct slice id,
                const struct secret *key);
/* Destroys one entry. NOTHING when there is none of that name. */
ERR keyring_destroy(enum keyring_zone zone, const char *ring_path, const char *master_path, enum key_kind kind, struct slice id);

#endif
