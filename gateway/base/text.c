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

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool hex_decode(struct slice s, uint8_t *out, size_t n)
{
    if (s.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(s.p[2 * i]), lo = hex_value(s.p[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

static const char B64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int b64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool b64url_decode(struct slice s, struct buf *out)
{
    uint32_t acc = 0;
    unsigned bits = 0;
    if (s.n % 4 == 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        int v = b64_value(s.p[i]);
        if (v < 0)
            return false;
        acc = acc << 6 | (uint32_t)v;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            buf_putc(out, (uint8_t)(acc >> bits));
            acc &= (1u << bits) - 1;
        }
    }
    return acc == 0 && !out->failed;
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
