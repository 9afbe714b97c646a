#ifndef GW_ZONE_NUMBER
#error "form.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_FORM_H
#define KEYS_STAFF_FORM_H

/* The bodies of the routes of staff. Sans I/O. Texts borrow from the arena's JSON. Errors: those of json_in_object(), or FIELD with *ret_report. */

#include "gateway/check/field.h"
#include "keys/staff/password.h"

struct nz_login_ask { struct slice id, password, totp; /* totp: SLICE_NONE when absent */ };
ERR nz_login_ask_read(struct slice body, struct arena *a, struct nz_login_ask *ret_ask, struct field_report *ret_report);

struct nz_password_ask { struct slice password, fresh; };
ERR nz_password_ask_read(struct slice body, struct arena *a, struct nz_password_ask *ret_ask, struct field_report *ret_report);

/* One of the two: the password, for a secret; the code, which puts that secret to use. */
struct nz_totp_ask { struct slice password, code; /* SLICE_NONE: the other one */ };
ERR nz_totp_ask_read(struct slice body, struct arena *a, struct nz_totp_ask *ret_ask, struct field_report *ret_report);

/* What an administrator says of a user: rights only, never a password. */
struct nz_user_ask {
    struct slice shown;
    enum nz_role role;
    unsigned n_programs;
    struct slice program[NZ_USER_PROGRAMS_MAX];
    bool reveal, withdrawn, reset_password, reset_totp;
    ymd_t from, until;
};
/* known: says whether a word is a program of the register; "*" alone is always good. */
typedef bool nz_program_known_fn(void *arg, struct slice word);
ERR nz_user_ask_read(struct slice body, struct arena *a, nz_program_known_fn *known, void *arg, struct nz_user_ask *ret_ask, struct field_report *ret_report);
/* What was asked, put into the user; version and passwords are not touched. */
void nz_user_apply(struct nz_user *u, const struct nz_user_ask *ask);

enum { NZ_RESIDENT_KEY_MAX = 100, NZ_PURPOSE_MAX = 32 };
struct nz_reveal_ask { struct slice resident_key, purpose; };
ERR nz_reveal_ask_read(struct slice body, struct arena *a, struct nz_reveal_ask *ret_ask, struct field_report *ret_report);

#endif
