#ifndef GW_ZONE_NUMBER
#error "fees.h belongs to the number zone"
#endif
#ifndef KEYS_VACCINATION_FEES_H
#define KEYS_VACCINATION_FEES_H

/* What a dose costs: config/claims.yaml, read once when the intake starts. Every fault has its line and column. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum { NZ_FEES_FILE_MAX = 1 << 20, NZ_PRICES_MAX = 8192, NZ_REDUCTIONS_MAX = 2048, NZ_YEN_MAX = 1000000 };

struct nz_fees;
/* A fault goes to standard error. CONFIG. */
ERR nz_fees_load(struct nz_fees **ret_f, const char *path);
/* From memory: the line is appended to *bad_line, without newline. CONFIG, NOMEM. */
ERR nz_fees_parse(struct nz_fees **ret_f, const char *file, struct slice yaml, struct buf *bad_line);
void nz_fees_free(struct nz_fees *f); /* NULL is fine */

enum nz_fee_note { NZ_FEE_PLAIN, NZ_FEE_NO_PRICE /* nothing is agreed for it */, NZ_FEE_UNKNOWN_REDUCTION /* of no row: none was granted */, NZ_FEE__MAX };
struct nz_fee { uint32_t price, share /* 自己負担, what the person pays; at most the price */; enum nz_fee_note note; };
/* Of the rows of the municipality itself, or else of all, the newest that holds on the day. reduction: 減免区分, SLICE_NONE: none. */
struct nz_fee nz_fee_of(const struct nz_fees *f, const char muni[static 6], struct slice program, ymd_t day, struct slice reduction);

#endif
