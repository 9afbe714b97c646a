#include <stdlib.h>

#include "connectors/number/pmh_plain.h"
#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "keys/tag/tag.h"

/* The rows, sorted by tag: rows of one number stand together, and the first of them keeps the book. */
struct slot {
    struct nz_tag tag;
    struct nz_pmh_row *row;
    struct slice key; /* first slot: the key that came for this number; empty: none yet */
    size_t rows;      /* first slot: rows of this number */
    size_t seen;      /* first slot: clean reply elements */
    bool bad;         /* first slot: something about this number was wrong */
};

/* A key that the reply gave to a number, whether ours or not. */
struct claim {
    struct slice key;
    struct nz_tag tag;
};

struct judge {
    struct nz_tagger *tagger;
    struct slot *slots;
    size_t n;
    struct claim *claims;
    size_t n_claims;
    size_t strangers; /* elements that belong to no row: somebody's row was answered with another number or none */
};

static int by_tag(const void *a, const void *b) { return nz_tag_order(&((const struct slot *)a)->tag, &((const struct slot *)b)->tag); }

static int by_key(const void *a, const void *b)
{
    const struct claim *x = a, *y = b;
    if (x->key.n != y->key.n)
        return x->key.n < y->key.n ? -1 : 1;
    return memcmp(x->key.p, y->key.p, x->key.n);
}

bool nz_pmh__key_ok(struct slice k)
{
    if (k.n == 0 || k.n > PMH_KEY_MAX)
        return false;
    for (size_t i = 0; i < k.n; i++) {
        uint8_t c = k.p[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && (c == 0 || !strchr("._~-", c)))
            return false;
    }
    return true;
}

static ERR index_rows(struct judge *j, struct nz_pmh_row *rows)
{
    for (size_t i = 0; i < j->n; i++) {
        j->slots[i].row = &rows[i];
        TRY(nz_tag_number(j->tagger, rows[i].number, &j->slots[i].tag));
    }
    qsort(j->slots, j->n, sizeof *j->slots, by_tag);
    for (size_t first = 0, i = 0; i < j->n; i++) {
        if (by_tag(&j->slots[first], &j->slots[i]) != 0)
            first = i;
        j->slots[first].rows++;
    }
    return OK;
}

/* The first slot of a number; NULL when it is no row's. */
static struct slot *find(const struct judge *j, const struct nz_tag *tag)
{
    size_t lo = 0, hi = j->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (nz_tag_order(&j->slots[mid].tag, tag) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < j->n && nz_tag_order(&j->slots[lo].tag, tag) == 0 ? &j->slots[lo] : NULL;
}

static struct slice text_of(json_t *obj, const char *name)
{
    json_t *v = json_object_get(obj, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

static void take_clean(struct slot *s, struct slice key)
{
    if (s->key.n && !slice_eq(s->key, key))
        s->bad = true;
    if (++s->seen > s->rows)
        s->bad = true;
    s->key = key;
}

static ERR take_element(struct judge *j, const struct nz_pmh_element *x)
{
    struct nz_tag tag;
    if (x->number.n != NZ_MYNUM_DIGITS || !all_digits(x->number)) {
        j->strangers++;
        return OK;
    }
    TRY(nz_tag_digits(j->tagger, x->number, &tag));
    struct slot *s = find(j, &tag);
    bool key_good = nz_pmh__key_ok(x->key);
    if (key_good)
        j->claims[j->n_claims++] = (struct claim){ x->key, tag };
    if (!s)
        j->strangers++;
    else if (!key_good || x->more)
        s->bad = true;
    else
        take_clean(s, x->key);
    return OK;
}

/* One key for two numbers: nobody can say whose it is. */
static void judge_claims(struct judge *j)
{
    qsort(j->claims, j->n_claims, sizeof *j->claims, by_key);
    for (size_t from = 0, to; from < j->n_claims; from = to) {
        bool two = false;
        for (to = from + 1; to < j->n_claims && by_key(&j->claims[from], &j->claims[to]) == 0; to++)
            two |= nz_tag_order(&j->claims[from].tag, &j->claims[to].tag) != 0;
        for (size_t i = from; two && i < to; i++) {
            struct slot *s = find(j, &j->claims[i].tag);
            if (s)
                s->bad = true;
        }
    }
}

static void settle_row(struct nz_pmh_row *row, enum nz_pmh_outcome o, struct slice key)
{
    row->outcome = o;
    if (o != NZ_PMH_KEY)
        return;
    memcpy(row->pmh_key, key.p, key.n);
    row->pmh_key[key.n] = 0;
}

static void settle(struct judge *j)
{
    for (size_t i = 0; i < j->n; i += j->slots[i].rows) {
        struct slot *s = &j->slots[i];
        enum nz_pmh_outcome o = s->bad ? NZ_PMH_QUARANTINE : s->seen ? NZ_PMH_KEY : j->strangers ? NZ_PMH_QUARANTINE : NZ_PMH_RETRY;
        for (size_t k = 0; k < s->rows; k++)
            settle_row(s[k].row, o, s->key);
    }
}

static ERR judge_elements(struct judge *j, const struct nz_pmh_element *x, size_t n, struct nz_pmh_row *rows)
{
    TRY(nz_tagger_new(&j->tagger));
    TRY(index_rows(j, rows));
    for (size_t i = 0; i < n; i++)
        TRY(take_element(j, &x[i]));
    judge_claims(j);
    settle(j);
    return OK;
}

static ERR judge_all(const struct nz_pmh_element *x, size_t n_elements, struct nz_pmh_row *rows, size_t n)
{
    struct judge j = { .n = n };
    j.slots = calloc(n, sizeof *j.slots);
    j.claims = calloc(n_elements + 1, sizeof *j.claims);
    struct err e = j.slots && j.claims ? judge_elements(&j, x, n_elements, rows) : FAIL(E_NOMEM);
    nz_tagger_free(j.tagger);
    free(j.slots);
    free(j.claims);
    return e;
}

/* Whatever is not as agreed: the JSON library says what it is. */
static ERR judge_tree(struct slice body, struct arena *a, struct nz_pmh_row *rows, size_t n)
{
    json_t *array;
    struct err e = json_in_array(&array, a, body);
    if (!err_ok(e))
        return err_is(e, E_NOMEM) ? e : FAIL(E_UPSTREAM_BAD);
    size_t n_elements = json_array_size(array);
    struct nz_pmh_element *x = calloc(n_elements + 1, sizeof *x);
    if (!x)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < n_elements; i++) {
        json_t *obj = json_array_get(array, i);
        x[i] = (struct nz_pmh_element){ text_of(obj, "myNumber"), text_of(obj, "pmhKey"), json_object_size(obj) != 2 };
    }
    e = judge_all(x, n_elements, rows, n);
    free(x);
    return e;
}

static ERR judge_body(struct slice body, struct nz_pmh_row *rows, size_t n)
{
    struct nz_pmh_element *x = calloc(n, sizeof *x);
    size_t n_elements;
    if (!x)
        return FAIL(E_NOMEM);
    bool plain = nz_pmh__plain(body, x, n, &n_elements);
    struct err e = plain ? judge_all(x, n_elements, rows, n) : OK;
    free(x);
    if (plain)
        return e;
    struct arena *a = arena_new(4096); /* holds the hook that frees the JSON */
    if (!a)
        return FAIL(E_NOMEM);
    e = judge_tree(body, a, rows, n);
    arena_free(a);
    return e;
}

struct err nz_pmh_judge(struct slice body, struct nz_pmh_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        rows[i].outcome = NZ_PMH_RETRY;
        rows[i].pmh_key[0] = 0;
    }
    return judge_body(body, rows, n);
}
