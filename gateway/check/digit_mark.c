#include "gateway/check/digit_mark.h"

/* Full-width digits are U+FF10 to U+FF19. */
size_t digit_mark(struct slice s)
{
    if (s.n && s.p[0] >= '0' && s.p[0] <= '9')
        return 1;
    return s.n >= 3 && s.p[0] == 0xEF && s.p[1] == 0xBC && s.p[2] >= 0x90 && s.p[2] <= 0x99 ? 3 : 0;
}

/* Blank, hyphen-minus; U+3000; hyphens of U+2010 to U+2015; U+2212; U+FF0D; U+30FC; joiners and marks without width U+200B to U+200D, U+FEFF. */
size_t gap_mark(struct slice s)
{
    static const struct { uint8_t a, b, from, to; } GAPS[] = {
        { 0xE3, 0x80, 0x80, 0x80 }, { 0xE2, 0x80, 0x90, 0x95 }, { 0xE2, 0x88, 0x92, 0x92 }, { 0xEF, 0xBC, 0x8D, 0x8D },
        { 0xE3, 0x83, 0xBC, 0xBC }, { 0xE2, 0x80, 0x8B, 0x8D }, { 0xEF, 0xBB, 0xBF, 0xBF },
    };
    if (s.n && (s.p[0] == ' ' || s.p[0] == '-'))
        return 1;
    for (size_t i = 0; s.n >= 3 && i < sizeof GAPS / sizeof *GAPS; i++)
        if (s.p[0] == GAPS[i].a && s.p[1] == GAPS[i].b && s.p[2] >= GAPS[i].from && s.p[2] <= GAPS[i].to)
            return 3;
    return 0;
}
