#include "gateway/http/guard.h"

enum class { PLAIN, COLON, SPACE, TAB, CR, LF, HIGH /* obs-text, allowed in field values */, CONTROL };

static const uint8_t CLASS[256] = {
    [0 ... 0x08] = CONTROL, [0x0b ... 0x0c] = CONTROL, [0x0e ... 0x1f] = CONTROL, [0x7f] = CONTROL, [0x80 ... 0xff] = HIGH,
    ['\t'] = TAB, ['\n'] = LF, ['\r'] = CR, [' '] = SPACE, [':'] = COLON,
};

void guard_init(struct guard *g) { *g = (struct guard){ .first = true }; }

static enum guard_ev line_end(struct guard *g)
{
    bool empty = g->line_len == 0;
    if (g->first && g->spaces != 2)
        return GUARD_BAD;
    g->first = g->cr = false;
    g->line_len = 0;
    return empty ? GUARD_END : GUARD_MORE;
}

static bool may_stand(struct guard *g, enum class k)
{
    bool start = g->line_len == 0;
    switch (k) {
    case PLAIN:
        return true;
    case SPACE:
        return g->first ? !start && ++g->spaces <= 2 : !start;
    case COLON:
    case HIGH:
    case TAB:
        return k == COLON ? !start : !start && !g->first;
    default:
        return false;
    }
}

enum guard_ev guard_see(struct guard *g, struct slice in, size_t *ret_n)
{
    for (size_t i = 0; i < in.n; i++) {
        if (!g->cr) { /* most bytes, quickly */
            size_t from = i;
            while (i < in.n && CLASS[in.p[i]] == PLAIN)
                i++;
            g->line_len += i - from;
            if (i == in.n)
                break;
        }
        enum class k = CLASS[in.p[i]];
        enum guard_ev ev = GUARD_MORE;
        if (g->cr)
            ev = k == LF ? line_end(g) : GUARD_BAD;
        else if (k == CR)
            g->cr = true;
        else if (may_stand(g, k))
            g->line_len++;
        else
            ev = GUARD_BAD;
        if (ev != GUARD_MORE) {
            *ret_n = i + 1;
            return ev;
        }
    }
    *ret_n = in.n;
    return GUARD_MORE;
}

static bool path_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '~' ||
           c == '-' || c == '/';
}

static bool segment_ok(struct slice s) { return s.n > 0 && !slice_eq(s, LIT(".")) && !slice_eq(s, LIT("..")); }

static bool path_ok(struct slice path)
{
    if (path.n == 0 || path.p[0] != '/')
        return false;
    for (size_t i = 0; i < path.n; i++)
        if (!path_byte(path.p[i]))
            return false;
    if (path.n == 1)
        return true;
    struct slice rest = slice_of(path.p + 1, path.n - 1), head, tail;
    while (slice_cut(rest, '/', &head, &tail)) {
        if (!segment_ok(head))
            return false;
        rest = tail;
    }
    return rest.n == 0 || segment_ok(rest);
}

bool guard_target(struct slice target, struct slice *ret_path, struct slice *ret_query)
{
    struct slice path = target, query = SLICE_NONE;
    slice_cut(target, '?', &path, &query);
    for (size_t i = 0; i < query.n; i++)
        if (query.p[i] < 0x21 || query.p[i] > 0x7e || query.p[i] == '#')
            return false;
    if (!path_ok(path))
        return false;
    *ret_path = path;
    *ret_query = query;
    return true;
}
