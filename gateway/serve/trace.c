#include "gateway/serve/trace.h"

#include "gateway/base/text.h"

enum { VERSION = 2, TRACE = 32, PARENT = 16, FLAGS = 2, WHOLE = VERSION + 1 + TRACE + 1 + PARENT + 1 + FLAGS, NUMBER_DIGITS = 12 };

static int hex(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool all_hex(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (hex(s.p[i]) < 0)
            return false;
    return true;
}

static bool any_but_zero(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '0')
            return true;
    return false;
}

static bool like_a_number(struct slice s)
{
    size_t run = 0;
    for (size_t i = 0; i < s.n && run < NUMBER_DIGITS; i++)
        run = s.p[i] >= '0' && s.p[i] <= '9' ? run + 1 : 0;
    return run >= NUMBER_DIGITS;
}

struct trace_id trace_of(struct slice header)
{
    struct trace_id id = { { 0 } };
    if (header.n < WHOLE)
        return id;
    const struct slice version = slice_of(header.p, VERSION), trace = slice_of(header.p + VERSION + 1, TRACE), parent = slice_of(trace.p + TRACE + 1, PARENT),
                       flags = slice_of(parent.p + PARENT + 1, FLAGS);
    const bool dashes = header.p[VERSION] == '-' && trace.p[TRACE] == '-' && parent.p[PARENT] == '-';
    const bool longer = header.n > WHOLE && (slice_eq(version, LIT("00")) || header.p[WHOLE] != '-');
    if (!dashes || longer || slice_eq(version, LIT("ff")) || !all_hex(version) || !all_hex(trace) || !all_hex(parent) || !all_hex(flags) || !any_but_zero(trace) ||
        !any_but_zero(parent) || like_a_number(trace))
        return id;
    for (size_t i = 0; i < sizeof id.b; i++)
        id.b[i] = (uint8_t)(hex(trace.p[2 * i]) << 4 | hex(trace.p[2 * i + 1]));
    return id;
}
