#ifndef GW_ZONE_NUMBER
#error "find.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_FIND_H
#define KEYS_PERSON_FIND_H

/* A resident of a municipality by its resident key, with all of its names locked against the outbox, files and resident changes. A key that was
 * merged, or whose number was changed, finds the resident that it leads to. */

#include "keys/change/journal.h"
#include "keys/intake/intake.h"
#include "keys/intake/locks.h"

enum { NZ_FOUND_IDS = 1 + NZ_CH_ALIASES_MAX, NZ_FOUND_LOCKS = 2 + 2 * NZ_FOUND_IDS, NZ_FOUND_SEALED_MAX = PMH_KEY_MAX + AEAD_OVERHEAD };

struct nz_found_id { /* a subject of the resident: one number, or one merged key */
    char sid[NZ_CH_HEX];
    bool has_rk;
    char rk[NZ_CH_HEX];
};

struct nz_found {
    struct nz_intake *in;
    char muni[6];
    char asked[NZ_CH_HEX];            /* the resident key's name */
    bool known;                       /* false: no resident of this municipality has the key; the rest is empty */
    size_t n_ids;
    struct nz_found_id id[NZ_FOUND_IDS]; /* the first one leads: s:<sid> has the key k, the others lead to it */
    char key[PMH_KEY_MAX + 1];        /* its PMH key */
    struct store_name subject;        /* s:<sid> of the first */
    struct store_name person;         /* p:{h} */
    uint8_t sealed[NZ_FOUND_SEALED_MAX]; /* field k of the subject, as it stands */
    size_t n_sealed;
    /* inside */
    char sid[NZ_CH_HEX];
    unsigned hops;
    size_t n_locks;
    uint8_t lock[NZ_FOUND_LOCKS][NZ_LOCK_BYTES];
    struct timer *timer;
    uint64_t deadline;
    void (*done)(void *arg, struct err e);
    void *arg;
};

/* done: once, from the loop, never before the return. OK: found and locked, or known false and the key itself is locked. BUSY: it is being written all
 * the time; SEAL, FORBIDDEN: what is stored does not open; STORE_DOWN. */
void nz_found_start(struct nz_found *f, struct nz_intake *in, const char muni[static 6], const struct store_name *rk, uint64_t deadline,
                    void (*done)(void *arg, struct err e), void *arg);
/* Gives the locks back; after done, and only then. */
void nz_found_end(struct nz_found *f);

#endif
