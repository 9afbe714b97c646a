#ifndef KEYS_CTL_SSE_H
#define KEYS_CTL_SSE_H

/* Server-sent events, sans I/O: bytes in pieces of any size, events out (WHATWG, "text/event-stream"; id and retry are passed over). */

#include "gateway/base/buf.h"

enum { SSE_LINE_MAX = 64 * 1024, SSE_NAME_MAX = 32 };

struct sse {
    /* name: "message" when the event has none. data: without the last line end; borrowed. false: nothing more is wanted. */
    bool (*on_event)(void *ctx, struct slice name, struct slice data);
    void *ctx;
    struct buf line, data;
    char name[SSE_NAME_MAX];
    size_t name_n;
    bool after_cr, has_data, ended;
};
void sse_init(struct sse *s, bool (*on_event)(void *ctx, struct slice name, struct slice data), void *ctx);
void sse_done(struct sse *s);
/* false once nothing more is wanted, or a line or an event is too long. */
bool sse_feed(struct sse *s, struct slice bytes);

#endif
