#ifndef GW_ZONE_NUMBER
#error "row_record.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_ROW_RECORD_H
#define KEYS_REGISTRATION_ROW_RECORD_H

/* From the fields of a row to the row: its number, the proof that no number stands anywhere else, and the record that goes downstream. */

#include "keys/registration/form.h"

struct nz_row_work {
    const struct nz_form_table *table;
    const char *muni;                  /* 6 digits */
    const struct check_levels *levels;
    struct nz_pool *pool;
    struct buf scratch, out;           /* kept from row to row */
};
void nz_row_work_init(struct nz_row_work *w, enum nz_form form, const char muni[static 6], const struct check_levels *levels, struct nz_pool *pool);
void nz_row_work_done(struct nz_row_work *w);

/* row->report has the faults of the fields already. Sets everything of the row but `row`, in the arena; v may go afterwards.
 * FULL (arena or pool; one place of the pool more than the row's is needed), NOMEM, CRYPTO: the row has no number then. */
ERR nz_row_make(struct nz_row_work *w, const struct nz_values *v, struct arena *a, struct nz_row *row);

#endif
