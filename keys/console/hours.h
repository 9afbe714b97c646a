#ifndef GW_ZONE_NUMBER
#error "hours.h belongs to the number zone"
#endif
#ifndef KEYS_CONSOLE_HOURS_H
#define KEYS_CONSOLE_HOURS_H

/* What became of a municipality's rows, and how often its residents' records were told, by the hour (decision 62). Sans I/O.
 *
 *   cs:<muni>         HASH  the totals that were added last, as the daemons count them since they were installed
 *   cs:<muni>:<hour>  HASH  what each grew by in that hour (since 1970); oldest_s: the greatest age of what waited; seen: somebody looked in that hour
 *
 * Totals are handed in, not steps: adding them twice, or again after a restart, changes nothing. */

#include "gateway/base/json_write.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

enum { NZ_HOURS = 48, NZ_HOURS_LIFE_MS = 51 * 3600 * 1000, NZ_HOUR_MS = 3600 * 1000 };

/* X(symbol, name here and in the answer) */
#define NZ_HOUR_COUNTS(X)                                                                                       \
    X(REGISTERED, "registered") X(UPDATED, "updated") X(UNCHANGED, "unchanged") X(REFUSED, "refused")           \
    X(QUARANTINED, "quarantined") X(TOLD_CLINIC, "told_clinic") X(TOLD_CITIZEN, "told_citizen") X(TURNED_AWAY, "requests_refused")
enum nz_hour_count {
#define X(sym, name) NZ_HOUR_##sym,
    NZ_HOUR_COUNTS(X)
#undef X
    NZ_HOUR__MAX
};
const char *nz_hour_name(enum nz_hour_count c);

struct nz_hour_totals { uint64_t n[NZ_HOUR__MAX], oldest_s; };

/* One command. */
void nz_hours_add(struct redis_batch *b, const char muni[static 6], uint64_t now_ms, const struct nz_hour_totals *t);
/* NZ_HOURS commands: the oldest hour first, the last one is that of now_ms. */
void nz_hours_ask(struct redis_batch *b, const char muni[static 6], uint64_t now_ms);
/* Members of an open object: an array for each count and for oldest_s; null: nobody looked in that hour. STORE_REFUSED: these are no such replies. */
ERR nz_hours_write(const struct redis_reply *const *replies, size_t n, uint64_t now_ms, struct jsonw *w);

#endif
