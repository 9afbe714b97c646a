#ifndef GW_ZONE_NUMBER
#error "apply_tie.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_APPLY_TIE_H
#define KEYS_INTAKE_APPLY_TIE_H

/* The ties between number, subject and resident key, of one row that is being applied: made, held for, or, after an officer's word, made anew.
 *
 * A row that is released because its ties contradicted knows what stood there (struct nz_seen_ties), so that everything that it may overwrite is
 * locked and read with the rest of the row: the subject that its key leads to, and the key that its own subject has. */

#include "keys/intake/apply_row.h"

/* Appends to r->lock what a released row may overwrite besides. */
void nz_apply_tie_locks(struct nz_apply_row *r);
/* Appends the reads, as many as nz_apply_tie_replies() says. */
void nz_apply_tie_read(const struct nz_apply_row *r, struct redis_batch *b);
size_t nz_apply_tie_replies(const struct nz_apply_row *r);
/* What was read of them, for the judge. */
void nz_apply_tie_heard(const struct nz_apply_row *r, const struct redis_reply *const *replies, struct nz_apply_view *v);
/* After the judge: what is to be written. A row that is held for its ties keeps with its payload what stands there now. */
ERR nz_apply_tie_decide(struct nz_outbox *o, struct nz_apply_row *r, const struct redis_reply *const *replies, const struct nz_apply_view *v);
/* Appends what nz_apply_tie_decide() found, but for rk of the row's own subject. */
void nz_apply_tie_write(const struct nz_apply_row *r, struct slice row, struct nz_changes *c);
void nz_apply_tie_nothing(struct nz_apply_row *r);

#endif
