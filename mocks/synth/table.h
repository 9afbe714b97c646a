#ifndef MOCKS_SYNTH_TABLE_H
#define MOCKS_SYNTH_TABLE_H

/* Residents as rows of a registration form: the columns, as the shipped layouts and the published forms name them. */

#include "gateway/base/json_write.h"
#include "mocks/synth/synth.h"

enum synth_form { SYNTH_SUBSIDY, SYNTH_HISTORY, SYNTH_CHECKUP, SYNTH_VACCINATION, SYNTH_TICKET, SYNTH_FORM__MAX };

const char *synth_form_name(enum synth_form f); /* subsidy, history, ... */
bool synth_form_find(struct slice name, enum synth_form *ret_f);
/* How many rows a resident has: certificates in the first two forms, else one. */
unsigned synth_form_rows(enum synth_form f, const struct synth_resident *r);

/* Row i of a resident; on: the day of the municipality. */
void synth_row_json(enum synth_form f, const struct synth_resident *r, unsigned i, ymd_t on, struct buf *out);
/* The header as Japanese municipal systems write it, and rows; lines end with CR LF. Addresses are always quoted, other cells when needed. */
void synth_head_csv(enum synth_form f, struct buf *out);
void synth_row_csv(enum synth_form f, const struct synth_resident *r, unsigned i, ymd_t on, struct buf *out);

#endif
