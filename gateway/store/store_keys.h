#ifndef GW_STORE_STORE_KEYS_H
#define GW_STORE_STORE_KEYS_H

/* Between the files of this folder: the prepared keys. */

#include "gateway/store/store.h"

enum { MUNI_CHARS = 6 };

struct muni_key {
    char muni[MUNI_CHARS];
    struct aead *aead;
};

struct store {
    struct mac *index;
    struct prp *audit;
    struct aead *common;
    struct muni_key *munis; /* sorted by muni */
    size_t n_munis;
};

bool store__is_muni(struct slice muni);

#endif
