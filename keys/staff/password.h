#ifndef GW_ZONE_NUMBER
#error "password.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_PASSWORD_H
#define KEYS_STAFF_PASSWORD_H

/* Which passwords are taken, and what is kept of them. Sans I/O. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"
#include "keys/staff/user.h"

enum {
    NZ_PASSWORD_CHARS_MIN = 12, NZ_PASSWORD_BYTES_MAX = 128,
    NZ_ONE_TIME_CHARS = 24 /* five groups of four, and four hyphens */
};

/* Length, characters, commonness, and that it is not about the user. What was used before is not looked at. */
bool nz_password_ok(struct slice password, struct slice user_id);

/* Argon2id, 19 MiB, 2 passes, 1 lane. Takes a few tens of milliseconds and that much memory, which it wipes. CRYPTO, NOMEM. */
ERR nz_password_hash(struct slice password, const uint8_t salt[static NZ_SALT_BYTES], uint8_t out[static NZ_HASH_BYTES]);

/* A random one of 100 bits, for the first login, of characters that are not taken for each other. */
void nz_password_one_time(char out[static NZ_ONE_TIME_CHARS]);

#endif
