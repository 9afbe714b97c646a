#ifndef GW_METRICS_FAMILIES_H
#define GW_METRICS_FAMILIES_H

/* Between the files of this folder. */

#include "gateway/metrics/layout.h"
#include "gateway/metrics/metrics.h"

struct metric_family_info { const char *name, *help; enum metric_kind kind; };
struct metric_family_info metric_family_info(enum metric_family f);

/* Every row is within the file: nothing else of it is believed. */
bool metrics_sane(const struct metrics_file *f);

#endif
