#ifndef GW_COURIER_COURIER_IN_H
#define GW_COURIER_COURIER_IN_H

/* Between the files of this folder. */

#include "connectors/core/client.h"
#include "gateway/courier/courier.h"
#include "gateway/courier/sign.h"
#include "gateway/courier/targets.h"
#include "gateway/lookup/judge.h"
#include "gateway/notice/lanes.h"
#include "gateway/vaccine/book.h"

enum { ASK_MS = 1500 /* one question to redis-link, audit or signer */, READING_MAX_MS = 800 /* older than that nothing is told by it */,
       ATTEMPT_ARENA = 4 << 20, BACK_MS = 200, BACK_LONG_MS = 1000, NOTE_TRIES = 16, ACK_TRIES = 100 /* each in vain is another's success: recipients of one record at the same time */, COURIER_CLIENTS_MAX = 64 };

struct courier {
    struct courier_parts p;
    struct targets *targets;
    size_t n_clients;
    struct { const char *ca; bool is_private; struct client *client; } clients[COURIER_CLIENTS_MAX];
    struct timer *tick, *beat, *ask;
    struct signer_keys keys;
    bool can_sign, claiming, closing, stopped;
    uint8_t key_number;   /* that signs, with its name */
    char kid[SIGN_KID];
    uint64_t lease_end;   /* monotonic ms: of what is being taken */
    uint64_t n_dead;      /* dead letters, as they were counted last */
    struct sweep *sweep;
    unsigned in_flight, questions; /* questions: that are not an attempt's */
    struct pace pace;
};

struct attempt {
    struct courier *c;
    struct lane_item it;
    struct notice n;
    const struct open_connector *k;
    struct basis_fit fit;       /* on which legal basis it is told */
    size_t step;
    struct target *target;      /* that is held */
    struct arena *arena;
    struct open_case cs;
    struct store_name person;
    struct judge judge;
    struct immun_record *rec;   /* of the last reading; NULL: the message is about none */
    struct slice turn, tie;     /* iv and s:<muni> of that reading */
    uint64_t read_at;           /* monotonic ms */
    uint64_t lease_end;
    struct buf body, protected_b64, header;
    struct lane_end end;
    enum audit_event event;     /* of the record at its end; 0: none */
    struct err why;
    unsigned tries;
    unsigned note_tries;
    uint16_t replaced;          /* version that this one replaces at the database; 0: none */
    uint16_t unknown;           /* version that it never had */
    bool told;                  /* the last partner has answered: who is silent now was not then */
    bool followed;              /* the record was looked for at the person whom its subject leads to */
};

static inline uint64_t courier_wall(const struct courier *c) { return clock_wall(loop_clock(c->p.loop)); }
static inline uint64_t courier_now(const struct courier *c) { return loop_now(c->p.loop); }
uint64_t courier_rnd(void);
/* Longest time from taking a lane to ending it. */
uint64_t courier_lease_ms(const struct courier *c);

/* attempt.c. The item's message is borrowed for the call. */
void attempt_begin(struct courier *c, const struct lane_item *it, uint64_t lease_end);
/* An attempt has ended and is gone. courier.c */
void courier_ended(struct courier *c);
/* The signer knew the key no more. courier.c */
void courier_ask_keys(struct courier *c);

/* attempt_read.c: HGETALL p:{h}, judged: OK; what else silences or ends the message. What was told already is not judged again. done may be called in the same turn. */
typedef void attempt_read_fn(struct attempt *a, struct err e);
void attempt_read(struct attempt *a, attempt_read_fn *done);

/* attempt.c: what follows a reading for a step, and what follows attempt_note(). */
void attempt_read_done(struct attempt *a, struct err e);
void attempt_noted(struct attempt *a);

/* attempt_fan.c: a message to nobody yet becomes one to every clinic that has the person open. */
void attempt_fan_out(struct attempt *a);

/* attempt_perhaps.c (docs/decisions/0046) */
bool attempt_wants_note(const struct attempt *a);                    /* the partner of this step keeps versions, and may get one now that it was never sent before */
void attempt_note(struct attempt *a);                                /* writes that it was perhaps told; then attempt_noted() */
void attempt_unknown(struct attempt *a);                             /* it never had what this one replaces */

/* attempt_end.c */
struct slice attempt_who(const struct attempt *a);                   /* as the record's recipients have it */
enum immun_audience attempt_audience(const struct attempt *a);
ERR attempt_put_record(const struct attempt *a, struct redis_swap *swap); /* a->rec, if the person still is as it was read */
void attempt_put(struct attempt *a, struct redis_swap *swap); /* with the end in it; NULL: there is no memory */
void attempt_back(struct attempt *a, uint64_t ms);                   /* nothing was tried */
void attempt_later(struct attempt *a, enum open_reason why);         /* or a dead letter, when that has been so for too long */
void attempt_dead(struct attempt *a, enum open_reason why);
void attempt_drop(struct attempt *a, struct err why);                /* nothing is told */
void attempt_done(struct attempt *a);                                /* told: noted in the record */
void attempt_release(struct attempt *a);                             /* the target's place */
void attempt_audit(const struct attempt *a, enum audit_event event, const struct err *why, struct audit_rec *ret_rec);

#endif
