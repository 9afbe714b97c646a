#ifndef GW_AUDIT_WRITER_H
#define GW_AUDIT_WRITER_H

/* Writes the log (audit_log.h): group commit, back to back, off the loop. pmhgw-audit only.
 *
 * What came in during a loop turn or while a commit runs is written at once: entries, fdatasync, `head`, replies. */

#include <sys/types.h>

#include "gateway/audit/audit_log.h"

struct audit_writer;

/* How bytes reach the disk; a test puts a full or broken disk here. Called from a worker thread. */
struct audit_disk {
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    int (*fdatasync)(int fd);
};
extern const struct audit_disk AUDIT_DISK;

enum { AUDIT_WAITING_MAX = 65536 };

/* What was found at the start. */
struct audit_found {
    uint64_t seq;  /* entries in the log */
    uint64_t pruned; /* the last of those that were removed after their time */
    uint32_t cut;  /* entries of an unfinished write that were overwritten with zeros; none was acknowledged */
};

/* Opens or begins the log in dir (which exists) and locks it. Blocking.
 * IO: cannot be read, written or locked (another daemon has it); SEAL: the log is not whole, see the log line; it is left as it is. */
ERR audit_writer_new(struct audit_writer **ret_w, struct loop *l, const char *dir, const struct audit_disk *disk, struct audit_found *ret_f);

typedef void audit_written_fn(void *arg, struct err e, uint64_t seq);
/* rec: AUDIT_REC_BYTES, decodable. done once, never before the return. AUDIT_DOWN: not written (disk full, broken, too many
 * waiting, stopping); the writer goes on trying with what comes next. */
void audit_writer_append(struct audit_writer *w, const uint8_t *rec, enum ipc_role from, audit_written_fn *done, void *arg);
/* The last committed entry; AUDIT_DOWN when the last commit failed and the disk has not taken anything since (it is tried once a second). */
ERR audit_writer_seq(const struct audit_writer *w, uint64_t *ret_seq);

/* From the loop, after each commit and before those who wait are told: n entries as stored (AUDIT_ENTRY_BYTES each), the last one is seq. At most one. */
typedef void audit_committed_fn(void *arg, const uint8_t *entries, size_t n, uint64_t seq);
void audit_writer_on_commit(struct audit_writer *w, audit_committed_fn *fn, void *arg);

/* Finishes what waits, then frees the writer and calls fn(arg). No more appends. */
void audit_writer_close(struct audit_writer *w, loop_fn *fn, void *arg);

#endif
