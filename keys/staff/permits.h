#ifndef GW_ZONE_NUMBER
#error "permits.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_PERMITS_H
#define KEYS_STAFF_PERMITS_H

/* Which member of staff may call what: one row an operation of the municipal door. Sans I/O. */

#include "keys/staff/user.h"

enum nz_need {
    NZ_NEED_NONE,    /* no member of staff is asked for or looked at: a session that comes along is not read */
    NZ_NEED_SYSTEM,  /* the system may call it by itself; who has logged in needs the right */
    NZ_NEED_ORDER,   /* the same, but where `staff_required` is set only a member of staff may */
    NZ_NEED_STAFF    /* only a member of staff may */
};

struct nz_permit {
    const char *operation;
    enum nz_need need;
    unsigned roles;      /* 1 << enum nz_role */
    bool unproven;       /* also before a second factor is enrolled that is required */
    bool unchanged;      /* also before a password is changed that must be */
    bool reveal;         /* 個人番号閲覧可能 */
    bool all;            /* only who is in charge of all programs: it tells or takes what belongs to each */
};

/* NULL: not in the table; no member of staff may call it, and systems only where staff is not required. */
const struct nz_permit *nz_permit_of(struct slice operation);
size_t nz_permits(void);
const struct nz_permit *nz_permit_at(size_t i);

/* What stands in the way of a user who is on: OK, FORBIDDEN, PASSWORD_DUE, TOTP_DUE. program: of the operation, SLICE_NONE when it has none. */
struct nz_demands { bool totp_required; uint64_t password_ms /* 0: never */, now_ms; };
bool nz_password_due(const struct nz_user *u, const struct nz_demands *d);
ERR nz_permit_judge(const struct nz_permit *p, const struct nz_user *u, struct slice program, const struct nz_demands *d);

#endif
