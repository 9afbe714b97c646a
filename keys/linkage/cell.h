#ifndef GW_ZONE_NUMBER
#error "cell.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_CELL_H
#define KEYS_LINKAGE_CELL_H

/* A cell, or the default in its place, to a value, as its column asks. */

#include "keys/linkage/linkage.h"

enum { NZ_CELL_GROWS_MAX = 10 /* bytes: R6.4.1 to 2024-04-01 */ };

/* What has to be made is appended to *made, which must have room: slices point into it. */
enum nz_rule nz_cell_convert(const struct nz_column *c, struct slice cell, struct buf *made, struct nz_value *ret_v);

#endif
