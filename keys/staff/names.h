#ifndef GW_ZONE_NUMBER
#error "names.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_NAMES_H
#define KEYS_STAFF_NAMES_H

/* Names of staff in redis-link. hex is of the 16 bytes of a MAC; no id of a user stands in a name.
 *
 *   us:<muni>              HASH    hex of a user -> sealed user (user.h). Users are withdrawn and never removed
 *   ss:<hex of a token>    HASH    u: hex of the user, v: sealed session; expires when it was not used
 *   sf:<muni>:<hex>        HASH    n: failed logins under this id, until: wall ms until which none is looked at; expires a day after the last.
 *                                  Kept for ids that nobody has, too
 *   sr:<muni>:<hex>:<day>  STRING  numbers that the user had revealed on that day in Japan; expires
 *   sa:<muni>:<hex>        STRING  hex of the officer who has asked for a release that needs two; expires after an hour */

#include "gateway/store/store.h"

struct nz_user_name {
    uint8_t handle[STORE_HANDLE_BYTES]; /* ref of the audit log */
    char hex[2 * STORE_HANDLE_BYTES];   /* field of us: */
    struct store_name us, sf;
};
ERR nz_user_name_of(struct store *s, const char muni[static 6], struct slice id, struct nz_user_name *ret_n);
void nz_user_name_from(const char muni[static 6], const uint8_t handle[static STORE_HANDLE_BYTES], struct nz_user_name *ret_n);
ERR nz_session_name(struct store *s, struct slice token, struct store_name *ret_k);
void nz_reveals_name(const char muni[static 6], const struct nz_user_name *n, ymd_t day, struct store_name *ret_k);
ERR nz_approval_name(struct store *s, const char muni[static 6], struct slice order, struct store_name *ret_k);

#endif
