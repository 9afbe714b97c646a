#ifndef GW_PORTAL_STATEMENT_H
#define GW_PORTAL_STATEMENT_H

/* The statement of access: a page of the access log, signed, and as a document to print. Shared by statement.c and statement_html.c only. */

#include "gateway/portal/log_page.h"

struct statement {
    struct log_page page;
    uint64_t issued_ms;
    char request[2 * sizeof((struct req_id *)0)->b]; /* of the entry STATEMENT_ISSUED: which statement this is */
};

/* A document of its own: nothing is loaded from elsewhere and nothing runs; A4, Japanese with English below. Text is escaped. */
void statement_html(const struct statement *s, struct buf *out);

/* "2026-11-21 18:20:48", in Japan. */
enum { STATEMENT_TIME = 19 };
void statement_time(uint64_t wall_ms, char out[static STATEMENT_TIME]);
void statement_escape(struct buf *out, struct slice text);

#endif
