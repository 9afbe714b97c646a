#include "gateway/audit/tree.h"

#include "gateway/crypto/crypto.h"

struct err tree_leaf(const uint8_t leaf[static AUDIT_LEAF_BYTES], uint8_t out[static TREE_HASH])
{
    static const uint8_t LEAF[1] = { 0 };
    const struct slice parts[] = { ARR(LEAF), slice_of(leaf, AUDIT_LEAF_BYTES) };
    return sha256(2, parts, out);
}

struct err tree_node(const uint8_t left[static TREE_HASH], const uint8_t right[static TREE_HASH], uint8_t out[static TREE_HASH])
{
    static const uint8_t NODE[1] = { 1 };
    const struct slice parts[] = { ARR(NODE), slice_of(left, TREE_HASH), slice_of(right, TREE_HASH) };
    return sha256(3, parts, out);
}

static bool same(const uint8_t *a, const uint8_t *b) { return slice_eq(slice_of(a, TREE_HASH), slice_of(b, TREE_HASH)); }

/* ---- growing ---- */

struct err tree_add(struct tree_range *r, const uint8_t leaf[static TREE_HASH], tree_node_fn *each, void *arg)
{
    uint8_t h[TREE_HASH];
    unsigned level = 0;
    memcpy(h, leaf, sizeof h);
    for (;; level++) {
        if (each)
            TRY(each(arg, level, r->size >> level, h));
        if (!(r->size >> level & 1))
            break;
        TRY(tree_node(r->peak[level], h, h));
    }
    memcpy(r->peak[level], h, sizeof h);
    r->size++;
    return OK;
}

struct err tree_root(const struct tree_range *r, uint8_t out[static TREE_HASH])
{
    bool begun = false;
    if (r->size == 0)
        return sha256(0, NULL, out);
    for (unsigned l = 0; l < TREE_PATH_MAX; l++) {
        if (!(r->size >> l & 1))
            continue;
        if (begun)
            TRY(tree_node(r->peak[l], out, out));
        else
            memcpy(out, r->peak[l], TREE_HASH);
        begun = true;
    }
    return OK;
}

/* ---- out of nodes ---- */

static unsigned lowest_bit(uint64_t v) { return (unsigned)__builtin_ctzll(v); }

/* The largest power of two below n. n > 1 */
static uint64_t split(uint64_t n) { return (uint64_t)1 << (63 - __builtin_clzll(n - 1)); }

static bool power_of_two(uint64_t n) { return n && !(n & (n - 1)); }

/* The hash of the leaves begin up to end, which is a subtree on the way down from a root: begin is a multiple of its left half. */
static ERR subtree(const struct tree_nodes *t, uint64_t begin, uint64_t end, uint8_t out[static TREE_HASH])
{
    uint8_t left[TREE_HASH];
    uint64_t n = end - begin;
    if (power_of_two(n))
        return t->get(t->arg, lowest_bit(n), begin >> lowest_bit(n), out);
    uint64_t k = split(n);
    TRY(t->get(t->arg, lowest_bit(k), begin >> lowest_bit(k), left));
    TRY(subtree(t, begin + k, end, out));
    return tree_node(left, out, out);
}

struct err tree_root_of(const struct tree_nodes *t, uint64_t size, uint8_t out[static TREE_HASH])
{
    return size ? subtree(t, 0, size, out) : sha256(0, NULL, out);
}

struct err tree_range_of(const struct tree_nodes *t, uint64_t size, struct tree_range *ret_r)
{
    struct tree_range r = { .size = size };
    for (unsigned l = 0; l < TREE_PATH_MAX; l++)
        if (size >> l & 1)
            TRY(t->get(t->arg, l, (size >> l) - 1, r.peak[l]));
    *ret_r = r;
    return OK;
}

static void reverse(struct tree_path *p)
{
    uint8_t h[TREE_HASH];
    for (size_t i = 0; i < p->n / 2; i++) {
        memcpy(h, p->hash[i], sizeof h);
        memcpy(p->hash[i], p->hash[p->n - 1 - i], sizeof h);
        memcpy(p->hash[p->n - 1 - i], h, sizeof h);
    }
}

static ERR push(const struct tree_nodes *t, struct tree_path *p, uint64_t begin, uint64_t end)
{
    if (p->n == TREE_PATH_MAX)
        return FAIL(E_FULL);
    TRY(subtree(t, begin, end, p->hash[p->n]));
    p->n++;
    return OK;
}

struct err tree_inclusion(const struct tree_nodes *t, uint64_t index, uint64_t size, struct tree_path *ret_p)
{
    uint64_t begin = 0, end = size;
    if (index >= size)
        return FAIL(E_FULL);
    ret_p->n = 0;
    while (end - begin > 1) {
        uint64_t middle = begin + split(end - begin);
        bool left = index < middle;
        TRY(left ? push(t, ret_p, middle, end) : push(t, ret_p, begin, middle));
        *(left ? &end : &begin) = middle;
    }
    reverse(ret_p);
    return OK;
}

struct err tree_consistency(const struct tree_nodes *t, uint64_t old, uint64_t size, struct tree_path *ret_p)
{
    uint64_t begin = 0, end = size;
    if (old == 0 || old > size)
        return FAIL(E_FULL);
    ret_p->n = 0;
    while (end != old) {
        uint64_t middle = begin + split(end - begin);
        bool left = old <= middle;
        TRY(left ? push(t, ret_p, middle, end) : push(t, ret_p, begin, middle));
        *(left ? &end : &begin) = middle;
    }
    if (begin > 0) /* else it is the old root itself */
        TRY(push(t, ret_p, begin, end));
    reverse(ret_p);
    return OK;
}

/* ---- checks: RFC 9162 §2.1.3.2 and §2.1.4.2 ---- */

bool tree_included(const uint8_t leaf[static TREE_HASH], uint64_t index, const struct tree_path *p, const struct tree_head *head)
{
    uint8_t r[TREE_HASH];
    uint64_t fn = index, sn = head->size - 1;
    if (index >= head->size || p->n > TREE_PATH_MAX)
        return false;
    memcpy(r, leaf, sizeof r);
    for (size_t i = 0; i < p->n; i++, fn >>= 1, sn >>= 1) {
        bool right = (fn & 1) || fn == sn;
        if (sn == 0 || !err_ok(right ? tree_node(p->hash[i], r, r) : tree_node(r, p->hash[i], r)))
            return false;
        while (right && !(fn & 1) && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
    }
    return sn == 0 && same(r, head->root);
}

static bool consistent_path(uint64_t fn, uint64_t sn, const uint8_t *first, const struct tree_path *p, size_t from, const struct tree_head *old,
                            const struct tree_head *now)
{
    uint8_t fr[TREE_HASH], sr[TREE_HASH];
    memcpy(fr, first, sizeof fr);
    memcpy(sr, first, sizeof sr);
    for (size_t i = from; i < p->n; i++, fn >>= 1, sn >>= 1) {
        bool right = (fn & 1) || fn == sn;
        if (sn == 0 || !err_ok(right ? tree_node(p->hash[i], sr, sr) : tree_node(sr, p->hash[i], sr)))
            return false;
        if (right && !err_ok(tree_node(p->hash[i], fr, fr)))
            return false;
        while (right && !(fn & 1) && fn != 0) {
            fn >>= 1;
            sn >>= 1;
        }
    }
    return sn == 0 && same(fr, old->root) && same(sr, now->root);
}

bool tree_consistent(const struct tree_head *old, const struct tree_head *now, const struct tree_path *p)
{
    uint8_t nothing[TREE_HASH];
    if (old->size > now->size || p->n > TREE_PATH_MAX)
        return false;
    if (old->size == now->size)
        return p->n == 0 && same(old->root, now->root);
    if (old->size == 0)
        return p->n == 0 && err_ok(sha256(0, NULL, nothing)) && same(nothing, old->root);
    uint64_t fn = old->size - 1, sn = now->size - 1;
    unsigned shift = lowest_bit(~fn);
    bool whole = power_of_two(old->size); /* the old root is a node of the new tree and not in the path */
    if (!whole && p->n == 0)
        return false;
    return consistent_path(fn >> shift, sn >> shift, whole ? old->root : p->hash[0], p, whole ? 0 : 1, old, now);
}
