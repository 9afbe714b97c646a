#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_REPORT_WORK_H
#define KEYS_REPORT_WORK_H

/* Between engine.c (when, and which marks) and round.c (one message: read, number, log, VRS, settled). */

#include "keys/intake/backoff.h"
#include "keys/report/report.h"
#include "keys/report/row.h"

enum { NZ_REP_POLL_MS = 200, NZ_REP_SOON_MS = 1, NZ_REP_STEP_MS = 10000, NZ_REP_PAUSE_MS = 1000, NZ_REP_READ_MAX = 1 << 20 };

struct nz_rep_round;
struct nz_rep_one { struct nz_rep_round *of; struct nz_rep_row row; struct nz_mynum *number; }; /* of: whom a number that comes belongs to */

struct nz_rep_round {
    struct nz_report *rep;
    struct nz_rep_one *one;           /* n, all of one municipality and kind of message */
    size_t n, under_way;
    struct nz_vrs_row *told;          /* msg.n of them, told_of[] says of which row */
    size_t *told_of;
    struct nz_vrs_report msg;
    struct basis_fit fit;
    struct err failed;
    bool sent;
    unsigned settles;                 /* how often what was accepted was to be noted */
};

struct nz_report {
    struct nz_intake *in;
    struct client *client;            /* NULL: it is stopped */
    struct timer *timer;
    struct nz_breaker vrs;
    bool closed, busy, at_vrs;        /* at_vrs: a message is on its way */
    struct nz_rep_round *round;       /* while it is busy */
    uint64_t pause_until;
    size_t most;                      /* rows of a message: fewer while VRS does not take what is sent */
};

uint64_t nz_rep_now(const struct nz_report *r);
uint64_t nz_rep_wall(const struct nz_report *r);
uint64_t nz_rep_random(void);
void nz_rep_sleep(struct nz_report *r, uint64_t ms);                       /* engine.c: the timer, unless it is closed */
struct nz_rep_round *nz_rep_round_new(struct nz_report *r);                /* NULL: no memory */
void nz_rep_round_free(struct nz_rep_round *o);
void nz_rep_round_end(struct nz_rep_round *o, uint64_t ms);                /* frees it; the next one after ms */
void nz_rep_round_trouble(struct nz_rep_round *o, struct err e);           /* of our own: nothing has changed, and it is all begun anew */
void nz_rep_round_go(struct nz_rep_round *o);                              /* its rows are begun; ends by itself */

#endif
