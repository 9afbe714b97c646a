#include "gateway/base/json_write.h"

#include "gateway/base/must.h"

void jsonw_init(struct jsonw *w, struct buf *out) { *w = (struct jsonw){ .out = out }; }

#define EVERY(byte) (0x0101010101010101ull * (byte))
static inline uint64_t zeros(uint64_t w) { return (w - EVERY(1)) & ~w & EVERY(0x80); }

/* Nothing to escape in the next eight bytes, as in most texts. */
static inline bool eight_plain(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return !(((w - EVERY(0x20)) & ~w & EVERY(0x80)) | zeros(w ^ EVERY('"')) | zeros(w ^ EVERY('\\')) | zeros(w ^ EVERY(0x7f)));
}

static void put_string(struct buf *b, struct slice s)
{
    static const char HEX[] = "0123456789abcdef";
    buf_putc(b, '"');
    size_t from = 0;
    for (size_t i = 0; i < s.n; i++) {
        while (i + 8 <= s.n && eight_plain(s.p + i))
            i += 8;
        if (i == s.n)
            break;
        uint8_t c = s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        buf_put(b, slice_of(s.p + from, i - from));
        from = i + 1;
        if (c == '"' || c == '\\') {
            buf_putc(b, '\\');
            buf_putc(b, c);
            continue;
        }
        buf_puts(b, "\\u00");
        buf_putc(b, (uint8_t)HEX[c >> 4]);
        buf_putc(b, (uint8_t)HEX[c & 15]);
    }
    if (from < s.n)
        buf_put(b, slice_of(s.p + from, s.n - from));
    buf_putc(b, '"');
}

static void item(struct jsonw *w, const char *name)
{
    if (w->comma & 1u << w->depth)
        buf_putc(w->out, ',');
    w->comma |= 1u << w->depth;
    if (name) { /* a literal of ours: there is nothing to escape */
        buf_putc(w->out, '"');
        buf_puts(w->out, name);
        buf_put(w->out, LIT("\":"));
    }
}

static void open_level(struct jsonw *w, const char *name, uint8_t bracket)
{
    item(w, name);
    buf_putc(w->out, bracket);
    MUST(w->depth + 1 < JSONW_DEPTH_MAX);
    w->depth++;
    w->comma &= ~(1u << w->depth);
}

static void close_level(struct jsonw *w, uint8_t bracket)
{
    MUST(w->depth > 0);
    w->depth--;
    buf_putc(w->out, bracket);
}

void jsonw_object(struct jsonw *w, const char *name) { open_level(w, name, '{'); }
void jsonw_array(struct jsonw *w, const char *name) { open_level(w, name, '['); }
void jsonw_end_object(struct jsonw *w) { close_level(w, '}'); }
void jsonw_end_array(struct jsonw *w) { close_level(w, ']'); }

void jsonw_str(struct jsonw *w, const char *name, struct slice utf8)
{
    item(w, name);
    put_string(w->out, utf8);
}

void jsonw_cstr(struct jsonw *w, const char *name, const char *utf8) { jsonw_str(w, name, slice_str(utf8)); }

void jsonw_u64(struct jsonw *w, const char *name, uint64_t v)
{
    item(w, name);
    buf_u64(w->out, v);
}

void jsonw_bool(struct jsonw *w, const char *name, bool v)
{
    item(w, name);
    buf_puts(w->out, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *name)
{
    item(w, name);
    buf_puts(w->out, "null");
}

void jsonw_raw(struct jsonw *w, const char *name, struct slice json)
{
    item(w, name);
    buf_put(w->out, json);
}
