#include "keys/linkage/convert.h"

#include "gateway/base/clock.h"

/* ---- kana ---- */

enum { KANA_FIRST = 0xff61, KANA_LAST = 0xff9f, VOICED = 0xff9e, HALF_VOICED = 0xff9f };

/* The code point of a 3-byte sequence at the start of s, 0 for anything else. */
static uint32_t three(struct slice s)
{
    return s.n >= 3 && (s.p[0] & 0xf0) == 0xe0 ? (uint32_t)(s.p[0] & 0x0f) << 12 | (uint32_t)(s.p[1] & 0x3f) << 6 | (s.p[2] & 0x3f) : 0;
}

/* The full-width letter with the mark behind it; 0 when there is none. */
static uint32_t joined(uint32_t full, uint32_t mark)
{
    static const struct { uint32_t from, to; } ODD[] = { { 0x30a6, 0x30f4 }, { 0x30ef, 0x30f7 }, { 0x30f2, 0x30fa } };
    bool k_to_t = (full >= 0x30ab && full <= 0x30c1 && full % 2 == 1) || full == 0x30c4 || full == 0x30c6 || full == 0x30c8;
    bool h = full >= 0x30cf && full <= 0x30db && (full - 0x30cf) % 3 == 0;
    if (mark == HALF_VOICED)
        return h ? full + 2 : 0;
    if (mark != VOICED)
        return 0;
    for (size_t i = 0; i < sizeof ODD / sizeof *ODD; i++)
        if (ODD[i].from == full)
            return ODD[i].to;
    return k_to_t || h ? full + 1 : 0;
}

void nz_convert_kana(struct slice s, struct buf *out)
{
    static const uint16_t FULL[KANA_LAST - KANA_FIRST + 1] = {
        0x3002, 0x300c, 0x300d, 0x3001, 0x30fb, 0x30f2, 0x30a1, 0x30a3, 0x30a5, 0x30a7, 0x30a9, 0x30e3, 0x30e5, 0x30e7, 0x30c3, 0x30fc,
        0x30a2, 0x30a4, 0x30a6, 0x30a8, 0x30aa, 0x30ab, 0x30ad, 0x30af, 0x30b1, 0x30b3, 0x30b5, 0x30b7, 0x30b9, 0x30bb, 0x30bd, 0x30bf,
        0x30c1, 0x30c4, 0x30c6, 0x30c8, 0x30ca, 0x30cb, 0x30cc, 0x30cd, 0x30ce, 0x30cf, 0x30d2, 0x30d5, 0x30d8, 0x30db, 0x30de, 0x30df,
        0x30e0, 0x30e1, 0x30e2, 0x30e4, 0x30e6, 0x30e8, 0x30e9, 0x30ea, 0x30eb, 0x30ec, 0x30ed, 0x30ef, 0x30f3, 0x309b, 0x309c,
    };
    while (s.n) {
        uint32_t c = three(s);
        if (c < KANA_FIRST || c > KANA_LAST) {
            buf_putc(out, s.p[0]);
            s = slice_of(s.p + 1, s.n - 1);
            continue;
        }
        s = slice_of(s.p + 3, s.n - 3);
        uint32_t full = FULL[c - KANA_FIRST], with_mark = joined(full, three(s));
        if (with_mark) {
            full = with_mark;
            s = slice_of(s.p + 3, s.n - 3);
        }
        buf_putc(out, (uint8_t)(0xe0 | full >> 12));
        buf_putc(out, (uint8_t)(0x80 | (full >> 6 & 0x3f)));
        buf_putc(out, (uint8_t)(0x80 | (full & 0x3f)));
    }
}

/* Half-width katakana, and full-width digits, are EF BD/BE xx, EF BC xx. */
static bool has_lead_ef(struct slice s) { return s.n && memchr(s.p, 0xef, s.n); }

bool nz_convert_kana_needed(struct slice s) { return has_lead_ef(s); }

/* ---- digits ---- */

/* One digit, also a full-width one; -1 for anything else. */
static int digit(struct slice *s)
{
    uint32_t wide = three(*s);
    int d = s->n && s->p[0] >= '0' && s->p[0] <= '9' ? s->p[0] - '0' : wide >= 0xff10 && wide <= 0xff19 ? (int)(wide - 0xff10) : -1;
    if (d >= 0)
        *s = slice_of(s->p + (wide ? 3 : 1), s->n - (wide ? 3 : 1));
    return d;
}

bool nz_convert_digits_needed(struct slice s) { return has_lead_ef(s); }

void nz_convert_digits(struct slice s, struct buf *out)
{
    while (s.n) {
        int d = digit(&s);
        if (d >= 0) {
            buf_putc(out, (uint8_t)('0' + d));
            continue;
        }
        buf_putc(out, s.p[0]);
        s = slice_of(s.p + 1, s.n - 1);
    }
}

/* ---- dates ---- */

struct era { struct slice kanji; uint8_t letter; ymd_t first, last; };

/* 明治 from the solar calendar on. */
static const struct era *eras(size_t *ret_n)
{
    static const struct era ERAS[] = {
        { { (const uint8_t *)"明治", 6 }, 'M', 18730101, 19120729 }, { { (const uint8_t *)"大正", 6 }, 'T', 19120730, 19261224 },
        { { (const uint8_t *)"昭和", 6 }, 'S', 19261225, 19890107 }, { { (const uint8_t *)"平成", 6 }, 'H', 19890108, 20190430 },
        { { (const uint8_t *)"令和", 6 }, 'R', 20190501, 99991231 },
    };
    *ret_n = sizeof ERAS / sizeof *ERAS;
    return ERAS;
}

static unsigned era_year_one(const struct era *e) { return e->letter == 'M' ? 1868 : e->first / 10000; }

static bool skip(struct slice *s, struct slice text)
{
    if (!slice_starts(*s, text))
        return false;
    *s = slice_of(s->p + text.n, s->n - text.n);
    return true;
}

/* A number of min to max digits; takes no more than max. */
static bool number(struct slice *s, unsigned min, unsigned max, unsigned *ret_n)
{
    unsigned n = 0, digits = 0;
    while (digits < max) {
        int d = digit(s);
        if (d < 0)
            break;
        n = n * 10 + (unsigned)d;
        digits++;
    }
    *ret_n = n;
    return digits >= min;
}

static const struct era *era_take(struct slice *s)
{
    size_t n;
    const struct era *e = eras(&n);
    for (size_t i = 0; i < n; i++) {
        if (skip(s, e[i].kanji))
            return &e[i];
        if (s->n && (s->p[0] | 0x20) == (e[i].letter | 0x20)) {
            *s = slice_of(s->p + 1, s->n - 1);
            return &e[i];
        }
    }
    return NULL;
}

struct parts { unsigned year, month, day; };

/* Month and day with the separators that go together; nothing may follow. */
static bool rest_of_date(struct slice s, bool western, struct parts *p)
{
    static const struct { struct slice first, second, last; bool western, era; } FORMS[] = {
        { { (const uint8_t *)"年", 3 }, { (const uint8_t *)"月", 3 }, { (const uint8_t *)"日", 3 }, true, true },
        { { (const uint8_t *)"/", 1 }, { (const uint8_t *)"/", 1 }, { 0, 0 }, true, true },
        { { (const uint8_t *)"-", 1 }, { (const uint8_t *)"-", 1 }, { 0, 0 }, true, true },
        { { (const uint8_t *)".", 1 }, { (const uint8_t *)".", 1 }, { 0, 0 }, false, true },
    };
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        if (!(western ? FORMS[i].western : FORMS[i].era) || !skip(&s, FORMS[i].first))
            continue;
        return number(&s, 1, 2, &p->month) && skip(&s, FORMS[i].second) && number(&s, 1, 2, &p->day) &&
               (!FORMS[i].last.n || skip(&s, FORMS[i].last)) && s.n == 0;
    }
    return western && number(&s, 2, 2, &p->month) && number(&s, 2, 2, &p->day) && s.n == 0;
}

static bool exists(const struct parts *p, char out[static 10], ymd_t *ret_d)
{
    if (p->year > 9999 || p->month > 12 || p->day > 31)
        return false;
    ymd_format(p->year * 10000 + p->month * 100 + p->day, out);
    return ymd_parse(slice_of(out, 10), ret_d);
}

bool nz_convert_date(struct slice s, char ret_date[static 10])
{
    struct parts p;
    ymd_t d;
    char out[10];
    const struct era *e = era_take(&s);
    bool first_year = e && skip(&s, LIT("元"));
    if (first_year)
        p.year = 1;
    else if (!number(&s, e ? 1 : 4, e ? 2 : 4, &p.year))
        return false;
    if (e && p.year == 0)
        return false;
    if (e)
        p.year += era_year_one(e) - 1;
    if (!rest_of_date(s, !e, &p) || !exists(&p, out, &d))
        return false;
    if (d < 18730101 || (e && (d < e->first || d > e->last)))
        return false;
    memcpy(ret_date, out, sizeof out);
    return true;
}

/* ---- choices and marks of spreadsheets ---- */

bool nz_convert_choice(struct slice s, bool *ret_yes)
{
    static const struct { const char *text; bool yes; } WORDS[] = {
        { "0", false }, { "1", true }, { "無", false }, { "有", true }, { "false", false }, { "true", true },
    };
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (slice_eq(s, slice_str(WORDS[i].text))) {
            *ret_yes = WORDS[i].yes;
            return true;
        }
    return false;
}

bool nz_convert_sex(struct slice s, struct slice *ret_code)
{
    static const struct { const char *text; unsigned code; } WORDS[] = { { "男", 1 }, { "女", 2 }, { "男性", 1 }, { "女性", 2 } };
    static const char DIGITS[] = "0123456789";
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (slice_eq(s, slice_str(WORDS[i].text))) {
            *ret_code = slice_of(DIGITS + WORDS[i].code, 1);
            return true;
        }
    int d = digit(&s);
    *ret_code = slice_of(DIGITS + (d < 0 ? 0 : d), 1);
    return d >= 0 && s.n == 0;
}

static size_t digits_at(struct slice s, size_t from)
{
    size_t n = 0;
    while (from + n < s.n && s.p[from + n] >= '0' && s.p[from + n] <= '9')
        n++;
    return n;
}

enum nz_rule nz_convert_suspect(struct slice s)
{
    if (s.n && s.p[0] == '\'')
        return NZ_RULE_APOSTROPHE;
    if (slice_starts(s, LIT("\xef\xbb\xbf")))
        return NZ_RULE_BOM;
    size_t i = digits_at(s, 0);
    if (i != 1)
        return NZ_RULE_NONE;
    if (i < s.n && s.p[i] == '.')
        i += 1 + digits_at(s, i + 1);
    if (i + 2 > s.n || s.p[i] != 'E' || (s.p[i + 1] != '+' && s.p[i + 1] != '-'))
        return NZ_RULE_NONE;
    size_t power = digits_at(s, i + 2);
    /* Spreadsheets write two digits at least; 1E-5 may be a room. */
    return power >= 2 && i + 2 + power == s.n ? NZ_RULE_SCIENTIFIC : NZ_RULE_NONE;
}
