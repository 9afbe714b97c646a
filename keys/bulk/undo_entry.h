#ifndef GW_ZONE_NUMBER
#error "undo_entry.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_UNDO_ENTRY_H
#define KEYS_BULK_UNDO_ENTRY_H

/* What a row of a file was about to replace, as it is kept in the frames "undo". An entry is durable before the row is written; a row may have several, when a
 * crash came between the two. Sans I/O.
 *
 *   entry = length u32 of what follows | row u32 | with_row u32 | there u8 | h[32] | field length u8, field | what stood there, as it was sealed */

#include "gateway/store/store.h"

struct nz_undo_entry {
    uint32_t row, with_row;  /* with_row: the earlier row of the same file that it replaces, or 0 */
    bool there;              /* something stood there */
    struct person person;
    struct slice field;      /* of p:{h} */
    struct slice before;     /* sealed; empty unless there */
};

enum { NZ_UNDO_ENTRY_MAX = 4 + 9 + 32 + 1 + STORE_NAME_MAX + STORE_RECORD_MAX + AEAD_OVERHEAD };

void nz_undo_encode(const struct nz_undo_entry *e, struct buf *out);
/* Takes the first entry off *in; slices borrow. NOTHING when *in holds no whole entry, SEAL when malformed. */
ERR nz_undo_decode(struct slice *in, struct nz_undo_entry *ret_e);

#endif
