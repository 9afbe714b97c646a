#ifndef GW_CERT_ATTRIBUTES_H
#define GW_CERT_ATTRIBUTES_H

/* What a citizen's card says of its holder, as the portal that read it signs it: JWS compact, ES256, over
 *   {"aud","sub": pseudonym,"portal": whose pseudonym it is,"azp": who may use this ("portal/mynaportal", "kiosk/..."),"iat","jti","name","birthDate"}
 * All are required and there are no others. The real format is not published; this one is ours. Sans I/O. */

#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "gateway/jose/es256.h"

enum { ATTRIBUTES_MAX = 2048, ATTRIBUTES_LIFE_S = 600, ATTRIBUTES_SKEW_S = 30, ATTRIBUTES_NAME_MAX = 100 };

struct attributes {
    struct slice portal, jti;       /* jti: 16 to 64 of [A-Za-z0-9_-]; to be used once */
    struct slice family, given;     /* of the name, in its own script */
    ymd_t birth;
    uint64_t iat;
};
struct attributes_want { struct slice audience, subject, azp; uint64_t now_s; };

/* Slices live in the arena. ATTRIBUTES for whatever is wrong: form, signature, audience, person, caller, age. */
ERR attributes_read(const struct es256_verifier *issuer, struct slice jws, const struct attributes_want *want, struct arena *a, struct attributes *ret_a);

#endif
