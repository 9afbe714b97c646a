#ifndef GW_ZONE_NUMBER
#error "user.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_USER_H
#define KEYS_STAFF_USER_H

/* A member of staff of a municipality (機関ユーザー), and the form in which redis-link keeps it, under the municipality's seal. Sans I/O. */

#include "gateway/base/buf.h"
#include "gateway/base/clock.h"

enum {
    NZ_USER_ID_MIN = 3, NZ_USER_ID_MAX = 32, NZ_USER_SHOWN_MAX = 192 /* bytes */, NZ_USER_SHOWN_CHARS = 64,
    NZ_USER_PROGRAMS_MAX = 8, NZ_PROGRAM_MAX = 32, NZ_PASSWORDS_KEPT = 5, NZ_SALT_BYTES = 16, NZ_HASH_BYTES = 32, NZ_TOTP_BYTES = 20,
    NZ_USER_MAX = 2048 /* bytes of the plain form */, NZ_USERS_MAX = 1000 /* of a municipality */
};

/* Numbers are part of the stored format. */
#define NZ_ROLES(X) X(VIEWER, 1, "viewer") X(OFFICER, 2, "officer") X(ADMIN, 3, "admin")
enum nz_role {
#define X(sym, number, word) NZ_ROLE_##sym = number,
    NZ_ROLES(X)
#undef X
    NZ_ROLE__MAX
};
const char *nz_role_word(enum nz_role role);
bool nz_role_parse(struct slice word, enum nz_role *ret_role);

enum nz_totp_state { NZ_TOTP_NONE, NZ_TOTP_PENDING /* a secret was given out, and no code of it was shown yet */, NZ_TOTP_ACTIVE, NZ_TOTP__MAX };

struct nz_password { uint8_t salt[NZ_SALT_BYTES], hash[NZ_HASH_BYTES]; };

struct nz_user {
    char id[NZ_USER_ID_MAX + 1];
    char shown[NZ_USER_SHOWN_MAX + 1];
    enum nz_role role;
    bool reveal;        /* 個人番号閲覧可能 */
    bool withdrawn;
    bool must_change;   /* the password, before anything else */
    unsigned n_programs;
    char program[NZ_USER_PROGRAMS_MAX][NZ_PROGRAM_MAX + 1]; /* words of the register of legal bases; one "*": all */
    ymd_t from, until;  /* both days included; 0: open */
    uint64_t version;   /* raised by every change that ends sessions */
    uint64_t made_ms, password_ms;
    uint8_t giver[16];  /* the user who gave the last one-time password, as in us:; zeros: the operator */
    unsigned n_passwords;
    struct nz_password password[NZ_PASSWORDS_KEPT]; /* the newest first */
    enum nz_totp_state totp;
    uint8_t secret[NZ_TOTP_BYTES];
    uint64_t step;      /* the last time step whose code was taken */
};

/* [a-z0-9_-], 3 to 32, fewer than 12 digits: it stands in the audit log and in addresses. */
bool nz_user_id_ok(struct slice id);
/* Well-formed UTF-8 of 1 to 64 characters; no controls, no characters that turn or hide text, fewer than 12 digits. */
bool nz_user_shown_ok(struct slice shown);

bool nz_user_in_charge(const struct nz_user *u, struct slice program); /* SLICE_NONE: of what belongs to no program everybody is */
bool nz_user_all_programs(const struct nz_user *u);
bool nz_user_covers(const struct nz_user *u, const struct nz_user *other); /* in charge of whatever the other one is */
bool nz_user_on(const struct nz_user *u, ymd_t today); /* not withdrawn, and within its days */
/* A new password in front; the oldest beyond NZ_PASSWORDS_KEPT goes. */
void nz_user_password_put(struct nz_user *u, const struct nz_password *fresh, uint64_t now_ms);

void nz_user_encode(const struct nz_user *u, struct buf *out);
ERR nz_user_decode(struct slice plain, struct nz_user *ret_u); /* SEAL; ret_u is written only on success */

/* ---- the session ---- */

struct nz_session {
    uint8_t user[16];         /* the name of the user, as in us: */
    uint8_t cert_sha256[32];
    uint64_t version;         /* of the user when it began */
    uint64_t opened_ms;
};
enum { NZ_SESSION_BYTES = 1 + 16 + 32 + 8 + 8 };
void nz_session_encode(const struct nz_session *s, struct buf *out);
ERR nz_session_decode(struct slice plain, struct nz_session *ret_s); /* SEAL */

#endif
