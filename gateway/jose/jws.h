#ifndef GW_JOSE_JWS_H
#define GW_JOSE_JWS_H

/* JWS in compact form (RFC 7515), ES256 (RFC 7518, 3.4), with the signer's certificate in x5c. Signing only. */

#include "gateway/base/buf.h"

struct jws_signer;

/* PEM files: a certificate of a P-256 key, and that key. CONFIG when they cannot be read, are of another kind or do not belong together. */
ERR jws_signer_new(struct jws_signer **ret_s, const char *cert_path, const char *key_path);
/* The same key without a certificate in what it signs: the header is {"alg":"ES256"}. CONFIG. */
ERR jws_signer_bare(struct jws_signer **ret_s, const char *key_path);
void jws_signer_free(struct jws_signer *s); /* NULL is fine */
/* Appends header.payload.signature. CRYPTO; FULL, NOMEM of *out. */
ERR jws_sign(const struct jws_signer *s, struct slice payload, struct buf *out);

#endif
