#ifndef GW_TLS_CALLER_H
#define GW_TLS_CALLER_H

/* From a certificate to a caller. Inside gateway/tls and for its tests. */

#include <openssl/x509.h>

#include "gateway/tls/tls.h"

/* Judges what the peer has shown: chain up to a trusted issuer, validity now, purpose, identity.
 * leaf may be NULL (CERT_MISSING); chain: further certificates of the peer, may be NULL. */
void caller_judge(struct caller *ret_c, X509_STORE *trusted, X509 *leaf, STACK_OF(X509) *chain);

/* Reads "pmhgw:..." into role, identity, code and system. false, and nothing is written, for anything else. */
bool caller_parse(struct caller *c, struct slice uri);

#endif
