#ifndef MOCKS_SYNTH_PRNG_H
#define MOCKS_SYNTH_PRNG_H

/* Repeatable randomness: the same seed gives the same municipality on every machine. Nothing here is secret. */

#include <stdbool.h>
#include <stdint.h>

struct prng { uint64_t s[4]; };

void prng_init(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* 0..n-1, evenly; n >= 1. */
uint64_t prng_below(struct prng *p, uint64_t n);
/* lo..hi, both included. */
uint64_t prng_between(struct prng *p, uint64_t lo, uint64_t hi);
/* True in permille of 1000 cases. */
bool prng_chance(struct prng *p, unsigned permille);

/* One step of splitmix64: also a good mixing function. */
uint64_t prng_mix(uint64_t x);

/* A permutation of 0..n-1: k < n goes to a place that looks random, and no two k share one. n up to 2^32; seeded. */
uint64_t prng_scatter(uint64_t seed, uint64_t k, uint64_t n);

#endif
