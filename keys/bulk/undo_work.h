#ifndef GW_ZONE_NUMBER
#error "undo_work.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_UNDO_WORK_H
#define KEYS_BULK_UNDO_WORK_H

/* Inside undo.c (a file is taken back, by its undo entries), undo_put.c (what that writes) and undo_later.c (the rows of it that the outbox applied: they waited for PMH, or an
 * officer let them go on; what they replaced stands in tu:). */

#include "keys/bulk/work.h"

enum {
    NZ_UNDO_CHUNK = 64,
    NZ_UNDO_PLAIN_MAX = NZ_UNDO_CHUNK * NZ_UNDO_ENTRY_MAX,
    NZ_UNDO_ROWS_MAX = 1 << 26,
    NZ_UNDO_HOPS = 16 /* later rows about one certificate that are taken back together with the file's own */
};

struct nz_undo_one {
    struct nz_undo_entry e; /* slices borrow from plain */
    bool ours, done;
    bool tells;             /* a clinic may have the person open */
    bool unreadable;        /* of the outbox: its entry does not open */
    bool has_sid;
    char sid[2 * SUBJECT_BYTES]; /* the subject with whose number it was told, hex */
    struct store_name tk;   /* the index of its ticket number; n 0: it has none */
    uint32_t ask;           /* the later row that wrote what stands there, while it is to be asked for */
    uint32_t hop[NZ_UNDO_HOPS];
    unsigned n_hops;        /* later rows that are taken back with it */
};

/* Frames from one that begins with an entry up to the next such one. */
struct nz_undo_segment { struct nz_frames_at at; uint32_t frames; };

struct nz_undoing {
    struct nz_frames *f;
    struct nz_undo_segment *seg;
    size_t n_seg, left;      /* left: segments that were not taken */
    struct buf plain;        /* of the segment that is worked on, or entries of the outbox */
    size_t *offset;          /* of its entries */
    size_t n_offset, cap_offset;
    uint8_t *seen;           /* a bit for each row */
    uint64_t skip;           /* results that an earlier run told */
    enum { U_COLLECT, U_LATER, U_NAMES, U_READ, U_CHAIN, U_AUDIT, U_WRITE } step;
    bool busy;
    uint64_t fence;
    struct store_name name_tu;
    uint8_t *later;          /* a bit for each row that has an entry in tu: */
    uint64_t n_later;
    uint32_t later_at;       /* rows from here on have been collected */
    bool looked, in_later;   /* in_later: the entries of the file are through */
    char cursor[24];         /* of the walk through tu: */
    size_t n, n_locks;
    struct nz_undo_one one[NZ_UNDO_CHUNK];
    uint8_t lock[NZ_UNDO_CHUNK][NZ_LOCK_BYTES];
};

static inline bool bulk__undo_bit(const uint8_t *bits, uint32_t row) { return bits[row / 8] & (1u << row % 8); }
static inline void bulk__undo_mark(uint8_t *bits, uint32_t row) { bits[row / 8] |= (uint8_t)(1u << row % 8); }

/* ---- undo.c ---- */

void bulk__undo_again(struct nz_run *r, struct err e);
/* An entry of the chunk is about the same certificate: two rows wrote it, and the later one is taken back first. */
bool bulk__undo_twice(const struct nz_undoing *u, const struct nz_undo_entry *e);
/* The row of the file that wrote the sealed record that stands in the place of e, 0: none of its rows did. What it opened is in work2. */
uint32_t bulk__undo_writer(struct nz_run *r, const struct nz_undo_entry *e, struct slice sealed);

/* ---- undo_put.c ---- */

/* By what VRS is told that it is gone: the subject, and the record that is in work2. */
ERR bulk__undo_note_ties(struct nz_run *r, struct nz_undo_one *x, struct slice tie);
/* The commands for what of the chunk is the file's own. Asked twice with another count only where memory ends in between. */
void bulk__undo_put_restored(const struct nz_run *r, struct nz_args *a);

/* ---- undo_later.c ---- */

/* The next rows of the outbox, from the last to the first; then U_NAMES, or eof. */
void bulk__undo_later(struct nz_run *r);
/* Rows of the file whose record was replaced by a later row of it, which the outbox applied: asks for that row's entry. */
void bulk__undo_chain(struct nz_run *r);
/* The row of the outbox is taken back. */
void bulk__undo_put_mark(const struct nz_undoing *u, uint32_t row, struct nz_args *a);

#endif
