#include "gateway/serve/rates.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "gateway/base/secret.h"

enum { WAYS = 8, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };
#define LATEST (UINT64_MAX / 4) /* no sum overflows */

struct slot { _Atomic uint64_t hash /* 0: nobody */; struct bucket bucket; };

struct rates {
    struct slot *places; /* shared */
    size_t n;
    uint64_t seed;
};

static uint64_t ns_of(uint64_t ms) { return ms < LATEST / NS_PER_MS ? ms * NS_PER_MS : LATEST; }

/* n more, where there is room for `need`. */
static bool add(struct bucket *b, struct rate rate, unsigned n, uint64_t need, uint64_t now_ms, uint64_t *ret_after_ms)
{
    const uint64_t one = NS_PER_S / rate.per_s, room = one * (rate.burst ? rate.burst : 1), now = ns_of(now_ms);
    uint64_t full = atomic_load_explicit(&b->full_ns, memory_order_relaxed), from;
    do {
        from = full > now ? full : now;
        if (from - now + need * one > room) {
            *ret_after_ms = (from - now + need * one - room + NS_PER_MS - 1) / NS_PER_MS;
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&b->full_ns, &full, from + n * one, memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool bucket_take(struct bucket *b, struct rate rate, uint64_t now_ms, uint64_t *ret_after_ms)
{
    return rate.per_s == 0 || add(b, rate, 1, 1, now_ms, ret_after_ms);
}

bool bucket_owe(struct bucket *b, struct rate rate, unsigned n, uint64_t now_ms, uint64_t *ret_after_ms)
{
    return rate.per_s == 0 || add(b, rate, n, 0, now_ms, ret_after_ms);
}

struct err rates_new(struct rates **ret_t, size_t n)
{
    struct rates *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    for (t->n = WAYS; t->n < n;)
        t->n *= 2;
    void *p = mmap(NULL, t->n * sizeof *t->places, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        free(t);
        return FAIL(E_NOMEM);
    }
    t->places = p;
    rnd_bytes(&t->seed, sizeof t->seed);
    *ret_t = t;
    return OK;
}

void rates_free(struct rates *t)
{
    if (!t)
        return;
    munmap(t->places, t->n * sizeof *t->places);
    free(t);
}

uint64_t rates_seed(const struct rates *t) { return t->seed; }

/* Who has a full bucket is as good as forgotten: his place may go to another. Two processes that give one name two places at once both find the first of them
 * from then on. */
struct bucket *rates_bucket(struct rates *t, uint64_t hash, uint64_t now_ms)
{
    const uint64_t now = ns_of(now_ms), mine = hash ? hash : 1;
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *p = &t->places[(mine + i) % t->n];
        if (atomic_load_explicit(&p->hash, memory_order_relaxed) == mine)
            return &p->bucket;
    }
    for (size_t i = 0; i < WAYS; i++) {
        struct slot *p = &t->places[(mine + i) % t->n];
        uint64_t whose = atomic_load_explicit(&p->hash, memory_order_relaxed);
        if (atomic_load_explicit(&p->bucket.full_ns, memory_order_relaxed) > now)
            continue;
        if (atomic_compare_exchange_strong_explicit(&p->hash, &whose, mine, memory_order_relaxed, memory_order_relaxed) || whose == mine)
            return &p->bucket;
    }
    return NULL;
}
