#ifndef GW_ZONE_NUMBER
#error "csv.h belongs to the number zone"
#endif
#ifndef KEYS_LINKAGE_CSV_H
#define KEYS_LINKAGE_CSV_H

/* RFC 4180, strict, with maxima and places. Takes valid UTF-8 without NUL, in pieces of any size; what comes out does not depend on
 * how they are cut. Memory does not grow with the file: at most a row is held. Lines end with LF, CR or CR LF; empty lines are no rows. */

#include "gateway/base/buf.h"
#include "keys/linkage/place.h"
#include "keys/linkage/rules.h"

enum { NZ_CSV_CELLS_MAX = 256, NZ_CSV_CELL_MAX = 64 * 1024 /* bytes with quotes */, NZ_CSV_ROW_MAX = 1024 * 1024 };

struct nz_csv;

struct nz_csv_row {
    const struct slice *cells; /* the first NZ_CSV_CELLS_MAX; borrowed during the call */
    size_t n;                  /* as many as there are, maybe more than cells holds */
    struct nz_place at;
    const struct nz_csv *csv;
    const uint8_t *text;       /* as it was written, up to the line end */
};

/* Where cell i begins; i < n and < NZ_CSV_CELLS_MAX. Counted when asked: only faults need it. */
struct nz_place nz_csv_cell_place(const struct nz_csv_row *row, size_t i);

/* A rule ends the reading; it is told at the place where the row begins. */
typedef enum nz_rule nz_csv_row_fn(void *ctx, const struct nz_csv_row *row);

ERR nz_csv_new(struct nz_csv **ret_c, nz_csv_row_fn *on_row, void *ctx);
void nz_csv_free(struct nz_csv *c);
/* The bytes of a row are wiped, in utf8 as well, as soon as on_row has returned. On a rule: *ret_at says where; then only free is
 * left. NOMEM is told by nz_csv_check. */
enum nz_rule nz_csv_feed(struct nz_csv *c, uint8_t *utf8, size_t n, struct nz_place *ret_at);
enum nz_rule nz_csv_end(struct nz_csv *c, struct nz_place *ret_at);
/* Where the next byte stands. */
struct nz_place nz_csv_place(const struct nz_csv *c);
ERR nz_csv_check(const struct nz_csv *c);

#endif
