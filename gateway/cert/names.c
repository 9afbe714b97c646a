#include "gateway/cert/names.h"

#include "gateway/base/text.h"

enum { CHARS_MAX = 128, SMALL_TSU = 0x30C3, LONG_MARK = 0x30FC, N_KANA = 0x30F3, WIDE_SPACE = 0x3000, HIRAGANA = 0x3041, HIRAGANA_END = 0x3096, TO_KATAKANA = 0x60 };

static uint32_t next_char(struct slice *in)
{
    uint8_t b = in->p[0];
    size_t n = b < 0x80 ? 1 : b < 0xE0 ? 2 : b < 0xF0 ? 3 : 4;
    uint32_t c = n == 1 ? b : b & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (in->p[i] & 0x3F);
    *in = slice_of(in->p + n, in->n - n);
    return c;
}

/* One form for each: half-width Latin, katakana. */
static uint32_t plain(uint32_t c)
{
    if (c >= 0xFF21 && c <= 0xFF3A)
        return c - 0xFF21 + 'A';
    if (c >= 0xFF41 && c <= 0xFF5A)
        return c - 0xFF41 + 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 'A';
    if (c >= HIRAGANA && c <= HIRAGANA_END)
        return c + TO_KATAKANA;
    switch (c) {
    case WIDE_SPACE: return ' ';
    case 0xFF08: return '(';
    case 0xFF09: return ')';
    case 0x2019: return '\'';
    default: return c;
    }
}

static size_t chars_of(struct slice utf8, uint32_t out[static CHARS_MAX])
{
    size_t n = 0;
    if (!utf8_valid(utf8))
        return 0;
    while (utf8.n && n < CHARS_MAX)
        out[n++] = plain(next_char(&utf8));
    return utf8.n ? 0 : n;
}

/* ---- kana ---- */

static bool is_vowel(char c) { return c == 'A' || c == 'I' || c == 'U' || c == 'E' || c == 'O'; }

static size_t kana_end(const uint32_t *c, size_t n)
{
    size_t i = 0, took;
    while (i < n && (c[i] == SMALL_TSU || c[i] == LONG_MARK || name__kana_of(c + i, n - i, &took)))
        i++;
    return i;
}

/* = 旅券のヘボン式: オウ, オオ within a word and ウウ are one vowel; オオ at its end is OO; the long mark is not written */
static bool is_lengthening(const struct buf *word, const char *latin, bool last)
{
    char before = word->n ? (char)word->p[word->n - 1] : 0;
    if (latin[1] != 0)
        return false;
    return (before == 'O' && (latin[0] == 'U' || (latin[0] == 'O' && !last))) || (before == 'U' && latin[0] == 'U');
}

static void put_consonant(struct buf *word, bool doubled, const char *latin)
{
    if (doubled && !is_vowel(latin[0]))
        buf_putc(word, latin[0] == 'C' ? 'T' : (uint8_t)latin[0]); /* ッチ: TCH */
    buf_puts(word, latin);
}

/* One word of kana. */
static void put_kana(const uint32_t *c, size_t n, struct buf *out)
{
    struct buf word;
    bool doubled = false;
    buf_init(&word, 4 * CHARS_MAX);
    for (size_t i = 0, took = 1; i < n; i += took) {
        took = 1;
        if (c[i] == SMALL_TSU) {
            doubled = true;
            continue;
        }
        if (c[i] == LONG_MARK)
            continue;
        const char *latin = name__kana_of(c + i, n - i, &took);
        size_t next_took;
        const char *next = i + took < n ? name__kana_of(c + i + took, n - i - took, &next_took) : NULL;
        if (c[i] == N_KANA) /* before B, M, P: M */
            latin = next && (next[0] == 'B' || next[0] == 'M' || next[0] == 'P') ? "M" : "N";
        else if (is_lengthening(&word, latin, i + took == n))
            continue;
        put_consonant(&word, doubled, latin);
        doubled = false;
    }
    buf_put(out, buf_slice(&word));
    buf_done(&word);
}

/* ---- the whole name ---- */

static bool is_mark(uint32_t c) { return c == ' ' || c == '-' || c == '\'' || c == '(' || c == ')'; }

static bool put_all(const uint32_t *c, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n;) {
        size_t kana = kana_end(c + i, n - i);
        const char *latin = NULL;
        if (kana) {
            put_kana(c + i, kana, out);
            i += kana;
            continue;
        }
        if ((c[i] >= 'A' && c[i] <= 'Z') || is_mark(c[i]))
            buf_putc(out, (uint8_t)c[i]);
        else if ((latin = name__latin_of(c[i])))
            buf_puts(out, latin);
        else
            return false;
        i++;
    }
    return true;
}

static bool is_letter(uint8_t c) { return c >= 'A' && c <= 'Z'; }

/* Marks join letters; brackets hold a name and stand between words. */
static bool well_formed(struct slice s)
{
    bool inside = false;
    if (s.n == 0 || s.n > NAME_LATIN_MAX || !is_letter(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], before = i ? s.p[i - 1] : ' ', after = i + 1 < s.n ? s.p[i + 1] : ' ';
        if (c == '(' && (inside || before != ' ' || !is_letter(after)))
            return false;
        if (c == ')' && (!inside || !is_letter(before) || after != ' '))
            return false;
        if (c == ' ' && (before == ' ' || i + 1 == s.n || after == ')' || after == '-' || after == '\''))
            return false;
        if ((c == '-' || c == '\'') && (!is_letter(before) || !is_letter(after)))
            return false;
        inside = c == '(' || (inside && c != ')');
    }
    return !inside;
}

struct err name_latin(struct slice utf8, struct buf *out)
{
    uint32_t c[CHARS_MAX];
    struct buf name;
    size_t n = chars_of(utf8, c);
    buf_init(&name, 4 * CHARS_MAX);
    bool good = n > 0 && put_all(c, n, &name) && !name.failed && well_formed(buf_slice(&name));
    if (good)
        buf_put(out, buf_slice(&name));
    buf_done(&name);
    return good ? buf_check(out) : FAIL(E_FIELD);
}

/* Each row ten digits of a script, or numbers in circles and the like (Unicode, Nd and No). Kanji for numbers are in names. */
static bool is_digit(uint32_t c)
{
    static const uint32_t ZEROS[] = {
        '0', 0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0,
        0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0x2070, 0x2080, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
        0x104A0, 0x10D30, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0, 0x11650, 0x116C0, 0x11730, 0x118E0, 0x11950, 0x11C50, 0x11D50, 0x11DA0,
        0x16A60, 0x16AC0, 0x16B50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E950, 0x1FBF0
    };
    static const struct { uint32_t from, to; } RANGES[] = { { 0xB2, 0xB3 }, { 0xB9, 0xB9 }, { 0x2150, 0x215F }, { 0x2189, 0x2189 }, { 0x2460, 0x249B }, { 0x24EA, 0x24FF }, { 0x2776, 0x2793 },
                                                            { 0x3248, 0x324F }, { 0x3251, 0x325F }, { 0x32B1, 0x32BF }, { 0x1F100, 0x1F10C } };
    for (size_t i = 0; i < sizeof ZEROS / sizeof ZEROS[0]; i++)
        if (c >= ZEROS[i] && c <= ZEROS[i] + 9)
            return true;
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        if (c >= RANGES[i].from && c <= RANGES[i].to)
            return true;
    return false;
}

/* Nothing that is not seen and changes what is: controls, directions, joiners of nothing, tags. Variation selectors stay, and the two joiners of Indic scripts and Persian. */
static bool is_unseen(uint32_t c)
{
    static const struct { uint32_t from, to; } RANGES[] = { { 0, 0x1F }, { 0x7F, 0x9F }, { 0xAD, 0xAD }, { 0x061C, 0x061C }, { 0x180E, 0x180E }, { 0x200B, 0x200B },
                                                            { 0x200E, 0x200F }, { 0x2028, 0x202E }, { 0x2060, 0x206F }, { 0xFEFF, 0xFEFF }, { 0xFFF0, 0xFFFB },
                                                            { 0xFFFE, 0xFFFF }, { 0xE0000, 0xE00FF }, { 0xE01F0, 0xE0FFF } };
    for (size_t i = 0; i < sizeof RANGES / sizeof RANGES[0]; i++)
        if (c >= RANGES[i].from && c <= RANGES[i].to)
            return true;
    return false;
}

struct err name_own(struct slice utf8, size_t max, struct slice *ret_family, struct slice *ret_given)
{
    struct slice rest = utf8, family = SLICE_NONE, given = SLICE_NONE;
    if (utf8.n == 0 || !utf8_valid(utf8) || utf8_count(utf8) > max)
        return FAIL(E_FIELD);
    while (rest.n) {
        const uint8_t *at = rest.p;
        uint32_t c = next_char(&rest);
        if (is_digit(c) || is_unseen(c))
            return FAIL(E_FIELD);
        if ((c == ' ' || c == WIDE_SPACE) && !family.n && at != utf8.p) {
            family = slice_of(utf8.p, (size_t)(at - utf8.p));
            given = rest;
        }
    }
    *ret_family = family.n ? family : utf8;
    *ret_given = given;
    return OK;
}
