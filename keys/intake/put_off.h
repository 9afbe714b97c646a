#ifndef GW_ZONE_NUMBER
#error "put_off.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_PUT_OFF_H
#define KEYS_INTAKE_PUT_OFF_H

/* A row that is not applied now: it waits in the outbox or is held for an officer. What of it is stored under o:<muni>:<task>. */

#include "keys/intake/names.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"

struct nz_put_off { /* everything is borrowed */
    struct nz_row_ref ref;
    bool of_file;                     /* the task is a file */
    const uint8_t *sid;               /* SUBJECT_BYTES */
    const uint8_t *ticket;            /* NZ_TICKET_BYTES; NULL: the subject has its PMH key */
    struct slice rk;                  /* the resident key's name, NZ_RK_HEX; empty when there is none */
    const struct nz_seen_ties *seen;  /* NULL: it is not held for its ties */
    struct slice field;               /* of the record in p:{h} */
    const struct record *record;      /* stored_ms is set; task, row and updated are set here */
    const struct nz_row_result *result;
};

/* Appends the sealed payload. work: NZ_PAYLOAD_MAX, emptied first. */
ERR nz_put_off_seal(struct store *s, const struct nz_put_off *p, struct buf *work, struct buf *ret_sealed);

#endif
