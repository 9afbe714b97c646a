#include "mocks/synth/digits.h"

void digits_put(char *out, size_t n, uint64_t v)
{
    while (n > 0) {
        out[--n] = (char)('0' + v % 10);
        v /= 10;
    }
}

char digits_check_mynumber(const char body[static 11])
{
    static const unsigned WEIGHT[11] = { 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2 };
    unsigned sum = 0;
    for (unsigned i = 0; i < 11; i++)
        sum += WEIGHT[i] * (unsigned)(body[i] - '0');
    unsigned r = sum % 11;
    return (char)('0' + (r <= 1 ? 0 : 11 - r));
}

char digits_check_mod10(const char *body, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned product = (unsigned)(body[n - 1 - i] - '0') * (i % 2 ? 1 : 2);
        sum += product / 10 + product % 10;
    }
    return (char)('0' + (10 - sum % 10) % 10);
}

/* Years begin in March, so that the leap day comes last; an era has 400 years, 146,097 days. */
enum { DAYS_OF_ERA = 146097, DAYS_TO_1970 = 719468 };

int64_t ymd_to_days(ymd_t d)
{
    int64_t y = d / 10000, m = d / 100 % 100, day = d % 100;
    y -= m <= 2;
    int64_t era = y / 400, yoe = y % 400;
    int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * DAYS_OF_ERA + yoe * 365 + yoe / 4 - yoe / 100 + doy - DAYS_TO_1970;
}

ymd_t ymd_from_days(int64_t days)
{
    days += DAYS_TO_1970;
    int64_t era = days / DAYS_OF_ERA, doe = days % DAYS_OF_ERA;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int64_t m = mp + (mp < 10 ? 3 : -9), y = era * 400 + yoe + (m <= 2);
    return (ymd_t)(y * 10000 + m * 100 + doy - (153 * mp + 2) / 5 + 1);
}

ymd_t ymd_school_year_end(ymd_t birth, unsigned age)
{
    unsigned year = birth / 10000 + age + (birth % 10000 > 401);
    return year * 10000 + 331;
}
