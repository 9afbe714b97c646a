#ifndef GW_AUDIT_TREE_H
#define GW_AUDIT_TREE_H

/* The Merkle tree of the audit log (RFC 6962), without I/O: hashes, a range that grows, proofs and their check.
 * Leaf i (from 0) is the entry with sequence number i + 1: its AUDIT_LEAF_BYTES (record | seq | role | zeros) in the form of leaf.h, which hides
 * the person's handle. From stored bytes: audit_leaf_hash() of leaf.h.
 * A node (level, index) covers the leaves index << level up to (index + 1) << level; level 0 are the leaf hashes. */

#include "gateway/audit/audit_log.h"

enum { TREE_HASH = AUDIT_HASH_BYTES, TREE_PATH_MAX = 64 };

struct tree_head {
    uint64_t size;
    uint8_t root[TREE_HASH];
};

/* Of the bytes of a leaf, which are not quite those stored: leaf.h has audit_leaf_hash() for entries. */
ERR tree_leaf(const uint8_t leaf[static AUDIT_LEAF_BYTES], uint8_t out[static TREE_HASH]);
ERR tree_node(const uint8_t left[static TREE_HASH], const uint8_t right[static TREE_HASH], uint8_t out[static TREE_HASH]);

/* ---- a tree that grows at its right edge ---- */

/* The roots of the perfect trees that `size` consists of: peak[l] counts where bit l of size is set. Zeroed: the empty tree. */
struct tree_range {
    uint64_t size;
    uint8_t peak[TREE_PATH_MAX][TREE_HASH];
};

/* Called for every node that a new leaf completes, from level 0 on up. */
typedef struct err tree_node_fn(void *arg, unsigned level, uint64_t index, const uint8_t hash[static TREE_HASH]);

/* Adds a leaf hash. each may be NULL; its error ends the call, and then nothing was added. */
ERR tree_add(struct tree_range *r, const uint8_t leaf[static TREE_HASH], tree_node_fn *each, void *arg);
/* The root; of the empty tree SHA-256 of nothing. */
ERR tree_root(const struct tree_range *r, uint8_t out[static TREE_HASH]);

/* ---- proofs out of nodes ---- */

/* Where nodes come from (tiles.h: a folder). get: a node that is complete in the tree; any level. */
struct tree_nodes {
    struct err (*get)(void *arg, unsigned level, uint64_t index, uint8_t out[static TREE_HASH]);
    void *arg;
};

struct tree_path {
    size_t n;
    uint8_t hash[TREE_PATH_MAX][TREE_HASH]; /* from the leaf up, as RFC 6962 §2.1.1 orders them */
};

/* Errors are those of get; FULL when index or size do not fit each other. */
ERR tree_root_of(const struct tree_nodes *t, uint64_t size, uint8_t out[static TREE_HASH]);
ERR tree_range_of(const struct tree_nodes *t, uint64_t size, struct tree_range *ret_r);
ERR tree_inclusion(const struct tree_nodes *t, uint64_t index, uint64_t size, struct tree_path *ret_p);   /* index < size */
ERR tree_consistency(const struct tree_nodes *t, uint64_t old, uint64_t size, struct tree_path *ret_p);   /* 0 < old <= size */

/* ---- the check of proofs: public bytes only ---- */

/* True when leaf stands at index in the tree. A path that is too long or too short is false. */
bool tree_included(const uint8_t leaf[static TREE_HASH], uint64_t index, const struct tree_path *p, const struct tree_head *head);
/* True when the tree `old` is the beginning of `now`. An old tree of size 0 begins every tree: an empty path and the root of nothing. */
bool tree_consistent(const struct tree_head *old, const struct tree_head *now, const struct tree_path *p);

#endif
