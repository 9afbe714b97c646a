#ifndef GW_ZONE_NUMBER
#error "hot.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_HOT_H
#define KEYS_INTAKE_HOT_H

/* Numbers of rows that were just accepted, for their first way upstream. A number is here for NZ_HOT_MS at most; whoever
 * comes later redeems a ticket at the vault. */

#include "gateway/store/store.h"
#include "keys/number/mynum.h"

enum { NZ_HOT_MS = 30000 };

struct nz_hot;
/* max: numbers at a time. */
ERR nz_hot_new(struct nz_hot **ret_h, size_t max);
void nz_hot_free(struct nz_hot *h);
/* Takes the number in any case; one that does not fit, or is there already, is wiped. since: when it came into memory. */
void nz_hot_put(struct nz_hot *h, const uint8_t sid[static SUBJECT_BYTES], struct nz_mynum *number, uint64_t since);
/* Gives the number out, or NULL; *ret_since as it was put. Who puts it back says so again: its time does not begin anew. */
struct nz_mynum *nz_hot_take(struct nz_hot *h, const uint8_t sid[static SUBJECT_BYTES], uint64_t *ret_since);
/* Wipes what is older than NZ_HOT_MS. */
void nz_hot_sweep(struct nz_hot *h, uint64_t now);
size_t nz_hot_count(const struct nz_hot *h);

#endif
