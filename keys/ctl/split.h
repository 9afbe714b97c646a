#ifndef GW_ZONE_NUMBER
#error "split.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_SPLIT_H
#define KEYS_CTL_SPLIT_H

/* Cuts the text of a JSON array into the texts of its elements, without reading what is in them: a file of any size is sent
 * in pieces exactly as it was written. Whether an element is good JSON is for the gateway to say. */

#include "gateway/base/slice.h"

enum nz_split_step { NZ_SPLIT_ROW, NZ_SPLIT_END, NZ_SPLIT_BAD /* not one JSON array */ };

struct nz_split { struct slice rest; bool opened; };

static inline struct nz_split nz_split_of(struct slice text) { return (struct nz_split){ text, false }; }
/* The next element, without blanks around it; borrowed. After END or BAD it stays there. */
enum nz_split_step nz_split_next(struct nz_split *r, struct slice *ret_row);

#endif
