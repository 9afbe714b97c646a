#ifndef GW_ZONE_NUMBER
#error "apply_row.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_APPLY_ROW_H
#define KEYS_INTAKE_APPLY_ROW_H

/* One row between its PMH key and its record: what is read, what is decided, what is written. */

#include "keys/intake/locks.h"
#include "keys/intake/work.h"

enum { NZ_APPLY_LOCKS = 6 };

struct nz_apply_row {
    struct nz_job *job;
    uint8_t lock[NZ_APPLY_LOCKS][NZ_LOCK_BYTES]; /* person, subject, resident key, ticket; apply_tie.c: two more */
    size_t n_locks;
    struct nz_verdict verdict;
    bool stale;                                  /* a resident change led the subject elsewhere since its key was read: nothing is written */
    bool tie_person, tie_key, tie_rk;            /* to be written beside the record */
    struct buf sealed;                           /* the record, when verdict.write or .touch */
    struct buf sealed_key;                       /* when tie_key */
    struct store_name untie, drop;               /* the key is tied anew: s:<sid> that it led to, rk:<muni>:<old key> of its subject. n 0: none */
    struct store_name outbox;                    /* o:<muni>:<task> */
    struct store_name ticket;                    /* tk:<hex> of a 接種券 that is registered; n 0: none */
    struct buf payload;                          /* of a row that is held for its ties */
    bool tell;                                   /* a subsidy of somebody who is open at a clinic changes */
    struct buf undo;                             /* of a row of a file, when verdict.write: what stood there, to be kept for an undo */
};

/* The person of the job's key and the names to be locked. */
ERR nz_apply_row_begin(struct nz_outbox *o, struct nz_apply_row *r, struct nz_job *j);
void nz_apply_row_done(struct nz_apply_row *r);

/* Appends the reads; as many replies as nz_apply_row_replies() says come back. */
void nz_apply_row_read(const struct nz_apply_row *r, struct redis_batch *b);
size_t nz_apply_row_replies(const struct nz_apply_row *r);
/* Decides, and seals what is to be written. An error is our own trouble, never the row's. */
ERR nz_apply_row_judge(struct nz_outbox *o, struct nz_apply_row *r, const struct redis_reply *const *replies);
/* Appends the writes and the end of the row; all of it belongs into one transaction. */
void nz_apply_row_write(struct nz_outbox *o, const struct nz_apply_row *r, struct redis_batch *b, uint64_t now_ms);

#endif
