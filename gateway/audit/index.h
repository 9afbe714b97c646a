#ifndef GW_AUDIT_INDEX_H
#define GW_AUDIT_INDEX_H

/* Which entries of a segment are about which person and municipality (audit_keys_of).
 *
 * index/<first seq, 16 hex>, one file a full segment, made after it and made anew from it when missing:
 *   head INDEX_HEAD_BYTES: magic "PMHGWAX2" | first seq u64 | pairs u32 | acts u32 | acts without an epoch u32 | 4 zero | greatest epoch u64 |
 *                          least and greatest wall_ms u64 u64 | fan-out, INDEX_FAN + 1 times u32 | of each bucket the first 8 bytes of SHA-256 of
 *                          its pairs, INDEX_FAN times | the same of all that
 *   pairs INDEX_PAIR_BYTES each, ascending: kind u8 | key[16] | place in the segment u16
 * Fan-out i: the first pair of bucket i; a person's bucket is the first byte of its handle, municipalities are in the last one.
 *
 * The file is a way to find, not a proof: who reads through it looks at the entry itself. The sums are there so that a damaged file leaves nothing out. */

#include "gateway/audit/segment.h"

enum { INDEX_PAIR_BYTES = 1 + AUDIT_HANDLE_BYTES + 2, INDEX_FAN = 257, INDEX_FIXED_BYTES = 56, INDEX_SUM_BYTES = 8,
       INDEX_HEAD_BYTES = INDEX_FIXED_BYTES + 4 * (INDEX_FAN + 1) + INDEX_SUM_BYTES * (INDEX_FAN + 1), INDEX_PAIRS_MAX = AUDIT_SEGMENT_ENTRIES * AUDIT_KEYS_MAX, INDEX_NAME_BYTES = 6 + 16 + 1 };

struct index_stats {
    uint64_t first;            /* first seq of the segment */
    uint32_t entries;          /* in a file: always AUDIT_SEGMENT_ENTRIES */
    uint32_t acts, plain_acts; /* audit_is_act(); those of them that have no epoch */
    uint64_t epoch;            /* the greatest */
    uint64_t wall_min, wall_max;
};

/* ---- of one segment, in memory (1.2 MB) ---- */

struct index_table;
ERR index_table_new(struct index_table **ret_t, uint64_t first);
void index_table_free(struct index_table *t); /* NULL is fine */
/* The next entry of the segment. At most AUDIT_SEGMENT_ENTRIES, a bug otherwise. */
void index_table_add(struct index_table *t, const struct audit_rec *rec);
const struct index_stats *index_table_stats(const struct index_table *t);
/* Sequence numbers below `before`, newest first, at most max. */
size_t index_table_find(const struct index_table *t, const struct audit_key *key, uint64_t before, uint64_t *out, size_t max);
/* Of the segment as it is on disk, full or not. NOTHING: there is none, or it is not whole. IO, NOMEM. */
ERR index_table_scan(struct index_table **ret_t, int dir, uint64_t first);

/* ---- the file; dir: the folder of the log. Blocking ---- */

/* index/<first>: NUL-terminated. */
void index_name(uint64_t first, char out[static INDEX_NAME_BYTES]);
/* Of a full segment: whole and synced before it has its name. IO. */
ERR index_write(int dir, const struct index_table *t);
/* NOTHING: missing or not in this form. */
ERR index_stats_read(int dir, uint64_t first, struct index_stats *ret_s);
/* As index_table_find. NOTHING: missing or not in this form. IO. */
ERR index_find(int dir, uint64_t first, const struct audit_key *key, uint64_t before, uint64_t *out, size_t max, size_t *ret_n, struct index_stats *ret_s);

#endif
