#ifndef GW_ZONE_NUMBER
#error "journal.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_JOURNAL_H
#define KEYS_CHANGE_JOURNAL_H

/* The journal of one operation: what is to be done, what is needed to undo it. Kept sealed under the municipality's key; no number. Sans I/O. */

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/store/store.h"
#include "keys/change/form.h"

enum { NZ_CH_ITEMS_MAX = 256, NZ_CH_ITEM_MAX = 160 * 1024 /* of a vaccination or a questionnaire with all its versions */, NZ_JOURNAL_MAX = 8 << 20, NZ_CH_HEX = 32, NZ_CH_ALIAS = 2 * NZ_CH_HEX, NZ_CH_ALIASES_MAX = 16 };

/* The numbers are stored. */
enum nz_journal_state {
    NZ_JOURNAL_PENDING = 1, /* written down; steps may be missing */
    NZ_JOURNAL_DONE = 2,
    NZ_JOURNAL_UNDOING = 3,
    NZ_JOURNAL_UNDONE = 4,
    NZ_JOURNAL__MAX
};

/* What stood at a field of a person before. */
struct nz_saved {
    struct slice field; /* of p:{h} */
    struct slice plain;
    bool clash;         /* move: the other side had the field as well, and its own stayed */
};

/* A person moves from `gone` to `kept`; changes of one person have `kept` only. */
struct nz_journal {
    enum nz_journal_state state;
    enum nz_change_type type;
    ymd_t effective;
    uint64_t ms;                  /* wall clock of the last write of the operation's own content */
    uint8_t task[16];             /* the row that did this */
    uint32_t row;
    uint8_t undo_task[16];        /* UNDOING, UNDONE: the row that took it back */
    uint32_t undo_row;            /* 0: not, or by a row that was stored as task and row above */
    bool changed_since;           /* UNDONE: something stayed */
    uint8_t rk[16], other_rk[16]; /* names of the resident keys; other: zeros when none */
    uint8_t kept[SUBJECT_BYTES], gone[SUBJECT_BYTES]; /* subjects; gone: zeros when none */
    struct slice kept_key, gone_key; /* PMH keys; gone_key empty when none */
    struct slice aliases;         /* subjects that led to the one that was taken away or moved: NZ_CH_ALIAS characters each, see plan.h */
    size_t n_saved;
    struct nz_saved *saved;
};

void nz_journal_encode(const struct nz_journal *j, struct buf *out);
/* Slices borrow from plain, saved is in the arena. SEAL when malformed; FULL. */
ERR nz_journal_decode(struct slice plain, struct arena *a, struct nz_journal *ret_j);
/* NULL: not saved. */
const struct nz_saved *nz_journal_find(const struct nz_journal *j, struct slice field);

#endif
