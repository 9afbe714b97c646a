#ifndef GW_CERT_SHC_H
#define GW_CERT_SHC_H

/* SMART Health Card: from typed fields to a JWS and the text of its QR code. Sans I/O; what signs is elsewhere (gateway/signer).
 *
 *   payload (minified FHIR bundle) -> raw DEFLATE -> base64url -> header.payload -> SHA-256 -> signer -> .signature -> shc:/ digits
 *
 * There is no field for an individual number, a ticket, an address or a municipality, so none can get in; besides, a payload with twelve digits in a row is refused. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum { SHC_JWS_MAX = 1195 /* what one QR code of version 22 holds */, SHC_DOSES_MAX = 16, SHC_QR_VERSION_MAX = 22, SHC_KID = 43, SHC_RID_MAX = 24 };

struct shc_dose {
    ymd_t date;
    struct slice cvx;        /* digits; required */
    struct slice lot;        /* SLICE_NONE: not told */
};
struct shc_card {
    struct slice issuer;     /* https URL without a slash at its end */
    uint64_t nbf_s;
    struct slice rid;        /* base64url, at most SHC_RID_MAX */
    struct slice family, given; /* given: words, each becomes one name; may be SLICE_NONE */
    ymd_t birth;
    struct slice authority;  /* performer */
    size_t n;
    const struct shc_dose *doses;
};

/* What it works with from card to card. */
struct shc_packer;
ERR shc_packer_new(struct shc_packer **ret_p);
void shc_packer_free(struct shc_packer *p); /* NULL is fine */

/* Appends header.payload and gives its SHA-256. FIELD: a field that cannot be in a card. FULL: the JWS would be longer than SHC_JWS_MAX. */
ERR shc_text(struct shc_packer *p, const struct shc_card *c, const char kid[static SHC_KID], struct buf *out, uint8_t ret_digest[static 32]);
/* The same without the limit and without the digest, for tests of what is inside. */
ERR shc_payload(const struct shc_card *c, struct buf *out);
/* Appends "." and the signature. */
void shc_sign(struct buf *text, const uint8_t signature[static 64]);
/* Appends two digits for each character, without "shc:/". FIELD: a character that JWS do not have. */
ERR shc_numeric(struct slice jws, struct buf *out);

/* The way back, for verifying. */
ERR shc_of_numeric(struct slice digits, struct buf *out); /* FIELD */
/* Inflates the payload of a card; at most out->max. FIELD. */
ERR shc_inflate(struct slice deflated, struct buf *out);

/* Whether twelve digits stand in a row somewhere. */
bool cert_has_twelve_digits(struct slice s);

#endif
