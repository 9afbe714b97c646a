#include "gateway/redis/resp.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/redis/redis_int.h"

enum { DIGITS_MAX = 19, TAIL = 2 };

/* ---- lines ---- */

/* The line at the beginning of in, without its mark and its end. */
static enum resp line_of(struct slice in, uint8_t *ret_mark, struct slice *ret_line)
{
    size_t look = in.n < RESP_LINE_MAX ? in.n : RESP_LINE_MAX;
    const uint8_t *end = look ? memchr(in.p, '\n', look) : NULL;
    if (!end)
        return in.n < RESP_LINE_MAX ? RESP_MORE : RESP_BAD;
    size_t n = (size_t)(end - in.p);
    if (n < 2 || in.p[n - 1] != '\r')
        return RESP_BAD;
    *ret_mark = in.p[0];
    *ret_line = slice_of(in.p + 1, n - 2);
    return RESP_WHOLE;
}

static bool number_of(struct slice text, int64_t *ret)
{
    bool minus = text.n && text.p[0] == '-';
    uint64_t v = 0;
    size_t i = minus;
    if (text.n == i || text.n - i > DIGITS_MAX)
        return false;
    for (; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
        v = v * 10 + (uint64_t)(text.p[i] - '0');
    }
    if (v > (uint64_t)INT64_MAX)
        return false;
    *ret = minus ? -(int64_t)v : (int64_t)v;
    return true;
}

/* Bytes behind the line that belong to the value. */
static bool body_of(uint8_t mark, struct slice line, size_t *ret_bytes, size_t *ret_items)
{
    int64_t n;
    *ret_bytes = *ret_items = 0;
    if (mark == '+' || mark == '-')
        return true;
    if (!number_of(line, &n))
        return false;
    if (mark == ':')
        return true;
    if (n < -1 || (mark != '$' && mark != '*'))
        return false;
    if (n >= 0 && mark == '$')
        *ret_bytes = (size_t)n + TAIL;
    else if (n > 0)
        *ret_items = (size_t)n;
    return *ret_bytes <= REDIS_REPLY_BYTES_MAX && *ret_items <= REDIS_REPLY_ITEMS_MAX;
}

/* ---- the outline ---- */

/* A value is over, and with it every array that it was the last of. */
static bool is_over(struct resp_scan *s)
{
    while (s->depth > 0 && --s->left[s->depth - 1] == 0)
        s->depth--;
    return s->depth == 0;
}

enum resp resp_scan(struct resp_scan *s, struct slice in)
{
    uint8_t mark;
    struct slice line;
    size_t bytes, items;
    for (;;) {
        struct slice rest = slice_of(in.p + s->at, in.n - s->at);
        enum resp r = line_of(rest, &mark, &line);
        if (r != RESP_WHOLE)
            return r;
        size_t head = 1 + line.n + TAIL;
        if (!body_of(mark, line, &bytes, &items) || s->at > REDIS_REPLY_BYTES_MAX || s->items >= REDIS_REPLY_ITEMS_MAX)
            return RESP_BAD;
        if (rest.n - head < bytes)
            return RESP_MORE;
        if (bytes && (rest.p[head + bytes - 2] != '\r' || rest.p[head + bytes - 1] != '\n'))
            return RESP_BAD;
        s->at += head + bytes;
        s->items++;
        if (items && s->depth == RESP_DEPTH_MAX)
            return RESP_BAD;
        if (items)
            s->left[s->depth++] = items;
        else if (is_over(s))
            return RESP_WHOLE;
    }
}

/* ---- the reply ---- */

struct building {
    struct slice raw;
    struct redis_reply *node;   /* the next one */
    struct redis_reply **place; /* the next one */
};

static const enum redis_type TYPES[256] = { ['+'] = REDIS_STATUS, ['-'] = REDIS_ERR, [':'] = REDIS_INT, ['$'] = REDIS_STR, ['*'] = REDIS_ARRAY };

/* Every value follows its array at once, so that the nodes stand in the order of the bytes. */
static struct redis_reply *build(struct building *b)
{
    uint8_t mark = 0;
    int64_t n = 0;
    struct slice line, skip;
    struct redis_reply *r = b->node++;
    MUST(line_of(b->raw, &mark, &line) == RESP_WHOLE && slice_take(&b->raw, 1 + line.n + TAIL, &skip));
    *r = (struct redis_reply){ .type = TYPES[mark] };
    if (mark == '-') { /* its text quotes what was sent */
        r->num = redis__class_of(line);
        return r;
    }
    if (mark == '+') {
        r->bytes = line.p;
        r->n = line.n;
        return r;
    }
    MUST(number_of(line, &n));
    if (mark == ':') {
        r->num = n;
        return r;
    }
    if (n < 0) {
        r->type = REDIS_NIL;
        return r;
    }
    r->n = (size_t)n;
    if (mark == '$') {
        r->bytes = b->raw.p;
        MUST(slice_take(&b->raw, r->n + TAIL, &skip));
        return r;
    }
    r->items = b->place;
    b->place += r->n;
    for (size_t i = 0; i < r->n; i++)
        r->items[i] = build(b);
    return r;
}

struct redis_reply *resp_build(struct slice raw, size_t items)
{
    size_t nodes = items * sizeof(struct redis_reply), places = (items - 1) * sizeof(struct redis_reply *);
    struct redis_reply *r = malloc(nodes + places + raw.n);
    if (!r)
        return NULL;
    uint8_t *bytes = (uint8_t *)r + nodes + places;
    memcpy(bytes, raw.p, raw.n);
    build(&(struct building){ slice_of(bytes, raw.n), r, (struct redis_reply **)((uint8_t *)r + nodes) });
    r->all = slice_of(bytes, raw.n);
    return r;
}
