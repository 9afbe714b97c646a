#ifndef GW_ZONE_NUMBER
#error "rows.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_ROWS_H
#define KEYS_PERSON_ROWS_H

/* Rows that wait for an upstream or are held, of requests and of files: whether one is about an erased resident, and what drops it. Sans I/O. A row is the
 * resident's when it names one of its resident keys, or one of its numbers. */

#include "gateway/base/arena.h"
#include "keys/change/cas.h"
#include "keys/change/waiting.h"
#include "keys/intake/names.h"
#include "keys/intake/row_result.h"
#include "keys/intake/vault_client.h"

struct nz_row_owner {
    char muni[6];
    size_t n_rks, n_sids;
    const char (*rk)[NZ_CH_HEX];
    const uint8_t (*sid)[SUBJECT_BYTES];
};

enum { NZ_ROW_TICKETS = 2 };
struct nz_owned_row {
    struct slice field, sealed;      /* of o:, in the arena */
    bool is_change;
    struct nz_waiting waiting;
    struct nz_row_result result;     /* its warnings */
    bool has_sid;                    /* a number that it names, the resident's or not */
    uint8_t sid[SUBJECT_BYTES];
    size_t n_tickets;
    struct nz_ticket ticket[NZ_ROW_TICKETS];
};

/* *ret_is false: it is another's, or does not open: that is nobody's that could be told, and stays where an officer drops it. FULL. */
ERR nz_row_owned(struct store *s, const struct nz_row_owner *who, const struct store_name *o, struct slice field, struct slice sealed, struct arena *a,
                 struct nz_owned_row *ret_row, bool *ret_is);

/* The commands that end the row as refused, `resident_erased`, while it stands as it was read. stored: its entry in tr:, or empty. *ret_gone false: it has
 * ended meanwhile, what is left of its payload is of no account. SEAL, FULL. */
ERR nz_row_drop(const char muni[static 6], const struct nz_task_id *task, const struct nz_owned_row *row, struct slice stored, uint64_t now_ms, struct arena *a,
                struct nz_cas *c, bool *ret_gone);

#endif
