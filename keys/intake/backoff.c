#include "keys/intake/backoff.h"

#include <stddef.h>

enum { HOUR_MS = 3600 * 1000 };

/* Every other error is LATER: a row is never held for a reason that nobody thought of. */
static const struct { enum err_code code; enum nz_upstream_class class; } CLASSES[] = {
    { E_OK, NZ_UPSTREAM_GOOD },
    { E_BUSY, NZ_UPSTREAM_SOON },
    { E_NOMEM, NZ_UPSTREAM_SOON },
    { E_FULL, NZ_UPSTREAM_SOON },
    { E_CANCELED, NZ_UPSTREAM_SOON },
    { E_FIELD, NZ_UPSTREAM_ROWS },
};

enum nz_upstream_class nz_upstream_class(enum err_code e)
{
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++) {
        if (CLASSES[i].code == e)
            return CLASSES[i].class;
    }
    return NZ_UPSTREAM_LATER;
}

uint64_t nz_waited_ms(uint64_t now_ms, uint64_t since_ms, uint64_t received_ms)
{
    uint64_t from = since_ms ? since_ms : received_ms;
    return now_ms > from ? now_ms - from : 0;
}

bool nz_gave_up(uint64_t waited_ms, uint64_t hours) { return waited_ms >= hours * HOUR_MS; }

static uint64_t jitter(uint64_t ms, uint64_t rnd) { return ms - ms / 4 + rnd % (ms / 2 + 1); }

uint64_t nz_backoff_ms(uint64_t age_ms, uint64_t min_ms, uint64_t max_ms, uint64_t rnd)
{
    uint64_t ms = age_ms < min_ms ? min_ms : age_ms;
    return jitter(ms > max_ms ? max_ms : ms, rnd);
}

void nz_breaker_init(struct nz_breaker *b, uint64_t min_ms, uint64_t max_ms)
{
    *b = (struct nz_breaker){ .min_ms = min_ms, .max_ms = max_ms, .wait_ms = min_ms };
}

typedef enum nz_breaker_state arc_fn(struct nz_breaker *b, uint64_t now, uint64_t rnd);

static enum nz_breaker_state a_reset(struct nz_breaker *b, uint64_t now, uint64_t rnd)
{
    (void)now, (void)rnd;
    b->failures = 0;
    b->wait_ms = b->min_ms;
    return NZ_BREAKER_CLOSED;
}

static enum nz_breaker_state a_open(struct nz_breaker *b, uint64_t now, uint64_t rnd)
{
    b->due = now + jitter(b->wait_ms, rnd);
    b->wait_ms = b->wait_ms < b->max_ms / 2 ? b->wait_ms * 2 : b->max_ms;
    return NZ_BREAKER_OPEN;
}

static enum nz_breaker_state a_count(struct nz_breaker *b, uint64_t now, uint64_t rnd)
{
    return ++b->failures < NZ_BREAKER_FAILURES ? NZ_BREAKER_CLOSED : a_open(b, now, rnd);
}

/* Requests that were under way when the breaker opened tell nothing new. */
static enum nz_breaker_state a_stay(struct nz_breaker *b, uint64_t now, uint64_t rnd)
{
    (void)now, (void)rnd;
    return b->state;
}

static enum nz_breaker_state a_probe(struct nz_breaker *b, uint64_t now, uint64_t rnd)
{
    (void)b, (void)now, (void)rnd;
    return NZ_BREAKER_PROBING;
}

static enum nz_breaker_state a_void(struct nz_breaker *b, uint64_t now, uint64_t rnd)
{
    (void)rnd;
    b->due = now;
    return NZ_BREAKER_OPEN;
}

static arc_fn *const ARCS[NZ_BREAKER__STATES][NZ_BREAKER__EVENTS] = {
    [NZ_BREAKER_CLOSED] = { [NZ_BREAKER_GOOD] = a_reset, [NZ_BREAKER_BAD] = a_count },
    [NZ_BREAKER_OPEN] = { [NZ_BREAKER_GOOD] = a_reset, [NZ_BREAKER_BAD] = a_stay, [NZ_BREAKER_DUE] = a_probe },
    [NZ_BREAKER_PROBING] = { [NZ_BREAKER_GOOD] = a_reset, [NZ_BREAKER_BAD] = a_open, [NZ_BREAKER_VOID] = a_void },
};

bool nz_breaker_step(struct nz_breaker *b, enum nz_breaker_event ev, uint64_t now, uint64_t rnd)
{
    arc_fn *arc = ARCS[b->state][ev];
    if (!arc)
        return false;
    b->state = arc(b, now, rnd);
    return true;
}

unsigned nz_breaker_room(const struct nz_breaker *b, uint64_t now, unsigned n_max)
{
    if (b->state == NZ_BREAKER_CLOSED)
        return n_max;
    return b->state == NZ_BREAKER_OPEN && now >= b->due ? 1 : 0;
}
