#ifndef GW_ZONE_NUMBER
#error "watch.h belongs to the number zone"
#endif
#ifndef KEYS_CONSOLE_WATCH_H
#define KEYS_CONSOLE_WATCH_H

/* What the console is told of the gateway, and from whom (decision 62): its parts and since when they are as they are, and what happened by the hour.
 *
 *   watch.c         looks: at what this process knows each second, at what the daemons count when somebody asks, and once a minute, which goes to hours.h
 *   overview.c      GET /v1/console/overview       series.c  GET /v1/console/series       certificates.c  GET /v1/console/certificates
 *   sans I/O: gauges.c hours.c backlog.c */

#include "keys/console/gauges.h"
#include "keys/intake/intake.h"

/* X(symbol, name, kind) */
#define NZ_PARTS(X)                                                                                             \
    X(REDIS_LINK, "redis-link", "store") X(VAULT, "vault", "daemon") X(AUDIT, "audit", "daemon")                \
    X(SIGNER, "signer", "daemon") X(FRONT, "front", "daemon") X(COURIER, "courier", "daemon") X(PMH, "pmh", "upstream")
enum nz_part {
#define X(sym, name, kind) NZ_PART_##sym,
    NZ_PARTS(X)
#undef X
    NZ_PART__MAX
};
enum nz_part_state { NZ_PART_UNKNOWN, NZ_PART_UP, NZ_PART_DOWN };
struct nz_part_view { const char *name, *kind, *state; uint64_t since_ms; /* wall; of what was so when this process started, that */ };

struct nz_watch;
ERR nz_watch_new(struct nz_watch **ret_w, struct nz_intake *in);
void nz_watch_close(struct nz_watch *w);
void nz_watch_free(struct nz_watch *w); /* after the loop; NULL is fine */

struct nz_part_view nz_watch_part(const struct nz_watch *w, enum nz_part p);
/* Not older than some seconds. NULL: the daemons keep no numbers (metrics_dir), or they cannot be read. */
const struct nz_gauges *nz_watch_gauges(struct nz_watch *w);
/* What was counted of a municipality until now; false: it is not known. */
bool nz_watch_totals(struct nz_watch *w, const char muni[static 6], struct nz_hour_totals *ret_t);

handler_fn nz_console_overview, nz_console_series, nz_console_certificates;

#endif
