#include "keys/intake/hot.h"

#include <stdlib.h>

/* Open addressing over a table twice as large as its content may be. Subject ids are random: their first bytes are the hash. */
struct entry {
    uint8_t sid[SUBJECT_BYTES];
    struct nz_mynum *number; /* NULL: free */
    uint64_t since;
};

struct nz_hot {
    size_t mask, n, max;
    struct entry e[];
};

ERR nz_hot_new(struct nz_hot **ret_h, size_t max)
{
    size_t cap = 16;
    while (cap < 2 * max)
        cap *= 2;
    struct nz_hot *h = calloc(1, sizeof *h + cap * sizeof h->e[0]);
    if (!h)
        return FAIL(E_NOMEM);
    h->mask = cap - 1;
    h->max = max;
    *ret_h = h;
    return OK;
}

void nz_hot_free(struct nz_hot *h)
{
    if (!h)
        return;
    for (size_t i = 0; i <= h->mask; i++)
        nz_mynum_free(h->e[i].number);
    free(h);
}

static size_t home(const struct nz_hot *h, const uint8_t *sid)
{
    uint64_t v;
    memcpy(&v, sid, sizeof v);
    return (size_t)v & h->mask;
}

/* The slot of sid, or the free one where it would go. */
static size_t find(const struct nz_hot *h, const uint8_t *sid)
{
    size_t i = home(h, sid);
    while (h->e[i].number && memcmp(h->e[i].sid, sid, SUBJECT_BYTES) != 0)
        i = (i + 1) & h->mask;
    return i;
}

void nz_hot_put(struct nz_hot *h, const uint8_t sid[static SUBJECT_BYTES], struct nz_mynum *number, uint64_t since)
{
    size_t i = find(h, sid);
    if (!number || h->e[i].number || h->n == h->max) {
        nz_mynum_free(number);
        return;
    }
    memcpy(h->e[i].sid, sid, SUBJECT_BYTES);
    h->e[i].number = number;
    h->e[i].since = since;
    h->n++;
}

/* Frees slot i and closes the gap, so that searches need no tombstones. */
static void remove_at(struct nz_hot *h, size_t i)
{
    h->e[i].number = NULL;
    h->n--;
    for (size_t j = (i + 1) & h->mask; h->e[j].number; j = (j + 1) & h->mask) {
        size_t want = home(h, h->e[j].sid);
        if (((j - want) & h->mask) < ((j - i) & h->mask))
            continue;
        h->e[i] = h->e[j];
        h->e[j].number = NULL;
        i = j;
    }
}

struct nz_mynum *nz_hot_take(struct nz_hot *h, const uint8_t sid[static SUBJECT_BYTES], uint64_t *ret_since)
{
    size_t i = find(h, sid);
    struct nz_mynum *number = h->e[i].number;
    *ret_since = h->e[i].since;
    if (number)
        remove_at(h, i);
    return number;
}

void nz_hot_sweep(struct nz_hot *h, uint64_t now)
{
    size_t i = 0;
    while (h->n && i <= h->mask) {
        if (h->e[i].number && now - h->e[i].since > NZ_HOT_MS) {
            nz_mynum_free(h->e[i].number);
            remove_at(h, i); /* another entry may have moved to i */
        } else {
            i++;
        }
    }
}

size_t nz_hot_count(const struct nz_hot *h) { return h->n; }
