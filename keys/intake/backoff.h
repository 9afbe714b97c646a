#ifndef KEYS_INTAKE_BACKOFF_H
#define KEYS_INTAKE_BACKOFF_H

/* When to try an upstream again. Sans I/O: time and randomness come in. */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"

/* What a request to the upstream came to, and what becomes of its rows. */
enum nz_upstream_class {
    NZ_UPSTREAM_GOOD,  /* an answer: each row by itself */
    NZ_UPSTREAM_SOON,  /* nothing was sent, for a reason of ours: the rows at once again */
    NZ_UPSTREAM_LATER, /* away, overloaded, or it does not want us or answers nonsense: all rows later, and the breaker counts */
    NZ_UPSTREAM_ROWS,  /* it refuses what was sent: halves of the batch, and the row that is refused alone is held */
    NZ_UPSTREAM__MAX
};
/* e: how nz_pmh_number() ended. */
enum nz_upstream_class nz_upstream_class(enum err_code e);

/* How long a row has waited; since_ms 0: since it was received. 0 when the clock went back. */
uint64_t nz_waited_ms(uint64_t now_ms, uint64_t since_ms, uint64_t received_ms);
/* It has waited long enough. hours 0: whenever it is asked. */
bool nz_gave_up(uint64_t waited_ms, uint64_t hours);

/* The wait before a row is sent again: as long as it has waited already, so that the wait doubles without a stored counter,
 * within [min_ms, max_ms], give or take a quarter. rnd: any random number. */
uint64_t nz_backoff_ms(uint64_t age_ms, uint64_t min_ms, uint64_t max_ms, uint64_t rnd);

/* The breaker of one upstream. After BREAKER_FAILURES failed requests in a row it opens: then one probe goes out per step,
 * and the steps double from min to max, so that a night without the upstream does not send every row again and again. */
enum { NZ_BREAKER_FAILURES = 5 };
enum nz_breaker_state { NZ_BREAKER_CLOSED, NZ_BREAKER_OPEN, NZ_BREAKER_PROBING, NZ_BREAKER__STATES };
enum nz_breaker_event { NZ_BREAKER_GOOD, NZ_BREAKER_BAD, NZ_BREAKER_DUE, NZ_BREAKER_VOID, NZ_BREAKER__EVENTS };

struct nz_breaker {
    enum nz_breaker_state state;
    unsigned failures; /* in a row */
    uint64_t min_ms, max_ms, wait_ms;
    uint64_t due;      /* OPEN: when a probe may go, monotonic ms */
};
void nz_breaker_init(struct nz_breaker *b, uint64_t min_ms, uint64_t max_ms);
/* GOOD, BAD: how a request ended. DUE: the time of `due` came, one probe goes out. VOID: the probe was given up unsent.
 * false: the pair is not legal in this state and nothing changed. */
bool nz_breaker_step(struct nz_breaker *b, enum nz_breaker_event ev, uint64_t now, uint64_t rnd);
/* Requests that may start now: n_max when closed, 1 when a probe is due, else 0. */
unsigned nz_breaker_room(const struct nz_breaker *b, uint64_t now, unsigned n_max);

#endif
