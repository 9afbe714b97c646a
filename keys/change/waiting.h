#ifndef GW_ZONE_NUMBER
#error "waiting.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_WAITING_H
#define KEYS_CHANGE_WAITING_H

/* What is kept of a resident change that waits or is held, sealed at o:<muni>:<task> as payload.h is for registrations; its first byte tells the
 * two apart. No number: subjects, and for a new number a ticket of the vault. `next` is durable before the vault is asked. Sans I/O.
 *
 *   ch:q:<muni>:<32 hex>  ZSET  rows (members as of ch:wait) that wait and name this resident key, in the order of their coming. Only the first
 *                               one may be carried out; one that is in ch:wait no more is of no account. */

#include "gateway/base/buf.h"
#include "gateway/store/store.h"
#include "keys/change/journal.h"
#include "keys/intake/row_result.h"
#include "keys/vault/vault_msg.h"

struct nz_waiting {
    enum nz_change_type type;
    ymd_t effective;
    uint64_t since_ms;                /* wall: it is given up by that */
    uint64_t received_ms;             /* of its task; a row that was held does not replace an end that came later */
    uint8_t ch[16], rk[16], other_rk[16]; /* keyed sums of operationKey and resident keys; other: merged and unmerged */
    bool has_number, number_known;    /* myNumber was sent; the vault knew it: */
    uint8_t number_sid[SUBJECT_BYTES];
    uint8_t new_sid[SUBJECT_BYTES];   /* number_changed: of the new number, and its ticket */
    bool has_from;                    /* number_changed: it was judged when the resident key led to this subject: */
    uint8_t from[SUBJECT_BYTES];
    bool held;                        /* it was held, and an order made it go on */
    bool released;                    /* an officer said that it is the right person */
    uint8_t ticket[NZ_TICKET_BYTES];
    bool asked;                       /* next is what the last question named */
    uint8_t next[NZ_TICKET_BYTES];
    bool behind;                      /* not stored: it waits for an earlier change of a resident that it names, not for PMH */
};
enum { NZ_WAITING_BYTES = 4 + 4 + 8 + 8 + 16 * 8 };

void nz_waiting_encode(const struct nz_waiting *w, struct buf *out);
ERR nz_waiting_decode(struct slice plain, struct nz_waiting *ret_w); /* SEAL */
/* The opened payload is one of these, well-formed or not; else it is payload.h's. */
bool nz_waiting_is(struct slice plain);

static inline bool nz_waiting_has_ticket(const struct nz_waiting *w) { return w->type == NZ_CH_NUMBER; }
static inline bool nz_waiting_has_other(const struct nz_waiting *w) { return w->type == NZ_CH_MERGED || w->type == NZ_CH_UNMERGED; }
/* Something is kept of a change that is held for this reason: an order can make it go on. */
bool nz_waiting_keeps(enum nz_code why);

struct slice nz_waiting_queue(void);  /* ch:wait */
/* The lines the row stands in: 1, or 2 different ones. */
size_t nz_waiting_lines(const char muni[static 6], const struct nz_waiting *w, struct store_name ret_line[static 2]);

#endif
