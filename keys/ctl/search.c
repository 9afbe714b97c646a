/* The search of patterns.h: two tables, by the first 6 and by the first 16 bytes, each behind a bitmap that answers "no"
 * for nearly every position. */

#include <stdlib.h>
#include <string.h>

#include "keys/ctl/patterns.h"

enum { SHORT = 6, LONG = 16, MAP_BITS = 22, ZEROS = 8 };

struct pattern { uint32_t at, number, next; uint16_t len; uint16_t kind; };

struct table {
    uint8_t *map;     /* 2^MAP_BITS bits */
    uint32_t *heads;  /* 2^MAP_BITS / 8 chains; 0 ends, else index + 1 */
};

struct nz_search {
    struct buf text; /* all patterns, one after another */
    struct pattern *list;
    size_t n, cap;
    size_t zeros;            /* at most so many begin a pattern */
    struct table by_len[2]; /* SHORT, LONG */
};

static uint64_t load(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static uint32_t hash_short(const uint8_t *p) { return (uint32_t)((load(p, SHORT) * 0x9e3779b97f4a7c15u) >> (64 - MAP_BITS)); }

static uint32_t hash_long(const uint8_t *p)
{
    return (uint32_t)(((load(p, 8) * 0x9e3779b97f4a7c15u) ^ (load(p + 8, 8) * 0xc2b2ae3d27d4eb4fu)) >> (64 - MAP_BITS));
}

static bool table_new(struct table *t)
{
    t->map = calloc(1u << (MAP_BITS - 3), 1);
    t->heads = calloc(1u << (MAP_BITS - 3), sizeof *t->heads);
    return t->map && t->heads;
}

static bool pattern_add(struct nz_search *s, size_t at, size_t kind, size_t number)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 1024;
        struct pattern *list = realloc(s->list, cap * sizeof *list);
        if (!list)
            return false;
        s->list = list;
        s->cap = cap;
    }
    size_t len = s->text.n - at, zeros = 0;
    while (zeros < len && s->text.p[at + zeros] == 0)
        zeros++;
    s->zeros = zeros > s->zeros ? zeros : s->zeros;
    bool is_long = len >= LONG;
    struct table *t = &s->by_len[is_long];
    uint32_t h = is_long ? hash_long(s->text.p + at) : hash_short(s->text.p + at);
    uint32_t *head = &t->heads[h >> 3];
    s->list[s->n] = (struct pattern){ (uint32_t)at, (uint32_t)number, *head, (uint16_t)len, (uint16_t)kind };
    *head = (uint32_t)++s->n;
    t->map[h >> 3] |= (uint8_t)(1u << (h & 7));
    return true;
}

ERR nz_search_new(struct nz_search **ret_s, const char *numbers, size_t n, const char *const *munis, size_t n_munis)
{
    struct nz_search *s = calloc(1, sizeof *s);
    bool good = s != NULL;
    if (good) {
        buf_init(&s->text, (size_t)1 << 30);
        good = table_new(&s->by_len[0]) && table_new(&s->by_len[1]);
    }
    for (size_t i = 0; good && i < n; i++)
        for (size_t k = 0; good && k < nz_kinds(); k++)
            for (size_t variant = 0; good; variant++) {
                size_t at = s->text.n;
                if (!nz_kind_write(k, numbers + i * NZ_DIGITS, variant, munis, n_munis, &s->text))
                    break;
                good = !s->text.failed && pattern_add(s, at, k, i);
            }
    if (!good) {
        nz_search_free(s);
        return FAIL(E_NOMEM);
    }
    *ret_s = s;
    return OK;
}

void nz_search_free(struct nz_search *s)
{
    if (!s)
        return;
    buf_done(&s->text);
    free(s->list);
    for (size_t i = 0; i < 2; i++) {
        free(s->by_len[i].map);
        free(s->by_len[i].heads);
    }
    free(s);
}

static void chain(const struct nz_search *s, uint32_t head, struct slice text, size_t at, nz_hit_fn *on_hit, void *arg)
{
    for (uint32_t i = head; i; i = s->list[i - 1].next) {
        const struct pattern *p = &s->list[i - 1];
        if (p->len <= text.n - at && slice_eq(slice_of(s->text.p + p->at, p->len), slice_of(text.p + at, p->len)))
            on_hit(arg, at, p->kind, p->number);
    }
}

void nz_search_run(const struct nz_search *s, struct slice text, size_t own, nz_hit_fn *on_hit, void *arg)
{
    const struct table *brief = &s->by_len[0], *wide = &s->by_len[1];
    const size_t step = s->zeros < ZEROS ? ZEROS - s->zeros : 0; /* most of a process' memory is zeros */
    for (size_t at = 0; at < own && text.n - at >= SHORT; at++) {
        while (step && at < own && text.n - at >= ZEROS && !load(text.p + at, ZEROS))
            at += step;
        if (at >= own || text.n - at < SHORT)
            return;
        uint32_t h = hash_short(text.p + at);
        if (brief->map[h >> 3] & (1u << (h & 7)))
            chain(s, brief->heads[h >> 3], text, at, on_hit, arg);
        if (text.n - at < LONG)
            continue;
        h = hash_long(text.p + at);
        if (wide->map[h >> 3] & (1u << (h & 7)))
            chain(s, wide->heads[h >> 3], text, at, on_hit, arg);
    }
}
