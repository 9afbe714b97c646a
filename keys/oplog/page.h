#ifndef GW_ZONE_NUMBER
#error "page.h belongs to the number zone"
#endif
#ifndef KEYS_OPLOG_PAGE_H
#define KEYS_OPLOG_PAGE_H

/* One page of the operation log with its proofs. Shared by the files of keys/oplog only. */

#include "keys/intake/intake.h"
#include "keys/oplog/ask.h"

enum {
    NZ_OPLOG_NOTE_MAX = 1280,
    NZ_OPLOG_PAGE_MS = 8000 /* for a page: up to 66 questions, behind an index that is being made again after a restart; less than a request has, whose record comes after it */
};

struct nz_oplog_page;
struct nz_oplog_slot { struct nz_oplog_page *page; bool there; struct audit_proof proof; };

struct nz_oplog_page {
    struct nz_intake *in;
    char muni[6];
    /* the tree that proofs lead to; size 0: asked for with the first page, and kept */
    uint64_t size;
    char note[NZ_OPLOG_NOTE_MAX];
    size_t note_n;
    /* what is wanted */
    uint64_t before;                 /* 0: the newest; moves on with each page */
    struct nz_oplog_range range;
    unsigned limit;
    uint64_t deadline;
    void (*fn)(void *arg, struct err e);
    void *arg;
    /* what is there: slots with `there`, in order. before is 0 when nothing comes behind it */
    size_t n;
    struct nz_oplog_slot slot[NZ_OPLOG_PAGE_MAX];
    unsigned waiting;
    struct err failed;
};

/* fn from the loop. */
void nz_oplog_page_read(struct nz_oplog_page *p);
/* Entries of the page: into an open array, or with array NULL as lines. *ret_n: how many. */
ERR nz_oplog_page_write(const struct nz_oplog_page *p, struct jsonw *array, struct buf *lines, uint32_t *ret_n);

#endif
