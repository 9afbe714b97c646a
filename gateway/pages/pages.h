#ifndef GW_PAGES_PAGES_H
#define GW_PAGES_PAGES_H

/* Files for browsers that a program brings along: packed when it is built (gw_pages() of CMakeLists.txt), never read from the disk.
 * They are the same for everyone and hold no personal data; what a page shows, it asks of the routes of the door. */

#include "gateway/serve/serve.h"

enum { PAGE_PATH_MAX = 80 };

struct page { /* a row that CMake wrote */
    char path[PAGE_PATH_MAX]; /* of its route; first, so that the route leads back to it */
    const char *type;         /* Content-Type */
    const char *etag;         /* in quotation marks */
    const char *headers;      /* whole lines: packing, name of the version, what a browser may do with it */
    const uint8_t *packed;    /* gzip */
    size_t n;
};

struct page_set {
    const struct page *pages;
    size_t n;
    struct lit operation; /* of all of its routes */
};

/* Appends a GET row for each file, as many as pages_count(), and answers their number. callers: CALLER_BIT()s; 0: anyone. No token: a browser has none yet. */
size_t pages_routes(const struct page_set *s, struct route *to, unsigned callers);
static inline size_t pages_count(const struct page_set *s) { return s->n; }

/* The handler of those rows. 304 when the browser has this version. */
void pages_get(struct req *r);

/* If-None-Match (RFC 9110, 13.1.2) names this tag, or is "*". */
bool pages_known(struct slice if_none_match, const char *etag);

#endif
