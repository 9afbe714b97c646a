#include "gateway/vaccine/day.h"

enum { YEAR_MAX = 9999, SPAN_MAX = 1500, DAYS_OF_WEEK = 7, MONTHS_OF_YEAR = 12 };

bool span_parse(struct slice s, struct span *ret_s)
{
    unsigned n = 0;
    size_t i = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9' && n <= SPAN_MAX; i++)
        n = n * 10 + (unsigned)(s.p[i] - '0');
    if (i == 0 || n > SPAN_MAX || i + 1 != s.n || (i > 1 && s.p[0] == '0'))
        return false;
    const uint8_t unit = s.p[i];
    const unsigned months = unit == 'y' ? MONTHS_OF_YEAR * n : n, days = unit == 'w' ? DAYS_OF_WEEK * n : n;
    if (unit != 'y' && unit != 'm' && unit != 'w' && unit != 'd')
        return false;
    if (months > MONTHS_OF_YEAR * SPAN_MAX / 10)
        return false;
    *ret_s = unit == 'y' || unit == 'm' ? (struct span){ .months = (uint16_t)months } : (struct span){ .days = (uint16_t)days };
    return true;
}

/* Years begin in March, so that the leap day is the last one. */
int64_t day_number(ymd_t d)
{
    const int64_t m = (d / 100 % 100 + 9) % 12, y = (int64_t)(d / 10000) - m / 10;
    return 365 * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + (int64_t)(d % 100) - 1;
}

ymd_t day_of(int64_t number)
{
    int64_t y = (10000 * number + 14780) / 3652425, left = number - (365 * y + y / 4 - y / 100 + y / 400);
    if (left < 0) {
        y--;
        left = number - (365 * y + y / 4 - y / 100 + y / 400);
    }
    const int64_t m = (100 * left + 52) / 3060;
    return (ymd_t)((y + (m + 2) / 12) * 10000 + ((m + 2) % 12 + 1) * 100 + left - (m * 306 + 5) / 10 + 1);
}

static unsigned days_in(unsigned y, unsigned m)
{
    static const uint8_t DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    return DAYS[m - 1] + (unsigned)(m == 2 && ((y % 4 == 0 && y % 100 != 0) || y % 400 == 0));
}

/* The month that is `months` after that of d: *ret_y, *ret_m. False behind year 9999. */
static bool month_after(ymd_t d, unsigned months, unsigned *ret_y, unsigned *ret_m)
{
    const unsigned at = d / 10000 * MONTHS_OF_YEAR + d / 100 % 100 - 1 + months;
    *ret_y = at / MONTHS_OF_YEAR;
    *ret_m = at % MONTHS_OF_YEAR + 1;
    return *ret_y <= YEAR_MAX;
}

ymd_t day_add_months(ymd_t d, unsigned months)
{
    unsigned y, m, day = d % 100;
    if (!month_after(d, months, &y, &m))
        return 0;
    return y * 10000 + m * 100 + (day > days_in(y, m) ? days_in(y, m) : day);
}

ymd_t age_reached(ymd_t birth, struct span age)
{
    unsigned y, m;
    if (!age.months)
        return day_of(day_number(birth) + age.days);
    if (!month_after(birth, age.months, &y, &m))
        return 0;
    if (birth % 100 > days_in(y, m)) /* = 民法143条2項ただし書: the last day of that month */
        return y * 10000 + m * 100 + days_in(y, m);
    return day_of(day_number(y * 10000 + m * 100 + birth % 100) - 1);
}

ymd_t interval_over(ymd_t before, struct span gap)
{
    if (gap.months)
        return day_add_months(before, gap.months);
    return gap.days ? day_of(day_number(before) + gap.days + 1) : before;
}
