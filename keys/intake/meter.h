#ifndef GW_ZONE_NUMBER
#error "meter.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_METER_H
#define KEYS_INTAKE_METER_H

/* What becomes of the rows of each municipality, and how much waits, as numbers of this process (gateway/metrics). A municipality is one that the ring has a key of:
 * what a caller's certificate says is no label. Rows are counted once their result is stored; should that be answered too late, or by nobody, they are missing here,
 * never in a task. */

#include "keys/intake/intake.h"
#include "keys/intake/row_result.h"

struct nz_meter;
enum { NZ_METER_MS = 1000, NZ_METER_MUNIS = 256 /* further ones are not counted */ };

/* Looks every NZ_METER_MS: at what waits of the next municipality, and in all. */
ERR nz_meter_new(struct nz_meter **ret_m, struct nz_intake *in);
void nz_meter_close(struct nz_meter *m); /* looks no more */
void nz_meter_free(struct nz_meter *m);  /* after the loop; NULL is fine */

/* in->meter may be NULL. */
void nz_meter_rows(const struct nz_intake *in, const char muni[static 6], enum nz_result result, uint64_t n);
/* Requests of its own callers that were refused. */
void nz_meter_refused(const struct nz_intake *in, const char muni[static 6], uint64_t n);
/* A file of that municipality has ended. */
void nz_meter_file(const struct nz_intake *in, const char muni[static 6]);

#endif
