#ifndef TESTS_HTTP_TRACE_H
#define TESTS_HTTP_TRACE_H

/* What a parser reads from a byte stream, as text: for comparing ways of cutting the stream. */

#include "gateway/http/http.h"

static void trace_field(struct buf *out, struct slice s)
{
    buf_putc(out, '|');
    buf_put(out, s);
}

static void trace_head(struct buf *out, const struct http_head *h)
{
    buf_puts(out, "HEAD ");
    buf_u64(out, h->method);
    const struct slice parts[] = { h->path, h->query, h->content_type, h->authorization, h->accept_language, h->origin };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        trace_field(out, parts[i]);
    buf_putc(out, '|');
    buf_u64(out, h->content_length);
    buf_puts(out, h->has_body ? " body" : "");
    buf_puts(out, h->length_known ? " known" : "");
    buf_puts(out, h->keep_alive ? " keep" : "");
    buf_puts(out, h->expect_continue ? " expect" : "");
    buf_puts(out, h->version_minor ? " 1.1\n" : " 1.0\n");
}

/* Feeds one piece; false when the stream was refused. A body shows only when its request is complete: how much of a
 * refused body came through depends on the cut, and must not matter. */
static bool trace_feed(struct http_parser *p, struct slice in, struct buf *body, struct buf *out)
{
    const struct http_head *head;
    struct slice data;
    struct err why;
    for (;;) {
        switch (http_next(p, &in, &head, &data, &why)) {
        case HTTP_NEED:
            buf_puts(out, in.n ? "LEFT OVER\n" : "");
            return true;
        case HTTP_HEAD:
            trace_head(out, head);
            break;
        case HTTP_BODY:
            buf_put(body, data);
            break;
        case HTTP_DONE:
            buf_puts(out, "DONE ");
            buf_put(out, buf_slice(body));
            buf_putc(out, '\n');
            buf_reset(body);
            break;
        case HTTP_BAD:
            buf_puts(out, "BAD ");
            buf_puts(out, err_slug(why.code));
            buf_putc(out, '\n');
            return false;
        }
    }
}

/* The stream in pieces of at most step bytes, the first of `first` bytes (0: step). */
static void trace_stream(struct slice in, size_t header_max, size_t first, size_t step, struct buf *out)
{
    struct http_parser *p = http_parser_new((struct http_limits){ .header_max = header_max });
    struct buf body;
    struct slice piece;
    bool good = p != NULL;
    buf_init(&body, 1 << 20);
    size_t n = first ? first : step;
    while (good && in.n > 0) {
        slice_take(&in, n < in.n ? n : in.n, &piece);
        good = trace_feed(p, piece, &body, out);
        n = step;
    }
    if (good)
        buf_puts(out, http_idle(p) ? "IDLE\n" : "WAITING\n");
    buf_done(&body);
    http_parser_free(p);
}

#endif
