#ifndef KEYS_CTL_AGE_H
#define KEYS_CTL_AGE_H

/* Sealed streams in the published format age-encryption.org/v1 (https://age-encryption.org/v1): one recipient, X25519 or a passphrase (scrypt);
 * 64 KiB pieces of ChaCha20-Poly1305, of which the last is marked. Whoever has the key opens them with any program of that format
 * (docs/decisions/0064-sealed-backups.md). Blocking: in the operator's command only. */

#include "gateway/base/buf.h"
#include "gateway/base/secret.h"

enum { AGE_KEY = 32, AGE_PIECE = 64 * 1024, AGE_PASSPHRASE_MIN = 12, AGE_TEXT_MAX = 128, AGE_HEADER_MAX = 4096 };

/* ---- keys ---- */

/* A new pair as text: "AGE-SECRET-KEY-1…" and "age1…". */
ERR age_key_new(char ret_identity[static AGE_TEXT_MAX], char ret_recipient[static AGE_TEXT_MAX]);

/* Who may open: one of the two. */
struct age_who {
    bool by_passphrase;
    uint8_t key[AGE_KEY];          /* public key to seal for, private key to open with */
    char passphrase[1024];         /* without line end */
    struct { unsigned log; uint8_t salt[16], key[32]; } known; /* what the passphrase made of a salt: it takes half a second. log 0: nothing yet */
};
/* Lines of a file: comments (#), blank lines, and one key. false: there is none, or it is none. */
bool age_recipient_read(struct slice text, struct age_who *ret_w);
bool age_identity_read(struct slice text, struct age_who *ret_w);
/* The first line, at least AGE_PASSPHRASE_MIN bytes. */
bool age_passphrase_read(struct slice text, struct age_who *ret_w);
void age_who_wipe(struct age_who *w);

/* ---- streams ---- */

struct age_out;
/* Writes the header to fd. */
ERR age_out_new(struct age_out **ret_o, int fd, const struct age_who *w);
ERR age_put(struct age_out *o, struct slice plain);
/* The last piece. Without it nobody can open it. */
ERR age_out_end(struct age_out *o);
void age_out_free(struct age_out *o);

struct age_in;
/* Reads the header. SEAL: not for this key, or altered; PROTOCOL: this is no such file. */
ERR age_in_new(struct age_in **ret_i, int fd, struct age_who *w);
/* The next plain bytes, borrowed until the next call; *ret_end: there are no more, and the end was marked. SEAL: altered or cut short. */
ERR age_get(struct age_in *i, struct slice *ret_plain, bool *ret_end);
void age_in_free(struct age_in *i);

/* Of a header alone, for tests: the same judgement without a stream. */
ERR age_header_read(struct slice text, struct age_who *w, uint8_t ret_file_key[static 16], size_t *ret_n);

#endif
