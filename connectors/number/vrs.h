#ifndef GW_ZONE_NUMBER
#error "vrs.h belongs to the number zone"
#endif
#ifndef CONNECTORS_NUMBER_VRS_H
#define CONNECTORS_NUMBER_VRS_H

/* ワクチン接種記録システム: what one municipality asks of another. The HTTP form is ours [not published]; published is that an inquiry holds the individual
 * number and the code of the municipality that the person came from, and that a wrong one finds nobody. url: vrs_url of the settings.
 *
 *   POST url/inquiries       {"requestId","inquirerMunicipalityCode","providerMunicipalityCode","legalBasis","persons":[{"myNumber"}]}
 *                            200  {"requestId","providerMunicipalityCode","persons":[{"myNumber","immunizations":[{…}]}]}
 *   GET  url/municipalities  200  {"municipalities":["331007",…]}
 *
 * The reply holds these members and no others. Each number that was asked for stands in it at most once; one that is missing was not answered (yet). An empty
 * list says "nothing", whatever the reason. */

#include "connectors/core/client.h"
#include "keys/number/mynum.h"

enum { NZ_VRS_PERSONS_MAX = 200, NZ_VRS_JSON_MAX = 48 * 1024 /* of one person */, NZ_VRS_REQUEST_ID = 32, NZ_VRS_MUNIS_MAX = 4096 };

enum nz_vrs_outcome {
    NZ_VRS_WAITS,      /* not answered: to be asked again */
    NZ_VRS_FOUND, NZ_VRS_NOTHING,
    NZ_VRS_QUARANTINE  /* what came may be about another person, or is not what was agreed: never stored */
};

struct nz_vrs_person {
    const struct nz_mynum *number; /* in, borrowed until done */
    enum nz_vrs_outcome outcome;   /* out */
    struct buf json;               /* out, when FOUND: the list of immunizations, compact JSON; the caller ends it. Initialised by the call */
    uint32_t records;              /* out, when FOUND */
};

struct nz_vrs_ask {
    char id[NZ_VRS_REQUEST_ID];    /* lower-case hex; the same for every try, so that the other side can tell */
    char inquirer[6], provider[6];
    uint16_t basis;                /* id in the register */
    struct nz_vrs_person *person;  /* borrowed until done. The same number twice is asked for once, and both have the answer */
    size_t n;                      /* 1..NZ_VRS_PERSONS_MAX */
};

/* e: why the request as a whole failed; every person WAITS then. UPSTREAM_DOWN (away, late, 408, 425, 429, 5xx), NOTHING (404: no such municipality),
 * FORBIDDEN (401, 403), FIELD (400, 413, 422), UPSTREAM_BAD (anything else that breaks the agreement), BUSY, CANCELED, NOMEM. */
typedef void nz_vrs_done_fn(void *arg, struct err e);
/* done once, from the loop. pool: a few free places, to look for numbers where none may be. */
void nz_vrs_inquire(struct client *c, const char *url, unsigned timeout_ms, struct nz_pool *pool, const struct nz_vrs_ask *ask, nz_vrs_done_fn *done, void *arg);

/* munis: n times 6 digits, in order, each once; borrowed for the call. */
typedef void nz_vrs_munis_fn(void *arg, struct err e, const char (*munis)[6], size_t n);
void nz_vrs_municipalities(struct client *c, const char *url, unsigned timeout_ms, nz_vrs_munis_fn *done, void *arg);

/* ---- the sans-I/O halves ---- */

ERR nz_vrs_write(const struct nz_vrs_ask *ask, struct buf *out);
/* Judges a reply body. UPSTREAM_BAD when it is not what was agreed as a whole; somebody else's number, one that was altered, or one twice: nobody knows whose
 * records these are, every person of the reply is QUARANTINE. *ret_strange then. */
ERR nz_vrs_judge(const struct nz_vrs_ask *ask, struct nz_pool *pool, struct slice body, bool *ret_strange);
ERR nz_vrs_judge_munis(struct slice body, char (*ret_munis)[6], size_t max, size_t *ret_n);
void nz_vrs_persons_done(struct nz_vrs_person *p, size_t n); /* ends the lists */

#endif
