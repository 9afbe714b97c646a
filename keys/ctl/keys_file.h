#ifndef KEYS_CTL_KEYS_FILE_H
#define KEYS_CTL_KEYS_FILE_H

/* The files beside the ring that say which sealing key of link keys is in use; keys_cmd.c lists them. */

#include "gateway/crypto/keyring.h"
#include "keys/ctl/state.h"

struct kid { char c[KEY_ID_MAX + 1]; };

bool keys_file_kid_ok(struct slice name); /* letters, digits, "-", "_" */
/* The one in use; "k1" when there is no file yet. IO, CONFIG. */
ERR keys_file_kid(const struct state *s, struct kid *ret_k);
/* keys/link-jwe-<kid>.key */
struct state_path keys_file_of(const struct state *s, const struct kid *k);
/* 32 random bytes into a new file. */
ERR keys_file_random(const char *path);
/* Makes it the one in use: first the name, which decides, then link-jwe.key. */
ERR keys_file_use(const struct state *s, const struct kid *k);
ERR keys_file_ended_add(const struct state *s, const struct kid *k, uint64_t at_ms);
/* When it was replaced. False when it is not known. */
bool keys_file_ended(const struct state *s, const struct kid *k, uint64_t *ret_ms);
ERR keys_file_remove(const struct state *s, const struct kid *k); /* its key file; none is fine */

#endif
