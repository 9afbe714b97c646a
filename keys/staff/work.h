#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_WORK_H
#define KEYS_STAFF_WORK_H

/* Shared by the files of keys/staff only. */

#include "keys/staff/form.h"
#include "keys/staff/hasher.h"
#include "keys/staff/staff.h"

struct nz_staff_zone {
    struct nz_intake *in;
    struct nz_hasher *hasher;
    uint8_t nobody[NZ_SALT_BYTES]; /* salt of users that do not exist */
};

enum { NZ_LOCK_FROM = 5, NZ_LOCK_MAX_MS = 3600000, NZ_FAILURES_KEPT_MS = 86400000 };

/* ---- store.c ---- */

/* Into the arena. */
ERR nz_user_seal(struct nz_intake *in, const char muni[static 6], const struct nz_user_name *n, const struct nz_user *u, struct arena *a, struct slice *ret_sealed);
/* SEAL. */
ERR nz_user_open(struct nz_intake *in, const char muni[static 6], const struct nz_user_name *n, struct slice sealed, struct nz_user *ret_u);
ERR nz_session_seal(struct nz_intake *in, const char muni[static 6], const struct store_name *ss, const struct nz_session *s, struct arena *a, struct slice *ret_sealed);
ERR nz_session_open(struct nz_intake *in, const char muni[static 6], const struct store_name *ss, struct slice sealed, struct nz_session *ret_s);

/* Counts a try before it is looked at, so that tries side by side cannot pass the limit together; the user as it is. */
ERR nz_try_ask(struct nz_intake *in, const struct nz_user_name *n, struct redis_batch *b);
struct nz_try { bool locked; struct slice sealed; /* SLICE_NONE: no such user; borrowed */ };
ERR nz_try_heard(const struct redis_reply *const *replies, size_t n, struct nz_try *ret_t);

/* A changed user in the place of the one that was read (old SLICE_NONE: there was none); CONFLICT when somebody was faster, FULL when there are
 * NZ_USERS_MAX. session: SLICE_NONE, or what the session becomes, so that it outlives the change. fresh: the session is new. forget: failed tries are. */
struct nz_user_change {
    const struct nz_user_name *name;
    struct slice old, now;
    const struct store_name *ss;
    struct slice session;
    bool fresh, forget;
};
void nz_change_ask(struct nz_intake *in, const struct nz_user_change *c, struct redis_batch *b);
ERR nz_change_heard(const struct redis_reply *const *replies, size_t n);

void nz_staff_send(struct req *r, struct redis_batch *b, redis_done_fn *done, void *arg);

/* ---- for all ---- */

struct nz_demands nz_staff_demands(const struct nz_intake *in);
uint64_t nz_staff_wall(const struct nz_intake *in);
/* FIELD with its errors; other errors as they are. */
void nz_staff_refuse(struct req *r, struct err e, const struct field_report *report);
void nz_staff_audit(struct req *r, const struct audit_rec *rec, audit_done_fn *done, void *arg);
bool nz_program_known(void *in, struct slice word);

#endif
