#ifndef GW_AUDIT_AUDIT_LOG_H
#define GW_AUDIT_AUDIT_LOG_H

/* The log on disk, written by pmhgw-audit alone and read by `pmhgw audit`.
 *
 * A directory of segments "audit-<first seq, 16 hex>.log" of up to AUDIT_SEGMENT_ENTRIES entries:
 *   segment header 64 bytes: magic "PMHGWAU1" | first seq u64 | chain hash before the first entry [32] | 16 zero
 *   entry AUDIT_ENTRY_BYTES:  record[AUDIT_REC_BYTES] | seq u64 | from role u8 | 7 zero | chain[32]
 *   chain = SHA-256(previous chain | record | seq | role | zeros); the first segment starts from 32 zero bytes
 * Files are pre-zeroed; an entry of zeros only is the end. "head" holds seq u64 | chain[32] of the last committed entry,
 * so that a log whose tail was cut off is noticed. */

#include "gateway/audit/audit.h"

enum { AUDIT_ENTRY_BYTES = AUDIT_REC_BYTES + 8 + 8 + 32, AUDIT_SEGMENT_ENTRIES = 16384 };

struct audit_entry {
    struct audit_rec rec;
    uint64_t seq; /* from 1 */
    enum ipc_role from;
    uint8_t chain[32];
    const uint8_t *stored; /* AUDIT_ENTRY_BYTES as they are in the file; for the call of audit_each_fn only */
};

typedef bool audit_each_fn(void *arg, const struct audit_entry *e); /* false: stop */

struct audit_verdict {
    bool good;
    uint64_t entries;
    uint64_t pruned;       /* of these, how many are there as leaf hashes only */
    uint64_t covered;      /* how many are under the newest checkpoint */
    uint64_t bad_seq;      /* first entry that does not fit, 0 when none */
    const char *what;      /* literal: "chain", "sequence", "truncated", "head", "segment", "record", "pruned"; of the tree (verify.h) "tiles",
                              "signature", "checkpoint", "history", "since" */
};

/* Reads the whole log in order, checks its chain, and calls each (may be NULL). IO when the directory cannot be read. */
ERR audit_log_verify(const char *dir, audit_each_fn *each, void *arg, struct audit_verdict *ret_v);

#endif
