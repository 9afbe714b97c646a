#ifndef KEYS_CTL_CERTIFICATE_H
#define KEYS_CTL_CERTIFICATE_H

/* Whether a certificate of vaccination is good: a SMART Health Card (the text of its QR code, the JWS, or a .smart-health-card file) or a VDS-NC. Sans I/O
 * but for the file of the CSCA. */

#include <jansson.h>

#include "gateway/base/buf.h"
#include "gateway/jose/es256.h"

enum { CERTIFICATE_FILE_MAX = 64 * 1024, CERTIFICATE_NAME_MAX = 24 };

enum certificate_verdict {
    CERTIFICATE_GOOD,
    CERTIFICATE_SUPERSEDED,
    CERTIFICATE_REVOKED,
    CERTIFICATE_UNKNOWN_KEY, /* no such key is published; the signer's certificate is not by that CSCA, or not for VDS-NC */
    CERTIFICATE_SIGNATURE,
    CERTIFICATE_SHAPE,
    CERTIFICATE__MAX
};
const char *certificate_verdict_word(enum certificate_verdict v); /* "good", "superseded", "revoked", "unknown_key", "bad_signature", "malformed" */

struct certificate {
    bool seal;                          /* VDS-NC */
    char kid[ES256_KID + 1];            /* whose list has to be looked at */
    char name[CERTIFICATE_NAME_MAX + 1];/* rid or UVCI; "" when it has none: then it cannot be revoked */
    struct buf payload;                 /* the JSON that is signed; certificate_done() */
};
/* Verifies the signature: a card by the published keys, a seal by its own certificate, which the CSCA must have issued. GOOD as far as the signature tells. Always initialises *ret_c. */
enum certificate_verdict certificate_read(struct slice text, const json_t *jwks, const char *csca_path, struct certificate *ret_c);
/* Whether it is a list, and that of its key. */
bool certificate_is_list_of(const struct certificate *c, const json_t *crl);
/* By the list of its key: {"rids":[...],"superseded":[...]}. */
enum certificate_verdict certificate_listed(const struct certificate *c, const json_t *crl);
void certificate_done(struct certificate *c);

#endif
