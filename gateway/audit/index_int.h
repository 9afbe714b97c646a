#ifndef GW_AUDIT_INDEX_INT_H
#define GW_AUDIT_INDEX_INT_H

/* Shared by index_table.c and index_file.c only. */

#include "gateway/audit/index.h"

enum { INDEX_SLOTS = 16384 };

struct index_table {
    struct index_stats stats;
    uint32_t n;                        /* pairs */
    uint32_t slot[INDEX_SLOTS];        /* newest pair of the slot, from 1; 0: none */
    uint32_t older[INDEX_PAIRS_MAX];   /* the next older one of the same slot */
    uint8_t pair[INDEX_PAIRS_MAX][INDEX_PAIR_BYTES];
};

void index_pair_put(uint8_t out[static INDEX_PAIR_BYTES], const struct audit_key *k, uint16_t place);

#endif
