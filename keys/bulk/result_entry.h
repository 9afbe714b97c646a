#ifndef GW_ZONE_NUMBER
#error "result_entry.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_RESULT_ENTRY_H
#define KEYS_BULK_RESULT_ENTRY_H

/* One row of a file as its result is kept (frames "results", in the order of the rows) and told. Never a number, never a value but the
 * resident key, which is the municipality's own name of the person.
 *
 *   entry = length u16 of what follows | row u32 | line u64 | column u32 | resident key | changed | unread u8 | unread * (field | rule | line u64 | column u32)
 *           | nz_row_result_encode()
 *           texts as length u16 and bytes; a rule by its name, so that the order of the table is free to change */

#include "keys/intake/row_result.h"
#include "keys/linkage/rules.h"

enum { NZ_ENTRY_UNREAD_MAX = 8, NZ_ENTRY_KEY_MAX = 512, NZ_ENTRY_CHANGED_MAX = 2048 };

/* A cell that could not be read (code row_unreadable). */
struct nz_entry_fault {
    struct slice field; /* path in the layout; may be empty */
    enum nz_rule rule;
    uint64_t line;
    uint32_t column;
};

struct nz_result_entry {
    uint32_t row;             /* from 1 */
    uint64_t line;            /* 0: JSON */
    uint32_t column;          /* 0: the whole row */
    struct slice resident_key;/* empty when there is none, or it could not be read */
    struct slice changed;     /* names of fields that differ from what was stored, joined by ","; updates only */
    unsigned n_unread;        /* the first ones */
    struct nz_entry_fault unread[NZ_ENTRY_UNREAD_MAX];
    struct nz_row_result result;
};

enum { NZ_ENTRY_MAX = 2 + 64 + NZ_ENTRY_KEY_MAX + NZ_ENTRY_CHANGED_MAX + NZ_ENTRY_UNREAD_MAX * 256 + NZ_ROW_RESULT_MAX };

/* Appends at most NZ_ENTRY_MAX bytes. A resident key or a list of fields beyond its maximum is left out. */
void nz_entry_encode(const struct nz_result_entry *e, struct buf *out);
/* Takes the first entry off *in; slices borrow. NOTHING when *in is empty, SEAL when malformed. */
ERR nz_entry_decode(struct slice *in, struct nz_result_entry *ret_e);
/* {"row","line","column","resident_key","result","code","message_ja","message_en","who","retry","with_row","changed":[],"errors":[],"warnings":[]}
 * who and retry: who must act (caller, operator, upstream) and whether to send again (fix, later, never), of rows that were not applied. */
void nz_entry_json(const struct nz_result_entry *e, struct jsonw *w);

#endif
