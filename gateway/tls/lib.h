#ifndef GW_TLS_LIB_H
#define GW_TLS_LIB_H

/* OpenSSL 3 with only those algorithms that a door uses. Inside gateway/tls.
 *
 * To read the public key of a certificate OpenSSL 3.0 builds, each time, a list of all decoders that it has for all kinds of keys: a third of a
 * handshake. Here it is a library context of its own with a provider that hands on what lib.c lists of the default provider, and nothing else. */

#include <openssl/types.h>

#include "gateway/base/err.h"

struct tls_lib;

/* CRYPTO, NOMEM. */
ERR tls_lib_new(struct tls_lib **ret_l);
/* After all that was made with its context. NULL is fine. */
void tls_lib_free(struct tls_lib *l);
OSSL_LIB_CTX *tls_lib_context(const struct tls_lib *l); /* NULL for NULL: OpenSSL's default */
/* Has all of it been read? CRYPTO: something is missing, and stays so until the process ends. */
ERR tls_lib_whole(const struct tls_lib *l);

#endif
