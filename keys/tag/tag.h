#ifndef GW_ZONE_NUMBER
#error "tag.h belongs to the number zone"
#endif
#ifndef KEYS_TAG_TAG_H
#define KEYS_TAG_TAG_H

/* Stands for a number while one request is judged: the number as one block of AES under a random key that nobody keeps, so that rows can be
 * sorted and searched without the digits, and what is left of a tag says nothing. */

#include "keys/number/mynum.h"

struct nz_tag { uint8_t b[16]; };

struct nz_tagger;
ERR nz_tagger_new(struct nz_tagger **ret_t);
void nz_tagger_free(struct nz_tagger *t); /* wipes the key; NULL is fine */

ERR nz_tag_number(struct nz_tagger *t, const struct nz_mynum *number, struct nz_tag *ret_g);
/* Of 12 half-width digits that a partner sent. */
ERR nz_tag_digits(struct nz_tagger *t, struct slice digits, struct nz_tag *ret_g);

static inline int nz_tag_order(const struct nz_tag *a, const struct nz_tag *b) { return memcmp(a->b, b->b, sizeof a->b); }

#endif
