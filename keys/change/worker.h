#ifndef GW_ZONE_NUMBER
#error "worker.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_WORKER_H
#define KEYS_CHANGE_WORKER_H

/* Inside the worker of changes: worker.c finds one thing that is due, row.c works on it when it is a row that waits. */

#include "keys/change/op.h"
#include "keys/intake/backoff.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"

enum { NZ_CHANGER_OP_MS = 30000 };

struct nz_changer {
    struct nz_intake *in;
    struct timer *timer;
    bool closed, busy, started;
    bool all;                    /* at the start: every open journal, whatever the clock says */
    uint64_t hurry_to;           /* wall: PMH is back, rows are due that were to be tried until then; 0: no hurry */
    uint64_t place;              /* last one given */
    struct nz_breaker pmh;
    /* what is in work */
    char member[NZ_MEMBER_MAX + NZ_CH_HEX];
    size_t n_member;
    struct nz_row_ref ref;
    struct store_name t, tr, o;  /* of its task */
    char row[10];
    size_t n_row;
    struct buf entry;            /* of tr:, as it was read: empty, or it says that the row waits */
    struct buf stored, sealed;   /* of o:, as it stands there; as it will be written */
    struct buf code, now, due;   /* borrowed by a script until it is sent */
    size_t n_lines;
    struct store_name line[2];
    bool known;                  /* it could be read: w */
    struct nz_waiting w;
    struct nz_mynum *number;
    struct nz_verdict end;       /* while its audit record, or the end itself, is written */
};

/* worker.c */
uint64_t changer__wall(const struct nz_changer *c);
uint64_t changer__deadline(const struct nz_changer *c);
struct slice changer__decimal(struct buf *b, uint64_t v);       /* in b */
static inline struct slice changer__member(const struct nz_changer *c) { return slice_of(c->member, c->n_member); }
void changer__rest(struct nz_changer *c, uint64_t ms);          /* the thing in work is done with for now */
void changer__next(struct nz_changer *c);                       /* the same, and there may be another one */
void changer__trouble(struct nz_changer *c, struct err e);      /* our own side failed */
void changer__forget(struct nz_changer *c, struct slice queue); /* the thing in work is out of the queue */
/* row.c: the row that is named by member */
void changer__row(struct nz_changer *c);

#endif
