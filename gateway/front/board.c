#include "gateway/front/board.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Written by workers, too: what is read there may be anything. */
struct seat { _Atomic uint64_t told_ms, trouble, part, worker, stand_in /* seat + 1 */; };
struct board { struct seat seats[BOARD_SEATS]; _Atomic uint64_t kept_ms; };

static uint64_t get(const _Atomic uint64_t *at) { return atomic_load_explicit(at, memory_order_relaxed); }
static void put(_Atomic uint64_t *at, uint64_t v) { atomic_store_explicit(at, v, memory_order_relaxed); }

struct err board_new(struct board **ret_b)
{
    void *p = mmap(NULL, sizeof(struct board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return FAIL(E_NOMEM);
    *ret_b = p;
    return OK;
}

void board_free(struct board *b)
{
    if (b)
        munmap(b, sizeof *b);
}

void board_seat(struct board *b, unsigned seat, enum board_part part, unsigned worker, int stand_in)
{
    if (!b || seat >= BOARD_SEATS)
        return;
    struct seat *s = &b->seats[seat];
    put(&s->worker, worker);
    put(&s->stand_in, stand_in >= 0 ? (uint64_t)stand_in + 1 : 0);
    put(&s->part, part);
}

void board_clear(struct board *b, unsigned seat)
{
    if (b && seat < BOARD_SEATS)
        put(&b->seats[seat].told_ms, 0);
}

void board_keep(struct board *b, uint64_t now_ms)
{
    if (b)
        put(&b->kept_ms, now_ms);
}

static uint64_t silent_ms(const struct seat *s, uint64_t now_ms)
{
    const uint64_t told = get(&s->told_ms);
    return now_ms > told ? now_ms - told : 0;
}

uint64_t board_silent_ms(const struct board *b, unsigned seat, uint64_t now_ms)
{
    return b && seat < BOARD_SEATS && get(&b->seats[seat].told_ms) ? silent_ms(&b->seats[seat], now_ms) : 0;
}

void board_tell(struct board *b, unsigned seat, struct err trouble, uint64_t now_ms)
{
    if (!b || seat >= BOARD_SEATS)
        return;
    put(&b->seats[seat].trouble, trouble.code);
    put(&b->seats[seat].told_ms, now_ms);
}

static ERR able(const struct seat *s, uint64_t now_ms)
{
    const uint64_t trouble = get(&s->trouble);
    if (get(&s->part) != BOARD_SERVES || silent_ms(s, now_ms) >= BOARD_SILENT_MS)
        return FAIL(E_WORKER);
    return trouble == E_OK ? OK : FAIL(trouble < E__MAX ? (enum err_code)trouble : E_WORKER);
}

/* Who is away is as able as who stands in for it. */
static ERR answered(const struct board *b, const struct seat *s, uint64_t now_ms)
{
    const uint64_t other = get(&s->stand_in);
    return get(&s->part) == BOARD_AWAY && other && other <= BOARD_SEATS ? able(&b->seats[other - 1], now_ms) : able(s, now_ms);
}

struct err board_state(const struct board *b, uint64_t now_ms, unsigned *ret_worker)
{
    if (!b || now_ms >= get(&b->kept_ms) + BOARD_SILENT_MS)
        return OK;
    for (unsigned i = 0; i < BOARD_SEATS; i++) {
        const struct seat *s = &b->seats[i];
        const struct err e = get(&s->part) == BOARD_EMPTY ? OK : answered(b, s, now_ms);
        if (err_ok(e))
            continue;
        *ret_worker = (unsigned)get(&s->worker);
        return e;
    }
    return OK;
}
