#ifndef GW_COURIER_PACE_H
#define GW_COURIER_PACE_H

/* When to try again, and when a partner is left alone. Sans I/O: time and randomness come in. */

#include <stdbool.h>
#include <stdint.h>

struct pace { uint64_t min_ms, max_ms; };

/* The wait before attempt number `attempts` + 1: min doubled for each attempt before, at most max, give or take a quarter. */
uint64_t pace_wait(const struct pace *p, uint64_t attempts, uint64_t rnd);

/* The breaker of one partner: after BREAKER_FAILURES failures in a row nothing is sent but one probe at a time; the waits between probes double. */
enum { BREAKER_FAILURES = 5, BREAKER_MIN_MS = 1000, BREAKER_MAX_MS = 60000 };
struct breaker { unsigned failures; bool probing; uint64_t until; /* monotonic ms; 0: closed */ };
/* Something may be sent now; a probe is taken with it when the breaker is open. */
bool breaker_pass(struct breaker *b, uint64_t now);
bool breaker_would_pass(const struct breaker *b, uint64_t now); /* the same, and nothing is taken */
void breaker_good(struct breaker *b);
void breaker_bad(struct breaker *b, uint64_t now, uint64_t rnd);
void breaker_void(struct breaker *b); /* what breaker_pass() let through was not sent */

/* How long a message waits that finds its partner busy or left alone: longer the more of them there are, so that ten thousand of one partner are no work for the store. */
enum { CROWD_MIN_MS = 200, CROWD_STEP_MS = 10, CROWD_MAX_MS = 5000 };
uint64_t crowd_wait(const struct breaker *b, uint64_t crowd, uint64_t now, uint64_t rnd);

#endif
