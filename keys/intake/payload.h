#ifndef GW_ZONE_NUMBER
#error "payload.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_PAYLOAD_H
#define KEYS_INTAKE_PAYLOAD_H

/* What the outbox keeps of a row that is not applied yet, under the seal of its municipality. No number: a ticket of the
 * vault stands for it. */

#include "gateway/base/buf.h"
#include "gateway/store/store.h"
#include "keys/vault/vault_msg.h"

enum { NZ_RK_HEX = 32, NZ_RK_BYTES = 16, NZ_PAYLOAD_MAX = STORE_RECORD_MAX + 8192 };

/* What stood where a row's ties contradicted, when it was held for that. Zeros: nothing. */
struct nz_seen_ties {
    uint8_t owner[SUBJECT_BYTES];    /* the subject that the row's resident key led to */
    uint8_t rk[NZ_RK_BYTES];         /* the resident key that stood at the row's subject, as its name in redis-link */
};

/* Tickets. A REVEAL is asked for only after `next` is durable here. After a crash between the two, the old ticket is
 * tried again with the same next; when the vault no longer knows the old one, next has taken its place. */
struct nz_payload {
    uint8_t sid[SUBJECT_BYTES];
    bool has_ticket;                 /* false: the subject had its PMH key when the row came */
    uint8_t ticket[NZ_TICKET_BYTES];
    bool has_next;
    uint8_t next[NZ_TICKET_BYTES];
    bool has_rk;
    char rk[NZ_RK_HEX];              /* the resident key's name in redis-link */
    bool of_file;                    /* it came in a file: what it replaces is kept, so that the file can be taken back */
    bool released;                   /* an officer said that it is the right person: the rule about mix-ups is off */
    bool has_seen;                   /* it was held for its ties: */
    struct nz_seen_ties seen;
    bool retie;                      /* an officer said that its resident key goes with its number: ties that stand as seen are overwritten. With has_seen only */
    uint64_t since_ms;               /* wall ms since when the row waits for an upstream; 0: since it was received */
    struct slice field;              /* field of the record in p:{h} */
    struct slice record;             /* record_encode() */
    struct slice result;             /* nz_row_result_encode(): the warnings of the row */
};

void nz_payload_encode(const struct nz_payload *p, struct buf *out);
/* Slices borrow from plain. SEAL when malformed. */
ERR nz_payload_decode(struct slice plain, struct nz_payload *ret_p);

#endif
