#ifndef GW_HTTP_HTTP_H
#define GW_HTTP_HTTP_H

/* HTTP/1.1 requests from bytes, without I/O: llhttp in strict mode behind a byte guard. One reading of every byte
 * stream: what two readers could read differently is refused. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum http_method { M_GET, M_POST, M_PUT, M_DELETE, M_OTHER };

struct http_limits {
    size_t header_max; /* bytes of request line and headers together, e.g. 16 KiB */
};

/* Headers of our own: one row, one meaning. X(symbol, name in lower case); each may come once. */
#define HTTP_KNOWN_HEADERS(X) X(STAFF, "pmhgw-staff") X(SIGNATURE, "pmhgw-signature") X(TRACEPARENT, "traceparent") X(IF_NONE_MATCH, "if-none-match")
enum http_known {
#define X(sym, name) HTTP_KNOWN_##sym,
    HTTP_KNOWN_HEADERS(X)
#undef X
    HTTP_KNOWN__MAX
};

struct http_head { /* slices borrow from the parser, valid until the request is taken off */
    enum http_method method;
    struct slice path, query;      /* of the request target, origin form, as sent (no decoding) */
    struct slice content_type, authorization, accept_language, origin;
    bool has_content_range;
    struct slice content_range;    /* unread: http_content_range() */
    struct slice known[HTTP_KNOWN__MAX]; /* as sent; SLICE_NONE when absent */
    bool has_body;                 /* Content-Length > 0 or chunked */
    bool length_known;
    uint64_t content_length;
    bool keep_alive;
    bool expect_continue;
    bool head_method;              /* HEAD (an M_OTHER): the answer must not have a body */
    unsigned version_minor;        /* 0 or 1 */
};

enum http_ev {
    HTTP_NEED,  /* all input is consumed, give more */
    HTTP_HEAD,  /* *ret_head is complete; call again for the body */
    HTTP_BODY,  /* *ret_data is a piece of the body; borrows from the input */
    HTTP_DONE,  /* the request is complete; call http_next() again for a pipelined one */
    HTTP_BAD    /* refused; *ret_err says why (BAD_REQUEST, BAD_URL, METHOD_UNKNOWN, HEADERS_TOO_LARGE, NOMEM); the connection must close */
};

struct http_parser;
struct http_parser *http_parser_new(struct http_limits limits);
void http_parser_free(struct http_parser *p);
/* Advances *in past what was consumed. */
enum http_ev http_next(struct http_parser *p, struct slice *in, const struct http_head **ret_head, struct slice *ret_data,
                       struct err *ret_err);
/* Content-Range of a part, "bytes first-last/total" (RFC 9110, 14.4): first <= last < total, decimal without leading zeros. false for
 * anything else, "*" in place of a number included. */
struct http_range { uint64_t first, last, total; };
bool http_content_range(struct slice value, struct http_range *ret_range);

/* Between requests: nothing of a next request has arrived. */
bool http_idle(const struct http_parser *p);
/* Between requests: wipes the last one; its head is gone. Does nothing while one is under way. */
void http_forget(struct http_parser *p);

/* ---- answers ---- */

struct http_answer {
    int status;
    const char *content_type;     /* literal, or NULL for none */
    const char *allow;            /* or NULL */
    const char *www_authenticate; /* or NULL */
    const char *location;         /* or NULL; our own text only */
    const char *headers;          /* or NULL; whole lines, our own text only, in place of Cache-Control: no-store */
    bool for_anyone;              /* pages of any site may read it (CORS) */
    unsigned retry_after_s;       /* 0: none */
    const char *request_id;       /* hex */
    const char *date;             /* of http_date(), or NULL */
    bool close;
    bool keep_alive;              /* say so, unless close: a client of HTTP/1.0 expects the end otherwise */
    bool no_body;                 /* answer to HEAD */
    bool endless;                 /* the length is not known: chunked, or until the end of the connection when close is set for HTTP/1.0 */
    unsigned version_minor;       /* of the request; looked at when endless */
};
/* Status line, headers (Cache-Control: no-store, X-Content-Type-Options: nosniff, ...) and body, appended to *out. */
void http_write(struct buf *out, const struct http_answer *a, struct slice body);
/* A piece of an endless answer, n > 0, and its end; nothing around the piece for HTTP/1.0. */
void http_write_piece(struct buf *out, unsigned version_minor, struct slice piece);
void http_write_end(struct buf *out, unsigned version_minor);

enum { HTTP_DATE_CHARS = 29 };
/* "Sun, 06 Nov 1994 08:49:37 GMT" and a NUL. Years up to 9999. */
void http_date(uint64_t wall_ms, char out[static HTTP_DATE_CHARS + 1]);

#endif
