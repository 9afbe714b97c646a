#ifndef GW_ZONE_NUMBER
#error "bulk.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_BULK_H
#define KEYS_BULK_BULK_H

/* Files of any size into redis-link, in constant memory: docs/bulk.md. The sealed spool is the outbox of a file, so that its rows are durable
 * from the moment the upload is acknowledged, and a crash goes on from the last checkpoint by doing the rows behind it again.
 *
 *   spool frame -> keys/linkage (cells or JSON text) -> keys/registration (struct nz_row) -> batch of NZ_BULK_ROWS
 *   batch: LINK_MANY at the vault -> ties and keys read -> numbering of those without a key -> person read -> judged -> undo entries durable
 *          -> one MULTI for the whole batch, refused unless the fence of the task still holds -> result entries -> checkpoint
 *
 * Several batches are in the air; rows of one person, subject or resident key never are (keys/intake/locks.h), and are done in the
 * order of the file. Files of one municipality run one after the other, in the order in which they were accepted. */

#include "keys/intake/intake.h"
#include "keys/intake/file_task.h"

enum { NZ_BULK_ROWS = 128, NZ_BULK_IN_AIR = 32, NZ_BULK_MUNIS = 4 /* files at a time, of different municipalities */ };

struct nz_bulk;
ERR nz_bulk_new(struct nz_bulk **ret_b, struct nz_intake *in);
/* Takes no further batch; what is under way ends. */
void nz_bulk_close(struct nz_bulk *b);
bool nz_bulk_idle(const struct nz_bulk *b);
/* After nz_bulk_close(), before the parts it needs are closed: lets go of the loop, idle or not. NULL is fine. */
void nz_bulk_stop(struct nz_bulk *b);
void nz_bulk_free(struct nz_bulk *b); /* after the loop */

/* The queue of files (fq) may have a new one. */
void nz_bulk_wake(struct nz_bulk *b);

struct nz_layout;
/* The layout of that name for this form. CONFIG: there is none, it is malformed, or it is for another operation. Reads a small file. */
ERR nz_bulk_layout(const struct nz_intake *in, enum nz_form form, const char *name, struct nz_layout **ret_l);

/* The file does not move: why. */
bool nz_bulk_trouble(struct nz_bulk *b, const char muni[static 6], const struct nz_task_id *task, struct err *ret_e);

/* What a running file has done beyond its checkpoint; false when it is not running. */
struct nz_bulk_progress {
    enum nz_file_state state;
    uint64_t bytes;       /* of the file; 0: not known yet */
    uint64_t bytes_read, rows_read;
    uint64_t count[NZ_RESULT__MAX];
    uint64_t suspicious;
    uint64_t started_ms;  /* wall */
};
bool nz_bulk_progress(const struct nz_bulk *b, const char muni[static 6], const struct nz_task_id *task, struct nz_bulk_progress *ret_p);

#endif
