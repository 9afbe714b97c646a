#ifndef GW_PORTAL_CERT_DESK_H
#define GW_PORTAL_CERT_DESK_H

/* What issuing certificates needs beside the person: keys, names, who vouches for cards. One in each worker; lookup_env.certificates. */

#include "gateway/cert/publish.h"
#include "gateway/cert/shc.h"
#include "gateway/conf/conf.h"
#include "gateway/signer/signer.h"

/* A list of revoked certificates as it was told last. */
struct cert_list { char kid[ES256_KID]; uint64_t n, revoked; struct buf body; };
enum { CERT_LISTS_MAX = SIGNER_KEYS_MAX + 1 };

struct cert_desk {
    struct loop *loop;
    struct signer *signer;
    struct timer *again;              /* when to ask for the keys */
    bool closed;
    struct signer_keys keys;          /* as the signer told them last; none before */
    size_t n_published;               /* those of SMART Health Cards, with their names */
    struct publish_key published[PUBLISH_KEYS_MAX];
    uint8_t numbers[PUBLISH_KEYS_MAX];
    struct es256_verifier *attributes;
    struct shc_packer *packer;
    struct slice issuer, authority, country, audience; /* borrowed from the settings */
    struct buf seal_cert;             /* DER of the document signer; empty: there are no seals */
    struct es256_key seal_key;
    char seal_kid[ES256_KID];
    size_t n_lists;
    struct cert_list lists[CERT_LISTS_MAX]; /* of those that were asked for */
};

/* *ret_d stays NULL when the settings name no signer, issuer or attributes. CONFIG: a file of them cannot be used. */
ERR cert_desk_new(struct cert_desk **ret_d, struct loop *l, const struct conf *conf);
void cert_desk_close(struct cert_desk *d); /* ends its questions; NULL is fine */
void cert_desk_free(struct cert_desk *d);  /* after the loop */

/* The key that signs what is new: place in `published`, or the number of the key of the seal's certificate. SIGNER_DOWN while the signer has not told it. */
ERR cert_desk_card_key(const struct cert_desk *d, size_t *ret_place);
ERR cert_desk_seal_key(const struct cert_desk *d, uint8_t *ret_number);
/* The place of a key's list: of every key of certificates that the signer has, and of the seal's certificate. NOTHING: none of them; SIGNER_DOWN: not known yet. */
ERR cert_desk_list(struct cert_desk *d, struct slice kid, struct cert_list **ret_l);
/* The signer knew a key no more: what it has is asked for. */
void cert_desk_ask(struct cert_desk *d);

#endif
