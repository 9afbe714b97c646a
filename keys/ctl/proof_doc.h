#ifndef KEYS_CTL_PROOF_DOC_H
#define KEYS_CTL_PROOF_DOC_H

/* Checks what was taken out of the audit log, with the public key alone: a proof, a citizen's access log or statement, an export (JSON lines), or a
 * bare checkpoint. Sans I/O.
 *
 * Every object that has "proof" is an entry: leaf, index and path must lead to the root of the "checkpoint" of the same document (in JSON lines: the
 * last one before it, else the first one). "entries" is an array of such objects. Where seq, at, event or result are shown, they must be those of
 * the leaf; other members are not looked at. */

#include "gateway/audit/leaf.h"
#include "gateway/audit/note.h"

enum { PROOF_DOC_MAX = 512 * 1024 * 1024 };

enum proof_fault {
    PROOF_OK,
    PROOF_NOT_JSON,
    PROOF_SHAPE,      /* a member has not the form that it must have */
    PROOF_NOTHING,    /* neither checkpoint nor entry */
    PROOF_NO_NOTE,    /* an entry without any checkpoint */
    PROOF_NOTE,       /* the checkpoint is no signed note of a log */
    PROOF_STRANGER,   /* it is not signed by this key */
    PROOF_FORGED,     /* its signature is wrong */
    PROOF_RETIRED,    /* it is by a key that had been replaced by then */
    PROOF_LEAF,       /* the leaf is no entry, or not that of the index */
    PROOF_PATH,       /* it does not stand in the tree */
    PROOF_SAYS,       /* what is shown beside is not what the leaf says */
    PROOF__MAX
};

struct proof_entry { uint64_t seq; enum ipc_role from; struct audit_rec rec; };
typedef void proof_each_fn(void *arg, const struct proof_entry *e);

struct proof_result {
    enum proof_fault fault; /* the first one */
    uint64_t line;          /* where, from 1; 0: a document of one piece */
    uint64_t entries;       /* good ones, up to the fault */
    struct tree_head head;  /* the last checkpoint that was good */
};

/* each: for every good entry, may be NULL. */
struct proof_result proof_doc_check(struct slice text, const struct note_key *key, proof_each_fn *each, void *arg);

const char *proof_fault_name(enum proof_fault f); /* "path", for programs */
const char *proof_fault_ja(enum proof_fault f);
const char *proof_fault_en(enum proof_fault f);

#endif
