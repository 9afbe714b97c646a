#include "keys/vault/sealer.h"

#include <stdlib.h>

#include "gateway/base/text.h"

enum { PLACE_MAX = 64 };

struct data_key {
    uint8_t muni[NZ_MUNI_BYTES];
    struct aead *aead;
};

struct nz_sealer {
    struct mac *index;
    struct data_key *keys; /* sorted by municipality */
    size_t n;
};

static int by_muni(const void *a, const void *b) { return memcmp(a, b, NZ_MUNI_BYTES); }

static struct err keys_fill(struct nz_sealer *s, const struct keyring *ring)
{
    size_t at = 0, total = 0;
    struct slice muni;
    const struct secret *key;
    while (keyring_each(ring, KEY_NUM_DATA, &at, &muni, &key))
        total++;
    s->keys = calloc(total + 1, sizeof *s->keys);
    if (!s->keys)
        return FAIL(E_NOMEM);
    for (at = 0; s->n < total && keyring_each(ring, KEY_NUM_DATA, &at, &muni, &key); s->n++) {
        if (muni.n != NZ_MUNI_BYTES || !all_digits(muni))
            return FAIL(E_CONFIG);
        TRY(aead_new(&s->keys[s->n].aead, key));
        memcpy(s->keys[s->n].muni, muni.p, muni.n);
    }
    qsort(s->keys, s->n, sizeof *s->keys, by_muni);
    return OK;
}

struct err nz_sealer_new(struct nz_sealer **ret_s, const struct keyring *ring)
{
    const struct secret *index = keyring_find(ring, KEY_NUM_INDEX, LIT("1"));
    if (!index)
        return FAIL(E_CONFIG);
    struct nz_sealer *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    struct err e = mac_new(&s->index, index);
    if (err_ok(e))
        e = keys_fill(s, ring);
    if (!err_ok(e)) {
        nz_sealer_free(s);
        return e;
    }
    *ret_s = s;
    return OK;
}

void nz_sealer_free(struct nz_sealer *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        aead_free(s->keys[i].aead);
    free(s->keys);
    mac_free(s->index);
    free(s);
}

static struct aead *key_of(const struct nz_sealer *s, struct slice muni)
{
    const struct data_key *k = bsearch(muni.p, s->keys, s->n, sizeof *s->keys, by_muni);
    return k ? k->aead : NULL;
}

struct err nz_sealer_knows(const struct nz_sealer *s, struct slice muni) { return key_of(s, muni) ? OK : FAIL(E_FORBIDDEN); }

struct err nz_sealer_index(struct nz_sealer *s, struct slice muni, struct slice digits, uint8_t out[static MAC_BYTES])
{
    return MAC_SUM(s->index, out, muni, digits);
}

struct err nz_sealer_prove(struct nz_sealer *s, const uint8_t index[static MAC_BYTES], struct slice sid, uint8_t out[static NZ_PROOF_BYTES])
{
    uint8_t sum[MAC_BYTES];
    TRY(MAC_SUM(s->index, sum, LIT("proof"), slice_of(index, MAC_BYTES), sid));
    memcpy(out, sum, NZ_PROOF_BYTES);
    return OK;
}

/* Associated data: place | municipality. The municipality has a fixed length, so the two cannot shift. */
static struct err binding(struct slice muni, struct slice place, struct buf *out)
{
    buf_put(out, place);
    buf_put(out, muni);
    return buf_check(out);
}

typedef struct err aead_fn(struct aead *a, struct slice ad, struct slice in, struct buf *out);

static struct err with_key(const struct nz_sealer *s, aead_fn *fn, struct slice muni, struct slice place, struct slice in, struct buf *out)
{
    struct buf ad;
    struct aead *key = key_of(s, muni);
    if (!key)
        return FAIL(E_FORBIDDEN);
    buf_init(&ad, PLACE_MAX + NZ_MUNI_BYTES);
    struct err e = binding(muni, place, &ad);
    if (err_ok(e))
        e = fn(key, buf_slice(&ad), in, out);
    buf_done(&ad);
    return e;
}

struct err nz_sealer_seal(struct nz_sealer *s, struct slice muni, struct slice place, struct slice digits, struct buf *out)
{
    return with_key(s, aead_seal, muni, place, digits, out);
}

struct err nz_sealer_open(struct nz_sealer *s, struct slice muni, struct slice place, struct slice sealed, struct buf *out)
{
    size_t before = out->n;
    TRY(with_key(s, aead_open, muni, place, sealed, out));
    struct slice digits = slice_of(out->p + before, out->n - before);
    return digits.n == NZ_DIGITS_BYTES && all_digits(digits) ? OK : FAIL(E_SEAL);
}

/* What a file's key is bound with: no place in the store begins like that, so neither can stand for the other. */
struct file_place {
    uint8_t b[5 + NZ_FILE_ID_BYTES];
};

static struct file_place file_place(struct slice file)
{
    struct file_place p;
    memcpy(p.b, "file:", 5);
    memcpy(p.b + 5, file.p, NZ_FILE_ID_BYTES);
    return p;
}

struct err nz_sealer_wrap(struct nz_sealer *s, struct slice muni, struct slice file, struct slice key, struct buf *out)
{
    struct file_place p = file_place(file);
    return with_key(s, aead_seal, muni, ARR(p.b), key, out);
}

struct err nz_sealer_unwrap(struct nz_sealer *s, struct slice muni, struct slice file, struct slice wrapped, struct buf *out)
{
    struct file_place p = file_place(file);
    return wrapped.n == NZ_WRAPPED_KEY_BYTES ? with_key(s, aead_open, muni, ARR(p.b), wrapped, out) : FAIL(E_SEAL);
}
