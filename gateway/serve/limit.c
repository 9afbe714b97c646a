#include "gateway/serve/limit.h"

#include <stdlib.h>

#include "gateway/base/secret.h"

enum { ROWS = 4096 };

struct limit {
    struct limit_conf conf;
    struct party *rows[ROWS];
    struct party *oldest, *newest; /* of those that nobody holds */
    unsigned n_idle;
    size_t n;
    uint64_t seed; /* so that nobody can choose names of one row; of the shared table, when there is one */
};

struct err limit_new(struct limit **ret_l, struct limit_conf conf)
{
    struct limit *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL(E_NOMEM);
    l->conf = conf;
    if (conf.shared)
        l->seed = rates_seed(conf.shared);
    else
        rnd_bytes(&l->seed, sizeof l->seed);
    *ret_l = l;
    return OK;
}

static void idle_out(struct limit *l, struct party *p)
{
    *(p->older ? &p->older->newer : &l->oldest) = p->newer;
    *(p->newer ? &p->newer->older : &l->newest) = p->older;
    p->older = p->newer = NULL;
    l->n_idle--;
}

static void idle_in(struct limit *l, struct party *p)
{
    p->older = l->newest;
    *(l->newest ? &l->newest->newer : &l->oldest) = p;
    l->newest = p;
    l->n_idle++;
}

static void forget(struct limit *l, struct party *p)
{
    struct party **at = &l->rows[p->hash % ROWS];
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    idle_out(l, p);
    l->n--;
    free(p);
}

void limit_free(struct limit *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < ROWS; i++)
        for (struct party *p = l->rows[i], *next; p; p = next) {
            next = p->next;
            free(p);
        }
    free(l);
}

static uint64_t mixed(uint64_t h)
{
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h = (h ^ h >> 29) * UINT64_C(0xff51afd7ed558ccd);
    return h ^ h >> 32;
}

static uint64_t hash_of(const struct limit *l, struct slice name, bool stranger)
{
    uint64_t h = l->seed ^ name.n ^ (uint64_t)stranger << 63, word;
    for (size_t i = 0; i < name.n; i += sizeof word) {
        word = 0;
        memcpy(&word, name.p + i, name.n - i < sizeof word ? name.n - i : sizeof word);
        h = mixed(h ^ word) + l->seed;
    }
    return h;
}

void limit_keep(struct party *p) { p->held++; }

struct party *limit_hold(struct limit *l, struct slice name, bool stranger)
{
    if (name.n > PARTY_NAME_MAX - 1)
        name.n = PARTY_NAME_MAX - 1;
    uint64_t h = hash_of(l, name, stranger);
    struct party *p = l->rows[h % ROWS];
    while (p && !(p->hash == h && p->stranger == stranger && slice_eq(slice_str(p->name), name)))
        p = p->next;
    if (p) {
        if (p->held++ == 0)
            idle_out(l, p);
        return p;
    }
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    memcpy(p->name, name.p, name.n);
    p->hash = h;
    p->stranger = stranger;
    p->held = 1;
    p->next = l->rows[h % ROWS];
    l->rows[h % ROWS] = p;
    l->n++;
    return p;
}

void limit_drop(struct limit *l, struct party *p)
{
    if (!p || --p->held > 0)
        return;
    idle_in(l, p);
    if (l->n_idle > l->conf.idle_max)
        forget(l, l->oldest);
}

static struct bucket *bucket_of(struct limit *l, struct party *p, uint64_t now_ms)
{
    struct bucket *shared = l->conf.shared ? rates_bucket(l->conf.shared, p->hash, now_ms) : NULL;
    return shared ? shared : &p->own;
}

bool limit_take(struct limit *l, struct party *p, struct rate rate, uint64_t now_ms, uint64_t *ret_after_ms)
{
    return rate.per_s == 0 || bucket_take(bucket_of(l, p, now_ms), rate, now_ms, ret_after_ms);
}

bool limit_owe(struct limit *l, struct party *p, struct rate rate, unsigned n, uint64_t now_ms, uint64_t *ret_after_ms)
{
    return rate.per_s == 0 || bucket_owe(bucket_of(l, p, now_ms), rate, n, now_ms, ret_after_ms);
}

size_t limit_parties(const struct limit *l) { return l->n; }
