#ifndef GW_ZONE_NUMBER
#error "convert.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_CONVERT_H
#define KEYS_LINKAGE_CONVERT_H

/* Cells to published values, where a layout asks for it. */

#include "gateway/base/buf.h"
#include "keys/linkage/rules.h"

/* Half-width katakana to full width, voicing marks joined; everything else stays byte for byte. */
void nz_convert_kana(struct slice utf8, struct buf *out);
bool nz_convert_kana_needed(struct slice utf8); /* false: it would change nothing */
/* Full-width digits to half width; everything else stays byte for byte: nothing is padded, cut or dropped. */
void nz_convert_digits(struct slice utf8, struct buf *out);
bool nz_convert_digits_needed(struct slice utf8);
/* 2024-04-01, 2024/4/1, 20240401, 2024年4月1日, 令和6年4月1日, 令和元年…, R6.4.1, also in full-width digits, to 2024-04-01.
 * Nothing for any other text, for days that do not exist or were not of that era. Years before 1873 (the solar calendar) neither. */
bool nz_convert_date(struct slice utf8, char ret_date[static 10]);
/* 0, 無, false; 1, 有, true */
bool nz_convert_choice(struct slice utf8, bool *ret_yes);
/* 男, 男性 to "1"; 女, 女性 to "2"; one digit, also a full-width one, to itself. */
bool nz_convert_sex(struct slice utf8, struct slice *ret_code);
/* What spreadsheets leave in a cell: SCIENTIFIC (4.21E+11), APOSTROPHE ('012); or files that were joined: BOM. Else NONE. */
enum nz_rule nz_convert_suspect(struct slice utf8);

#endif
