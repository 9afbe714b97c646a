#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_REPORT_WORK_H
#define KEYS_REPORT_WORK_H

/* Between engine.c (when, and which marks), round.c (one message: read, number, log, VRS) and settle.c (what it said is written). */

#include "keys/intake/backoff.h"
#include "keys/report/report.h"
#include "keys/report/row.h"

enum { NZ_REP_AT_ONCE = 8 /* messages, each of another municipality */, NZ_REP_LANES = 64, NZ_REP_POLL_MS = 200, NZ_REP_SOON_MS = 1, NZ_REP_STEP_MS = 10000, NZ_REP_PAUSE_MS = 1000, NZ_REP_READ_MAX = 1 << 20 };

struct nz_rep_round;
struct nz_rep_lane;
struct nz_rep_one { struct nz_rep_round *of; struct nz_rep_row row; struct nz_mynum *number; }; /* of: whom a number that comes belongs to */

struct nz_rep_round {
    struct nz_report *rep;
    struct nz_rep_lane *lane;
    struct nz_rep_one *one;           /* n, all of one municipality and kind of message */
    size_t n, under_way;
    struct nz_vrs_row *told;          /* msg.n of them, told_of[] says of which row */
    size_t *told_of;
    struct nz_vrs_report msg;
    struct basis_fit fit;
    struct err failed;
    bool probe;                       /* the one that the breaker let through */
    bool sent, at_vrs;                /* a message went, is on its way */
    unsigned settles;                 /* how often what was accepted was to be noted */
};

/* A municipality: one message of it at a time, so that what is told of a person arrives in its order. */
struct nz_rep_lane {
    char muni[6];
    struct nz_rep_round *round;       /* NULL: none under way */
    size_t most;                      /* rows of a message, fewer while VRS does not take what is sent. 0: nobody's */
};

struct nz_report {
    struct nz_intake *in;
    struct client *client;            /* NULL: it is stopped */
    struct timer *timer;
    struct nz_breaker vrs;
    bool closed, looking;             /* looking: for marks */
    struct nz_rep_lane lane[NZ_REP_LANES];
    uint64_t pause_until, wake_at;    /* wake_at 0: the timer does not run */
    uint64_t from;                    /* so many marks are of municipalities that are busy */
    uint64_t deep_since, deep_at;     /* since when those behind the first page are looked at; when to do that again */
};

uint64_t nz_rep_now(const struct nz_report *r);
uint64_t nz_rep_wall(const struct nz_report *r);
uint64_t nz_rep_random(void);
void nz_rep_sleep(struct nz_report *r, uint64_t ms);                       /* engine.c: looks for marks then, or earlier; not when it is closed */
struct nz_rep_round *nz_rep_round_new(struct nz_rep_lane *lane, struct nz_report *r); /* NULL: no memory */
void nz_rep_round_free(struct nz_rep_round *o);
void nz_rep_round_end(struct nz_rep_round *o, uint64_t ms);                /* frees it; the next one after ms */
void nz_rep_round_trouble(struct nz_rep_round *o, struct err e);           /* of our own: nothing has changed, and it is all begun anew */
void nz_rep_round_go(struct nz_rep_round *o);                              /* its rows are begun; ends by itself */
void nz_rep_round_record(struct nz_rep_round *o, const struct nz_rep_row *row, bool told, audit_done_fn *done); /* under_way is one more */
void nz_rep_round_settle(struct nz_rep_round *o);                          /* settle.c: what an officer has to look after is recorded, all is written, and it ends */

#endif
