#ifndef GW_JOSE_CLAIMS_H
#define GW_JOSE_CLAIMS_H

/* What our tokens say. Unknown members are refused; every rule broken gives the one error NOTHING. */

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum { CLAIM_KEY_MAX = 128, CLAIM_JTI_MAX = 64, LINK_KEY_LIFE_S = 24 * 3600, CLOCK_SKEW_S = 30 };

/* PMH連携キー. {pmh_key, aud, scope, iat, exp, jti, consent_id}: aud the 医療機関コード (10 digits), scope space-separated words,
 * iat and exp seconds since 1970, exp - iat at most LINK_KEY_LIFE_S. The real format is not published; this one is ours. */
struct link_claims {
    struct slice pmh_key, aud, scope, jti, consent_id;
    uint64_t iat, exp;
};
/* Slices live in the arena. Checks form, life and now (skew CLOCK_SKEW_S), not aud. */
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
