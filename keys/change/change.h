#ifndef GW_ZONE_NUMBER
#error "change.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_CHANGE_H
#define KEYS_CHANGE_CHANGE_H

/* Changes of residents (docs/residents.md), applied one at a time. Everything that must not be forgotten is in the change journal in redis-link:
 *
 *   ch:<muni>:<32 hex> STRING  sealed journal of one operation (journal.h); name = MAC("ch", muni, operationKey); expires
 *   ch:todo            ZSET    <muni>:<32 hex> of operations that are written down and not carried out, score = wall ms
 *   ch:wait            ZSET    <muni>:<task>:<row> of rows of requests that wait for PMH, score = wall ms of the next attempt;
 *                              their sealed intent is in o:<muni>:<task> (waiting.h) */

#include "gateway/serve/serve.h"
#include "keys/change/form.h"
#include "keys/intake/intake.h"
#include "keys/intake/judge.h"
#include "keys/intake/names.h"

/* v: NULL unless e is OK. e: UPSTREAM_DOWN, UPSTREAM_BAD (PMH is needed and away: the caller asks again later), BUSY (the resident is being
 * written), VAULT_DOWN, STORE_DOWN, AUDIT_DOWN ...: nothing or a part is done, and the same call goes on where it ended. */
typedef void nz_change_done_fn(void *arg, struct err e, const struct nz_verdict *v);

/* Carries one change out. UPDATED: done, or this very row of this task had done it; UNCHANGED: it was done before, or there was nothing to do;
 * REFUSED, QUARANTINED: nothing was done, see the code. c and what it borrows, numbers included, stay until done, which is called once,
 * from the loop, never before the return. Names are locked against the outbox worker and against other changes. */
void nz_change_apply(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                     uint64_t deadline, nz_change_done_fn *done, void *arg);

/* What nz_change_apply() would do, judged by what is stored now; changes nothing anywhere. A number that the vault does not know would be numbered: what PMH
 * would say to it is not known here. */
void nz_change_look(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                    uint64_t deadline, nz_change_done_fn *done, void *arg);

/* The worker that finishes what a crash interrupted (ch:todo) and tries rows that wait for PMH (ch:wait). */
struct nz_changer;
ERR nz_changer_new(struct nz_changer **ret_c, struct nz_intake *in);
void nz_changer_close(struct nz_changer *c); /* takes nothing new */
bool nz_changer_idle(const struct nz_changer *c);
void nz_changer_free(struct nz_changer *c);
void nz_changer_wake(struct nz_changer *c);

enum { NZ_CHANGE_ROWS_MAX = 500 };
/* POST /v1/residents/change-tasks: rows are applied in order before the answer; those that wait for PMH are durable with the task. */
handler_fn nz_change_post;

#endif
