#ifndef KEYS_CTL_RECEIPT_H
#define KEYS_CTL_RECEIPT_H

/* The signed receipt of a file: JWS compact, ES256, x5c (docs/bulk.md). Sans I/O but for the file of the CA. */

#include <jansson.h>

#include "gateway/base/buf.h"

/* Extended key usage of the certificate (RFC 9336, document signing): other certificates of the same CA sign no receipts. */
#define RECEIPT_USAGE "1.3.6.1.5.5.7.3.36"

enum { RECEIPT_MAX = 64 * 1024 };

enum receipt_verdict {
    RECEIPT_GOOD,
    RECEIPT_SHAPE,     /* no JWS of this kind */
    RECEIPT_CHAIN,     /* the certificate does not lead to the CA, or is not of today */
    RECEIPT_NOT_OURS,  /* it does, but is not the one for receipts */
    RECEIPT_SIGNATURE,
    RECEIPT__MAX
};
/* GOOD: *ret_claims is the payload, the caller's. */
enum receipt_verdict receipt_verify(struct slice jws, const char *ca_path, json_t **ret_claims);
const char *receipt_verdict_ja(enum receipt_verdict v);
const char *receipt_verdict_en(enum receipt_verdict v);

#endif
