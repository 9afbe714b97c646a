#include "keys/registration/number_inside.h"

#include "gateway/base/secret.h"

enum { N = NZ_MYNUM_DIGITS, NO_DIGIT = -1, GAP_MAX = 5 };

/* Next code point of well-formed UTF-8. */
static uint32_t next(struct slice *in)
{
    uint8_t c = in->p[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    uint32_t cp = len == 1 ? c : c & (0x7Fu >> len);
    if (len > in->n)
        len = in->n;
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (in->p[i] & 0x3F);
    in->p += len;
    in->n -= len;
    return cp;
}

static int digit_of(uint32_t cp)
{
    static const uint16_t KANJI[10] = { 0x3007, 0x4E00, 0x4E8C, 0x4E09, 0x56DB, 0x4E94, 0x516D, 0x4E03, 0x516B, 0x4E5D };
    if (cp >= '0' && cp <= '9')
        return (int)(cp - '0');
    if (cp >= 0xFF10 && cp <= 0xFF19)
        return (int)(cp - 0xFF10);
    for (int d = 0; d < 10 && cp >= KANJI[0]; d++)
        if (cp == KANJI[d])
            return d;
    return cp == 0x96F6 /* 零 */ ? 0 : NO_DIGIT;
}

struct range { uint16_t first, last; };

static bool is_in(uint32_t cp, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (cp >= r[i].first && cp <= r[i].last)
            return true;
    return false;
}
#define IS_IN(cp, ranges) is_in(cp, ranges, sizeof(ranges) / sizeof(ranges)[0])

/* Blanks and marks, not letters. */
static bool is_separator(uint32_t cp)
{
    static const struct range MARKS[] = {
        { ' ', '/' },       { ':', '@' },       { '[', '`' },       { '{', '~' },       { 0xA0, 0xA0 },     { 0xB7, 0xB7 },     { 0x2000, 0x200A },
        { 0x2010, 0x2027 }, { 0x202F, 0x205F }, { 0x2212, 0x2212 }, { 0x2500, 0x2501 }, { 0x3000, 0x3003 }, { 0x301C, 0x301C }, { 0x30FB, 0x30FC },
        { 0xFF01, 0xFF0F }, { 0xFF1A, 0xFF20 }, { 0xFF3B, 0xFF40 }, { 0xFF5B, 0xFF65 }, { 0xFF70, 0xFF70 },
    };
    return IS_IN(cp, MARKS);
}

/* Those that people put between the groups of one number. A semicolon is none: it stands between codes. */
static bool is_grouping(uint32_t cp)
{
    static const struct range MARKS[] = {
        { ' ', ' ' },       { ',', '/' },       { '_', '_' },       { 0xA0, 0xA0 },     { 0x2000, 0x200A }, { 0x2010, 0x2015 }, { 0x2212, 0x2212 },
        { 0x3000, 0x3000 }, { 0x30FB, 0x30FC }, { 0xFF0D, 0xFF0E }, { 0xFF65, 0xFF65 }, { 0xFF70, 0xFF70 },
    };
    return IS_IN(cp, MARKS);
}

/* What nobody sees: soft hyphen, zero width, direction, variation. It is as if it were not there. */
static bool is_invisible(uint32_t cp)
{
    static const struct range NONE[] = { { 0xAD, 0xAD }, { 0x180E, 0x180E }, { 0x200B, 0x200F }, { 0x202A, 0x202E }, { 0x2060, 0x206F }, { 0xFE00, 0xFE0F },
                                         { 0xFEFF, 0xFEFF } };
    return cp >= 0xAD && IS_IN(cp, NONE);
}

/* The three bytes at p may be a digit: 〇 (E3 80), 一二三五七九 (E4 B8..BA), 四六八 (E5 85, E5 9B), 零 (E9 9B), full width (EF BC). */
static bool may_be_digit(const uint8_t *p)
{
    return (p[0] == 0xE3 && p[1] == 0x80) || (p[0] == 0xE4 && p[1] >= 0xB8 && p[1] <= 0xBA) || (p[0] == 0xE5 && (p[1] == 0x85 || p[1] == 0x9B)) ||
           (p[0] == 0xE9 && p[1] == 0x9B) || (p[0] == 0xEF && p[1] == 0xBC);
}

static size_t digits_in(struct slice in)
{
    size_t digits = 0, i = 0;
    while (i + 3 <= in.n) {
        uint8_t c = in.p[i];
        if (c < 0xE0) { /* neither half of a two-byte character is a digit */
            digits += (uint8_t)(c - '0') < 10;
            i++;
            continue;
        }
        struct slice rest = slice_of(in.p + i, in.n - i);
        digits += may_be_digit(in.p + i) && digit_of(next(&rest)) != NO_DIGIT;
        i += c < 0xF0 ? 3 : 4;
    }
    for (; i < in.n; i++)
        digits += (uint8_t)(in.p[i] - '0') < 10;
    return digits;
}

/* Most texts have fewer than twelve digits, and end here. */
static bool may_hold_number(struct slice in) { return in.n >= N && digits_in(in) >= N; }

/* A chain is digits with at most GAP_MAX separators between each two. */
struct scan {
    struct slice own;
    enum nz_inside how;
    struct nz_pool *pool;
    uint8_t last[N];  /* the newest N digits of the chain, oldest first */
    size_t n;         /* digits of the chain */
    size_t run;       /* digits since the last separator or the start */
    unsigned fours;   /* closed groups of exactly four, with one mark of grouping behind each, before the open run */
    bool found;
};

static void push(struct scan *s, int digit)
{
    memmove(s->last, s->last + 1, N - 1);
    s->last[N - 1] = (uint8_t)('0' + digit);
    s->n++;
    s->run++;
    if (s->n >= N && secret_equal(slice_of(s->last, N), s->own))
        s->found = true;
}

/* The run has ended: were the newest twelve digits standing alone, or three groups of four? */
static ERR run_end(struct scan *s)
{
    bool fours = s->run == 4 && s->fours >= 2;
    if (s->how != NZ_INSIDE_ANY || s->found || (s->run != N && !fours))
        return OK;
    struct nz_mynum *m;
    TRY(nz_mynum_new(&m, s->pool, slice_of(s->last, N)));
    s->found = nz_mynum_check_digit(m);
    nz_mynum_free(m);
    return OK;
}

static void chain_break(struct scan *s)
{
    s->n = 0;
    s->run = 0;
    s->fours = 0;
}

static ERR scan_text(struct scan *s, struct slice in)
{
    size_t gap = 0; /* separators since the last digit */
    while (in.n && !s->found) {
        uint32_t cp = next(&in);
        int digit = digit_of(cp);
        if (digit != NO_DIGIT) {
            if (gap > 1)
                s->fours = 0;
            push(s, digit);
            gap = 0;
            continue;
        }
        if (is_invisible(cp))
            continue;
        TRY(run_end(s));
        if (s->n == 0 || gap == GAP_MAX || !is_separator(cp)) {
            chain_break(s);
            gap = 0;
            continue;
        }
        if (gap++ == 0)
            s->fours = s->run == 4 && is_grouping(cp) ? s->fours + 1 : 0;
        s->run = 0;
    }
    return run_end(s);
}

struct job {
    struct scan scan;
    struct slice text;
};

static struct err with_digits(struct slice digits, void *arg)
{
    struct job *j = arg;
    j->scan.own = digits;
    struct err e = scan_text(&j->scan, j->text);
    j->scan.own = SLICE_NONE;
    return e;
}

struct err nz_number_inside(struct slice utf8, const struct nz_mynum *own, enum nz_inside how, struct nz_pool *pool, bool *ret)
{
    if (!may_hold_number(utf8)) {
        *ret = false;
        return OK;
    }
    struct job j = { .scan = { .how = how, .pool = pool }, .text = utf8 };
    struct err e = nz_mynum_use(own, with_digits, &j);
    explicit_bzero(j.scan.last, sizeof j.scan.last);
    if (err_ok(e))
        *ret = j.scan.found;
    return e;
}

enum { NEARLY = N - 2 /* digits: one was lost, or two */ };

ERR nz_key_tellable(struct slice key, const struct nz_mynum *own, bool own_unread, struct nz_pool *pool, bool *ret)
{
    struct nz_mynum *nobody = NULL;
    bool inside = false;
    *ret = !own_unread || digits_in(key) < NEARLY;
    if (!*ret || !may_hold_number(key))
        return OK;
    if (!own)
        TRY(nz_mynum_new(&nobody, pool, LIT("000000000000")));
    struct err e = nz_number_inside(key, own ? own : nobody, NZ_INSIDE_ANY, pool, &inside);
    nz_mynum_free(nobody);
    *ret = err_ok(e) && !inside;
    return e;
}
