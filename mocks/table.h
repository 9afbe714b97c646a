#ifndef MOCKS_TABLE_H
#define MOCKS_TABLE_H

/* Finds the position of a row by its key. The rows and keys live elsewhere; the table holds positions only and doubles as it fills. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

enum { TABLE_NONE = 0xffffffff };

/* The key of the row at a position. */
typedef struct slice table_key_fn(const void *rows, uint32_t at);

struct table {
    uint32_t *slots; /* positions; TABLE_NONE: free */
    size_t cap, n;   /* cap: a power of two */
    uint64_t seed;
    table_key_fn *key;
    const void *rows;
};

void table_init(struct table *t, table_key_fn *key, const void *rows);
void table_done(struct table *t);
/* The position, or TABLE_NONE. */
uint32_t table_find(const struct table *t, struct slice key);
/* The key of `at` is not in the table yet. NOMEM. */
ERR table_put(struct table *t, uint32_t at);
/* Removes the position; its key must still be readable as it was put. */
void table_remove(struct table *t, uint32_t at);

#endif
