#include "keys/linkage/decode.h"

#include <errno.h>
#include <string.h>

#include "gateway/base/must.h"

enum { CONVERT_PIECE = 4096, UTF8_PER_BYTE = 3, MIXED_CHARACTERS = 2 };

static const struct nz_utf8 BETWEEN = { 0, 0x80, 0xbf };

/* RFC 3629, byte by byte; false when the byte cannot stand here. */
static bool utf8_step(struct nz_utf8 *u, uint8_t c)
{
    static const struct { uint8_t first, last, need, low, high; } LEADS[] = {
        { 0x00, 0x7f, 0, 0x80, 0xbf }, { 0xc2, 0xdf, 1, 0x80, 0xbf }, { 0xe0, 0xe0, 2, 0xa0, 0xbf }, { 0xe1, 0xec, 2, 0x80, 0xbf },
        { 0xed, 0xed, 2, 0x80, 0x9f }, { 0xee, 0xef, 2, 0x80, 0xbf }, { 0xf0, 0xf0, 3, 0x90, 0xbf }, { 0xf1, 0xf3, 3, 0x80, 0xbf },
        { 0xf4, 0xf4, 3, 0x80, 0x8f },
    };
    if (u->need > 0) {
        bool good = c >= u->low && c <= u->high;
        *u = (struct nz_utf8){ (uint8_t)(u->need - 1), 0x80, 0xbf };
        return good;
    }
    for (size_t i = 0; i < sizeof LEADS / sizeof *LEADS; i++)
        if (c >= LEADS[i].first && c <= LEADS[i].last) {
            *u = (struct nz_utf8){ LEADS[i].need, LEADS[i].low, LEADS[i].high };
            return true;
        }
    return false;
}

ERR nz_decode_init(struct nz_decode *d, enum nz_encoding want)
{
    *d = (struct nz_decode){ .encoding = want, .cp932 = (iconv_t)-1, .utf8 = BETWEEN, .cell = { BETWEEN, true, 0 } };
    if (want == NZ_ENC_UTF8)
        return OK;
    d->cp932 = iconv_open("UTF-8", "CP932");
    return d->cp932 == (iconv_t)-1 ? FAIL(E_CONFIG) : OK;
}

void nz_decode_done(struct nz_decode *d)
{
    if (d->cp932 != (iconv_t)-1)
        iconv_close(d->cp932);
    explicit_bzero(d, sizeof *d);
    d->cp932 = (iconv_t)-1;
}

/* ---- UTF-8 ---- */

static bool follows(uint8_t c) { return (c & 0xc0) == 0x80; }

/* Eight bytes of plain ASCII without NUL. */
static bool eight_plain(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return ((v | (v - 0x0101010101010101u)) & 0x8080808080808080u) == 0;
}

/* Passes over the characters that make up nearly all of a file: ASCII, kana and kanji of three bytes. */
static size_t common_end(const uint8_t *p, size_t i, size_t n)
{
    while (i < n) {
        uint8_t c = p[i];
        if (c < 0x80 && n - i >= 8 && eight_plain(p + i))
            i += 8;
        else if (c > 0 && c < 0x80)
            i++;
        else if (c >= 0xe1 && c <= 0xef && c != 0xed && n - i >= 3 && follows(p[i + 1]) && follows(p[i + 2]))
            i += 3;
        else
            break;
    }
    return i;
}

/* Whole characters go out; a part of one is held. */
static enum nz_rule utf8_feed(struct nz_decode *d, struct slice in, struct buf *out)
{
    size_t whole = 0;
    for (size_t i = 0; i < in.n; i++) {
        if (d->utf8.need == 0) {
            whole = i = common_end(in.p, i, in.n);
            if (i == in.n)
                break;
        }
        bool nul = in.p[i] == 0;
        if (nul || !utf8_step(&d->utf8, in.p[i])) {
            if (whole) {
                buf_put(out, slice_of(d->held, d->n_held));
                buf_put(out, slice_of(in.p, whole));
            }
            return nul && d->utf8.need == 0 ? NZ_RULE_NUL : NZ_RULE_ENCODING;
        }
        if (d->utf8.need == 0)
            whole = i + 1;
    }
    if (whole) {
        buf_put(out, slice_of(d->held, d->n_held));
        buf_put(out, slice_of(in.p, whole));
        d->n_held = 0;
    }
    struct slice rest = slice_of(in.p + whole, in.n - whole);
    MUST(d->n_held + rest.n < NZ_DECODE_HEAD);
    if (rest.n)
        memcpy(d->held + d->n_held, rest.p, rest.n);
    d->n_held += rest.n;
    return NZ_RULE_NONE;
}

/* ---- CP932 ---- */

/* Converts n bytes at p; *ret_used tells how many were whole characters. */
static enum nz_rule convert(struct nz_decode *d, const uint8_t *p, size_t n, struct buf *out, size_t *ret_used)
{
    char *from = (char *)(uintptr_t)p;
    size_t left = n, room = n * UTF8_PER_BYTE;
    char *to = (char *)buf_room(out, room), *start = to;
    *ret_used = 0;
    if (!to)
        return NZ_RULE_NONE; /* the buf tells */
    size_t rc = iconv(d->cp932, &from, &left, &to, &room);
    enum nz_rule bad = rc == (size_t)-1 && errno != EINVAL ? NZ_RULE_ENCODING : NZ_RULE_NONE;
    buf_grew(out, (size_t)(to - start));
    *ret_used = n - left;
    return bad;
}

static enum nz_rule convert_all(struct nz_decode *d, struct slice in, struct buf *out)
{
    while (in.n && !out->failed) {
        uint8_t piece[NZ_DECODE_HEAD + CONVERT_PIECE];
        size_t take = in.n < CONVERT_PIECE ? in.n : CONVERT_PIECE, used;
        MUST(d->n_held <= NZ_DECODE_HEAD);
        memcpy(piece, d->held, d->n_held);
        memcpy(piece + d->n_held, in.p, take);
        size_t n = d->n_held + take;
        enum nz_rule bad = convert(d, piece, n, out, &used);
        d->n_held = n - used;
        if (bad == NZ_RULE_NONE && !out->failed && d->n_held <= NZ_DECODE_HEAD)
            memcpy(d->held, piece + used, d->n_held);
        explicit_bzero(piece, sizeof piece);
        if (bad != NZ_RULE_NONE)
            return bad;
        in = slice_of(in.p + take, in.n - take);
    }
    return NZ_RULE_NONE;
}

/* True when the cell that ends here is UTF-8 by every sign. Kanji of CP932 look like it by chance, but not a whole cell of them. */
static bool cell_is_utf8(const struct nz_decode *d)
{
    return d->cell.valid && d->cell.utf8.need == 0 && d->cell.threes >= MIXED_CHARACTERS;
}

static void cell_step(struct nz_decode *d, uint8_t c)
{
    d->cell.valid = d->cell.valid && utf8_step(&d->cell.utf8, c);
    d->cell.threes += c >= 0xe3 && c <= 0xef && d->cell.utf8.need == 2;
}

static enum nz_rule cp932_feed(struct nz_decode *d, struct slice in, struct buf *out)
{
    size_t from = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        /* None of these is ever the second byte of a character. */
        bool ends = c == ',' || c == '"' || c == '\n' || c == '\r' || c == 0;
        if (!ends) {
            cell_step(d, c);
            continue;
        }
        bool mixed = cell_is_utf8(d);
        if (mixed || c == 0) {
            enum nz_rule bad = convert_all(d, slice_of(in.p + from, i - from), out);
            return bad != NZ_RULE_NONE ? bad : mixed ? NZ_RULE_MIXED : NZ_RULE_NUL;
        }
        d->cell.utf8 = BETWEEN;
        d->cell.valid = true;
        d->cell.threes = 0;
    }
    return convert_all(d, slice_of(in.p + from, in.n - from), out);
}

/* ---- which of the two ---- */

static enum nz_rule decided_feed(struct nz_decode *d, struct slice in, struct buf *out)
{
    return d->encoding == NZ_ENC_UTF8 ? utf8_feed(d, in, out) : cp932_feed(d, in, out);
}

static enum nz_rule decide(struct nz_decode *d, enum nz_encoding e, struct buf *out)
{
    uint8_t held[NZ_DECODE_HOLD];
    size_t n = d->n_held;
    memcpy(held, d->held, n);
    d->encoding = e;
    d->utf8 = BETWEEN;
    d->n_held = 0;
    enum nz_rule bad = decided_feed(d, slice_of(held, n), out);
    explicit_bzero(held, sizeof held);
    return bad;
}

/* One byte while it is open which encoding this is: plain ASCII passes, from the first other byte on everything is held. */
static enum nz_rule auto_step(struct nz_decode *d, uint8_t c, struct buf *out)
{
    if (d->n_held == 0 && c < 0x80) {
        if (c != 0)
            buf_putc(out, c);
        return c == 0 ? NZ_RULE_NUL : NZ_RULE_NONE;
    }
    d->held[d->n_held++] = c;
    if (!utf8_step(&d->utf8, c))
        return decide(d, NZ_ENC_CP932, out);
    if ((c == '\n' || d->n_held == NZ_DECODE_HOLD) && d->encoding == NZ_ENC_AUTO)
        return decide(d, NZ_ENC_UTF8, out);
    return NZ_RULE_NONE;
}

static enum nz_rule feed(struct nz_decode *d, struct slice in, struct buf *out)
{
    size_t i = 0;
    for (; i < in.n && d->encoding == NZ_ENC_AUTO; i++) {
        enum nz_rule bad = auto_step(d, in.p[i], out);
        if (bad != NZ_RULE_NONE)
            return bad;
    }
    return i < in.n ? decided_feed(d, slice_of(in.p + i, in.n - i), out) : NZ_RULE_NONE;
}

/* The first bytes tell a BOM; UTF-16 of Latin letters has a NUL in one of the first two. */
static enum nz_rule head_judge(struct nz_decode *d, struct buf *out)
{
    uint8_t head[NZ_DECODE_HEAD];
    size_t n = d->n_held, skip = 0;
    memcpy(head, d->held, n);
    d->started = true;
    d->n_held = 0;
    if (n >= 2 && ((head[0] == 0xff && head[1] == 0xfe) || (head[0] == 0xfe && head[1] == 0xff) || (head[0] == 0) != (head[1] == 0)))
        return NZ_RULE_UTF16;
    if (n >= 3 && head[0] == 0xef && head[1] == 0xbb && head[2] == 0xbf) {
        if (d->encoding == NZ_ENC_CP932)
            return NZ_RULE_MIXED;
        d->encoding = NZ_ENC_UTF8;
        skip = 3;
    }
    return feed(d, slice_of(head + skip, n - skip), out);
}

enum nz_rule nz_decode_feed(struct nz_decode *d, struct slice in, struct buf *out)
{
    while (!d->started && in.n) {
        d->held[d->n_held++] = in.p[0];
        in = slice_of(in.p + 1, in.n - 1);
        enum nz_rule bad = d->n_held == NZ_DECODE_HEAD ? head_judge(d, out) : NZ_RULE_NONE;
        if (bad != NZ_RULE_NONE)
            return bad;
    }
    return in.n ? feed(d, in, out) : NZ_RULE_NONE;
}

enum nz_rule nz_decode_end(struct nz_decode *d, struct buf *out)
{
    enum nz_rule bad = d->started ? NZ_RULE_NONE : head_judge(d, out);
    if (bad == NZ_RULE_NONE && d->encoding == NZ_ENC_AUTO && d->n_held)
        bad = decide(d, d->utf8.need == 0 ? NZ_ENC_UTF8 : NZ_ENC_CP932, out);
    if (bad == NZ_RULE_NONE && d->encoding == NZ_ENC_CP932 && cell_is_utf8(d))
        bad = NZ_RULE_MIXED;
    return bad == NZ_RULE_NONE && d->n_held ? NZ_RULE_ENCODING : bad;
}
