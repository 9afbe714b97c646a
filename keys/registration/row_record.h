#ifndef GW_ZONE_NUMBER
#error "row_record.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_ROW_RECORD_H
#define KEYS_REGISTRATION_ROW_RECORD_H

/* What of a row goes downstream: the record, and the proof that no number stands in it. */

#include "keys/registration/form.h"

/* NUMBER_INSIDE faults for every field of v that holds the number (free text: any number). FULL when the pool has no place. */
ERR nz_row_number_inside(const struct nz_values *v, const struct nz_mynum *own, struct nz_pool *pool, struct buf *scratch,
                         struct field_report *report);

/* The record of the row, its JSON built into the arena. */
ERR nz_row_record(const struct nz_values *v, const char muni[static 6], struct arena *a, struct buf *scratch, struct record *ret_r);

#endif
