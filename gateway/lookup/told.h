#ifndef GW_LOOKUP_TOLD_H
#define GW_LOOKUP_TOLD_H

/* How often records of each municipality were told, and to whom, as numbers of this process (gateway/metrics). What was not told is not counted, whatever the reason:
 * the numbers know of nobody who is silent. */

#include "gateway/metrics/metrics.h"
#include "gateway/tls/tls.h"

enum told_whom { TOLD_CLINIC, TOLD_CITIZEN, TOLD__MAX };
enum { TOLD_MUNIS = 256 /* further ones are not counted */ };

struct told {
    size_t n;
    struct { char code[6]; metric *to[TOLD__MAX]; } of[TOLD_MUNIS];
};
/* muni: of records that were opened; "000000" is nobody's. */
void told_count(struct told *t, struct metrics *m, enum caller_role who, const char muni[static 6]);

#endif
