#ifndef GW_ZONE_NUMBER
#error "line.h belongs to the number zone"
#endif
#ifndef KEYS_OPLOG_LINE_H
#define KEYS_OPLOG_LINE_H

/* An entry of the operation log as the municipality reads it: at its door, and in what `pmhgw audit export` writes. */

#include "gateway/audit/entry_json.h"
#include "gateway/basis/basis.h"
#include "gateway/store/store.h"

struct nz_oplog_reader {
    struct store *store;
    const struct basis *basis;
    const char *muni; /* 6 digits */
};

/* One object: the members of entry_json.h, and "person" in what the municipality did or had done only: what others did about its data (a clinic's lookup)
 * is told without, so that nobody's visits can be followed. */
ERR nz_oplog_entry_write(const struct nz_oplog_reader *who, const struct audit_proof *p, struct jsonw *w);
/* The last object of an export: the signed note that the proofs lead to, and how many entries there are. */
void nz_oplog_last_write(struct slice note, uint64_t count, struct jsonw *w);

#endif
