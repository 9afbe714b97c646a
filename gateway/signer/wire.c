#include "gateway/signer/signer.h"

const struct signer_key *signer_newest(const struct signer_keys *k, enum signer_use use)
{
    const struct signer_key *best = NULL;
    for (size_t i = 0; i < k->n; i++)
        if (k->key[i].use == use && (!best || k->key[i].number > best->number))
            best = &k->key[i];
    return best;
}

void signer_keys_encode(const struct signer_keys *k, struct buf *out)
{
    for (size_t i = 0; i < k->n; i++) {
        buf_putc(out, (uint8_t)k->key[i].use);
        buf_putc(out, k->key[i].number);
        buf_put(out, ARR(k->key[i].x));
        buf_put(out, ARR(k->key[i].y));
    }
}

static bool has(const struct signer_keys *k, uint8_t use, uint8_t number)
{
    for (size_t i = 0; i < k->n; i++)
        if ((uint8_t)k->key[i].use == use && k->key[i].number == number)
            return true;
    return false;
}

bool signer_keys_decode(struct slice body, struct signer_keys *ret_k)
{
    struct signer_keys k = { 0 };
    struct slice one;
    if (body.n % SIGNER_KEY_BYTES != 0 || body.n / SIGNER_KEY_BYTES > SIGNER_KEYS_MAX)
        return false;
    while (slice_take(&body, SIGNER_KEY_BYTES, &one)) {
        if (one.p[0] == 0 || one.p[0] >= SIGNER_USE__MAX || one.p[1] == 0 || has(&k, one.p[0], one.p[1]))
            return false;
        struct signer_key *t = &k.key[k.n++];
        t->use = (enum signer_use)one.p[0];
        t->number = one.p[1];
        memcpy(t->x, one.p + 2, SIGNER_COORDINATE);
        memcpy(t->y, one.p + 2 + SIGNER_COORDINATE, SIGNER_COORDINATE);
    }
    *ret_k = k;
    return true;
}
