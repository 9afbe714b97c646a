#ifndef MOCKS_SYNTH_NAMES_H
#define MOCKS_SYNTH_NAMES_H

/* Family and given names with their reading (full-width katakana). Combined at random: no real person is meant. */

struct name { const char *text, *kana; };

/* Everyday family names. */
extern const struct name NAMES_FAMILY[];
extern const unsigned NAMES_FAMILY_N;

/* Family names with characters that break careless programs: four-byte UTF-8, variation sequences (IVS), compatibility
 * ideographs that normalisation would change, private use (外字), and names of foreign residents. */
extern const struct name NAMES_VARIANT[];
extern const unsigned NAMES_VARIANT_N;

extern const struct name NAMES_BOY[];
extern const unsigned NAMES_BOY_N;
extern const struct name NAMES_GIRL[];
extern const unsigned NAMES_GIRL_N;
/* Given names of people born before about 1970. */
extern const struct name NAMES_MAN[];
extern const unsigned NAMES_MAN_N;
extern const struct name NAMES_WOMAN[];
extern const unsigned NAMES_WOMAN_N;

#endif
