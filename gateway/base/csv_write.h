#ifndef GW_BASE_CSV_WRITE_H
#define GW_BASE_CSV_WRITE_H

/* Cells of CSV files (RFC 4180) for people and their spreadsheets. */

#include "gateway/base/buf.h"

/* A spreadsheet would take it for a formula: it begins with = + - @ (also full-width), a tab or a carriage return. */
bool csv_is_formula(struct slice text);
/* A text, in quotes; what would be a formula is preceded by an apostrophe. Of control characters only what the text has: the caller keeps them out. */
void csv_text(struct buf *out, struct slice text);

#endif
