#ifndef GW_AUDIT_SEGMENT_H
#define GW_AUDIT_SEGMENT_H

/* The form of the log's files (audit_log.h), shared by the reader and the writer. */

#include "gateway/audit/audit_log.h"

enum {
    SEG_HEAD_BYTES = 64,
    SEG_BYTES = SEG_HEAD_BYTES + AUDIT_ENTRY_BYTES * AUDIT_SEGMENT_ENTRIES,
    SEG_NAME_BYTES = 6 + 16 + 4 + 1, /* audit-<16 hex>.log */
    CHAIN_BYTES = 32,
    HEAD_BYTES = 8 + CHAIN_BYTES,    /* the file "head" */
    COMMIT_MAX = 256                 /* entries written at once: at most so many can be torn by a crash */
};

/* Where the log stands: the last entry and its chain hash. seq 0: nothing yet. */
struct log_point {
    uint64_t seq;
    uint8_t chain[CHAIN_BYTES];
};

void seg_name(uint64_t first, char out[static SEG_NAME_BYTES]);
void seg_head_put(uint8_t out[static SEG_HEAD_BYTES], const struct log_point *before);
/* The segment's own first line says that it continues `before`. */
bool seg_head_good(const uint8_t in[static SEG_HEAD_BYTES], const struct log_point *before);
bool seg_head_read(const uint8_t in[static SEG_HEAD_BYTES], struct log_point *ret_before);

/* Writes the next entry and moves *p on to it. */
ERR entry_put(uint8_t out[static AUDIT_ENTRY_BYTES], const uint8_t rec[static AUDIT_REC_BYTES], enum ipc_role from, struct log_point *p);
/* NULL and *p moved on when the entry continues *p; else what is wrong with it (a literal of struct audit_verdict). */
const char *entry_check(const uint8_t in[static AUDIT_ENTRY_BYTES], struct log_point *p, struct audit_entry *ret_e);

void head_put(uint8_t out[static HEAD_BYTES], const struct log_point *p);
enum head_state { HEAD_NONE, HEAD_GOOD, HEAD_BAD };
enum head_state head_read(int dir, struct log_point *ret_p);
/* The file "pruned", in the form of the head: the last entry whose segment may be gone. NONE: nothing was removed. BAD also when that is
 * not the end of a segment. */
enum head_state pruned_read(int dir, struct log_point *ret_p);

/* The segments of a directory, without remembering them all. */
struct seg_listing {
    uint64_t count, first, last; /* first and last: first sequence numbers; 0 when count is 0 */
    bool foreign;                /* a file that is named like a segment but is none */
};
ERR seg_list(int dir, struct seg_listing *ret_l);
/* Without those that begin at or before `after`. */
ERR seg_list_after(int dir, uint64_t after, struct seg_listing *ret_l);

struct seg_scan {
    uint32_t good;      /* entries that continue each other, counted from the segment's start */
    uint32_t filled;    /* behind the last entry that is not all zeros */
    const char *bad;    /* what is wrong with entry `good`, NULL when it is the end */
    bool torn;          /* `bad` looks like one unfinished write: begun, ended with zeros, nothing behind it */
    bool stopped;       /* each() said stop */
};
/* Reads a segment from entry `from` on; *p is the point before it and moves on. IO. */
ERR seg_scan(int fd, uint32_t from, struct log_point *p, audit_each_fn *each, void *arg, struct seg_scan *ret_s);

#endif
