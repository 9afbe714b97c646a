#ifndef GW_BASE_CLOCK_H
#define GW_BASE_CLOCK_H

/* Time comes in from outside, so that a test can run a year in a millisecond. */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/slice.h"

struct clock {
    uint64_t (*wall_ms)(void *ctx); /* since 1970 UTC: for dates and tokens */
    uint64_t (*mono_ms)(void *ctx); /* never steps: for deadlines */
    void *ctx;
};

/* The clock of the machine. */
struct clock clock_system(void);

static inline uint64_t clock_wall(const struct clock *c) { return c->wall_ms(c->ctx); }
static inline uint64_t clock_mono(const struct clock *c) { return c->mono_ms(c->ctx); }

/* A calendar date as yyyymmdd, e.g. 20240229. 0: no date. */
typedef uint32_t ymd_t;

/* The date in Japan (UTC+9, no summer time) at a wall time. */
ymd_t clock_date_jst(uint64_t wall_ms);
/* "YYYY-MM-DD" to ymd; false for any other form and for days that do not exist. */
bool ymd_parse(struct slice s, ymd_t *ret_d);
/* Writes 10 characters "YYYY-MM-DD", no NUL. */
void ymd_format(ymd_t d, char out[static 10]);
/* Writes 24 characters "YYYY-MM-DDTHH:MM:SS.mmmZ", no NUL. */
void clock_format_utc(uint64_t wall_ms, char out[static 24]);

#endif
