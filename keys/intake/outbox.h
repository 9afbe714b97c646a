#ifndef GW_ZONE_NUMBER
#error "outbox.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_OUTBOX_H
#define KEYS_INTAKE_OUTBOX_H

/* The worker behind the doors: takes rows that are due out of redis-link, has PMH keys issued where they are missing, and
 * applies the rows. All that it must not forget is in redis-link; what it has in memory may be lost at any moment.
 *
 *   due rows ── fetch ──▶ window of jobs ──▶ the subject's PMH key is known ────────────┬──▶ apply ──▶ done
 *                                        └─▶ numbering: a batch of subjects to PMH ──key┘
 *                                                     retry: next attempt later, job leaves the window */

#include "keys/intake/intake.h"

ERR nz_outbox_new(struct nz_outbox **ret_o, struct nz_intake *in);
/* Starts nothing new; what is under way ends in redis-link or is found there again. */
void nz_outbox_close(struct nz_outbox *o);
/* Rows without a PMH key are not sent at the moment, because earlier ones failed. */
bool nz_outbox_upstream_down(const struct nz_outbox *o);
/* A numbering request that somebody else sent ended like this: outbox and files share one breaker. */
void nz_outbox_heard(struct nz_outbox *o, struct err e);
/* The names that are being written: shared by all who apply rows. */
struct nz_locks;
struct nz_locks *nz_outbox_locks(struct nz_outbox *o);
/* Nothing is under way. */
bool nz_outbox_idle(const struct nz_outbox *o);
/* After the loop. */
void nz_outbox_free(struct nz_outbox *o);
/* New rows may be due. */
void nz_outbox_wake(struct nz_outbox *o);

#endif
