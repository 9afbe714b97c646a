#ifndef GW_AUDIT_VERIFY_H
#define GW_AUDIT_VERIFY_H

/* Everything that a folder can be asked: the chain, the tree that the entries make, the tiles, what was signed, and what was kept elsewhere. */

#include "gateway/audit/note.h"

struct audit_verify_ask {
    const char *dir;
    const struct note_key *key;    /* NULL: the chain only, as audit_log_verify */
    const struct tree_head *since; /* a checkpoint that somebody kept, its signature checked; NULL: none */
    audit_each_fn *each;           /* may be NULL; false ends it, and then nothing is said about the rest */
    void *arg;
};

/* IO when the directory cannot be read; NOMEM, CRYPTO. A log at work may be verified: what is added meanwhile is looked at, not demanded. */
ERR audit_verify(const struct audit_verify_ask *ask, struct audit_verdict *ret_v);

#endif
