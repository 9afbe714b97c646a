#include "keys/ctl/sse.h"

void sse_init(struct sse *s, bool (*on_event)(void *ctx, struct slice name, struct slice data), void *ctx)
{
    *s = (struct sse){ .on_event = on_event, .ctx = ctx };
    buf_init(&s->line, SSE_LINE_MAX);
    buf_init(&s->data, SSE_LINE_MAX);
}

void sse_done(struct sse *s)
{
    buf_done(&s->line);
    buf_done(&s->data);
}

static bool dispatch(struct sse *s)
{
    struct slice name = s->name_n ? slice_of(s->name, s->name_n) : LIT("message");
    bool more = !s->has_data || s->on_event(s->ctx, name, buf_slice(&s->data));
    buf_reset(&s->data);
    s->name_n = 0;
    s->has_data = false;
    return more;
}

static bool on_line(struct sse *s)
{
    struct slice line = buf_slice(&s->line), name = line, value = SLICE_NONE;
    if (!line.n)
        return dispatch(s);
    if (line.p[0] == ':')
        return true;
    if (slice_cut(line, ':', &name, &value) && value.n && value.p[0] == ' ')
        value = slice_of(value.p + 1, value.n - 1);
    if (slice_eq(name, LIT("data"))) {
        if (s->has_data)
            buf_putc(&s->data, '\n');
        buf_put(&s->data, value);
        s->has_data = true;
    }
    if (slice_eq(name, LIT("event")) && value.n <= SSE_NAME_MAX) {
        if (value.n)
            memcpy(s->name, value.p, value.n);
        s->name_n = value.n;
    }
    return !s->data.failed;
}

static bool line_end(struct sse *s)
{
    bool more = !s->line.failed && on_line(s);
    buf_reset(&s->line);
    return more;
}

bool sse_feed(struct sse *s, struct slice bytes)
{
    for (size_t i = 0; i < bytes.n && !s->ended; i++) {
        uint8_t c = bytes.p[i];
        bool second = s->after_cr && c == '\n'; /* of a CR LF */
        s->after_cr = c == '\r';
        if (second)
            continue;
        if (c == '\r' || c == '\n')
            s->ended = !line_end(s);
        else
            buf_putc(&s->line, c);
    }
    s->ended = s->ended || s->line.failed;
    return !s->ended;
}
