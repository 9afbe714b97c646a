#ifndef GW_SERVE_LIMIT_H
#define GW_SERVE_LIMIT_H

/* Who asks, in a bounded table: how often, and over how many connections. A party is the identity of a certificate, whatever number of certificates
 * has it; who has shown none is its address (of IPv6 the first 64 bits). Sans I/O: the time is handed in, in milliseconds that only grow. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"
#include "gateway/serve/rates.h"

enum { PARTY_NAME_MAX = 64, PARTY_CLASSES = 3 /* that wait for a place: budget.h */ };

struct place; /* budget.h */

struct party { /* belongs to the table; the middle part to budget.c */
    struct party *next;            /* in its row of the table */
    struct party *older, *newer;   /* while nobody holds it */
    char name[PARTY_NAME_MAX];     /* NUL-terminated */
    uint64_t hash;
    unsigned held, conns;
    bool stranger;                 /* an address */
    struct bucket own;             /* when there is none in the shared table */

    struct { struct place *first, *last; unsigned n; struct party *before, *after; } line[PARTY_CLASSES];
    unsigned waiting, in_work;

    struct party *told_next;       /* among those with something to be told */
    bool to_tell;
    uint32_t too_often, too_much;  /* turned away since that was told last */
};

struct limit_conf {
    struct rates *shared;   /* NULL: this process counts for itself. Outlives the table */
    unsigned idle_max;      /* parties that nobody holds and that are remembered all the same: the oldest goes */
};

struct limit;
ERR limit_new(struct limit **ret_l, struct limit_conf conf);
void limit_free(struct limit *l); /* with all parties; NULL is fine */

/* The party of that name, held: limit_drop() when it is not needed any more. NULL when out of memory. name: cut to PARTY_NAME_MAX - 1. */
struct party *limit_hold(struct limit *l, struct slice name, bool stranger);
void limit_keep(struct party *p); /* once more */
void limit_drop(struct limit *l, struct party *p); /* NULL is fine */

/* One request. false: too often; *ret_after_ms: when there is room for one again. */
bool limit_take(struct limit *l, struct party *p, struct rate rate, uint64_t now_ms, uint64_t *ret_after_ms);
/* n more of one that limit_take() let in, as bucket_owe(). */
bool limit_owe(struct limit *l, struct party *p, struct rate rate, unsigned n, uint64_t now_ms, uint64_t *ret_after_ms);

size_t limit_parties(const struct limit *l); /* in the table */

#endif
