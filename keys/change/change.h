#ifndef GW_ZONE_NUMBER
#error "change.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_CHANGE_H
#define KEYS_CHANGE_CHANGE_H

/* Changes of residents (docs/residents.md), applied one at a time. Everything that must not be forgotten is in the change journal in redis-link:
 *
 *   ch:<muni>:<32 hex> STRING  sealed journal of one operation (journal.h); name = MAC("ch", muni, operationKey); expires
 *   ch:of:<muni>:<32 hex> ZSET  <muni>:<32 hex> of the operations that name this resident key; for whoever erases the resident (keys/person)
 *   ch:todo            ZSET    <muni>:<32 hex> of operations that are written down and not carried out, score = wall ms
 *   ch:wait            ZSET    <muni>:<task>:<row> of rows that wait, score = wall ms of the next attempt; what is kept of them is in
 *                              o:<muni>:<task> (waiting.h), and the line of their resident key in ch:q:<muni>:<32 hex> */

#include "gateway/serve/serve.h"
#include "keys/change/form.h"
#include "keys/change/waiting.h"
#include "keys/intake/intake.h"
#include "keys/intake/judge.h"
#include "keys/intake/names.h"

/* v, w: NULL unless e is OK. e: BUSY (the resident is being written), VAULT_DOWN, STORE_DOWN, AUDIT_DOWN ...: nothing or a part is done, and the
 * same call goes on where it ended. w: what is to be kept of the row when v is WAITING or QUARANTINED; its ticket is the caller's to make and since_ms to set. */
typedef void nz_change_done_fn(void *arg, struct err e, const struct nz_verdict *v, const struct nz_waiting *w);

/* Carries one change out. UPDATED: done, or this very row of this task had done it; UNCHANGED: it was done before, or there was nothing to do;
 * REFUSED, QUARANTINED: nothing was done, see the code; WAITING: PMH is needed and away, or an earlier change of a resident that it names
 * waits (`behind`: the caller knows of one that is not stored yet, and nothing is judged). c and what it borrows, numbers included, stay until done, which is called once,
 * from the loop, never before the return. Names are locked against the outbox worker and against other changes. */
void nz_change_apply(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                     bool behind, uint64_t received_ms, uint64_t deadline, nz_change_done_fn *done, void *arg);

/* What nz_change_apply() would do, judged by what is stored now; changes nothing anywhere. A number that the vault does not know would be numbered: what PMH
 * would say to it is not known here. */
void nz_change_look(struct nz_intake *in, const char muni[static 6], const struct nz_task_id *task, uint32_t row, const struct nz_change *c,
                    uint64_t deadline, nz_change_done_fn *done, void *arg);

/* The worker that finishes what a crash interrupted (ch:todo) and tries rows that wait (ch:wait). */
struct nz_changer;
ERR nz_changer_new(struct nz_changer **ret_c, struct nz_intake *in);
void nz_changer_close(struct nz_changer *c); /* takes nothing new */
bool nz_changer_idle(const struct nz_changer *c);
void nz_changer_free(struct nz_changer *c);
void nz_changer_wake(struct nz_changer *c);

/* Whether PMH may be asked now: after failures in a row it is asked by one row at a time. True is followed by nz_changer_asked(). */
bool nz_changer_may_ask(struct nz_changer *c);
void nz_changer_asked(struct nz_changer *c, struct err e); /* how the question ended */

/* The place of a row that begins to wait now, in the lines of its resident keys. */
uint64_t nz_changer_place(struct nz_changer *c);

enum { NZ_CHANGE_ROWS_MAX = 500 };
/* POST /v1/residents/change-tasks: rows are applied in order before the answer; those that wait for PMH are durable with the task. */
handler_fn nz_change_post;

#endif
