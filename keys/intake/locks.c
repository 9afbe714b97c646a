#include "keys/intake/locks.h"

#include <stdlib.h>

struct slot {
    uint8_t name[NZ_LOCK_BYTES];
    bool taken;
};

struct nz_locks {
    size_t mask, n, max;
    struct slot slot[];
};

ERR nz_locks_new(struct nz_locks **ret_l, size_t max)
{
    size_t cap = 16;
    while (cap < 2 * max)
        cap *= 2;
    struct nz_locks *l = calloc(1, sizeof *l + cap * sizeof l->slot[0]);
    if (!l)
        return FAIL(E_NOMEM);
    l->mask = cap - 1;
    l->max = max;
    *ret_l = l;
    return OK;
}

void nz_locks_free(struct nz_locks *l) { free(l); }

static size_t home(const struct nz_locks *l, const uint8_t *name)
{
    uint64_t v;
    memcpy(&v, name, sizeof v);
    return (size_t)v & l->mask;
}

static size_t find(const struct nz_locks *l, const uint8_t *name)
{
    size_t i = home(l, name);
    while (l->slot[i].taken && memcmp(l->slot[i].name, name, NZ_LOCK_BYTES) != 0)
        i = (i + 1) & l->mask;
    return i;
}

bool nz_locks_take(struct nz_locks *l, const uint8_t (*names)[NZ_LOCK_BYTES], size_t n)
{
    if (n > l->max - l->n)
        return false;
    for (size_t k = 0; k < n; k++) {
        if (l->slot[find(l, names[k])].taken)
            return false;
    }
    for (size_t k = 0; k < n; k++) {
        struct slot *s = &l->slot[find(l, names[k])];
        l->n += !s->taken;
        s->taken = true;
        memcpy(s->name, names[k], NZ_LOCK_BYTES);
    }
    return true;
}

static void give_one(struct nz_locks *l, const uint8_t *name)
{
    size_t i = find(l, name);
    if (!l->slot[i].taken)
        return;
    l->slot[i].taken = false;
    l->n--;
    for (size_t j = (i + 1) & l->mask; l->slot[j].taken; j = (j + 1) & l->mask) {
        size_t want = home(l, l->slot[j].name);
        if (((j - want) & l->mask) < ((j - i) & l->mask))
            continue;
        l->slot[i] = l->slot[j];
        l->slot[j].taken = false;
        i = j;
    }
}

void nz_locks_give(struct nz_locks *l, const uint8_t (*names)[NZ_LOCK_BYTES], size_t n)
{
    for (size_t k = 0; k < n; k++)
        give_one(l, names[k]);
}

size_t nz_locks_count(const struct nz_locks *l) { return l->n; }
