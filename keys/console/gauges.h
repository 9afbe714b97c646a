#ifndef GW_ZONE_NUMBER
#error "gauges.h belongs to the number zone"
#endif
#ifndef KEYS_CONSOLE_GAUGES_H
#define KEYS_CONSOLE_GAUGES_H

/* What the console is told out of the numbers that the daemons of this machine keep (gateway/metrics). Sans I/O: one series at a time. */

#include "gateway/metrics/expose.h"
#include "keys/console/hours.h"

enum { NZ_GAUGE_MUNIS = 256, NZ_GAUGE_ENDS = 64, NZ_GAUGE_WORD = 32 };

enum nz_daemon { NZ_DAEMON_VAULT, NZ_DAEMON_AUDIT, NZ_DAEMON_SIGNER, NZ_DAEMON_INTAKE, NZ_DAEMON_FRONT, NZ_DAEMON_COURIER, NZ_DAEMON__MAX };
const char *nz_daemon_name(enum nz_daemon d);

struct nz_gauge_end { char daemon[NZ_GAUGE_WORD], setting[NZ_GAUGE_WORD]; uint64_t end_s; };
struct nz_gauge_muni { char code[6]; struct nz_hour_totals totals; uint64_t since_s; };

struct nz_gauges {
    uint64_t up[NZ_DAEMON__MAX];                     /* processes */
    uint64_t started_s[NZ_DAEMON__MAX];              /* of the youngest one; 0: not known */
    uint64_t notices_waiting, notices_behind_s, notices_dead, vrs_waiting, vrs_not_taken;
    uint64_t disk_hours;                             /* AUDIT_HOURS_UNKNOWN: it was not seen to grow */
    bool has_disk;
    uint64_t lists_end_s, lists_made_s, lists_missing; /* lists of revoked certificates: 0, 0: there are none */
    size_t n_ends, n_munis;
    struct nz_gauge_end ends[NZ_GAUGE_ENDS];
    struct nz_gauge_muni munis[NZ_GAUGE_MUNIS];
};
/* g zeroed at first. A metrics_each_fn. What it does not know, and what does not fit, is passed over. */
void nz_gauges_take(void *g, const struct metrics_series *s);
/* NULL: nothing was counted of that one. */
const struct nz_gauge_muni *nz_gauges_muni(const struct nz_gauges *g, const char muni[static 6]);

#endif
