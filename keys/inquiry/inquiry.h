#ifndef GW_ZONE_NUMBER
#error "inquiry.h belongs to the number zone"
#endif
#ifndef KEYS_INQUIRY_INQUIRY_H
#define KEYS_INQUIRY_INQUIRY_H

/* Inquiries between municipalities (照会/提供), by VRS.
 *
 *   asking   POST /v1/vaccination/inquiries: the persons are sealed in the spool under a key that the vault wraps (decision 42), a task stands in
 *            redis-link, audited, 202. The engine reads a task's persons into locked memory, asks each municipality for its own, and appends what is
 *            answered to the task's results, sealed: they are told as they come.
 *   giving   POST /v1/vaccination/provisions, called by VRS: what this municipality recorded of the persons, or nothing.
 *
 *   iq         ZSET  <muni>:<task>:1 of inquiries that are not through, score = received wall ms
 *   iq:kept    ZSET  the same of those that are, score = wall ms at which what they found is removed
 *   t: tl: tb: the task as any other, with the counts  registered: found, unchanged: nothing, refused: what failed or was thrown away
 *
 * Everything of a person stands in the spool, under the key of the task; redis-link has counts. */

#include "keys/files/ask.h"
#include "keys/intake/intake.h"

enum {
    NZ_INQUIRY_RUNNING = 8,        /* tasks whose numbers are in memory */
    NZ_INQUIRY_OF_ONE = 4,         /* of one municipality */
    NZ_INQUIRY_QUEUE = 2000,       /* tasks of all municipalities that are not through */
    NZ_INQUIRY_QUEUED = 200,       /* of one */
    NZ_INQUIRY_EVERYWHERE = 100,   /* persons of one task who are asked for at every municipality */
    NZ_INQUIRY_PAIRS = 500000,     /* questions of one task: persons times municipalities. More than everywhere for NZ_INQUIRY_EVERYWHERE can be */
    NZ_INQUIRY_CONNS = 192         /* connections to VRS */
};

struct nz_inquiry;
/* Nothing but provisions unless vrs_url is set. */
ERR nz_inquiry_new(struct nz_inquiry **ret_q, struct nz_intake *in);
void nz_inquiry_close(struct nz_inquiry *q); /* starts nothing new; NULL is fine */
bool nz_inquiry_idle(const struct nz_inquiry *q);
void nz_inquiry_stop(struct nz_inquiry *q);  /* after the drain: what is under way ends */
void nz_inquiry_free(struct nz_inquiry *q);  /* after the loop */

handler_fn nz_inquiry_post, nz_provision_post;

/* ---- for keys/files ---- */

/* The counts of one that runs, newer than those in redis-link. */
bool nz_inquiry_live(const struct nz_inquiry *q, const char muni[static 6], struct nz_file_task *t);
/* GET /v1/tasks/{id}/results of an inquiry, in the order in which answers came: {"rows":[…],"statement":{…} when it stands there; the caller ends the object.
 * *ret_rows: told. NOTHING: they are not there any more; BAD_URL: a cursor that is none of ours; SEAL, IO. */
struct nz_spool_entry;
struct nz_inquiry_page {
    struct nz_spool_entry *entry;
    const struct nz_file_task *t;
    struct nz_results_at at;       /* from here; behind the page afterwards */
    uint64_t limit;
    bool only_failed;
    bool at_end;                   /* out: nothing stands behind it now */
};
ERR nz_inquiry_page_write(struct nz_inquiry_page *p, struct buf *out, uint64_t *ret_rows);

#endif
