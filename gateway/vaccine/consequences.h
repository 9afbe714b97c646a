#ifndef GW_VACCINE_CONSEQUENCES_H
#define GW_VACCINE_CONSEQUENCES_H

/* What follows from a vaccination record that is written: told in the same script that writes it, so that what was acknowledged is told.
 * This is the one place where messages to others are made. */

#include "gateway/vaccine/book.h"

enum vaccine_change { VACCINE_RECORDED = 1, VACCINE_CORRECTED, VACCINE_CANCELLED };
enum { VACCINE_NOTICES_MAX = 64 };

struct vaccine_event {
    enum vaccine_change what;
    const struct person *person;
    const struct immun_place *place;     /* the record with its new version, and everybody who was told an older one */
    const struct redis_reply *hash;      /* of the person, as it was read */
    uint64_t now_ms;
    bool to_vrs;                         /* VRS is told too: a mark (vrs_mark.h) */
};
/* The citizen's notice (nt:), the municipality's index (vi:), and messages (gateway/notice): to the clinic that recorded it, that it is so; of a correction to every
 * clinic that was told an older version; to the portals that know the person; to the vaccination database. With to_vrs a mark for VRS. */
ERR vaccine_consequences_add(struct store *s, const struct vaccine_event *e, struct redis_swap *swap);

/* nt:<16 hex>: ms u48 | random u16, so that the oldest has the least name. Plain form: version u8 (1) | kind u8 (enum vaccine_change) | at_ms u64 | muni[6] |
 * record id[16] | version u16. */
struct vaccine_notice { enum vaccine_change what; uint64_t at_ms; char muni[6]; uint8_t id[IMMUN_ID_BYTES]; uint16_t version; };
bool vaccine_notice_field_is(struct slice field);
ERR vaccine_notice_decode(struct slice plain, struct vaccine_notice *ret_n); /* SEAL */

#endif
