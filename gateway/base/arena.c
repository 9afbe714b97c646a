#include "gateway/base/arena.h"

#include <stdlib.h>

enum { CHUNK = 8192, ALIGN = 16 };

struct chunk {
    struct chunk *next;
    size_t used, cap;
    _Alignas(ALIGN) uint8_t mem[];
};

struct hook {
    struct hook *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    struct chunk *chunks; /* newest first */
    struct hook *hooks;   /* newest first; they live in the chunks */
    size_t used, cap;
    bool overflow;
};

struct arena *arena_new(size_t cap)
{
    struct arena *a = calloc(1, sizeof *a);
    if (a)
        a->cap = cap;
    return a;
}

static void run_hooks(struct arena *a)
{
    while (a->hooks) {
        struct hook *h = a->hooks;
        a->hooks = h->next;
        h->fn(h->arg);
    }
}

/* Zeroes what was used: nothing stays to be read, and a kept chunk is as fresh as a new one. */
void arena_reset(struct arena *a)
{
    struct chunk *kept = NULL;
    run_hooks(a);
    while (a->chunks) {
        struct chunk *c = a->chunks;
        a->chunks = c->next;
        explicit_bzero(c->mem, c->used);
        if (!kept && c->cap == CHUNK) {
            kept = c;
            *kept = (struct chunk){ .cap = CHUNK };
        } else {
            free(c);
        }
    }
    a->chunks = kept;
    a->used = 0;
    a->overflow = false;
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    free(a->chunks);
    free(a);
}

static struct chunk *chunk_new(struct arena *a, size_t need)
{
    size_t cap = need > CHUNK ? need : CHUNK;
    struct chunk *c = calloc(1, sizeof *c + cap);
    if (!c)
        return NULL;
    c->cap = cap;
    c->next = a->chunks;
    a->chunks = c;
    return c;
}

void *arena_get(struct arena *a, size_t n)
{
    size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (a->overflow || need < n || need > a->cap - a->used) {
        a->overflow = true;
        return NULL;
    }
    struct chunk *c = a->chunks;
    if (!c || c->cap - c->used < need)
        c = chunk_new(a, need);
    if (!c) {
        a->overflow = true;
        return NULL;
    }
    void *p = c->mem + c->used;
    c->used += need;
    a->used += need;
    return p;
}

struct slice arena_dup(struct arena *a, struct slice s)
{
    if (s.n == 0)
        return SLICE_NONE;
    uint8_t *p = arena_get(a, s.n);
    if (!p)
        return SLICE_NONE;
    memcpy(p, s.p, s.n);
    return slice_of(p, s.n);
}

char *arena_cstr(struct arena *a, struct slice s)
{
    char *p = arena_get(a, s.n + 1);
    if (p && s.n)
        memcpy(p, s.p, s.n);
    return p;
}

bool arena_on_reset(struct arena *a, void (*fn)(void *), void *arg)
{
    struct hook *h = arena_get(a, sizeof *h);
    if (!h)
        return false;
    *h = (struct hook){ a->hooks, fn, arg };
    a->hooks = h;
    return true;
}

struct err arena_check(const struct arena *a) { return a->overflow ? FAIL(E_FULL) : OK; }
