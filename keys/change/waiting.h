#ifndef GW_ZONE_NUMBER
#error "waiting.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_WAITING_H
#define KEYS_CHANGE_WAITING_H

/* A change of number whose PMH key could not be had: what is kept of its row, sealed at o:<muni>:<task>. A ticket of the vault stands for the new
 * number, as in payload.h: `next` is durable before the vault is asked. Sans I/O. */

#include "gateway/base/buf.h"
#include "gateway/store/store.h"
#include "keys/change/journal.h"
#include "keys/vault/vault_msg.h"

struct nz_waiting {
    ymd_t effective;
    uint64_t since_ms;              /* wall */
    uint8_t ch[16], rk[16];         /* keyed sums of operationKey and resident key */
    uint8_t new_sid[SUBJECT_BYTES];
    uint8_t ticket[NZ_TICKET_BYTES];
    bool asked;                     /* next is what the last question named */
    uint8_t next[NZ_TICKET_BYTES];
};
enum { NZ_WAITING_BYTES = 1 + 1 + 4 + 8 + 16 * 5 };

void nz_waiting_encode(const struct nz_waiting *w, struct buf *out);
ERR nz_waiting_decode(struct slice plain, struct nz_waiting *ret_w); /* SEAL */

#endif
