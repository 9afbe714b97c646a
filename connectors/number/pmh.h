#ifndef GW_ZONE_NUMBER
#error "pmh.h belongs to the number zone"
#endif
#ifndef CONNECTORS_NUMBER_PMH_H
#define CONNECTORS_NUMBER_PMH_H

/* Numbering at PMH: individual numbers out, PMH keys back. PMH reuses an existing key. The HTTP form is ours [not published]:
 *   POST pmh_url   [{"myNumber":"…"}, …]     200  [{"pmhKey":"…","myNumber":"…"}, …]   in any order
 * The published rule: the reply holds exactly the key and the unchanged number, nothing else. A row whose reply holds more, less,
 * another type, another number, or a key that another number got, is quarantined. */

#include "connectors/core/client.h"
#include "gateway/store/store.h"
#include "keys/number/mynum.h"

enum nz_pmh_outcome { NZ_PMH_KEY, NZ_PMH_RETRY, NZ_PMH_QUARANTINE };

struct nz_pmh_row {
    const struct nz_mynum *number; /* in, borrowed until done */
    enum nz_pmh_outcome outcome;   /* out */
    char pmh_key[PMH_KEY_MAX + 1]; /* out, NUL-terminated, when NZ_PMH_KEY: 1..PMH_KEY_MAX of [A-Za-z0-9._~-] */
};

/* e: why the whole request failed: UPSTREAM_DOWN (away, 408, 425, 429, 5xx), FORBIDDEN (401, 403: it does not want us), FIELD (400, 413, 422: it
 * refuses what was sent), UPSTREAM_BAD (anything else that breaks the agreement), BUSY ...; the rows' outcomes are set in every case. */
typedef void nz_pmh_done_fn(void *arg, struct err e);
/* rows: borrowed until done, 1..1000. done once, from the loop. */
void nz_pmh_number(struct client *c, const char *url, unsigned timeout_ms, struct nz_pmh_row *rows, size_t n,
                   nz_pmh_done_fn *done, void *arg);

/* The sans-I/O half: judges a reply body against the rows. UPSTREAM_BAD when it is not even an array. */
ERR nz_pmh_judge(struct slice body, struct nz_pmh_row *rows, size_t n);
/* Writes the request body. */
ERR nz_pmh_write(const struct nz_pmh_row *rows, size_t n, struct buf *out);

#endif
