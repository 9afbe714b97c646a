#ifndef GW_ZONE_NUMBER
#error "let_go.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_LET_GO_H
#define KEYS_PERSON_LET_GO_H

/* What of a person follows from an erasure, beside what the municipality had stored itself: for the erasure, and for a redis-link that came back older than one. Sans I/O. What is
 * told twice changes nothing. */

#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

struct nz_let_go {
    const struct store_name *person; /* p:{h} */
    const char *muni;                /* 6 digits: that erases */
    bool alone;                      /* nobody else has anything of the person */
    uint64_t until_ms;               /* certificates and notices of later stay */
    uint64_t now_ms;                 /* when good certificates end */
};
/* hash: the reply to HGETALL p:{h}. A good certificate with a record of the municipality is revoked (cr:), before what names it goes; what it has of others stays theirs. Notices about such records
 * go; alone: all of them, all certificates, pseudonyms (ps:), consents and sessions. Withdrawals stay: they keep link keys from working. A certificate or notice that does not open is nobody's any more
 * (its key was destroyed) and goes; *ret_unreadable: how many certificates. SEAL: a pseudonym does not open. */
ERR nz_let_go_add(struct store *s, const struct nz_let_go *g, const struct redis_reply *hash, struct redis_batch *b, size_t *ret_unreadable);

#endif
