#ifndef GW_JOSE_ES256_H
#define GW_JOSE_ES256_H

/* ES256 (RFC 7518, 3.4) with keys whose private half is elsewhere: verifying, names of keys. */

#include "gateway/base/buf.h"

enum { ES256_COORDINATE = 32, ES256_SIGNATURE = 64 /* r || s */, ES256_KID = 43 };

struct es256_key { uint8_t x[ES256_COORDINATE], y[ES256_COORDINATE]; };

/* The P-256 key of a PEM certificate / of a DER one. CONFIG: no such certificate, another kind of key. */
ERR es256_key_of_pem(const char *cert_path, struct es256_key *ret_k);
ERR es256_key_of_der(struct slice cert, struct es256_key *ret_k);

/* RFC 7638 thumbprint in base64url. */
ERR es256_thumbprint(const struct es256_key *k, char ret_kid[static ES256_KID]);

/* Ready to verify. CRYPTO: the point is not on the curve. */
struct es256_verifier;
ERR es256_verifier_new(struct es256_verifier **ret_v, const struct es256_key *k);
void es256_verifier_free(struct es256_verifier *v); /* NULL is fine */
/* Over the SHA-256 of text. false for whatever is wrong with the signature. */
bool es256_verify(const struct es256_verifier *v, struct slice text, struct slice signature);

/* header.payload.signature, cut at the dots. false: not of that form; nothing is decoded. */
struct jws_parts { struct slice signed_text, header, payload, signature; /* borrowed, the last three still base64url */ };
bool jws_split(struct slice compact, struct jws_parts *ret_p);

#endif
