#ifndef GW_AUDIT_LEAF_H
#define GW_AUDIT_LEAF_H

/* An entry as a leaf of the tree, which is what leaves the house in a proof: the 176 stored bytes, with the person's handle (when there is one)
 * replaced by the first 16 bytes of SHA-256("pmhgw person" | seq u64 | handle).
 *
 * The handle is 128 bits that nobody outside can guess, so the leaf says about whom the entry is only to whoever has the handle; and the same person is
 * another value in every entry: readers of two parts of the log cannot join them. */

#include "gateway/audit/audit.h"

ERR audit_leaf(const uint8_t stored[static AUDIT_LEAF_BYTES], uint8_t ret_leaf[static AUDIT_LEAF_BYTES]);
/* The hash in the tree, straight from stored bytes: tree_leaf() of audit_leaf(). */
ERR audit_leaf_hash(const uint8_t stored[static AUDIT_LEAF_BYTES], uint8_t ret_hash[static AUDIT_HASH_BYTES]);
/* seq, role and record of stored bytes; false when they are no entry. */
bool audit_leaf_decode(const uint8_t stored[static AUDIT_LEAF_BYTES], uint64_t *ret_seq, enum ipc_role *ret_from, struct audit_rec *ret_rec);

#endif
