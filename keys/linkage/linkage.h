#ifndef GW_ZONE_NUMBER
#error "linkage.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_LINKAGE_H
#define KEYS_LINKAGE_LINKAGE_H

/* A linkage file to rows in the published form, in constant memory: CSV by a layout, a JSON array, or JSON Lines. Feed it the bytes of the file in pieces of any size; the
 * result does not depend on how they are cut. Rows hold individual numbers: they are wiped as soon as on_row has returned. */

#include "keys/linkage/decode.h"
#include "keys/linkage/layout.h"
#include "keys/linkage/place.h"

/* Of one row the first faults are told: to find the place of a cell its row is walked over, and rows may be long. */
enum { NZ_LINKAGE_ROW_FAULTS_MAX = 16 };

struct nz_linkage_fault {
    uint64_t row;          /* rows count from 1 behind the header; 0: it is a fault of the file, and reading ends */
    uint64_t line, column; /* where the cell, the row or the character is; a column that is missing has the place of the header */
    size_t cell;           /* number of the cell in its row, from 1; 0: no certain one */
    const char *field;     /* path in the layout, borrowed from it; "" for none */
    enum nz_rule rule;
};

enum nz_source { NZ_SOURCE_CSV, NZ_SOURCE_JSON /* one array */, NZ_SOURCE_JSON_LINES, NZ_SOURCE__MAX };

/* A converted cell. Columns of one group stand together, in the order of the layout. */
struct nz_value {
    size_t column;          /* of the layout */
    bool is_flag, flag;     /* NZ_AS_BOOLEAN: a JSON boolean; text is empty then */
    struct slice text;
};

struct nz_linkage;
struct nz_csv_row;

struct nz_linkage_row {
    uint64_t row, line;
    const struct nz_value *values; /* CSV: cells that are not empty, and defaults */
    size_t n;
    struct slice json;             /* JSON: the text of one element, unread; n is 0 */
    const struct nz_linkage *from; /* for nz_linkage_place() */
    const struct nz_csv_row *cells;
};

/* Inside on_row: where the cell of a field (path of the layout, or its last part) begins. false: a field without a cell, or JSON. */
bool nz_linkage_place(const struct nz_linkage_row *row, const char *field, struct nz_place *ret_at);

struct nz_linkage_conf {
    enum nz_source source;
    const struct nz_layout *layout; /* borrowed; CSV only */
    enum nz_encoding encoding;      /* CSV only: JSON is UTF-8, a BOM in front is passed over */
    bool structure_only;            /* tells faults of the file and of the shape of rows; cells are not converted, on_row gets no values */
    /* Borrowed during the call. A row has either one call of on_row or one or more of on_fault. */
    void (*on_row)(void *ctx, const struct nz_linkage_row *row);
    void (*on_fault)(void *ctx, const struct nz_linkage_fault *f);
    void *ctx;
};

/* The JSON object of a row's values, as the published form has it. */
void nz_linkage_row_json(const struct nz_layout *layout, const struct nz_linkage_row *row, struct buf *out);

struct nz_linkage;
/* CONFIG: no converter for CP932 on this machine. NOMEM. */
ERR nz_linkage_new(struct nz_linkage **ret_l, const struct nz_linkage_conf *conf);
void nz_linkage_free(struct nz_linkage *l);
/* FIELD once a fault of the file was told; then only free is left. NOMEM, FULL. */
ERR nz_linkage_feed(struct nz_linkage *l, struct slice bytes);
ERR nz_linkage_end(struct nz_linkage *l);

#endif
