#ifndef GW_CERT_PAGE_H
#define GW_CERT_PAGE_H

/* A certificate to print: one HTML document, A4, Japanese with English below. Nothing is loaded from elsewhere and nothing runs; text is escaped. Sans I/O. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/cert/qr.h"

struct page_dose { ymd_t date; unsigned dose; struct slice vaccine_ja, vaccine_en, product, maker, lot; };
struct page_code { const struct qr *qr; struct slice name; /* rid or UVCI */ bool seal; /* VDS-NC */ };
struct page {
    struct slice name, authority;
    struct slice passport, nationality; /* SLICE_NONE: for use in Japan */
    ymd_t birth, issued;
    size_t n_doses, n_codes;
    const struct page_dose *doses;
    const struct page_code *codes;
};
/* FULL, NOMEM. */
ERR page_write(const struct page *p, struct buf *out);

#endif
