#ifndef KEYS_CTL_ROWS_H
#define KEYS_CTL_ROWS_H

/* Rows as people name them: "1,5-9". */

#include <stdint.h>

#include "gateway/base/slice.h"

enum { ROWS_MAX = 1000 };

struct rows { uint32_t v[ROWS_MAX]; size_t n; };

/* Rows count from 1; each is named once and they ascend. false on anything else, and when there are more than ROWS_MAX. */
bool rows_parse(struct slice text, struct rows *ret_r);

#endif
