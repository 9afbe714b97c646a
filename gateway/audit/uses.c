#include "gateway/audit/uses.h"

#include <stdlib.h>

#include "gateway/base/must.h"

enum { MONO_UNIT_MS = 1000, SHARD_BITS = 12 };
_Static_assert(USES_SHARDS == 1 << SHARD_BITS, "the first bits of a handle choose");

/* used_ms 0: empty */
struct slot {
    uint8_t ref[AUDIT_HANDLE_BYTES];
    uint64_t used_ms;
    uint32_t until_s;
    uint32_t held_s; /* of the monotonic clock */
};
_Static_assert(sizeof(struct slot) == 32, "two to a cache line");

struct shard {
    struct slot *slot;
    uint32_t cap, n, reserved;
};

struct uses {
    size_t max, n, reserved, slots;
    unsigned next; /* the shard that is looked at next */
    struct shard shard[USES_SHARDS];
};

static unsigned place_of(const uint8_t *ref) { return (unsigned)ref[0] << 4 | ref[1] >> 4; }

static struct shard *shard_of(struct uses *u, const uint8_t *ref) { return &u->shard[place_of(ref)]; }

static uint32_t home(const uint8_t *ref, uint32_t cap)
{
    uint32_t v = (uint32_t)ref[4] << 24 | (uint32_t)ref[5] << 16 | (uint32_t)ref[6] << 8 | ref[7];
    return (uint32_t)((uint64_t)v * cap >> 32);
}

/* The slot of ref, or the empty one where it belongs. There is one: a table is never full. */
static struct slot *probe(struct slot *slot, uint32_t cap, const uint8_t *ref)
{
    uint32_t i = home(ref, cap);
    while (slot[i].used_ms && !slice_eq(ARR(slot[i].ref), slice_of(ref, AUDIT_HANDLE_BYTES)))
        i = i + 1 == cap ? 0 : i + 1;
    return &slot[i];
}

static bool over(const struct slot *s, struct uses_now now)
{
    return (uint64_t)s->until_s * 1000 <= now.wall_ms && (uint64_t)s->held_s * MONO_UNIT_MS <= now.mono_ms;
}

static uint32_t count_over(const struct shard *s, struct uses_now now)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->cap; i++)
        n += s->slot[i].used_ms && over(&s->slot[i], now);
    return n;
}

/* A table without what is over, with room for what is reserved and `more`. NOMEM: it stays as it is. */
static ERR remake(struct uses *u, struct shard *s, struct uses_now now, uint32_t more)
{
    uint32_t live = s->n - count_over(s, now), need = live + s->reserved + more, cap = need ? need + need / 2 + 2 : 0;
    struct slot *fresh = cap ? calloc(cap, sizeof *fresh) : NULL;
    if (cap && !fresh)
        return FAIL(E_NOMEM);
    for (uint32_t i = 0; i < s->cap; i++)
        if (s->slot[i].used_ms && !over(&s->slot[i], now))
            *probe(fresh, cap, s->slot[i].ref) = s->slot[i];
    free(s->slot);
    u->n -= s->n - live;
    u->slots += cap;
    u->slots -= s->cap;
    s->slot = fresh;
    s->cap = cap;
    s->n = live;
    return OK;
}

/* Four fifths are in use at most: what is not there is known after a few looks. */
static bool roomy(const struct shard *s, uint32_t more) { return (uint64_t)(s->n + s->reserved + more) * 5 <= (uint64_t)s->cap * 4; }

struct err uses_reserve(struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES], struct uses_now now)
{
    struct shard *s = shard_of(u, ref);
    bool full = u->n + u->reserved >= u->max;
    if (full || !roomy(s, 1))
        TRY(remake(u, s, now, 1));
    if (u->n + u->reserved >= u->max)
        return FAIL(E_NOMEM);
    s->reserved++;
    u->reserved++;
    return OK;
}

void uses_release(struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES])
{
    struct shard *s = shard_of(u, ref);
    MUST(s->reserved);
    s->reserved--;
    u->reserved--;
}

void uses_add(struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES], const struct use *use)
{
    uses_release(u, ref);
    struct shard *s = shard_of(u, ref);
    struct slot *at = probe(s->slot, s->cap, ref);
    uint64_t held_s = use->held_ms / MONO_UNIT_MS + 1, used_ms = use->used_ms ? use->used_ms : 1;
    if (!at->used_ms) {
        memcpy(at->ref, ref, AUDIT_HANDLE_BYTES);
        at->used_ms = used_ms;
        s->n++;
        u->n++;
    }
    at->used_ms = used_ms < at->used_ms ? used_ms : at->used_ms;
    at->until_s = use->until_s > at->until_s ? use->until_s : at->until_s;
    held_s = held_s < UINT32_MAX ? held_s : UINT32_MAX;
    at->held_s = held_s > at->held_s ? (uint32_t)held_s : at->held_s;
}

bool uses_find(const struct uses *u, const uint8_t ref[static AUDIT_HANDLE_BYTES], uint64_t *ret_used_ms)
{
    const struct shard *s = &u->shard[place_of(ref)];
    const struct slot *at = s->cap ? probe(s->slot, s->cap, ref) : NULL;
    if (!at || !at->used_ms)
        return false;
    *ret_used_ms = at->used_ms;
    return true;
}

void uses_forget(struct uses *u, struct uses_now now, unsigned shards)
{
    while (shards--) {
        struct shard *s = &u->shard[u->next];
        u->next = (u->next + 1) % USES_SHARDS;
        uint32_t n = count_over(s, now);
        if (n == 0 || n < s->n / 8)
            continue;
        struct err e = remake(u, s, now, 0);
        (void)e; /* no memory to tidy up with: it stays as it is until there is */
    }
}

size_t uses_count(const struct uses *u) { return u->n; }
size_t uses_bytes(const struct uses *u) { return sizeof *u + u->slots * sizeof(struct slot); }

struct err uses_new(struct uses **ret_u, size_t max)
{
    struct uses *u = calloc(1, sizeof *u);
    if (!u)
        return FAIL(E_NOMEM);
    u->max = max;
    *ret_u = u;
    return OK;
}

void uses_free(struct uses *u)
{
    if (!u)
        return;
    for (unsigned i = 0; i < USES_SHARDS; i++)
        free(u->shard[i].slot);
    free(u);
}
