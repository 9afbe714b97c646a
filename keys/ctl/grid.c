#include "keys/ctl/grid.h"

#include <stdlib.h>
#include <string.h>

#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/screen.h"

enum { SHRINK_LEAST = 8 };

struct grid { const struct grid_col *cols; size_t n_cols, n, cap; char **cell; bool failed; };

struct grid *grid_new(const struct grid_col *cols, size_t n)
{
    struct grid *g = n <= GRID_COLS_MAX ? calloc(1, sizeof *g) : NULL;
    if (g)
        *g = (struct grid){ .cols = cols, .n_cols = n };
    return g;
}

void grid_free(struct grid *g)
{
    for (size_t i = 0; g && i < g->n * g->n_cols; i++)
        free(g->cell[i]);
    if (g)
        free(g->cell);
    free(g);
}

size_t grid_rows(const struct grid *g) { return g->n; }

void grid_add(struct grid *g, const char *const *cells)
{
    if (g->n == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 32;
        char **more = reallocarray(g->cell, cap * g->n_cols, sizeof *more);
        if (!more) {
            g->failed = true;
            return;
        }
        g->cell = more;
        g->cap = cap;
    }
    for (size_t c = 0; c < g->n_cols; c++) {
        g->cell[g->n * g->n_cols + c] = strdup(cells[c]);
        g->failed = g->failed || !g->cell[g->n * g->n_cols + c];
    }
    g->n++;
}

static const char *at(const struct grid *g, size_t row, size_t col)
{
    const char *text = g->cell[row * g->n_cols + col];
    return text ? text : "";
}

/* ---- columns ---- */

/* What is shown ends where the value for programs begins. */
static unsigned shown_width(const char *text)
{
    unsigned sum = 0, w;
    for (; *text && *text != '\t'; sum += w)
        text += screen_next(text, &w);
    return sum;
}

static unsigned total(const struct grid *g, const unsigned *width)
{
    unsigned sum = 0;
    for (size_t c = 0; c < g->n_cols; c++)
        sum += width[c] + (c ? GRID_GAP : 0);
    return sum;
}

static void widths(const struct grid *g, unsigned columns, bool titles, unsigned width[static GRID_COLS_MAX])
{
    for (size_t c = 0; c < g->n_cols; c++) {
        width[c] = titles ? shown_width(say_pick(g->cols[c].ja, g->cols[c].en)) : 0;
        for (size_t r = 0; r < g->n; r++) {
            unsigned w = shown_width(at(g, r, c));
            width[c] = w > width[c] ? w : width[c];
        }
    }
    while (columns && total(g, width) > columns) {
        size_t widest = g->n_cols;
        for (size_t c = 0; c < g->n_cols; c++)
            if (g->cols[c].shrinks && width[c] > SHRINK_LEAST && (widest == g->n_cols || width[c] > width[widest]))
                widest = c;
        if (widest == g->n_cols)
            break;
        width[widest]--;
    }
}

static void put_cell(FILE *to, const char *text, unsigned width, bool right, bool last)
{
    unsigned have = shown_width(text);
    size_t n = strcspn(text, "\t");
    bool cut = have > width;
    if (cut) {
        n = screen_fit(text, width ? width - 1 : 0);
        have = 0;
        for (size_t i = 0; i < n;) {
            unsigned w;
            i += screen_next(text + i, &w);
            have += w;
        }
        have++;
    }
    unsigned pad = width > have ? width - have : 0;
    if (right)
        fprintf(to, "%*s", (int)pad, "");
    fprintf(to, "%.*s%s", (int)n, text, cut ? "…" : "");
    if (!right && !last)
        fprintf(to, "%*s", (int)pad, "");
}

void grid_print(const struct grid *g, FILE *to, unsigned columns)
{
    unsigned width[GRID_COLS_MAX];
    const bool titles = columns && g->n;
    widths(g, columns, titles, width);
    for (size_t r = titles ? 0 : 1; r <= g->n; r++) {
        bool colour = r == 0 && screen_colour(to);
        fputs(colour ? "\033[1m" : "", to);
        for (size_t c = 0; c < g->n_cols; c++) {
            bool last = c + 1 == g->n_cols;
            put_cell(to, r ? at(g, r - 1, c) : say_pick(g->cols[c].ja, g->cols[c].en), width[c], g->cols[c].kind == GRID_NUMBER, last);
            fputs(last ? "" : "  ", to);
        }
        fputs(colour ? "\033[0m\n" : "\n", to);
    }
}

/* ---- JSON ---- */

static json_t *value(const struct grid_col *col, const char *text)
{
    const char *tab = strchr(text, '\t');
    text = tab ? tab + 1 : text;
    if (col->kind == GRID_FLAG)
        return json_boolean(*text != '\0');
    if (col->kind == GRID_NUMBER)
        return *text && text[strspn(text, "0123456789")] == '\0' ? json_integer((json_int_t)strtoull(text, NULL, 10)) : *text ? json_real(strtod(text, NULL)) : json_null();
    return *text ? json_string(text) : json_null();
}

static json_t *rows_json(const struct grid *g)
{
    json_t *rows = json_array();
    for (size_t r = 0; r < g->n; r++) {
        json_t *row = json_object();
        for (size_t c = 0; c < g->n_cols; c++)
            if (g->cols[c].name)
                json_object_set_new(row, g->cols[c].name, value(&g->cols[c], at(g, r, c)));
        json_array_append_new(rows, row);
    }
    return rows;
}

bool grid_show(struct grid *g, const char *name)
{
    bool good = g && !g->failed;
    if (good && out_collects())
        out_put(name, rows_json(g));
    else if (good)
        grid_print(g, stdout, screen_columns(stdout));
    grid_free(g);
    if (!good)
        say_error("メモリーが足りません", "there is not enough memory");
    return good;
}
