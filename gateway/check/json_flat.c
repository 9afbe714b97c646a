#include "gateway/check/json_flat.h"

enum { DIGITS_MAX = 18 /* fits in an int64_t, whatever they are */ };

static inline bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static inline void skip_space(struct slice *in)
{
    while (in->n && is_space(*in->p))
        in->p++, in->n--;
}

static inline bool take_mark(struct slice *in, uint8_t c)
{
    skip_space(in);
    if (!in->n || *in->p != c)
        return false;
    in->p++, in->n--;
    return true;
}

static bool is_plain(uint8_t c) { return c >= 0x20 && c < 0x7f && c != '\\'; }

#define EVERY(byte) (0x0101010101010101ull * (byte))

/* The highest bit of some byte is set when one of the eight is not plain: one below what is taken from it borrows, and what is no ASCII has it from the start. */
static inline uint64_t unplain(uint64_t w) { return w | (w - EVERY(0x20)) | ((w ^ EVERY(0x7f)) - EVERY(1)) | ((w ^ EVERY('\\')) - EVERY(1)); }

/* Eight at a time: most of a body is one text. */
static bool all_plain(struct slice s)
{
    size_t i = 0;
    uint64_t high = 0;
    bool plain = true;
    for (; i + 8 <= s.n; i += 8) {
        uint64_t w;
        memcpy(&w, s.p + i, 8);
        high |= unplain(w);
    }
    if (i < s.n && s.n >= 8) { /* the last eight, some of them once more */
        uint64_t w;
        memcpy(&w, s.p + s.n - 8, 8);
        high |= unplain(w);
        i = s.n;
    }
    for (; i < s.n; i++)
        plain &= is_plain(s.p[i]);
    return plain && !(high & EVERY(0x80));
}

static bool take_text(struct slice *in, struct slice *ret)
{
    if (!take_mark(in, '"'))
        return false;
    const uint8_t *end = in->n ? memchr(in->p, '"', in->n) : NULL;
    struct slice quote;
    if (!end || !slice_take(in, (size_t)(end - in->p), ret))
        return false;
    return all_plain(*ret) && slice_take(in, 1, &quote);
}

static bool take_number(struct slice *in, int64_t *ret)
{
    size_t n = 0;
    *ret = 0;
    while (n < in->n && in->p[n] >= '0' && in->p[n] <= '9' && n <= DIGITS_MAX)
        n++;
    if (n == 0 || n > DIGITS_MAX || (n > 1 && in->p[0] == '0'))
        return false;
    for (size_t i = 0; i < n; i++)
        *ret = *ret * 10 + (in->p[i] - '0');
    in->p += n, in->n -= n;
    return in->n && (is_space(*in->p) || *in->p == ',' || *in->p == '}');
}

static bool take_member(struct slice *in, struct json_flat *f)
{
    struct json_flat_member m = { .kind = JF_TEXT };
    if (f->n == JSON_FLAT_MAX || !take_text(in, &m.name) || json_flat_find(f, m.name) || !take_mark(in, ':'))
        return false;
    skip_space(in);
    if (in->n && *in->p != '"')
        m.kind = JF_NUMBER;
    if (m.kind == JF_TEXT ? !take_text(in, &m.text) : !take_number(in, &m.number))
        return false;
    f->at[f->n++] = m;
    return true;
}

bool json_flat(struct slice text, struct json_flat *ret_f)
{
    ret_f->n = 0;
    if (!take_mark(&text, '{'))
        return false;
    if (!take_mark(&text, '}')) {
        do {
            if (!take_member(&text, ret_f))
                return false;
        } while (take_mark(&text, ','));
        if (!take_mark(&text, '}'))
            return false;
    }
    skip_space(&text);
    return text.n == 0;
}

const struct json_flat_member *json_flat_find(const struct json_flat *f, struct slice name)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->at[i].name.n == name.n && (!name.n || *f->at[i].name.p == *name.p) && slice_eq(f->at[i].name, name))
            return &f->at[i];
    return NULL;
}

static struct json_flat_member member_of(const char *name, json_t *v)
{
    struct json_flat_member m = { .name = slice_str(name), .kind = JF_OTHER, .other = v };
    if (json_is_string(v)) {
        m.kind = JF_TEXT;
        m.text = slice_of(json_string_value(v), json_string_length(v));
    } else if (json_is_integer(v)) {
        m.kind = JF_NUMBER;
        m.number = json_integer_value(v);
    }
    return m;
}

struct err json_flat_of(struct json_flat *ret_f, struct arena *a, struct slice text)
{
    json_t *obj, *v;
    const char *name;
    if (json_flat(text, ret_f))
        return OK;
    TRY(json_in_object(&obj, a, text));
    if (json_object_size(obj) > JSON_FLAT_MAX)
        return FAIL(E_JSON_SHAPE);
    ret_f->n = 0;
    json_object_foreach(obj, name, v)
        ret_f->at[ret_f->n++] = member_of(name, v);
    return OK;
}
