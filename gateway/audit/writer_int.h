#ifndef GW_AUDIT_WRITER_INT_H
#define GW_AUDIT_WRITER_INT_H

/* Shared by the files of the writer only. */

#include "gateway/audit/segment.h"
#include "gateway/audit/writer.h"

/* The files. Used by one thread at a time: the opener, then the worker that runs the commit. */
struct log_files {
    const struct audit_disk *disk;
    int dir;
    int head;
    int seg;                 /* -1: no segment yet */
    int next;                /* zeroed and synced under the name "next.tmp"; -1: none */
    bool next_named;         /* next got its name, but a later step of that commit failed */
    uint64_t head_synced_ms, head_synced_seq;
    struct log_point pruned; /* found when it was opened */
};

/* One group of entries on its way. */
struct commit {
    struct log_point before, after;
    bool new_segment;        /* the entries begin the segment that `next` becomes */
    uint32_t at;             /* first entry's place in the segment */
    size_t n;                /* entries */
    size_t blank;            /* zeroed entries behind them: what a failed commit may have left there */
    uint64_t now_ms;
    uint8_t bytes[COMMIT_MAX * AUDIT_ENTRY_BYTES];
};

/* Blocking, on a worker thread. IO; then nothing of the commit counts. */
ERR log_files_commit(struct log_files *f, const struct commit *c);
/* After a failed commit, with nothing to write: whether the disk takes anything again. Clears what the commit may have left: `blank` entries from `at` on
 * of the segment (full: of the one to come). IO. */
ERR log_files_heal(struct log_files *f, const struct log_point *p, bool full, uint32_t at, size_t blank, uint64_t now_ms);
/* Makes "next.tmp". IO when there is no room; nothing is left behind. */
ERR log_files_prepare(struct log_files *f);
/* Opens, locks, checks the last segment and cuts an unfinished write. *ret_at: entries in that segment. IO, SEAL. */
ERR log_files_open(struct log_files *f, const char *dir, struct log_point *ret_p, uint32_t *ret_at, uint32_t *ret_cut);
void log_files_close(struct log_files *f);

#endif
