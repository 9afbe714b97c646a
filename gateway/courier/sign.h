#ifndef GW_COURIER_SIGN_H
#define GW_COURIER_SIGN_H

/* The header Pmhgw-Signature: a detached JWS (RFC 7515, appendix F) over a body, by ES256 with a key of pmhgw-signer. Sans I/O: the digest goes there, the signature
 * comes back. */

#include "gateway/base/buf.h"

enum { SIGN_DIGEST = 32, SIGN_RS = 64, SIGN_KID = 43, SIGN_HEAD_MAX = 1024, SIGN_BODY_MAX = 96 * 1024 };

struct sign_claims {
    struct slice kid;      /* RFC 7638 thumbprint of the key */
    struct slice jti, aud; /* id of the message; whom it is for. Characters of identifiers only */
    uint64_t iat_s;
};
/* Appends the protected header in base64url; the digest is of what is signed: that, ".", and the body in base64url. */
ERR sign_begin(const struct sign_claims *c, struct slice body, struct buf *protected_b64, uint8_t ret_digest[static SIGN_DIGEST]);
/* Appends "Pmhgw-Signature: <protected>..<signature>". */
ERR sign_header(struct slice protected_b64, const uint8_t rs[static SIGN_RS], struct buf *out);

#endif
