#ifndef GW_ZONE_NUMBER
#error "shelf.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_SHELF_H
#define KEYS_VAULT_SHELF_H

/* What redis-vault holds, and the batches that read and change it. Nothing here is a number in clear.
 *
 *   i:1:<64 hex>   index of (municipality, number), version of the index key -> sid[16] | proof[16] (sealer.h)
 *   n:<32 hex>     sid -> sealed number
 *   t:<64 hex>     SHA-256 of a ticket -> muni[6] | sid[16] | purpose u8, gone after NZ_TICKET_LIFE_S; of a PART with the sealed number of the subject behind it
 *
 * Every change is one script or one command, so that a crash leaves all of it or nothing and no two callers come between. */

#include "gateway/crypto/crypto.h"
#include "gateway/redis/redis.h"
#include "keys/vault/sealer.h"
#include "keys/vault/vault_decode.h"

enum {
    NZ_TICKET_LIFE_S = 30 * 24 * 3600,
    NZ_PLACE_BYTES = 2 + 2 * NZ_SID_BYTES,
    NZ_INDEX_NAME_BYTES = 4 + 2 * MAC_BYTES,
    NZ_GRANT_BYTES = NZ_MUNI_BYTES + NZ_SID_BYTES + 1,
    NZ_ENTRY_BYTES = NZ_SID_BYTES + NZ_PROOF_BYTES
};

/* The name "n:<sid>", with which the sealed number is bound. */
struct nz_place { uint8_t b[NZ_PLACE_BYTES]; };
struct nz_place nz_place_of(struct slice sid);
/* The name "i:1:<index>". */
struct nz_index_name { uint8_t b[NZ_INDEX_NAME_BYTES]; };
struct nz_index_name nz_index_name_of(const uint8_t index[static MAC_BYTES]);
/* What a ticket allows. */
struct nz_grant { uint8_t b[NZ_GRANT_BYTES]; };
struct nz_grant nz_grant_of(struct slice muni, struct slice sid, enum nz_purpose purpose);

/* Each makes a batch to send: NULL when out of memory, or of the hash. The replies are read by the function beneath. */

/* What stands under an index. */
struct nz_index_entry { uint8_t b[NZ_ENTRY_BYTES]; };
struct nz_index_entry nz_index_entry_of(struct slice sid, struct slice proof);

/* fresh: the entry for a number that is not known yet, sealed: the number under its sid. ticket: SLICE_NONE for none. */
struct redis_batch *nz_shelf_link(const uint8_t index[static MAC_BYTES], const struct nz_index_entry *fresh, struct slice sealed, struct slice muni,
                                  struct slice ticket);
/* What was found; slices borrow from the reply. */
struct nz_link_found {
    bool known;           /* false: fresh was taken */
    struct slice sid, proof;
    struct slice sealed;  /* the number that is kept under a known sid; empty: none */
};
/* STORE_REFUSED when the reply has another shape. */
ERR nz_shelf_linked(const struct redis_reply *r, struct nz_link_found *ret_f);

/* Puts `sealed` in the place of `stale`, unless somebody has changed that meanwhile, or the index leads to the subject no more: it was erased. */
struct redis_batch *nz_shelf_replace(const struct nz_index_name *index, struct slice sid, const struct nz_place *place, struct slice stale, struct slice sealed);

/* The same command in a batch with others. */
void nz_shelf_add_replace(struct redis_batch *b, const struct nz_index_name *index, struct slice sid, const struct nz_place *place, struct slice stale, struct slice sealed);

/* The sealed number of a place. */
struct redis_batch *nz_shelf_number(const struct nz_place *place);
/* Removes it, as it was read, and the index when that leads to it. Reply: 1; 0: it was changed meanwhile. */
struct redis_batch *nz_shelf_remove(const struct nz_index_name *index, const struct nz_place *place, struct slice sid, struct slice sealed);

/* Whether the ticket stands for this grant; changes nothing. */
struct redis_batch *nz_shelf_peek(struct slice ticket);
bool nz_shelf_granted(const struct redis_reply *r, const struct nz_grant *grant);

/* Uses the ticket up, puts `next` in its place (SLICE_NONE: nothing) and gives the sealed number. */
struct redis_batch *nz_shelf_redeem(const struct nz_grant *grant, struct slice ticket, struct slice next, const struct nz_place *place);
/* Borrows from the reply. NOTHING when the ticket had gone meanwhile or there is no such number. */
ERR nz_shelf_redeemed(const struct redis_reply *r, struct slice *ret_sealed);

/* The sealed number stands under the ticket as well. Reply: 1; 0: there is none, and there is no such ticket for this grant. */
struct redis_batch *nz_shelf_part(const struct nz_grant *grant, struct slice ticket, const struct nz_place *place);
/* The number of the place, or the one that was kept under the ticket (SLICE_NONE: none) for this grant. */
struct redis_batch *nz_shelf_either(struct slice ticket, const struct nz_place *place);
/* Borrows from the reply. NOTHING: there is neither. */
ERR nz_shelf_found(const struct redis_reply *r, const struct nz_grant *grant, struct slice *ret_sealed);

struct redis_batch *nz_shelf_drop(struct slice ticket);
struct redis_batch *nz_shelf_ping(void);

#endif
