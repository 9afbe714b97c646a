#ifndef GW_ZONE_NUMBER
#error "vrs_report.h belongs to the number zone"
#endif
#ifndef CONNECTORS_NUMBER_VRS_REPORT_H
#define CONNECTORS_NUMBER_VRS_REPORT_H

/* ワクチン接種記録システム: what a municipality registers there. Published is that subjects and the tickets that were issued are registered, and records after a
 * vaccination, with the individual number; the HTTP form is ours [not published]. url: vrs_url of the settings.
 *
 *   POST url/registrations  {"requestId","municipalityCode","legalBasis","registrations":[{"myNumber","registrationId","version","registration":{…}}]}
 *   POST url/records        {"requestId","municipalityCode","legalBasis","records":[{"myNumber","immunizationId","version","immunization":{…}}]}
 *                           200 {"requestId","municipalityCode","registrations" or "records":[{the id,"version","result":"accepted"|"refused"|"later","code"?}]}
 *
 * The same row again is accepted again; a version below one that was accepted changes nothing and is accepted. The reply holds these members and no others, and no
 * number. A row that is missing in it was not taken (yet). code: [a-z_]{1,32}, why it was not accepted. */

#include "connectors/core/client.h"
#include "keys/number/mynum.h"

enum { NZ_VRS_ROWS_MAX = 200, NZ_VRS_ROW_JSON_MAX = 64 * 1024, NZ_VRS_ROW_ID = 16, NZ_VRS_CODE_MAX = 32, NZ_VRS_REPORT_ID = 32 };

enum nz_vrs_kind { NZ_VRS_REGISTRATIONS, NZ_VRS_RECORDS, NZ_VRS_KIND__MAX };

enum nz_vrs_said {
    NZ_VRS_LATER,     /* not taken, or nothing was said about it: again, later */
    NZ_VRS_ACCEPTED,
    NZ_VRS_REFUSED,   /* see code */
    NZ_VRS_BREACH     /* what was said about it is not what was agreed */
};

struct nz_vrs_row {
    const struct nz_mynum *number;    /* in, borrowed until done */
    uint8_t id[NZ_VRS_ROW_ID];        /* in: of one request each once */
    uint64_t version;                 /* in */
    struct slice json;                /* in: an object, compact; borrowed until nz_vrs_report() returns */
    enum nz_vrs_said said;            /* out */
    char code[NZ_VRS_CODE_MAX + 1];   /* out, when REFUSED: may be empty */
};

struct nz_vrs_report {
    enum nz_vrs_kind kind;
    char id[NZ_VRS_REPORT_ID];        /* lower-case hex; the same for the same rows with the same contents */
    char muni[6];
    uint16_t basis;
    struct nz_vrs_row *row;           /* borrowed until done */
    size_t n;                         /* 1..NZ_VRS_ROWS_MAX */
};

/* e: why the request as a whole failed, every row is LATER then: as nz_vrs_inquire() says; NOTHING: VRS does not know this municipality. */
typedef void nz_vrs_reported_fn(void *arg, struct err e);
void nz_vrs_report(struct client *c, const char *url, unsigned timeout_ms, const struct nz_vrs_report *r, nz_vrs_reported_fn *done, void *arg); /* *r is copied */

/* ---- the sans-I/O halves ---- */

ERR nz_vrs_report_write(const struct nz_vrs_report *r, struct buf *out);
/* UPSTREAM_BAD when the reply is not what was agreed as a whole: another request's, one with a row that was not told, or one twice. */
ERR nz_vrs_report_judge(const struct nz_vrs_report *r, struct slice body);

#endif
