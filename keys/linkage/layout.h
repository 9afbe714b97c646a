#ifndef GW_ZONE_NUMBER
#error "layout.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_LAYOUT_H
#define KEYS_LINKAGE_LAYOUT_H

/* A layout: which column header fills which published field, and how (config/layouts, docs/linkage-files.md). */

#include "gateway/base/buf.h"

enum { NZ_LAYOUT_FILE_MAX = 64 * 1024, NZ_LAYOUT_COLUMNS_MAX = 128, NZ_LAYOUT_HEADERS_MAX = 16, NZ_LAYOUT_TEXT_MAX = 200, NZ_LAYOUT_WORDS_MAX = 64 };

enum nz_as { NZ_AS_TEXT, NZ_AS_KANA, NZ_AS_DATE, NZ_AS_BOOLEAN /* true, false */, NZ_AS_FLAG /* "1", "0" */, NZ_AS_DIGITS, NZ_AS_SEX /* "1", "2" */ };

/* What the municipal system writes, and what is meant. */
struct nz_word { struct slice text, value; };

struct nz_column {
    const char *group, *field; /* basicFiveInfo, name; group NULL for a field of the row itself */
    const char *path;          /* "basicFiveInfo.name" */
    const char *headers[NZ_LAYOUT_HEADERS_MAX];
    size_t n_headers;
    const char *otherwise;     /* the value where the cell is empty or there is no such column; NULL: the field is left out */
    enum nz_as as;
    bool needed;               /* the file must have the column */
    const struct nz_word *words; /* a cell that is one of them becomes its value, before `as`; every other cell stays */
    size_t n_words;
};

/* Columns of one group stand together. */
struct nz_layout;

/* From memory. CONFIG: one line "FILE:LINE:COLUMN: what (ja) / (en)" without newline is appended to *bad_line. NOMEM. */
ERR nz_layout_parse(struct nz_layout **ret_l, const char *file, struct slice yaml, struct buf *bad_line);
void nz_layout_free(struct nz_layout *l);
/* The registration operation that its rows are for; NULL when the layout does not say. */
const char *nz_layout_operation(const struct nz_layout *l);
size_t nz_layout_count(const struct nz_layout *l);
const struct nz_column *nz_layout_column(const struct nz_layout *l, size_t i); /* i < count */
/* The column that a header names; count when none does. */
size_t nz_layout_find(const struct nz_layout *l, struct slice header);

#endif
