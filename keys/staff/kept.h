#ifndef GW_ZONE_NUMBER
#error "kept.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_KEPT_H
#define KEYS_STAFF_KEPT_H

/* Users and sessions as redis-link keeps them, and the scripts that change them. No I/O: batches are made and replies are read. */

#include "gateway/base/arena.h"
#include "gateway/redis/redis.h"
#include "keys/staff/names.h"
#include "keys/staff/user.h"

/* After so many failures each further one locks an id, for twice as long as the one before, up to an hour. A known source, from which the user has logged in
 * within NZ_SOURCE_KEPT_MS, is counted by itself: who guesses from elsewhere locks everybody out but the user. */
enum { NZ_LOCK_FROM = 5, NZ_LOCK_MAX_MS = 3600000, NZ_FAILURES_KEPT_MS = 86400000, NZ_SOURCES_MAX = 8 };
#define NZ_SOURCE_KEPT_MS (UINT64_C(90) * 86400000)
/* Where a try comes from: hex of a MAC. */
struct nz_source { char hex[2 * STORE_HANDLE_BYTES]; };

/* Into the arena. */
ERR nz_user_seal(struct store *st, const char muni[static 6], const struct nz_user_name *n, const struct nz_user *u, struct arena *a, struct slice *ret_sealed);
/* SEAL. */
ERR nz_user_open(struct store *st, const char muni[static 6], const struct nz_user_name *n, struct slice sealed, struct nz_user *ret_u);
ERR nz_session_seal(struct store *st, const char muni[static 6], const struct store_name *ss, const struct nz_session *s, struct arena *a, struct slice *ret_sealed);
ERR nz_session_open(struct store *st, const char muni[static 6], const struct store_name *ss, struct slice sealed, struct nz_session *ret_s);

/* Counts a try before it is looked at, so that tries side by side cannot pass the limit together; the user as it is. */
void nz_try_ask(const struct nz_user_name *n, const struct nz_source *from, uint64_t now_ms, uint64_t lock_ms, struct redis_batch *b);
struct nz_try { bool locked; struct slice sealed; /* SLICE_NONE: no such user; borrowed */ };
ERR nz_try_heard(const struct redis_reply *const *replies, size_t n, struct nz_try *ret_t);

/* A changed user in the place of the one that was read (old SLICE_NONE: there was none); CONFLICT when somebody was faster, FULL when there are
 * NZ_USERS_MAX. session: SLICE_NONE, or what the session becomes, so that it outlives the change. fresh: the session is new.
 * from: the password was right: its failures are forgotten, and it is known from now on. forget: all failures and sources are (a new password was given).
 * A change of the user raises the epoch. */
struct nz_user_change {
    const struct nz_user_name *name;
    struct slice old, now;
    const struct store_name *ss;
    struct slice session;
    uint64_t idle_ms;             /* life of the session; with session only */
    bool fresh, forget;
    const struct nz_source *from;
    uint64_t now_ms;              /* with from */
};
void nz_change_ask(const struct nz_user_change *c, struct redis_batch *b);
/* *ret_epoch: what the change raised the epoch to; 0: the user is as before. */
ERR nz_change_heard(const struct redis_reply *const *replies, size_t n, uint64_t *ret_epoch);

#endif
