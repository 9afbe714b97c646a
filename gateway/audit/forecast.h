#ifndef GW_AUDIT_FORECAST_H
#define GW_AUDIT_FORECAST_H

/* When will the disk be full? Sans I/O: from what the log grew by in the last day, and from what the disk lost, whichever is faster. */

#include <stdint.h>

enum { FORECAST_HOURS = 25, FORECAST_ENTRY_BYTES = 280 /* of an entry with its index and tiles */, FORECAST_SPAN_MIN_S = 60, FORECAST_LOSS_MIN_S = 600 };

struct forecast {
    struct forecast_hour { uint64_t hour, entries, seen_ms, free; } slot[FORECAST_HOURS]; /* seen_ms 0: free was not looked at in that hour */
    uint64_t first_ms; /* of what was told; 0: nothing yet */
};

/* Zeroed: nothing is known. */
void forecast_grew(struct forecast *f, uint64_t wall_ms, uint64_t entries);
void forecast_free(struct forecast *f, uint64_t wall_ms, uint64_t free_bytes);
/* Whole hours; UINT32_MAX: nothing was seen to grow, or not for long enough. */
uint32_t forecast_hours(const struct forecast *f, uint64_t now_ms, uint64_t free_bytes);

#endif
