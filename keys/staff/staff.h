#ifndef GW_ZONE_NUMBER
#error "staff.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_STAFF_H
#define KEYS_STAFF_STAFF_H

/* Staff of a municipality (docs/staff.md): who has logged in, what he may, and the routes about users and the reveal of a number.
 *
 *   gate.c     every request of the municipal door passes: header Pmhgw-Staff -> session -> user -> permits.c -> the handler
 *   login.c    failure counted -> user read -> Argon2id on a thread -> judged -> session, audited, answered
 *   account.c  logout, password, second factor       users.c   list, put      reveal.c  one number of one resident
 *   sans I/O: user.c form.c permits.c password.c totp.c names.c */

#include "keys/intake/intake.h"
#include "keys/staff/names.h"
#include "keys/staff/permits.h"

struct nz_staff_zone;

ERR nz_staff_new(struct nz_staff_zone **ret_z, struct nz_intake *in);
void nz_staff_close(struct nz_staff_zone *z);
bool nz_staff_idle(const struct nz_staff_zone *z);
void nz_staff_free(struct nz_staff_zone *z); /* NULL is fine */

/* ---- the gate ---- */

/* Who has logged in; lives in the request's arena. */
struct nz_who {
    struct nz_user user;
    struct nz_user_name name;
    struct store_name ss;
    struct nz_session session;
    struct slice sealed;          /* the user as it was read */
    char muni[6];
};

/* Runs `then` when the caller may; otherwise it answers STAFF, FORBIDDEN, PASSWORD_DUE, TOTP_DUE ... Uses req_set_data(). */
void nz_staff_enter(struct req *r, handler_fn *then);
/* NULL: no member of staff has logged in (the system calls by itself). For requests that came through the gate. */
const struct nz_who *nz_staff_of(const struct req *r);

/* Inside a handler: what the gate has said about an operation that is not the route's own. *ret_who may become NULL (a system). */
ERR nz_staff_check(const struct req *r, struct slice operation, const struct nz_who **ret_who);
/* The caller may see tasks whose rows are of this form: a system sees all, a member of staff those of the programs in its charge. */
bool nz_staff_sees(const struct req *r, enum nz_form form);
bool nz_staff_sees_all(const struct req *r);
/* In an audit record: on whose behalf. */
void nz_staff_note(struct audit_rec *rec, const struct req *r);

/* ---- is who was let in still let in? For answers that last ---- */

struct nz_still { /* of one stream; nothing in it belongs to the request */
    struct nz_intake *in;
    bool there;              /* a member of staff has logged in; a system calls by itself otherwise, and is judged by its certificate */
    const struct nz_permit *permit;
    struct slice program;
    uint8_t cert_sha256[32];
    struct nz_who who;
    void (*fn)(void *arg, bool still);
    void *arg;
};
/* In a handler, behind the gate. */
void nz_still_begin(struct nz_still *s, const struct req *r);
/* Reads session and user again and judges as the gate does, without keeping the session alive. false: there is nobody to ask about, or no memory.
 * Otherwise fn once, from the loop; until then s stays where it is. still: also when the store is away, where no end of a session can be told either. */
bool nz_still_ask(struct nz_still *s, void (*fn)(void *arg, bool still), void *arg);

/* ---- a release of many rows needs two ---- */

/* The order is known by its bytes. fn once, now or later: OK when no second officer is needed (what one releases alone is counted over a day) or another one has
 * asked for the same within the hour (which is used up then); APPROVAL: kept, another has to ask; STAFF: nobody has logged in.
 * Who asked first counts only while he is on and his user was not changed; one who gave the other one a password is not another. */
typedef void nz_approved_fn(void *arg, struct err e);
void nz_staff_approve(struct req *r, struct slice order, uint64_t rows, nz_approved_fn *fn, void *arg);

handler_fn nz_staff_login, nz_staff_logout, nz_staff_password, nz_staff_totp, nz_staff_list, nz_staff_put, nz_staff_reveal;

#endif
