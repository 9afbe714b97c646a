#ifndef GW_AUDIT_VERIFY_INT_H
#define GW_AUDIT_VERIFY_INT_H

/* The half of the verifier that knows the tree. */

#include "gateway/audit/segment.h"
#include "gateway/audit/verify.h"

struct verify_tree;

/* Reads checkpoint and history of the folder. NOMEM, IO. */
ERR verify_tree_new(struct verify_tree **ret_t, int dir, const struct audit_verify_ask *ask);
void verify_tree_free(struct verify_tree *t);
/* The next good entry. committed: it was there when the verification began. False: something of the tree is wrong. */
bool verify_tree_entry(struct verify_tree *t, const struct audit_entry *e, bool committed);
/* The first n leaves, from the tiles. */
ERR verify_tree_pruned(struct verify_tree *t, uint64_t n);
/* True when something is wrong already; then it is in the verdict. */
bool verify_tree_bad(const struct verify_tree *t, struct audit_verdict *v);
/* All entries were passed. */
ERR verify_tree_end(struct verify_tree *t, uint64_t entries, struct audit_verdict *v);

#endif
