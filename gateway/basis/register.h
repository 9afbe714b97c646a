#ifndef GW_BASIS_REGISTER_H
#define GW_BASIS_REGISTER_H

/* The register in memory. Inside gateway/basis only. */

#include "gateway/base/arena.h"
#include "gateway/basis/basis.h"

enum { SLOTS = 2 * BASIS_OPERATIONS_MAX }; /* a power of two */

/* One caller of one row, as the operation sees it. */
struct cell {
    struct slice system; /* empty: every one */
    enum caller_role role;
    uint16_t items;
    const struct basis_row *row;
};

struct basis {
    struct arena *texts;
    struct basis_purpose purposes[BASIS_PURPOSES_MAX];
    struct basis_program programs[BASIS_PROGRAMS_MAX];
    struct basis_operation operations[BASIS_OPERATIONS_MAX];
    struct basis_row rows[BASIS_ROWS_MAX];
    size_t n_purposes, n_programs, n_operations, n_rows;
    struct { const struct cell *cells; size_t n; } of[BASIS_OPERATIONS_MAX]; /* by operation, in the order of the rows */
    struct { uint32_t line, column; } at[BASIS_OPERATIONS_MAX]; /* where the file names them */
    uint8_t slots[SLOTS];                                                    /* 1 + operation, by hash of its name */
};

/* The operation is new. */
void basis__slot_add(struct basis *b, size_t operation);
/* Rows and operations are complete: makes the cells. NOMEM. */
ERR basis__index(struct basis *b);

#endif
