#ifndef GW_METRICS_LAYOUT_H
#define GW_METRICS_LAYOUT_H

/* The file: head | rows | values | texts. Its numbers are of this machine's byte order: it never leaves it. A reader believes none of them. */

#include <stdint.h>

enum {
    METRICS_ROWS = 2048, METRICS_VALUES = 16384, METRICS_TEXTS = 256 * 1024, METRICS_SLOTS = 64, METRICS_TEXT_MAX = 192,
    METRICS_FRESH_MS = 5000, METRICS_BUCKETS = 16, METRICS_PATH_MAX = 1024
};
#define METRICS_MAGIC UINT64_C(0x31304d5747484d50) /* "PMHGWM01" */

/* Upper bounds in microseconds; the last bucket has none. Then the sum, in microseconds. */
#define METRICS_BOUNDS { 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000 }
enum { METRICS_HISTOGRAM_VALUES = METRICS_BUCKETS + 1 };

struct metrics_row {
    uint32_t text, text_n; /* name{labels} */
    uint32_t value;        /* index of the first */
    uint32_t kind;         /* enum metric_kind */
};

struct metrics_file {
    uint64_t magic;
    uint64_t started_ms, beat_ms;
    uint32_t n_rows, n_values, n_texts, pad;
    struct metrics_row rows[METRICS_ROWS];
    uint64_t values[METRICS_VALUES];
    char texts[METRICS_TEXTS];
};

#endif
