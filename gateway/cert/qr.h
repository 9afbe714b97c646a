#ifndef GW_CERT_QR_H
#define GW_CERT_QR_H

/* QR codes, as pictures. Sans I/O. */

#include "gateway/base/buf.h"

enum { QR_QUIET = 4 /* modules around it, ISO/IEC 18004 */, QR_PNG_MAX = 64 * 1024, QR_SVG_MAX = 512 * 1024 };

struct qr;
/* "shc:/" as bytes and the digits as a numeric segment, at most version 22. FULL: more than that holds. */
ERR qr_of_shc(struct qr **ret_q, struct slice digits);
/* All of it as bytes, error correction L; never version 23, which a widespread reader cannot read. FULL. */
ERR qr_of_bytes(struct qr **ret_q, struct slice text);
void qr_free(struct qr *q); /* NULL is fine */
unsigned qr_version(const struct qr *q);
unsigned qr_width(const struct qr *q); /* modules, without the quiet zone */
bool qr_dark(const struct qr *q, unsigned x, unsigned y);

/* Black on white, one bit a pixel, `scale` pixels a module. */
ERR qr_png(const struct qr *q, unsigned scale, struct buf *out);
/* An <svg> element of its own, one unit a module. */
ERR qr_svg(const struct qr *q, struct buf *out);

#endif
