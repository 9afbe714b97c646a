#ifndef GW_ZONE_NUMBER
#error "flags_now.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_FLAGS_NOW_H
#define KEYS_PERSON_FLAGS_NOW_H

/* What one municipality has in force about one person, out of the fields of p:{h}: its control flags of the person, and those that its own records carry. Fields of
 * other municipalities are passed over unopened. Sans I/O. */

#include "gateway/consent/consent.h"

struct nz_flags_now {
    struct store *store;            /* the first four are the caller's */
    const struct store_name *person; /* p:{h} */
    struct slice muni;
    ymd_t today;                    /* in Japan */
    struct control_flags own;       /* bits 0: none is set, and the rest is empty */
    uint8_t in_records;             /* FLAG_*: some record has it, valid or not */
    bool has_left;                  /* none of them is heard any more */
};

/* One field of the hash, in any order. SEAL, FORBIDDEN: a value of this municipality does not open. */
ERR nz_flags_now_take(struct nz_flags_now *now, struct slice field, struct slice sealed);
/* {"isNotDisclosed":...,"isViewingStopped":...,"isRecovery":...,"reason":...,"set_at":...,"in_records":{the three},"has_left":...}; reason and set_at only where a flag is set. */
void nz_flags_now_json(const struct nz_flags_now *now, struct buf *out);

#endif
