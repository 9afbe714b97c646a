#ifndef GW_ZONE_NUMBER
#error "claims.h belongs to the number zone"
#endif
#ifndef KEYS_VACCINATION_CLAIMS_H
#define KEYS_VACCINATION_CLAIMS_H

/* What a municipality owes its clinics for a month (請求支払). Sans I/O.
 *
 * A record counts as it was at the end of the month, less as it was at the end of the month before: a dose that is recorded is a charge in the month in which it was
 * recorded; cancelled or corrected in the same month it leaves nothing but what is so at its end; later it is a negative line, and what it became a new one. So the
 * claims of a month that is over follow from the records alone, whenever they are asked for. */

#include "keys/vaccination/fees.h"
#include "keys/vaccination/person.h"

enum { NZ_CLAIM_LINES_MAX = 1 << 16 };

struct nz_claims; /* lines by clinic, program, month of the dose, price and own share */
struct nz_claims *nz_claims_new(void); /* NULL: no memory */
void nz_claims_free(struct nz_claims *c);
/* month: yyyymm. FULL: more than NZ_CLAIM_LINES_MAX lines; NOMEM. */
ERR nz_claims_add(struct nz_claims *c, const struct nz_fees *f, uint32_t month, const struct nz_vacc_person *p);
/* final: the month is over. */
void nz_claims_write(const struct nz_claims *c, const char muni[static 6], uint32_t month, bool final, struct buf *out, uint64_t *rows);

#endif
