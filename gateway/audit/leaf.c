#include "gateway/audit/leaf.h"

#include "gateway/crypto/crypto.h"

enum { AT_SUBJECT = 40, AT_SEQ = AUDIT_REC_BYTES, SEQ_BYTES = 8, AT_ROLE = AT_SEQ + SEQ_BYTES };

static const uint8_t NOBODY[AUDIT_HANDLE_BYTES];

struct err audit_leaf(const uint8_t stored[static AUDIT_LEAF_BYTES], uint8_t ret_leaf[static AUDIT_LEAF_BYTES])
{
    uint8_t sum[SHA256_BYTES] = { 0 };
    struct slice person = slice_of(stored + AT_SUBJECT, AUDIT_HANDLE_BYTES);
    bool any = !slice_eq(person, ARR(NOBODY));
    if (any) {
        struct slice parts[] = { LIT("pmhgw person"), slice_of(stored + AT_SEQ, SEQ_BYTES), person };
        TRY(sha256(sizeof parts / sizeof parts[0], parts, sum));
    }
    memcpy(ret_leaf, stored, AUDIT_LEAF_BYTES);
    if (any)
        memcpy(ret_leaf + AT_SUBJECT, sum, AUDIT_HANDLE_BYTES);
    return OK;
}

struct err audit_leaf_hash(const uint8_t stored[static AUDIT_LEAF_BYTES], uint8_t ret_hash[static AUDIT_HASH_BYTES])
{
    static const uint8_t LEAF = 0; /* RFC 6962 section 2.1 */
    uint8_t leaf[AUDIT_LEAF_BYTES];
    TRY(audit_leaf(stored, leaf));
    struct slice parts[] = { slice_of(&LEAF, 1), ARR(leaf) };
    return sha256(sizeof parts / sizeof parts[0], parts, ret_hash);
}

bool audit_leaf_decode(const uint8_t stored[static AUDIT_LEAF_BYTES], uint64_t *ret_seq, enum ipc_role *ret_from, struct audit_rec *ret_rec)
{
    static const uint8_t ZEROS[AUDIT_LEAF_BYTES - AT_ROLE - 1];
    uint64_t seq = 0;
    for (int i = 0; i < SEQ_BYTES; i++)
        seq = seq << 8 | stored[AT_SEQ + i];
    if (seq == 0 || stored[AT_ROLE] >= IPC__ROLES || !slice_eq(slice_of(stored + AT_ROLE + 1, sizeof ZEROS), ARR(ZEROS)) || !audit_decode(stored, ret_rec))
        return false;
    *ret_seq = seq;
    *ret_from = (enum ipc_role)stored[AT_ROLE];
    return true;
}
