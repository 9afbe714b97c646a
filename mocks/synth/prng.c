#include "mocks/synth/prng.h"

uint64_t prng_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t rotl(uint64_t x, unsigned k) { return (x << k) | (x >> (64 - k)); }

void prng_init(struct prng *p, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++)
        p->s[i] = prng_mix(seed + i * 0x9e3779b97f4a7c15u);
}

/* xoshiro256** of Blackman and Vigna (public domain description). */
uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
    uint64_t rest = -n % n, x; /* 2^64 mod n: the numbers below it would make some results more likely */
    do
        x = prng_next(p);
    while (x < rest);
    return x % n;
}

uint64_t prng_between(struct prng *p, uint64_t lo, uint64_t hi) { return lo + prng_below(p, hi - lo + 1); }

bool prng_chance(struct prng *p, unsigned permille) { return prng_below(p, 1000) < permille; }

/* Four rounds of a Feistel network over the smallest even number of bits that holds n; what falls outside walks on
 * until it is inside again, which keeps the whole a permutation. */
uint64_t prng_scatter(uint64_t seed, uint64_t k, uint64_t n)
{
    unsigned half = 1;
    while (half < 16 && (uint64_t)1 << (2 * half) < n)
        half++;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do {
        uint64_t l = k >> half, r = k & mask;
        for (uint64_t round = 0; round < 4; round++) {
            uint64_t f = prng_mix(seed ^ prng_mix(r << 8 | round)) & mask, next = l ^ f;
            l = r;
            r = next;
        }
        k = l << half | r;
    } while (k >= n);
    return k;
}
