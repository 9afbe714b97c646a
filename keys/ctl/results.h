#ifndef KEYS_CTL_RESULTS_H
#define KEYS_CTL_RESULTS_H

/* What became of the rows of a task: page by page, to a file or to the terminal. Never a number. */

#include <stdio.h>

#include "keys/ctl/muni_door.h"

enum { RESULTS_CURSOR_MAX = 256 };
/* Where the page after this one begins; "" behind the last. cursor: of this page before, of the next one after. */
void results_next(const json_t *page, char cursor[static RESULTS_CURSOR_MAX]);

enum results_form { RESULTS_CSV, RESULTS_JSON_LINES };

/* By the end of a name: .json and .jsonl are JSON lines, everything else CSV. */
enum results_form results_form_of(const char *path);

/* One row as a line; CSV has a header, and texts that a spreadsheet would take for a formula are preceded by an apostrophe. */
void results_csv_header(struct buf *out);
void results_csv_row(const json_t *row, struct buf *out);

/* Every row (only_failed: refused and held ones) to `to`; *ret_rows: how many. false: said why. */
bool results_write(struct muni_door *d, const char *task, bool only_failed, enum results_form form, FILE *to, uint64_t *ret_rows);
/* Said before anything is sent, and not when the file has been worked on. */
bool results_can_be_kept(const char *path);
/* The same to a new file, mode 0600, that takes its name when it is whole. */
bool results_save(struct muni_door *d, const char *task, bool only_failed, enum results_form form, const char *path, uint64_t *ret_rows);
/* The first rows that were refused or held, for people. */
void results_show_failed(struct muni_door *d, const char *task, uint64_t shown, uint64_t failed);

#endif
