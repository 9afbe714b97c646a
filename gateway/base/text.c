#include "gateway/base/text.h"

/* Length of the sequence that starts at p with n bytes left, 0 when malformed. = Unicode 15 Table 3-7 */
static size_t utf8_step(const uint8_t *p, size_t n)
{
    uint8_t c = p[0], lo = 0x80, hi = 0xBF;
    size_t len;
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        len = 2;
    else if (c >= 0xE0 && c <= 0xEF)
        len = 3;
    else if (c >= 0xF0 && c <= 0xF4)
        len = 4;
    else
        return 0;
    if (n < len)
        return 0;
    if (c == 0xE0) lo = 0xA0;
    if (c == 0xED) hi = 0x9F;
    if (c == 0xF0) lo = 0x90;
    if (c == 0xF4) hi = 0x8F;
    if (p[1] < lo || p[1] > hi)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

bool utf8_valid(struct slice s)
{
    for (size_t i = 0; i < s.n;) {
        size_t k = utf8_step(s.p + i, s.n - i);
        if (k == 0)
            return false;
        i += k;
    }
    return true;
}

size_t utf8_count(struct slice s)
{
    size_t k = 0;
    for (size_t i = 0; i < s.n; i++)
        k += (s.p[i] & 0xC0) != 0x80;
    return k;
}

/* One more than the value of a lower-case hex digit. */
static const uint8_t HEX_VALUE[256] = {
    ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

bool hex_decode(struct slice s, uint8_t *out, size_t n)
{
    if (s.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned hi = HEX_VALUE[s.p[2 * i]], lo = HEX_VALUE[s.p[2 * i + 1]];
        if (!hi || !lo)
            return false;
        out[i] = (uint8_t)((hi - 1) << 4 | (lo - 1));
    }
    return true;
}

static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Value of each character, 64 for the others. */
static const uint8_t B64_VALUE[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
};

/* The character of the other alphabet that means the same; '=' means nothing in either. */
static inline uint8_t to_url(uint8_t c) { return c == '+' ? '-' : c == '/' ? '_' : c == '-' || c == '_' ? '=' : c; }

static inline bool decode(struct slice s, bool url, struct buf *out)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    if (s.n == 0)
        return !out->failed;
    uint8_t bad = 0, *at = s.n % 4 != 1 ? buf_room(out, s.n / 4 * 3 + s.n % 4 * 3 / 4) : NULL;
    if (!at)
        return false;
    size_t n = 0, i = 0;
    for (; i + 4 <= s.n; i += 4, n += 3) {
        const uint8_t *p = s.p + i;
        uint32_t a = B64_VALUE[url ? p[0] : to_url(p[0])], b = B64_VALUE[url ? p[1] : to_url(p[1])];
        uint32_t c = B64_VALUE[url ? p[2] : to_url(p[2])], d = B64_VALUE[url ? p[3] : to_url(p[3])], v = a << 18 | b << 12 | c << 6 | d;
        bad |= (uint8_t)(a | b | c | d);
        at[n] = (uint8_t)(v >> 16);
        at[n + 1] = (uint8_t)(v >> 8);
        at[n + 2] = (uint8_t)v;
    }
    for (; i < s.n; i++) {
        uint8_t v = B64_VALUE[url ? s.p[i] : to_url(s.p[i])];
        bad |= v;
        acc = acc << 6 | (v & 63);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            at[n++] = (uint8_t)(acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }
    bool good = !(bad & 64) && acc == 0;
    if (good)
        buf_grew(out, n);
    else
        explicit_bzero(at, n);
    return good;
}

bool b64url_decode(struct slice s, struct buf *out) { return decode(s, true, out); }

bool b64_decode(struct slice s, struct buf *out)
{
    size_t pad = 0;
    if (s.n % 4 != 0)
        return false;
    while (pad < 2 && s.n > pad && s.p[s.n - 1 - pad] == '=')
        pad++;
    return decode(slice_of(s.p, s.n - pad), false, out);
}

void b64_encode(struct slice s, struct buf *out)
{
    size_t at = out->n;
    b64url_encode(s, out);
    for (size_t i = at; i < out->n && !out->failed; i++)
        out->p[i] = out->p[i] == '-' ? '+' : out->p[i] == '_' ? '/' : out->p[i];
    for (size_t k = s.n % 3; k && k < 3; k++)
        buf_putc(out, '=');
}

void b64url_encode(struct slice s, struct buf *out)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        acc = acc << 8 | s.p[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            buf_putc(out, (uint8_t)B64[acc >> bits & 63]);
        }
        acc &= (1u << bits) - 1;
    }
    if (bits)
        buf_putc(out, (uint8_t)B64[acc << (6 - bits) & 63]);
}

void b64url_chars(struct slice s, char *out)
{
    for (size_t bit = 0; bit < 8 * s.n; bit += 6) {
        size_t at = bit / 8;
        unsigned two = (unsigned)s.p[at] << 8 | (at + 1 < s.n ? s.p[at + 1] : 0u);
        *out++ = B64[two >> (10 - bit % 8) & 63];
    }
}

bool u64_parse(struct slice s, uint64_t *ret)
{
    uint64_t v = 0;
    if (s.n == 0 || s.n > 20 || !all_digits(s) || (s.n > 1 && s.p[0] == '0'))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint64_t d = (uint64_t)(s.p[i] - '0');
        if (v > (UINT64_MAX - d) / 10)
            return false;
        v = v * 10 + d;
    }
    *ret = v;
    return true;
}

bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return true;
}

bool all_url_safe(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && c != '-' && c != '_')
            return false;
    }
    return true;
}

struct err query_each(struct slice query, query_fn *fn, void *to)
{
    while (query.n) {
        struct slice pair = query, rest = SLICE_NONE, name, value;
        slice_cut(query, '&', &pair, &rest);
        if (!slice_cut(pair, '=', &name, &value) || !fn(to, name, value))
            return FAIL(E_BAD_URL);
        query = rest;
    }
    return OK;
}
