#ifndef GW_TLS_DOOR_H
#define GW_TLS_DOOR_H

/* Shared by door.c and conn.c. */

#include <openssl/ssl.h>

#include "gateway/tls/tls.h"

struct tls_door {
    SSL_CTX *ctx;
    BIO_METHOD *bio; /* reads and writes the slices and bufs of a tls_conn */
    bool asks;       /* for a client certificate */
};

/* NULL when out of memory. */
BIO_METHOD *tls__bio_new(void);
void tls__on_info(const SSL *ssl, int where, int ret);

#endif
