#ifndef KEYS_CTL_GRID_H
#define KEYS_CTL_GRID_H

/* Rows in columns: a table on the terminal, plain columns elsewhere, an array of objects with --json.
 * On a terminal there is a line of titles, and where it is too narrow the columns that may shrink do, at whole characters. Elsewhere nothing is cut. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum grid_kind { GRID_TEXT, GRID_NUMBER /* to the right; a JSON number */, GRID_FLAG /* JSON true when not empty */ };

struct grid_col {
    const char *name;     /* in JSON; NULL: not there */
    const char *ja, *en;  /* title */
    enum grid_kind kind;
    bool shrinks;
};

enum { GRID_COLS_MAX = 16, GRID_GAP = 2 };

struct grid;
/* cols is borrowed for good. NULL: no memory. */
struct grid *grid_new(const struct grid_col *cols, size_t n);
void grid_free(struct grid *g);
/* One row: n texts, copied. In JSON a second text may stand for the first: "shown\tvalue". */
void grid_add(struct grid *g, const char *const *cells);
#define GRID_ADD(g, ...) grid_add(g, (const char *const[]){ __VA_ARGS__ })
size_t grid_rows(const struct grid *g);

/* columns 0: no terminal. */
void grid_print(const struct grid *g, FILE *to, unsigned columns);
/* To standard output, or as member `name` of the result of --json. Frees it; false when memory ran out. */
bool grid_show(struct grid *g, const char *name);

#endif
