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

enum { NZ_CLAIM_LINES_MAX = 1 << 16, NZ_CLAIMS_SETTLE_MS = 15 * 60 * 1000 };

struct nz_claims; /* lines by clinic, program, month of the dose, price and own share */
struct nz_claims *nz_claims_new(void); /* NULL: no memory */
void nz_claims_free(struct nz_claims *c);
/* month: yyyymm. FULL: more than NZ_CLAIM_LINES_MAX lines; NOMEM. */
ERR nz_claims_add(struct nz_claims *c, const struct nz_fees *f, uint32_t month, const struct nz_vacc_person *p);
/* The month is over, and so long ago that nothing can still be on its way into it: a record bears the time at which its writing began, by the clock of another
 * machine, and would be in no claim at all when this month was closed without it. */
bool nz_claims_are_final(uint32_t month, uint64_t now_ms);
/* final: as nz_claims_are_final() said before the first record was read. */
void nz_claims_write(const struct nz_claims *c, const char muni[static 6], uint32_t month, bool final, struct buf *out, uint64_t *rows);

#endif
