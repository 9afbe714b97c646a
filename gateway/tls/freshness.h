#ifndef GW_TLS_FRESHNESS_H
#define GW_TLS_FRESHNESS_H

/* How long the lists of revoked certificates last, for whoever has to put others there: in the log once for each warning, and as numbers. From the end of an issuer's
 * list on nobody with a certificate of his is served. Inside gateway/tls, and for `pmhgw doctor`. */

#include "gateway/loop/loop.h"
#include "gateway/metrics/metrics.h"
#include "gateway/tls/crl.h"

/* Seconds of the warning that holds at `now`, a bound that is above what is left: a week, a day, an hour, each for lists that are made for at least twice as long; half of
 * its time for a list that is made for less than two hours. 0: none does, or it has ended. */
int64_t crl_soon(const struct crl *c, int64_t now);

/* Of one issuer: what the log has of the list that is held. */
struct freshness { int64_t said; bool ended; };
/* place: of the issuer in the file of issuers, from 1. held NULL: nothing is said. true: the list has ended since the last call, or has not ended any more, for clocks are set. */
bool freshness_look(struct freshness *f, unsigned place, const struct crl *held, int64_t now);

struct freshness_numbers { metric *ends, *made, *missing; };
/* m: may be NULL. */
void freshness_numbers(struct freshness_numbers *ret_n, struct metrics *m);
/* Of all issuers: n lists, NULL where there is none. */
void freshness_tell(const struct freshness_numbers *to, const struct crl *const *held, size_t n, int64_t now);

#endif
