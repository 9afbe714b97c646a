#ifndef GW_ZONE_NUMBER
#error "totp.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_TOTP_H
#define KEYS_STAFF_TOTP_H

/* Codes of a second factor (= RFC 6238): HMAC-SHA-1, 30 s, 6 digits. Sans I/O. */

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

enum { NZ_TOTP_STEP_S = 30, NZ_TOTP_DIGITS = 6 };

/* The code of a time step. secret: 20 bytes. CRYPTO. */
ERR nz_totp_code(struct slice secret, uint64_t step, char out[static NZ_TOTP_DIGITS]);
/* The code is that of the step of this second, or of the one before or behind it, and that step is later than `last`: a code works once.
 * Looks at all three whatever it finds. false also when the code cannot be computed. */
bool nz_totp_check(struct slice secret, struct slice code, uint64_t now_s, uint64_t last, uint64_t *ret_step);
/* otpauth://totp/..., for a QR code: secret in base32, issuer "pmhgw <muni>". */
void nz_totp_uri(struct slice secret, struct slice muni, struct slice user, struct buf *out);
void nz_base32(struct slice s, struct buf *out); /* RFC 4648 without padding */

#endif
