#ifndef GW_SERVE_BUDGET_H
#define GW_SERVE_BUDGET_H

/* What the doors of a process can carry, all together (docs/decisions/0049-budgets.md): connections, memory, requests in work.
 *
 * A request that is complete asks for a place. While there is one, and nobody waits, it goes at once. Else it waits: clinics before citizens before bulk,
 * and within each the parties (limit.h) in turn, one request a turn. Who would have to wait too long, or finds the waiting room full, hears BUSY at once:
 * before a handler has seen the request, and without a record of its own.
 *   A party may wait with at most as many requests as there is room left, so that one that sends more than all others together leaves room for them;
 * when somebody has been waiting all the time for a second, only as many are let in as get their turn in a sixteenth of the time,
 * or four times as many as may be in work; citizens find the room full when three quarters of it are, bulk when half of it is.
 * Sans I/O but for one timer, by which those who wait are called. */

#include "gateway/loop/loop.h"
#include "gateway/serve/limit.h"

enum budget_class {
    BUDGET_CLINIC, /* somebody stands at a counter */
    BUDGET_CITIZEN,
    BUDGET_BULK,
    BUDGET__MAX
};

enum shed_cause { /* why a request was turned away */
    SHED_RATE,        /* its caller asks too often */
    SHED_CONNECTIONS, /* its caller has too many connections */
    SHED_ROOM,        /* too many wait, or too many of its caller do */
    SHED_WAIT,        /* it would have to wait for too long, or has */
    SHED_MEMORY,
    SHED_REDIS,       /* too much waits for Redis, or for the audit log */
    SHED_AUDIT,
    SHED__MAX
};

enum budget_level { BUDGET_OK, BUDGET_NEAR /* three quarters of something are taken, or somebody waits */, BUDGET_SHEDDING /* in this second or the last one */ };

/* What others have to do for the requests: further ones are turned away while so much of it waits. Citizens may fill three quarters of it, bulk half. */
enum budget_queue_of { BUDGET_REDIS, BUDGET_AUDIT, BUDGET__QUEUES };
struct budget_queue {
    unsigned max;                   /* 0: any length */
    size_t (*length)(const void *ctx);
    const void *ctx;
};

struct budget_conf {
    unsigned conns_max;         /* of all doors; beyond: accepted and closed at once */
    unsigned conns_per_source;  /* from one address */
    unsigned conns_per_caller;  /* of one identity: beyond, its first request hears BUSY and the connection ends */
    size_t memory_max;          /* bytes of bodies that come in and answers that are not taken; beyond: BUSY */
    unsigned work_max;          /* places: requests in work, but for those of budget_weigh() */
    unsigned wait_max;          /* requests that wait for a place */
    unsigned wait_ms;           /* for so long, as far as can be told beforehand */
    struct rate rate[BUDGET__MAX]; /* of each party, at doors of that class */
    struct rates *rates;        /* of several processes together, or NULL */
    struct budget_queue queues[BUDGET__QUEUES];
    /* May be NULL. At most once in SHED_TELL_MS for each party and reason: it was turned away so many times since. identity: "" for all strangers
     * together. why: RATE, BUSY. For the audit log. */
    void (*on_shed)(void *ctx, struct slice identity, enum err_code why, uint32_t count);
    void *ctx;
};
/* 10,000 connections, 5,000 from one source or caller; 512 MiB; 64 in work, 1,024 wait for up to 500 ms; any rate. */
struct budget_conf budget_conf_default(void);
struct conf;
struct budget_conf budget_conf_of(const struct conf *c); /* as its settings say; rates, length, on_shed and ctx are left out */

enum { SHED_TELL_MS = 1000, SHED_TELL_MAX = 64 /* parties that are told of at a time; the others are next */ };

enum place_state { PLACE_NONE, PLACE_WAITING, PLACE_IN_WORK };
struct place { /* of a request; zeroed at first */
    enum place_state state;
    enum shed_cause why; /* it was turned away */
    unsigned more; /* places that it takes beside its own: budget_weigh() */
    unsigned line; /* of its class */
    struct party *who;
    struct place *before, *after; /* of its party, while it waits */
    void (*go)(struct place *p);
};

struct budget;
/* l NULL: nobody is called, see budget_turn(). */
ERR budget_new(struct budget **ret_b, struct loop *l, const struct budget_conf *conf);
/* The timer goes; what was not told yet is told now. Then, after the doors: budget_free(). NULL is fine. */
void budget_stop(struct budget *b);
void budget_free(struct budget *b); /* NULL is fine */
struct limit *budget_limit(struct budget *b);
const struct budget_conf *budget_conf(const struct budget *b);

/* false: turned away, see p->why. true: IN_WORK, or WAITING until go(p) is called, from the loop, which makes it IN_WORK. who stays held by the caller for as long. */
bool budget_ask(struct budget *b, struct place *p, struct party *who, enum budget_class class, uint64_t now_ms, void (*go)(struct place *p));
/* In work: it turns out to be the work of so many. Nobody goes before so many have become free; one free place was enough for it. Once. */
void budget_weigh(struct budget *b, struct place *p, unsigned weight);
void budget_leave(struct budget *b, struct place *p); /* in any state */
/* Calls those whose turn it is. By the timer, and by tests. */
void budget_turn(struct budget *b);

/* Connections and bytes. false: beyond the budget, nothing was taken. */
bool budget_conn(struct budget *b);
void budget_conn_gone(struct budget *b);
bool budget_bytes(struct budget *b, size_t n);
void budget_bytes_took(struct budget *b, size_t n); /* what cannot be refused any more */
void budget_bytes_gone(struct budget *b, size_t n);

bool budget_queue_full(const struct budget *b, enum budget_queue_of q, enum budget_class class);

/* who was turned away. Until it is told, the party is held. */
void budget_shed(struct budget *b, struct party *who, enum budget_class class, enum shed_cause why);
/* Seconds that who was turned away should wait, spread by rnd: the longer, the more are turned away. */
unsigned budget_retry_s(const struct budget *b, unsigned rnd);

struct budget_state { unsigned conns, in_work, waiting; size_t bytes; uint64_t served, too_much, too_often; /* since the start */ enum budget_level level[BUDGET__MAX]; };
struct budget_state budget_state(const struct budget *b);

#endif
