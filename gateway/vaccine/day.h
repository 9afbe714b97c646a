#ifndef GW_VACCINE_DAY_H
#define GW_VACCINE_DAY_H

/* Days, spans and ages, as the Immunization Act and its orders count them. Sans I/O.
 *
 * Ages follow 年齢計算ニ関スル法律 and 民法143条2項: the day of birth counts, so that an age of years or months is reached at the end of the day BEFORE the
 * birthday (or the same day of the month). Where that month has no such day, it is reached on the last day of the month. Who was born on 1 April 2020 is one on
 * 31 March 2021; on 29 February 2020: on 28 February 2021, and four on 28 February 2024; on 31 August: six months old on the last day of February.
 * Weeks and days are counted from the day of birth as day 0, as 出生6週0日後 does.
 *
 * Between two doses, 「N日以上の間隔をおいて」 means that N whole days lie between them; months are counted from day to day. */

#include "gateway/base/clock.h"

struct span { uint16_t months, days; }; /* one of the two is 0; both: none */

/* "2m", "5y", "27d", "6w": a number from 0 to 1500 and a unit. */
bool span_parse(struct slice s, struct span *ret_s);

/* Days since 1 March of year 0; d is a day that exists. */
int64_t day_number(ymd_t d);
ymd_t day_of(int64_t number);
/* The day that is `months` later: the last of its month where there is no such day. 0 behind year 9999. */
ymd_t day_add_months(ymd_t d, unsigned months);

/* The first day on which somebody who was born on that day has reached the age. */
ymd_t age_reached(ymd_t birth, struct span age);
/* The first day on which a dose may follow one that was given on `before`. */
ymd_t interval_over(ymd_t before, struct span gap);

#endif
