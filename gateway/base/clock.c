#include "gateway/base/clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t system_wall(void *ctx) { (void)ctx; return read_clock(CLOCK_REALTIME); }
static uint64_t system_mono(void *ctx) { (void)ctx; return read_clock(CLOCK_MONOTONIC); }

struct clock clock_system(void) { return (struct clock){ system_wall, system_mono, NULL }; }

/* 9999-12-31T23:59:59.999Z: a time out of a record may be anything, a year has four digits. */
#define LAST_MS UINT64_C(253402300799999)

static struct tm utc(uint64_t wall_ms)
{
    time_t t = (time_t)((wall_ms < LAST_MS ? wall_ms : LAST_MS) / 1000);
    struct tm tm;
    gmtime_r(&t, &tm);
    return tm;
}

ymd_t clock_date_jst(uint64_t wall_ms)
{
    struct tm tm = utc((wall_ms < LAST_MS ? wall_ms : LAST_MS) + 9u * 3600 * 1000);
    return (ymd_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday);
}

static bool digits(const uint8_t *p, size_t n, uint32_t *ret)
{
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (uint32_t)(p[i] - '0');
    }
    *ret = v;
    return true;
}

static bool exists(uint32_t y, uint32_t m, uint32_t d)
{
    static const uint8_t DAYS[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (y < 1 || m < 1 || m > 12 || d < 1)
        return false;
    bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    return d <= DAYS[m - 1] + (uint32_t)(m == 2 && leap);
}

bool ymd_parse(struct slice s, ymd_t *ret_d)
{
    uint32_t y, m, d;
    if (s.n != 10 || s.p[4] != '-' || s.p[7] != '-')
        return false;
    if (!digits(s.p, 4, &y) || !digits(s.p + 5, 2, &m) || !digits(s.p + 8, 2, &d) || !exists(y, m, d))
        return false;
    *ret_d = y * 10000 + m * 100 + d;
    return true;
}

static void put_digits(char *out, unsigned width, uint32_t v)
{
    while (width--) {
        out[width] = (char)('0' + v % 10);
        v /= 10;
    }
}

void ymd_format(ymd_t d, char out[static 10])
{
    put_digits(out, 4, d / 10000);
    out[4] = '-';
    put_digits(out + 5, 2, d / 100 % 100);
    out[7] = '-';
    put_digits(out + 8, 2, d % 100);
}

void clock_format_utc(uint64_t wall_ms, char out[static 24])
{
    struct tm tm = utc(wall_ms);
    ymd_format((ymd_t)((tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday), out);
    out[10] = 'T';
    put_digits(out + 11, 2, (uint32_t)tm.tm_hour);
    out[13] = ':';
    put_digits(out + 14, 2, (uint32_t)tm.tm_min);
    out[16] = ':';
    put_digits(out + 17, 2, (uint32_t)tm.tm_sec);
    out[19] = '.';
    put_digits(out + 20, 3, (uint32_t)(wall_ms % 1000));
    out[23] = 'Z';
}
