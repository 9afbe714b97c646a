#include "mocks/table.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/base/secret.h"

enum { CAP_FIRST = 1024 };

void table_init(struct table *t, table_key_fn *key, const void *rows)
{
    *t = (struct table){ .key = key, .rows = rows };
    rnd_bytes(&t->seed, sizeof t->seed);
}

void table_done(struct table *t)
{
    free(t->slots);
    t->slots = NULL;
    t->cap = t->n = 0;
}

static size_t place_of(const struct table *t, struct slice key)
{
    uint64_t h = t->seed ^ 0xcbf29ce484222325u;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ key.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    return (size_t)(h * 0x9e3779b97f4a7c15u >> 20) & (t->cap - 1);
}

/* The slot that holds the key, or the free slot where it would go. */
static size_t probe(const struct table *t, struct slice key)
{
    size_t i = place_of(t, key);
    while (t->slots[i] != TABLE_NONE && !slice_eq(t->key(t->rows, t->slots[i]), key))
        i = (i + 1) & (t->cap - 1);
    return i;
}

uint32_t table_find(const struct table *t, struct slice key) { return t->cap ? t->slots[probe(t, key)] : TABLE_NONE; }

static struct err grow(struct table *t)
{
    struct table bigger = *t;
    bigger.cap = t->cap ? t->cap * 2 : CAP_FIRST;
    bigger.slots = malloc(bigger.cap * sizeof *bigger.slots);
    if (!bigger.slots)
        return FAIL(E_NOMEM);
    memset(bigger.slots, 0xff, bigger.cap * sizeof *bigger.slots);
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i] != TABLE_NONE)
            bigger.slots[probe(&bigger, t->key(t->rows, t->slots[i]))] = t->slots[i];
    free(t->slots);
    *t = bigger;
    return OK;
}

ERR table_put(struct table *t, uint32_t at)
{
    if (t->n * 2 >= t->cap)
        TRY(grow(t));
    size_t i = probe(t, t->key(t->rows, at));
    MUST(t->slots[i] == TABLE_NONE);
    t->slots[i] = at;
    t->n++;
    return OK;
}

void table_remove(struct table *t, uint32_t at)
{
    size_t i = t->cap ? probe(t, t->key(t->rows, at)) : 0;
    if (!t->cap || t->slots[i] != at)
        return;
    t->slots[i] = TABLE_NONE;
    t->n--;
    /* what was pushed aside by this slot must stay reachable: the rest of the run is placed again */
    for (size_t k = (i + 1) & (t->cap - 1); t->slots[k] != TABLE_NONE; k = (k + 1) & (t->cap - 1)) {
        uint32_t moved = t->slots[k];
        t->slots[k] = TABLE_NONE;
        t->slots[probe(t, t->key(t->rows, moved))] = moved;
    }
}
