#ifndef GW_VACCINE_GS1_H
#define GW_VACCINE_GS1_H

/* GS1 element strings from the carton of a vaccine, as a scanner gives them. Sans I/O.
 *
 *   ]d2 0104987035184614 17271231 10A123<GS>   raw, with or without a symbology identifier; a variable element ends at GS (0x1D) or at the end
 *   (01)14987035184611(17)271231(10)A123       as it is printed under the symbol
 *
 * = GS1 General Specifications: the elements below, each once. YYMMDD: the year is the one within 50 years of today, day 00 the last of the month. */

#include "gateway/base/clock.h"
#include "gateway/base/err.h"

enum { GS1_TEXT_MAX = 256, GS1_GTIN = 14, GS1_VALUE_MAX = 20 };

/* X(symbol, slug): what is wrong with it. */
#define GS1_FAULTS(X)                                                        \
    X(GS1_OK, "ok")                                                          \
    X(GS1_EMPTY, "empty")                                                    \
    X(GS1_TOO_LONG, "too_long")                                              \
    X(GS1_SYMBOLOGY, "symbology")       /* an identifier, but no GS1 one */  \
    X(GS1_AI, "application_identifier") /* unknown, or cut off */            \
    X(GS1_TWICE, "element_twice")                                            \
    X(GS1_LENGTH, "element_length")                                          \
    X(GS1_CHARACTER, "character")       /* outside of set 82, or no digit */ \
    X(GS1_GTIN_CHECK, "gtin_check_digit")                                    \
    X(GS1_DATE, "date")                                                      \
    X(GS1_NO_GTIN, "gtin_missing")                                           \
    X(GS1_PARENTHESIS, "parenthesis")

enum gs1_fault {
#define X(sym, slug) sym,
    GS1_FAULTS(X)
#undef X
    GS1_FAULT__MAX
};
const char *gs1_fault_slug(enum gs1_fault f);

struct gs1 {
    char gtin[GS1_GTIN];
    struct slice lot, serial;     /* borrow from the text; SLICE_NONE: not there */
    ymd_t made, expiry;           /* 0: not there */
    uint32_t count;               /* (30) or (37); 0: not there */
};

/* GS1_OK: *ret_g is written; there is a GTIN. today: for the century. */
enum gs1_fault gs1_parse(struct slice text, ymd_t today, struct gs1 *ret_g);

/* 8, 12, 13 or 14 digits to 14, by zeros in front; false for other lengths and for what are no digits. The check digit is not looked at: check_gtin(). */
bool gtin_14(struct slice digits, char out[static GS1_GTIN]);

#endif
