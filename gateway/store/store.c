#include "gateway/store/store_keys.h"

#include <stdlib.h>

#include "gateway/base/text.h"

bool store__is_muni(struct slice muni) { return muni.n == MUNI_CHARS && all_digits(muni); }

static int by_muni(const void *a, const void *b)
{
    return memcmp(((const struct muni_key *)a)->muni, ((const struct muni_key *)b)->muni, MUNI_CHARS);
}

static struct aead *key_of(const struct store *s, struct slice muni)
{
    struct muni_key want;
    if (!store__is_muni(muni))
        return NULL;
    memcpy(want.muni, muni.p, MUNI_CHARS);
    const struct muni_key *k = s->n_munis ? bsearch(&want, s->munis, s->n_munis, sizeof want, by_muni) : NULL;
    return k ? k->aead : NULL;
}

static ERR load_munis(struct store *s, const struct keyring *ring)
{
    size_t at = 0, n = 0;
    struct slice id;
    const struct secret *key;
    while (keyring_each(ring, KEY_LINK_DATA, &at, &id, &key))
        n++;
    s->munis = calloc(n ? n : 1, sizeof *s->munis);
    if (!s->munis)
        return FAIL(E_NOMEM);
    at = 0;
    while (s->n_munis < n && keyring_each(ring, KEY_LINK_DATA, &at, &id, &key)) {
        struct muni_key *k = &s->munis[s->n_munis];
        if (!store__is_muni(id))
            return FAIL(E_CONFIG);
        memcpy(k->muni, id.p, MUNI_CHARS);
        TRY(aead_new(&k->aead, key));
        s->n_munis++;
    }
    qsort(s->munis, s->n_munis, sizeof *s->munis, by_muni);
    return OK;
}

static ERR load(struct store *s, const struct keyring *ring)
{
    const struct secret *index = keyring_find(ring, KEY_LINK_INDEX, LIT("1"));
    const struct secret *audit = keyring_find(ring, KEY_AUDIT_HANDLE, LIT("1"));
    const struct secret *common = keyring_find(ring, KEY_LINK_COMMON, LIT("1"));
    if (!index || !audit || !common)
        return FAIL(E_CONFIG);
    TRY(mac_new(&s->index, index));
    TRY(prp_new(&s->audit, audit));
    TRY(aead_new(&s->common, common));
    return load_munis(s, ring);
}

struct err store_new(struct store **ret_s, const struct keyring *ring)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    struct err e = load(s, ring);
    if (!err_ok(e)) {
        store_free(s);
        return e;
    }
    *ret_s = s;
    return OK;
}

struct err store_renew(struct store *s, const struct keyring *ring)
{
    struct store *fresh = NULL;
    TRY(store_new(&fresh, ring));
    struct store old = *s;
    *s = *fresh;
    *fresh = old;
    store_free(fresh);
    return OK;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_munis; i++)
        aead_free(s->munis[i].aead);
    free(s->munis);
    aead_free(s->common);
    prp_free(s->audit);
    mac_free(s->index);
    free(s);
}

bool store_knows_muni(const struct store *s, struct slice muni) { return key_of(s, muni) != NULL; }

/* key name [ "|" field ]: neither holds a '|', so two places never share it. */
struct place {
    uint8_t ad[2 * STORE_NAME_MAX + 1];
    size_t n;
    struct aead *aead;
};

static ERR place_of(const struct store *s, struct slice muni, const struct store_name *key, struct slice field, struct place *ret)
{
    if (key->n > STORE_NAME_MAX || field.n > STORE_NAME_MAX)
        return FAIL(E_FULL);
    ret->aead = muni.n ? key_of(s, muni) : s->common;
    if (!ret->aead)
        return FAIL(E_FORBIDDEN);
    memcpy(ret->ad, key->c, key->n);
    ret->n = key->n;
    if (field.n) {
        ret->ad[ret->n++] = '|';
        memcpy(ret->ad + ret->n, field.p, field.n);
        ret->n += field.n;
    }
    return OK;
}

struct err store_seal(struct store *s, struct slice muni, const struct store_name *key, struct slice field, struct slice plain, struct buf *out)
{
    struct place at;
    TRY(place_of(s, muni, key, field, &at));
    return aead_seal(at.aead, slice_of(at.ad, at.n), plain, out);
}

struct err store_open(struct store *s, struct slice muni, const struct store_name *key, struct slice field, struct slice sealed, struct buf *out)
{
    struct place at;
    TRY(place_of(s, muni, key, field, &at));
    return aead_open(at.aead, slice_of(at.ad, at.n), sealed, out);
}

struct err store_handle_of_person(struct store *s, const struct person *p, uint8_t out[static 16])
{
    uint8_t h[PRP_BLOCK];
    if (!hex_decode(ARR(p->h), h, sizeof h))
        return FAIL(E_INTERNAL);
    return prp_there(s->audit, h, out);
}

struct err store_audit_handle(struct store *s, struct slice pmh_key, uint8_t out[static 16])
{
    struct person p;
    TRY(store_person(s, pmh_key, &p));
    return store_handle_of_person(s, &p, out);
}

struct err store_handle_for_muni(struct store *s, const char muni[static 6], const uint8_t handle[static 16], uint8_t out[static 16])
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("oplog"), slice_of(muni, 6), slice_of(handle, 16)));
    memcpy(out, sum, 16);
    return OK;
}

struct err store_handle_person(struct store *s, const uint8_t handle[static 16], struct person *ret_p)
{
    uint8_t h[PRP_BLOCK];
    struct buf hex;
    TRY(prp_back(s->audit, handle, h));
    buf_init(&hex, sizeof ret_p->h);
    buf_hex(&hex, ARR(h));
    struct err e = buf_check(&hex);
    if (err_ok(e))
        memcpy(ret_p->h, hex.p, sizeof ret_p->h);
    buf_done(&hex);
    return e;
}
