#ifndef GW_SERVE_BUDGET_INT_H
#define GW_SERVE_BUDGET_INT_H

/* Shared by budget.c, who may have a place, and budget_told.c, what is told of those who may not. */

#include "gateway/metrics/metrics.h"
#include "gateway/serve/budget.h"

_Static_assert(PARTY_CLASSES == (int)BUDGET__MAX, "every class has its line");

struct budget {
    struct budget_conf conf;
    struct limit *limit;
    struct timer *turn, *tell;
    struct party *lines[PARTY_CLASSES];    /* rings of parties that wait: whose turn it is */
    unsigned n_line[PARTY_CLASSES];        /* requests that wait */
    unsigned n_parties[PARTY_CLASSES];     /* of so many parties */
    uint64_t waits_since_ms;               /* somebody, without a break; 0: nobody does */
    struct budget_state state;
    /* How fast places become free. Measured only while somebody waits all the time: else it would tell how often somebody asks. */
    uint64_t pace_from_ms;
    unsigned pace_left;
    unsigned rate_s;                       /* places a second, as measured last; 0: not known */

    struct party *told;                    /* parties with something to be told */
    uint64_t served_before, shed_before;   /* at the last telling */
    unsigned load;                         /* asked for, as a multiple of what was served, in the last second; at least 1 */
    uint32_t strangers_too_often, strangers_too_much;
    uint32_t causes[SHED__MAX];            /* since the last telling */
    enum budget_level worst[PARTY_CLASSES]; /* likewise */
    struct { metric *in_work, *bytes, *waiting[PARTY_CLASSES], *level[PARTY_CLASSES], *shed[PARTY_CLASSES][SHED__MAX]; } count;
};

/* The part of max that requests of a class may fill: what is left is for those before them. */
unsigned budget__part(unsigned max, unsigned class);
bool budget__near(const struct budget *b, unsigned class); /* now */

void budget__count_in(struct budget *b, struct metrics *m);
void budget__level(struct budget *b, unsigned class, enum budget_level level); /* at least that high until the second is over */
void budget__on_tell(void *budget);
void budget__tell_rest(struct budget *b);

#endif
