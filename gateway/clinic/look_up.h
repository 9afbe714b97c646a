#ifndef GW_CLINIC_LOOK_UP_H
#define GW_CLINIC_LOOK_UP_H

/* One link key on its way from what the clinic sent to what it is told: alone (look_up.c) or one of a day list (look_up_list.c). In this order: look_up_begin(),
 * look_up_ask(), look_up_heard(); the access ends by itself then. */

#include "gateway/clinic/session.h"

enum { LOOK_UP_REPLIES = 1 + SESSION_USE_REPLIES, LOOK_UP_BATCH_MAX = 8192, LOOK_UP_BATCH_SIZE = 2048 /* as a rule */ };

struct look_up { /* in the arena of the request; zeroed but for `a`, which is open, and link_key */
    struct access a;
    struct slice link_key;
    struct link_claims claims;
    struct err refused; /* the key is not good for this caller: nothing of a person is asked for */
    struct store_name person;
    struct session session;
    struct session_token token;
    struct consent_entry consent;
    bool noted;                /* the consent was not there before */
    struct redis_batch *rest;  /* what is left to do when this is the first use; NULL */
    bool rest_matters;         /* and is waited for */
    bool gone;                 /* what was left has been taken back, since nothing is told */
    struct err why;            /* what is told when it is gone */
};

/* Opens the key and says whose hash is going to be asked for: nobody's when it is refused. Another error is for access_end(). look_up_key.c */
ERR look_up_begin(struct look_up *l);
/* The record is read and the session is left in one round trip: LOOK_UP_REPLIES replies; for every key, known person or not, first use or not. To be followed by redis_raise(), once
 * a batch. On an error some of the commands may be there all the same. */
ERR look_up_ask(struct look_up *l, struct redis_batch *b);
/* Replies to that; e: of the batch. epoch: as it was raised. */
void look_up_heard(struct look_up *l, struct err e, const struct redis_reply *const *replies, uint64_t epoch);

static inline uint64_t look_up_now_ms(const struct look_up *l) { return clock_wall(loop_clock(req_loop(l->a.r))); }
static inline bool look_up_tells_eligibility(const struct look_up *l) { return l->claims.allowed.kinds & 1u << LINK_ELIGIBILITY; }

#endif
