#ifndef GW_ZONE_NUMBER
#error "changed.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_CHANGED_H
#define KEYS_BULK_CHANGED_H

/* Which members of a stored object another one changes. Sans I/O. */

#include "gateway/base/buf.h"

/* Appends a name to the list, with a comma before it unless it is the first. */
void nz_changed_add(struct buf *names, struct slice name);
/* Members of a that b has not, or has with another value; then members of b that a has not. Both are objects as row_record.c writes them, without
 * blanks, or empty; what is something else ends the comparison. No tree is made of them: this is done for each row that is updated. */
void nz_changed_members(struct slice a, struct slice b, struct buf *names);

#endif
