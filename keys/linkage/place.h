#ifndef GW_ZONE_NUMBER
#error "place.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_PLACE_H
#define KEYS_LINKAGE_PLACE_H

/* Where one is in a text of valid UTF-8, for people: lines from 1, columns in characters from 1. LF, CR and CR LF end a line. */

#include "gateway/base/slice.h"

struct nz_place { uint64_t line, column; bool after_cr; };

#define NZ_PLACE_START ((struct nz_place){ 1, 1, false })

static inline void nz_place_step(struct nz_place *p, uint8_t c)
{
    if (c == '\n' && p->after_cr) {
        p->after_cr = false;
        return;
    }
    p->after_cr = c == '\r';
    if (c == '\n' || c == '\r') {
        p->line++;
        p->column = 1;
    } else if ((c & 0xc0) != 0x80) {
        p->column++;
    }
}

/* Steps over all of s. */
void nz_place_run(struct nz_place *p, struct slice s);

#endif
