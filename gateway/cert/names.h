#ifndef GW_CERT_NAMES_H
#define GW_CERT_NAMES_H

/* Names as passports have them (ICAO 9303-3): A to Z, apostrophe, hyphen, one space between words, and in brackets an earlier or other name (旧姓・別名). Sans I/O. */

#include "gateway/base/buf.h"

enum { NAME_LATIN_MAX = 39 };

/* Appends the name in capitals. Taken as it is: letters of A-Z in either case, also full-width ones. By the tables of ICAO 9303-3: other Latin letters
 * ("Müller" becomes MUELLER), Cyrillic; kana by the Hepburn rules of Japanese passports. A name in any other script is refused, not guessed: FIELD. So is
 * one that is longer than NAME_LATIN_MAX, has digits or other marks, an empty bracket, or a bracket in a bracket.
 *   The kana rules do not know where one word ends: イノウエ gives INOE where the passport has INOUE. What is printed in the passport is right; it is
 * to be written in Latin letters then. */
ERR name_latin(struct slice utf8, struct buf *out);

/* A name as it stands on the card, in its own script: no digits of any script, no control characters, none that only turns the direction or is not seen, at most
 * `max` characters. Cut at its first space (full-width or not) into family and given; without one all of it is family. FIELD. */
ERR name_own(struct slice utf8, size_t max, struct slice *ret_family, struct slice *ret_given);

/* Private to names.c and names_table.c: the Latin form of a character, NULL when there is none. */
const char *name__latin_of(uint32_t codepoint);
/* Of one or two kana (the small ya, yu, yo belong to the one before), katakana only; *ret_n: how many were taken. NULL: not kana. */
const char *name__kana_of(const uint32_t *c, size_t n, size_t *ret_n);

#endif
