#include "keys/inquiry/work.h"

bool nz_inq_peer_may(const struct nz_inq_peer *p, unsigned limit, uint64_t now)
{
    if (now < p->open_until)
        return false;
    return p->out < (p->bad >= NZ_INQ_OPEN_AFTER ? 1 : limit); /* behind an open breaker: one that tries */
}

void nz_inq_peer_answered(struct nz_inq_peer *p)
{
    p->bad = 0;
    p->open_until = 0;
}

static uint64_t doubled(uint64_t from, unsigned times, uint64_t max)
{
    while (times-- && from < max)
        from *= 2;
    return from < max ? from : max;
}

/* Between a half and the whole, so that many do not come back at one moment. */
static uint64_t jittered(uint64_t ms, uint64_t random) { return ms / 2 + random % (ms / 2 + 1); }

void nz_inq_peer_failed(struct nz_inq_peer *p, uint64_t now, uint64_t random)
{
    if (++p->bad >= NZ_INQ_OPEN_AFTER)
        p->open_until = now + jittered(doubled(NZ_INQ_OPEN_MIN_MS, p->bad - NZ_INQ_OPEN_AFTER, NZ_INQ_OPEN_MAX_MS), random);
}

uint64_t nz_inq_retry_ms(unsigned tries, uint64_t random)
{
    return jittered(doubled(NZ_INQ_RETRY_MIN_MS, tries ? tries - 1 : 0, NZ_INQ_RETRY_MAX_MS), random);
}

struct nz_inq_peer *nz_inq_peer_of(struct nz_inq_peers *ps, const char code[static 6], uint64_t now)
{
    uint32_t h = 2166136261u; /* FNV-1a; codes are public */
    for (size_t i = 0; i < 6; i++)
        h = (h ^ (uint8_t)code[i]) * 16777619u;
    struct nz_inq_peer *old = NULL;
    for (size_t i = 0; i < NZ_INQ_PEERS_MAX; i++) {
        struct nz_inq_peer *p = &ps->peer[(h + i) % NZ_INQ_PEERS_MAX];
        if (memcmp(p->code, code, sizeof p->code) == 0) {
            p->used_ms = now;
            return p;
        }
        if (!p->code[0]) {
            old = p;
            break;
        }
        if (!p->out && (!old || p->used_ms < old->used_ms))
            old = p;
    }
    if (!old)
        old = &ps->peer[h % NZ_INQ_PEERS_MAX]; /* as many on their way as there are places: not with these limits */
    *old = (struct nz_inq_peer){ .used_ms = now };
    memcpy(old->code, code, sizeof old->code);
    return old;
}
