#ifndef GW_VACCINE_TICKET_H
#define GW_VACCINE_TICKET_H

/* 接種券 as it was registered: what the JSON of a k: record says (docs/interfaces.md). Sans I/O. */

#include "gateway/base/arena.h"
#include "gateway/store/store.h"

struct ticket { /* slices live in the arena */
    char muni[6];
    struct slice program;  /* vaccinationProgramId */
    struct slice number;   /* 10 digits */
    struct slice label;    /* vaccineName; SLICE_NONE */
    unsigned dose;         /* 1 to 99; 0: not told */
    ymd_t from, to;        /* of the record; 0: open */
};

/* rec: an opened record of kind STORE_TICKET. SEAL when it is none of ours. Whether it is valid on a day says record_valid_on(). */
ERR ticket_read(const struct record *rec, struct arena *a, struct ticket *ret_t);

#endif
