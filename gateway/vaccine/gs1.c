#include "gateway/vaccine/gs1.h"

#include "gateway/base/text.h"
#include "gateway/check/field.h"

enum { GS = 0x1D, SYMBOLOGY_CHARS = 3 };

static const char *const SLUGS[GS1_FAULT__MAX] = {
#define X(sym, slug) [sym] = slug,
    GS1_FAULTS(X)
#undef X
};

const char *gs1_fault_slug(enum gs1_fault f) { return (unsigned)f < GS1_FAULT__MAX ? SLUGS[f] : "?"; }

bool gtin_14(struct slice digits, char out[static GS1_GTIN])
{
    if ((digits.n != 8 && digits.n != 12 && digits.n != 13 && digits.n != 14) || !all_digits(digits))
        return false;
    memset(out, '0', GS1_GTIN);
    memcpy(out + GS1_GTIN - digits.n, digits.p, digits.n);
    return true;
}

/* ---- the elements ---- */

struct elements {
    struct gs1 g;
    ymd_t today;
    bool gtin;
};
typedef enum gs1_fault element_fn(struct elements *e, struct slice value);

/* = GS1 General Specifications 7.12: the century that brings the year within 50 years of now. */
static unsigned full_year(unsigned yy, ymd_t today)
{
    const unsigned now = today / 10000, century = now / 100 * 100;
    const int ahead = (int)yy - (int)(now % 100);
    if (ahead >= 51)
        return century - 100 + yy;
    return ahead <= -50 ? century + 100 + yy : century + yy;
}

static enum gs1_fault date_of(struct slice v, ymd_t today, ymd_t *ret_d)
{
    char text[10];
    unsigned part[3];
    for (size_t i = 0; i < 3; i++)
        part[i] = (unsigned)(v.p[2 * i] - '0') * 10 + (unsigned)(v.p[2 * i + 1] - '0');
    ymd_t d = full_year(part[0], today) * 10000 + part[1] * 100 + part[2], unused;
    const bool end_of_month = part[2] == 0;
    for (unsigned day = 31; end_of_month && day >= 28; day--) {
        ymd_format(d / 100 * 100 + day, text);
        if (ymd_parse(ARR(text), ret_d))
            return GS1_OK;
    }
    ymd_format(d, text);
    if (!ymd_parse(ARR(text), &unused))
        return GS1_DATE;
    *ret_d = d;
    return GS1_OK;
}

static enum gs1_fault take_gtin(struct elements *e, struct slice v)
{
    memcpy(e->g.gtin, v.p, sizeof e->g.gtin);
    e->gtin = true;
    return check_gtin(v) ? GS1_OK : GS1_GTIN_CHECK;
}
static enum gs1_fault take_made(struct elements *e, struct slice v) { return date_of(v, e->today, &e->g.made); }
static enum gs1_fault take_expiry(struct elements *e, struct slice v) { return date_of(v, e->today, &e->g.expiry); }

static enum gs1_fault take_lot(struct elements *e, struct slice v)
{
    e->g.lot = v;
    return GS1_OK;
}

static enum gs1_fault take_serial(struct elements *e, struct slice v)
{
    e->g.serial = v;
    return GS1_OK;
}

static enum gs1_fault take_count(struct elements *e, struct slice v)
{
    e->g.count = 0;
    for (size_t i = 0; i < v.n; i++)
        e->g.count = e->g.count * 10 + (uint32_t)(v.p[i] - '0');
    return GS1_OK;
}

static enum gs1_fault pass_over(struct elements *e, struct slice v)
{
    (void)e, (void)v;
    return GS1_OK;
}

/* What may stand on a carton of medicine. min == max: it needs no separator. (02) and (37): what a case holds. */
static const struct element {
    const char *ai;
    uint8_t min, max;
    bool digits;
    element_fn *take;
} ELEMENTS[] = {
    { "01", 14, 14, true, take_gtin },   { "02", 14, 14, true, take_gtin }, { "10", 1, 20, false, take_lot },  { "11", 6, 6, true, take_made },
    { "17", 6, 6, true, take_expiry },   { "21", 1, 20, false, take_serial }, { "30", 1, 8, true, take_count }, { "37", 1, 8, true, take_count },
    { "240", 1, 30, false, pass_over },  { "7003", 10, 10, true, pass_over }, { "710", 1, 20, false, pass_over },
};
enum { ELEMENTS_N = sizeof ELEMENTS / sizeof ELEMENTS[0] };

/* = GS1 General Specifications 7.11, character set 82. */
static bool in_set_82(uint8_t c)
{
    static const char MARKS[] = "!\"%&'()*+,-./_:;<=>?";
    const uint8_t letter = c | 0x20;
    return (c >= '0' && c <= '9') || (letter >= 'a' && letter <= 'z') || (c && c < 0x80 && strchr(MARKS, c));
}

static size_t element_of(struct slice in)
{
    size_t i = 0;
    while (i < ELEMENTS_N && !slice_starts(in, slice_str(ELEMENTS[i].ai)))
        i++;
    return i;
}

struct scan {
    struct elements e;
    uint32_t seen; /* 1 << index of ELEMENTS */
};

static enum gs1_fault take(struct scan *s, size_t i, struct slice value)
{
    const struct element *el = &ELEMENTS[i];
    if (s->seen & 1u << i)
        return GS1_TWICE;
    s->seen |= 1u << i;
    if (value.n < el->min || value.n > el->max)
        return GS1_LENGTH;
    for (size_t k = 0; k < value.n; k++)
        if (el->digits ? value.p[k] < '0' || value.p[k] > '9' : !in_set_82(value.p[k]))
            return GS1_CHARACTER;
    return el->take(&s->e, value);
}

/* ---- the two ways of writing them ---- */

static enum gs1_fault scan_raw(struct scan *s, struct slice in)
{
    struct slice value, rest;
    while (in.n) {
        const size_t i = element_of(in);
        if (i == ELEMENTS_N)
            return GS1_AI;
        const size_t head = strlen(ELEMENTS[i].ai);
        in = slice_of(in.p + head, in.n - head);
        if (ELEMENTS[i].min == ELEMENTS[i].max) {
            if (!slice_take(&in, ELEMENTS[i].min, &value))
                return GS1_LENGTH;
            if (in.n && in.p[0] == GS) /* not needed, and not forbidden */
                in = slice_of(in.p + 1, in.n - 1);
        } else if (slice_cut(in, GS, &value, &rest)) {
            in = rest;
        } else {
            value = in;
            in = SLICE_NONE;
        }
        const enum gs1_fault f = take(s, i, value);
        if (f != GS1_OK)
            return f;
    }
    return GS1_OK;
}

/* A value may hold parentheses itself: what begins the next element is one with a known identifier in it. */
static size_t value_end(struct slice in)
{
    for (size_t at = 0; at < in.n; at++) {
        const size_t i = in.p[at] == '(' ? element_of(slice_of(in.p + at + 1, in.n - at - 1)) : ELEMENTS_N;
        const size_t close = i < ELEMENTS_N ? at + 1 + strlen(ELEMENTS[i].ai) : in.n;
        if (close < in.n && in.p[close] == ')')
            return at;
    }
    return in.n;
}

static enum gs1_fault scan_printed(struct scan *s, struct slice in)
{
    struct slice ai, value;
    while (in.n) {
        if (in.p[0] != '(' || !slice_cut(slice_of(in.p + 1, in.n - 1), ')', &ai, &in))
            return GS1_PARENTHESIS;
        const size_t i = element_of(ai);
        if (i == ELEMENTS_N || ai.n != strlen(ELEMENTS[i].ai))
            return GS1_AI;
        if (!slice_take(&in, value_end(in), &value))
            return GS1_PARENTHESIS;
        const enum gs1_fault f = take(s, i, value);
        if (f != GS1_OK)
            return f;
    }
    return GS1_OK;
}

static enum gs1_fault skip_symbology(struct slice *in)
{
    static const char *const OURS[] = { "]C1", "]d2", "]Q3", "]e0", "]J1" };
    if (in->p[0] != ']')
        return GS1_OK;
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++)
        if (slice_starts(*in, slice_str(OURS[i]))) {
            *in = slice_of(in->p + SYMBOLOGY_CHARS, in->n - SYMBOLOGY_CHARS);
            return GS1_OK;
        }
    return GS1_SYMBOLOGY;
}

enum gs1_fault gs1_parse(struct slice text, ymd_t today, struct gs1 *ret_g)
{
    struct scan s = { .e.today = today };
    if (!text.n)
        return GS1_EMPTY;
    if (text.n > GS1_TEXT_MAX)
        return GS1_TOO_LONG;
    enum gs1_fault f = skip_symbology(&text);
    if (f == GS1_OK && text.n && text.p[0] == GS) /* some scanners send the first FNC1 too */
        text = slice_of(text.p + 1, text.n - 1);
    if (f == GS1_OK)
        f = text.n && text.p[0] == '(' ? scan_printed(&s, text) : scan_raw(&s, text);
    if (f == GS1_OK && !s.e.gtin)
        f = GS1_NO_GTIN;
    if (f == GS1_OK)
        *ret_g = s.e.g;
    return f;
}
