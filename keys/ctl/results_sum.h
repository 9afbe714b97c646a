#ifndef KEYS_CTL_RESULTS_SUM_H
#define KEYS_CTL_RESULTS_SUM_H

/* The sum of every result of a task, reckoned from what the results route says: to be compared with results_sha256 of a receipt. */

#include "keys/ctl/muni_door.h"

enum { RESULTS_SUM_TEXT = 65 };

enum results_sum {
    RESULTS_SUM_MADE,
    RESULTS_SUM_GONE, /* the gateway does not know the task, or not any more */
    RESULTS_SUM_NOT   /* said why */
};
enum results_sum results_sum(struct muni_door *d, const char *task, char ret_hex[static RESULTS_SUM_TEXT]);

/* The text of each row in an answer of the results route, byte by byte as it came: {"rows":[{...},{...}]...}. Sans I/O. False: another shape, or
 * fn said so. */
bool results_lines(struct slice body, bool (*fn)(void *ctx, struct slice line), void *ctx);

#endif
