#include "keys/tag/tag.h"

#include <stdlib.h>

#include "gateway/crypto/crypto.h"

struct nz_tagger {
    struct secret *key;
    struct prp *prp;
};

struct err nz_tagger_new(struct nz_tagger **ret_t)
{
    struct nz_tagger *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    struct err e = secret_random(&t->key, PRP_KEY);
    if (err_ok(e))
        e = prp_new(&t->prp, t->key);
    if (!err_ok(e)) {
        nz_tagger_free(t);
        return e;
    }
    *ret_t = t;
    return OK;
}

void nz_tagger_free(struct nz_tagger *t)
{
    if (!t)
        return;
    prp_free(t->prp);
    secret_free(t->key);
    free(t);
}

struct err nz_tag_digits(struct nz_tagger *t, struct slice digits, struct nz_tag *ret_g)
{
    uint8_t block[PRP_BLOCK] = { 0 };
    _Static_assert((int)NZ_MYNUM_DIGITS <= (int)PRP_BLOCK && sizeof ret_g->b == PRP_BLOCK, "a number in one block");
    if (digits.n != NZ_MYNUM_DIGITS)
        return FAIL(E_INTERNAL);
    memcpy(block, digits.p, NZ_MYNUM_DIGITS);
    struct err e = prp_there(t->prp, block, ret_g->b);
    explicit_bzero(block, sizeof block);
    return e;
}

struct job {
    struct nz_tagger *tagger;
    struct nz_tag *tag;
};

static struct err tag_one(struct slice digits, void *arg)
{
    const struct job *j = arg;
    return nz_tag_digits(j->tagger, digits, j->tag);
}

struct err nz_tag_number(struct nz_tagger *t, const struct nz_mynum *number, struct nz_tag *ret_g)
{
    struct job j = { t, ret_g };
    return nz_mynum_use(number, tag_one, &j);
}
