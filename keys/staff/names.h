#ifndef GW_ZONE_NUMBER
#error "names.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_NAMES_H
#define KEYS_STAFF_NAMES_H

/* Names of staff in redis-link. hex is of the 16 bytes of a MAC; no id of a user stands in a name.
 *
 *   us:<muni>              HASH    hex of a user -> sealed user (user.h). Users are withdrawn and never removed
 *   ss:<hex of a token>    HASH    u: hex of the user, v: sealed session; expires when it was not used
 *   sf:<muni>:<hex>        HASH    n: failed logins under this id from sources that are not known, together; until: wall ms until which none of them is
 *                                  looked at; expires a day after the last. Kept for ids that nobody has, too
 *   sf:<muni>:<hex>:k      HASH    known sources (a certificate at an address) of a user: <hex>: wall ms of the last right login, n:<hex>, until:<hex>,
 *                                  at:<hex>: its own failures, when the last one was; expires 90 days after the last login
 *   sr:<muni>:<hex>:<day>  STRING  numbers that the user had revealed on that day in Japan; expires
 *   sr:<muni>:<hex>:<day>:r  STRING  held rows that the officer has released alone on that day (zeros: systems without a session); expires
 *   sa:<muni>:<hex>        STRING  sealed: who has asked for a release that needs two, and the version of that user; expires after an hour
 *   ss:since               STRING  wall ms: sessions that were opened before have ended (`pmhgw reconcile`) */

#include "gateway/store/store.h"

struct nz_user_name {
    uint8_t handle[STORE_HANDLE_BYTES]; /* ref of the audit log */
    char hex[2 * STORE_HANDLE_BYTES];   /* field of us: */
    struct store_name us, sf, sk /* sf:...:k */;
};
ERR nz_user_name_of(struct store *s, const char muni[static 6], struct slice id, struct nz_user_name *ret_n);
void nz_user_name_from(const char muni[static 6], const uint8_t handle[static STORE_HANDLE_BYTES], struct nz_user_name *ret_n);
ERR nz_session_name(struct store *s, struct slice token, struct store_name *ret_k);
#define NZ_SESSIONS_SINCE LIT("ss:since")
void nz_reveals_name(const char muni[static 6], const struct nz_user_name *n, ymd_t day, struct store_name *ret_k);
void nz_released_name(const char muni[static 6], const struct nz_user_name *n, ymd_t day, struct store_name *ret_k);
ERR nz_approval_name(struct store *s, const char muni[static 6], struct slice order, struct store_name *ret_k);

#endif
