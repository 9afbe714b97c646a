/* The search of patterns.h: a bitmap of the first 6 bytes of every pattern answers "no" for nearly every position; it is as small as their number allows, for it is
 * asked at each byte of a process' memory and has to stay in the nearest cache. Behind it two tables, by the first 6 and by the first 16 bytes. */

#include <stdlib.h>
#include <string.h>

#include "keys/ctl/patterns.h"

enum { SHORT = 6, LONG = 16, BITS_MIN = 15, BITS_MAX = 24, BITS_EACH = 32, ZEROS = 8 };

struct pattern { uint32_t at, number, next; uint16_t len; uint16_t kind; };

struct nz_search {
    struct buf text; /* all patterns, one after another */
    struct pattern *list;
    size_t n, cap;
    size_t zeros;       /* at most so many begin a pattern */
    unsigned bits;
    uint8_t *first;     /* 2^bits bits */
    uint32_t *heads[2]; /* SHORT, LONG: 2^bits / 8 chains each; 0 ends, else index + 1 */
};

static uint64_t load(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static uint32_t hash_short(const struct nz_search *s, const uint8_t *p) { return (uint32_t)((load(p, SHORT) * 0x9e3779b97f4a7c15u) >> (64 - s->bits)); }

static uint32_t hash_long(const struct nz_search *s, const uint8_t *p)
{
    return (uint32_t)(((load(p, 8) * 0x9e3779b97f4a7c15u) ^ (load(p + 8, 8) * 0xc2b2ae3d27d4eb4fu)) >> (64 - s->bits));
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
    s->list[s->n++] = (struct pattern){ .at = (uint32_t)at, .number = (uint32_t)number, .len = (uint16_t)len, .kind = (uint16_t)kind };
    return true;
}

static bool index_make(struct nz_search *s)
{
    for (s->bits = BITS_MIN; s->bits < BITS_MAX && (size_t)1 << s->bits < BITS_EACH * s->n;)
        s->bits++;
    const size_t chains = (size_t)1 << (s->bits - 3);
    s->first = calloc(chains, 1);
    s->heads[0] = calloc(chains, sizeof **s->heads);
    s->heads[1] = calloc(chains, sizeof **s->heads);
    if (!s->first || !s->heads[0] || !s->heads[1])
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const uint8_t *p = s->text.p + s->list[i].at;
        const bool is_long = s->list[i].len >= LONG;
        const uint32_t brief = hash_short(s, p), h = is_long ? hash_long(s, p) : brief;
        s->first[brief >> 3] |= (uint8_t)(1u << (brief & 7));
        s->list[i].next = s->heads[is_long][h >> 3];
        s->heads[is_long][h >> 3] = (uint32_t)i + 1;
    }
    return true;
}

ERR nz_search_new(struct nz_search **ret_s, const char *numbers, size_t n, const char *const *munis, size_t n_munis)
{
    struct nz_search *s = calloc(1, sizeof *s);
    bool good = s != NULL;
    if (good)
        buf_init(&s->text, (size_t)1 << 30);
    for (size_t i = 0; good && i < n; i++)
        for (size_t k = 0; good && k < nz_kinds(); k++)
            for (size_t variant = 0; good; variant++) {
                size_t at = s->text.n;
                if (!nz_kind_write(k, numbers + i * NZ_DIGITS, variant, munis, n_munis, &s->text))
                    break;
                good = !s->text.failed && pattern_add(s, at, k, i);
            }
    if (!good || !index_make(s)) {
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
    free(s->first);
    free(s->heads[0]);
    free(s->heads[1]);
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
    const size_t step = s->zeros < ZEROS ? ZEROS - s->zeros : 0; /* most of a process' memory is zeros */
    for (size_t at = 0; at < own && text.n - at >= SHORT; at++) {
        while (step && at < own && text.n - at >= ZEROS && !load(text.p + at, ZEROS))
            at += step;
        if (at >= own || text.n - at < SHORT)
            return;
        const uint32_t h = hash_short(s, text.p + at);
        if (!(s->first[h >> 3] & (1u << (h & 7))))
            continue;
        chain(s, s->heads[0][h >> 3], text, at, on_hit, arg);
        if (text.n - at >= LONG)
            chain(s, s->heads[1][hash_long(s, text.p + at) >> 3], text, at, on_hit, arg);
    }
}
