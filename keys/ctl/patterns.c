#include "keys/ctl/patterns.h"

#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

#include "gateway/base/must.h"

/* a, b: what the row of KINDS says */
struct form { const char *digits; size_t variant; const char *const *munis; int a, b; };
typedef void form_fn(const struct form *f, struct buf *out);

static void f_plain(const struct form *f, struct buf *out)
{
    buf_put(out, slice_of(f->digits, NZ_DIGITS));
}

static void f_reversed(const struct form *f, struct buf *out)
{
    for (int i = NZ_DIGITS; i-- > 0;)
        buf_putc(out, (uint8_t)f->digits[i]);
}

/* a: separator, b: digits in a group */
static void f_grouped(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i++) {
        if (i && i % f->b == 0)
            buf_putc(out, (uint8_t)f->a);
        buf_putc(out, (uint8_t)f->digits[i]);
    }
}

/* a: 0 little, 1 big endian; b: first code point of the digits; UTF-16 */
static void f_utf16(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i++) {
        unsigned c = (unsigned)f->b + (unsigned)(f->digits[i] - '0');
        buf_putc(out, (uint8_t)(f->a ? c >> 8 : c));
        buf_putc(out, (uint8_t)(f->a ? c : c >> 8));
    }
}

static void f_full_width(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i++) {
        buf_put(out, slice_of("\xef\xbc", 2));
        buf_putc(out, (uint8_t)(0x90 + (f->digits[i] - '0')));
    }
}

static void f_full_width_cp932(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i++) {
        buf_putc(out, 0x82);
        buf_putc(out, (uint8_t)(0x4f + (f->digits[i] - '0')));
    }
}

static void f_hex(const struct form *f, struct buf *out)
{
    buf_hex(out, slice_of(f->digits, NZ_DIGITS));
}

static void f_percent(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i++) {
        buf_puts(out, "%3");
        buf_putc(out, (uint8_t)f->digits[i]);
    }
}

static void f_json_escape(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i++) {
        buf_puts(out, "\\u003");
        buf_putc(out, (uint8_t)f->digits[i]);
    }
}

/* a: bytes that stand before the number; what depends on its neighbours is cut off. Both alphabets agree on digits. */
static void f_base64(const struct form *f, struct buf *out)
{
    uint8_t in[NZ_DIGITS + 2] = { 0 }, text[24];
    size_t n = (size_t)f->a + NZ_DIGITS;
    memcpy(in + f->a, f->digits, NZ_DIGITS);
    int len = EVP_EncodeBlock(text, in, (int)n);
    size_t from = f->a ? (size_t)f->a + 1 : 0;
    size_t cut = n % 3 ? 4 - n % 3 : 0; /* padding and the last, half-used character */
    buf_put(out, slice_of(text + from, (size_t)len - from - cut));
    explicit_bzero(in, sizeof in);
    explicit_bzero(text, sizeof text);
}

static void f_bcd(const struct form *f, struct buf *out)
{
    for (int i = 0; i < NZ_DIGITS; i += 2)
        buf_putc(out, (uint8_t)((f->digits[i] - '0') << 4 | (f->digits[i + 1] - '0')));
}

/* a: 0 little, 1 big endian */
static void f_u64(const struct form *f, struct buf *out)
{
    uint64_t v = 0;
    for (int i = 0; i < NZ_DIGITS; i++)
        v = v * 10 + (uint64_t)(f->digits[i] - '0');
    for (int i = 0; i < 8; i++)
        buf_putc(out, (uint8_t)(v >> 8 * (f->a ? 7 - i : i)));
}

enum { H_MD5, H_SHA1, H_SHA256, H_SHA256_MUNI, H_SHA512 };
enum { AS_RAW, AS_HEX, AS_HEX_UPPER, AS_BASE64 };

/* a: which hash, b: how it is written. A hash of a number is the number: there are only 10^11 of them. */
static void f_hash(const struct form *f, struct buf *out)
{
    static const char *const NAMES[] = { "MD5", "SHA1", "SHA256", "SHA256", "SHA512" };
    uint8_t in[6 + NZ_DIGITS], sum[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE + 4];
    unsigned len = 0;
    size_t n = 0;
    if (f->a == H_SHA256_MUNI)
        memcpy(in, f->munis[f->variant], n = 6);
    memcpy(in + n, f->digits, NZ_DIGITS);
    MUST(EVP_Digest(in, n + NZ_DIGITS, sum, &len, EVP_get_digestbyname(NAMES[f->a]), NULL) == 1);
    explicit_bzero(in, sizeof in);
    size_t at = out->n;
    if (f->b == AS_RAW)
        buf_put(out, slice_of(sum, len));
    else if (f->b == AS_BASE64)
        buf_put(out, slice_of(text, (size_t)EVP_EncodeBlock(text, sum, (int)len) / 4 * 4 - 4)); /* without the end, which may be padding */
    else
        buf_hex(out, slice_of(sum, len));
    for (; f->b == AS_HEX_UPPER && at < out->n; at++)
        out->p[at] = (uint8_t)toupper(out->p[at]);
}

static const struct { const char *name; form_fn *fn; int a, b; } KINDS[] = {
    { "ascii", f_plain, 0, 0 },
    { "reversed", f_reversed, 0, 0 },
    { "4-4-4 blanks", f_grouped, ' ', 4 },
    { "4-4-4 hyphens", f_grouped, '-', 4 },
    { "single digits, blanks", f_grouped, ' ', 1 },
    { "single digits, commas", f_grouped, ',', 1 },
    { "utf-16le", f_utf16, 0, '0' },
    { "utf-16be", f_utf16, 1, '0' },
    { "full-width utf-8", f_full_width, 0, 0 },
    { "full-width utf-16le", f_utf16, 0, 0xff10 },
    { "full-width utf-16be", f_utf16, 1, 0xff10 },
    { "full-width cp932", f_full_width_cp932, 0, 0 },
    { "hex of ascii", f_hex, 0, 0 },
    { "percent", f_percent, 0, 0 },
    { "json \\u", f_json_escape, 0, 0 },
    { "base64 +0", f_base64, 0, 0 },
    { "base64 +1", f_base64, 1, 0 },
    { "base64 +2", f_base64, 2, 0 },
    { "packed bcd", f_bcd, 0, 0 },
    { "u64 little endian", f_u64, 0, 0 },
    { "u64 big endian", f_u64, 1, 0 },
#define HASHES(name, h)                             \
    { name " raw", f_hash, h, AS_RAW },             \
    { name " hex", f_hash, h, AS_HEX },             \
    { name " HEX", f_hash, h, AS_HEX_UPPER },       \
    { name " base64", f_hash, h, AS_BASE64 }
    HASHES("md5", H_MD5),
    HASHES("sha1", H_SHA1),
    HASHES("sha256", H_SHA256),
    HASHES("sha512", H_SHA512),
    HASHES("sha256 of municipality and number", H_SHA256_MUNI),
};

size_t nz_kinds(void) { return sizeof KINDS / sizeof *KINDS; }
const char *nz_kind_name(size_t kind) { return KINDS[kind].name; }

bool nz_kind_write(size_t kind, const char digits[static NZ_DIGITS], size_t variant, const char *const *munis, size_t n_munis,
                   struct buf *out)
{
    struct form f = { digits, variant, munis, KINDS[kind].a, KINDS[kind].b };
    size_t variants = KINDS[kind].fn == f_hash && KINDS[kind].a == H_SHA256_MUNI ? n_munis : 1;
    if (variant >= variants)
        return false;
    KINDS[kind].fn(&f, out);
    return true;
}
