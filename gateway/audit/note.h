#ifndef GW_AUDIT_NOTE_H
#define GW_AUDIT_NOTE_H

/* Signed notes (C2SP signed-note, Ed25519) and the checkpoint in one (C2SP tlog-checkpoint): origin, size, root in base64.
 * The key's name is the origin. Signatures of other keys are passed over, so a witness may add its own. */

#include "gateway/audit/tree.h"
#include "gateway/base/buf.h"

enum { NOTE_MAX = 16384, NOTE_NAME_MAX = 128, NOTE_KEY = 32, NOTE_SIGNATURE = 64, NOTE_KEY_LINE_MAX = 256 };

/* The name of a log whose settings say nothing else (params.def audit_origin). */
#define AUDIT_ORIGIN_DEFAULT "pmhgw.local/audit"

/* A verifier key: "<name>+<8 hex>+<base64>". */
struct note_key {
    char name[NOTE_NAME_MAX + 1];
    uint32_t id;
    uint8_t pub[NOTE_KEY];
    uint64_t until;               /* the greatest checkpoint that it may have signed; 0: it is in use */
    const struct note_key *older; /* the one that it replaced, NULL: none or not known */
};

/* 1..NOTE_NAME_MAX printable ASCII characters, no blank and no '+'. */
bool note_name_good(struct slice name);
/* One line, with or without its newline. False on any other form, or when the id is not that of the key. */
bool note_key_read(struct slice line, struct note_key *ret_k);
void note_key_write(const struct note_key *k, struct buf *out); /* with a newline */

/* The keys of a log (docs/audit-log.md): a line for the one in use, then a line for each that it replaced, the newest first: "<verifier key> <until>". */
enum { NOTE_KEYS_MAX = 64, NOTE_KEYS_TEXT_MAX = NOTE_KEYS_MAX * (NOTE_KEY_LINE_MAX + 21) };
struct note_keys { size_t n; struct note_key key[NOTE_KEYS_MAX]; /* linked by `older`: does not move */ };
/* False: a line of another form, another log's name, a key twice, ranges that do not go down, too many, or none. */
bool note_keys_read(struct slice text, struct note_keys *ret_k);
void note_keys_write(const struct note_key *k, struct buf *out); /* k and what it replaced */

/* ---- signing: pmhgw-audit only ---- */

struct note_signer;
/* seed: NOTE_KEY bytes, borrowed for the call. CONFIG when the name is not good; CRYPTO. */
ERR note_signer_new(struct note_signer **ret_s, const char *name, const struct secret *seed);
void note_signer_free(struct note_signer *s);
const struct note_key *note_signer_key(const struct note_signer *s);
/* Appends text, the blank line and the signature line. text ends with a newline. CRYPTO. */
ERR note_sign(struct note_signer *s, struct slice text, struct buf *out);
/* Appends the note with a further signature behind those that it has. PROTOCOL: it is no note. */
ERR note_sign_too(struct note_signer *s, struct slice note, struct buf *out);

/* ---- reading ---- */

enum note_verdict {
    NOTE_GOOD,
    NOTE_SHAPE,     /* no signed note */
    NOTE_STRANGER,  /* not signed by this key */
    NOTE_FORGED,    /* says it is, but the signature is wrong */
    NOTE_RETIRED    /* a checkpoint beyond the range of the key that signed it */
};
/* By this key, not by those that it replaced. GOOD: *ret_text is the signed text, inside note. */
enum note_verdict note_open(struct slice note, const struct note_key *k, struct slice *ret_text);

/* The text of a checkpoint; extension lines are passed over by the reader. */
bool checkpoint_read(struct slice text, const char *origin, struct tree_head *ret_c);
void checkpoint_write(const struct tree_head *c, const char *origin, struct buf *out);
/* Both steps, by the key or one that it replaced: SHAPE also when the text is no checkpoint of the key's log. */
enum note_verdict checkpoint_open(struct slice note, const struct note_key *k, struct tree_head *ret_c);
/* checkpoint_write and note_sign. */
ERR checkpoint_sign(struct note_signer *s, const struct tree_head *c, struct buf *out);

/* ---- what was signed, hour by hour: the file "checkpoints" ---- */

/* A line without its newline: size, root, signature, time. False when it is none, or not signed by the key or one that it replaced, within its range. */
bool history_line_read(struct slice line, const struct note_key *k, struct tree_head *ret_h, uint64_t *ret_ms);
/* With a newline. note: the checkpoint, its last signature is ours. */
void history_line_write(const struct tree_head *h, struct slice note, uint64_t wall_ms, struct buf *out);

#endif
