#include "gateway/audit/forecast.h"

#include <stdbool.h>

enum { HOUR_MS = 3600 * 1000, DAY_MS = 24 * HOUR_MS, S_MS = 1000 };

static struct forecast_hour *slot_of(struct forecast *f, uint64_t wall_ms)
{
    uint64_t hour = wall_ms / HOUR_MS;
    struct forecast_hour *s = &f->slot[hour % FORECAST_HOURS];
    if (s->hour > hour)
        return 0; /* told late, of a day that is over */
    if (s->hour < hour)
        *s = (struct forecast_hour){ .hour = hour };
    return s;
}

void forecast_grew(struct forecast *f, uint64_t wall_ms, uint64_t entries)
{
    struct forecast_hour *s = slot_of(f, wall_ms);
    if (s)
        s->entries += entries;
    if (wall_ms && (!f->first_ms || wall_ms < f->first_ms))
        f->first_ms = wall_ms;
}

void forecast_free(struct forecast *f, uint64_t wall_ms, uint64_t free_bytes)
{
    struct forecast_hour *s = slot_of(f, wall_ms);
    if (s && !s->seen_ms) {
        s->seen_ms = wall_ms;
        s->free = free_bytes;
    }
}

/* Bytes an hour. */
static double by_growth(const struct forecast *f, uint64_t now_ms, uint64_t from)
{
    uint64_t entries = 0, begin = f->first_ms > from ? f->first_ms : from;
    for (int i = 0; i < FORECAST_HOURS; i++)
        if (f->slot[i].hour * HOUR_MS + HOUR_MS > from && f->slot[i].hour * HOUR_MS <= now_ms)
            entries += f->slot[i].entries;
    if (!f->first_ms || now_ms < begin + FORECAST_SPAN_MIN_S * S_MS)
        return 0;
    return (double)entries * FORECAST_ENTRY_BYTES * HOUR_MS / (double)(now_ms - begin);
}

static double by_loss(const struct forecast *f, uint64_t now_ms, uint64_t from, uint64_t free_bytes)
{
    const struct forecast_hour *old = 0;
    for (int i = 0; i < FORECAST_HOURS; i++) {
        const struct forecast_hour *s = &f->slot[i];
        if (s->seen_ms > from && s->seen_ms <= now_ms && (!old || s->seen_ms < old->seen_ms))
            old = s;
    }
    if (!old || now_ms < old->seen_ms + FORECAST_LOSS_MIN_S * S_MS || old->free <= free_bytes)
        return 0;
    return (double)(old->free - free_bytes) * HOUR_MS / (double)(now_ms - old->seen_ms);
}

uint32_t forecast_hours(const struct forecast *f, uint64_t now_ms, uint64_t free_bytes)
{
    uint64_t from = now_ms > DAY_MS ? now_ms - DAY_MS : 0;
    double a = by_growth(f, now_ms, from), b = by_loss(f, now_ms, from, free_bytes), rate = a > b ? a : b;
    if (rate <= 0)
        return UINT32_MAX;
    double hours = (double)free_bytes / rate;
    return hours < (double)(UINT32_MAX - 1) ? (uint32_t)hours : UINT32_MAX - 1;
}
