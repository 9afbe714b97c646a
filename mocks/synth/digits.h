#ifndef MOCKS_SYNTH_DIGITS_H
#define MOCKS_SYNTH_DIGITS_H

/* Numbers with their check digits, and calendar arithmetic. */

#include <stddef.h>
#include <stdint.h>

#include "gateway/base/clock.h"

/* Writes n decimal digits of v, most significant first; no NUL. */
void digits_put(char *out, size_t n, uint64_t v);

/* Check digit of an individual number over its first 11 digits. = 総務省令第85号 第5条 */
char digits_check_mynumber(const char body[static 11]);
/* Check digit of 公費負担者番号, 受給者番号 and 医療機関コード over the n digits before it: weights 2,1 from the right, digit sums, mod 10. */
char digits_check_mod10(const char *body, size_t n);

/* Days since 1970-01-01 of a date, and back. */
int64_t ymd_to_days(ymd_t d);
ymd_t ymd_from_days(int64_t days);

/* The 31 March that ends the school year in which somebody born on `birth` reaches `age`;
 * born on 1 April counts with the year before (年齢計算ニ関スル法律). */
ymd_t ymd_school_year_end(ymd_t birth, unsigned age);

#endif
