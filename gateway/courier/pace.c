#include "gateway/courier/pace.h"

static uint64_t doubled(uint64_t min, uint64_t max, uint64_t times)
{
    uint64_t v = min;
    while (times-- && v < max)
        v *= 2;
    return v < max ? v : max;
}

/* Three quarters to five quarters. */
static uint64_t jitter(uint64_t ms, uint64_t rnd) { return ms - ms / 4 + rnd % (ms / 2 + 1); }

uint64_t pace_wait(const struct pace *p, uint64_t attempts, uint64_t rnd) { return jitter(doubled(p->min_ms, p->max_ms, attempts), rnd); }

bool breaker_would_pass(const struct breaker *b, uint64_t now) { return !b->until || (!b->probing && now >= b->until); }

bool breaker_pass(struct breaker *b, uint64_t now)
{
    if (!breaker_would_pass(b, now))
        return false;
    b->probing = b->until > 0;
    return true;
}

void breaker_good(struct breaker *b) { *b = (struct breaker){ 0 }; }

void breaker_bad(struct breaker *b, uint64_t now, uint64_t rnd)
{
    b->probing = false;
    if (++b->failures >= BREAKER_FAILURES)
        b->until = now + jitter(doubled(BREAKER_MIN_MS, BREAKER_MAX_MS, b->failures - BREAKER_FAILURES), rnd);
}

void breaker_void(struct breaker *b) { b->probing = false; }

uint64_t crowd_wait(const struct breaker *b, uint64_t crowd, uint64_t now, uint64_t rnd)
{
    const uint64_t queue = crowd < CROWD_MAX_MS / CROWD_STEP_MS ? CROWD_MIN_MS + crowd * CROWD_STEP_MS : CROWD_MAX_MS, closed = b->until > now ? b->until - now : 0;
    const uint64_t wait = queue > closed ? queue : closed;
    return wait + rnd % wait;
}
