#ifndef GW_JOSE_CLAIMS_H
#define GW_JOSE_CLAIMS_H

/* What our tokens say. Unknown members are refused; every rule broken gives the one error NOTHING. */

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum { CLAIM_KEY_MAX = 128, CLAIM_JTI_MAX = 64, CLAIM_PURPOSE_MAX = 32, CLAIM_ISS_MAX = 64, LINK_KEY_LIFE_S = 24 * 3600, CLOCK_SKEW_S = 30 };

/* ---- scope: the kinds of data that may be told, and of each all or certain published fields ---- */

enum link_kind { LINK_ELIGIBILITY, LINK_IMMUNIZATIONS, LINK_QUESTIONNAIRE, LINK_KIND__MAX };
enum { LINK_FIELDS = 14, LINK_FIELDS_ALL = (1 << LINK_FIELDS) - 1 };

struct link_scope {
    uint8_t kinds;   /* bits 1 << enum link_kind */
    uint16_t fields; /* of eligibility: bit i is link_field_name(i); LINK_FIELDS_ALL when it is not narrowed, 0 without eligibility */
};

const char *link_kind_name(enum link_kind k);  /* "eligibility"; NULL when out of range */
const char *link_field_name(unsigned i);       /* "municipalityCode" ...; NULL when out of range */
/* Words with one space between them; none twice, a kind not both whole and narrowed. */
bool link_scope_parse(struct slice text, struct link_scope *ret_s);

/* PMH連携キー, docs/access.md. All claims are required, no others may be there. The real format is not published; this one is ours. */
struct link_claims {
    struct slice iss;            /* environment, [a-z0-9.-]{1,64} */
    struct slice pmh_key;
    struct slice aud;            /* 医療機関コード, 10 digits */
    struct slice purpose;        /* [a-z_]{1,32} */
    struct slice scope;          /* the words; link_scope_parse() has taken them */
    struct slice jti, consent_id;
    uint32_t consent_version;    /* from 1 */
    uint64_t iat, exp;           /* seconds since 1970; exp - iat at most LINK_KEY_LIFE_S */
    struct link_scope allowed;   /* what scope says; not written */
};
/* Slices live in the arena. Checks the form; not times, iss, aud and purpose. NOTHING for every fault. */
ERR link_claims_read(struct link_claims *ret_c, struct arena *a, struct slice json);
/* The life is not too long, and now is in it (skew CLOCK_SKEW_S). NOTHING. */
ERR link_claims_live(const struct link_claims *c, uint64_t now_s);
/* Both. */
ERR link_claims_parse(struct link_claims *ret_c, struct arena *a, struct slice json, uint64_t now_s);
void link_claims_write(const struct link_claims *c, struct buf *out);

/* Access token of the municipal door: {sub, iat, exp, cnf:{"x5t#S256"}} (RFC 8705 §3.1). */
struct token_claims {
    struct slice sub; /* identity of the certificate, "municipality/331007/kodomo" */
    uint8_t cert_sha256[32];
    uint64_t iat, exp;
};
ERR token_claims_parse(struct token_claims *ret_c, struct arena *a, struct slice json, uint64_t now_s); /* E_TOKEN */
void token_claims_write(const struct token_claims *c, struct buf *out);

#endif
