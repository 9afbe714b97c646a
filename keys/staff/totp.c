#include "keys/staff/totp.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

ERR nz_totp_code(struct slice secret, uint64_t step, char out[static NZ_TOTP_DIGITS])
{
    uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    for (int i = 0; i < 8; i++)
        counter[i] = (uint8_t)(step >> (56 - 8 * i));
    if (!HMAC(EVP_sha1(), secret.p, (int)secret.n, counter, sizeof counter, mac, &n) || n != 20)
        return FAIL(E_CRYPTO);
    /* = RFC 4226 §5.3 */
    const uint8_t *at = mac + (mac[19] & 15);
    uint32_t v = ((uint32_t)(at[0] & 0x7F) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]) % 1000000;
    for (int i = NZ_TOTP_DIGITS - 1; i >= 0; i--, v /= 10)
        out[i] = (char)('0' + v % 10);
    OPENSSL_cleanse(mac, sizeof mac);
    return OK;
}

bool nz_totp_check(struct slice secret, struct slice code, uint64_t now_s, uint64_t last, uint64_t *ret_step)
{
    bool good = false;
    uint64_t now = now_s / NZ_TOTP_STEP_S;
    for (uint64_t step = now ? now - 1 : 0; step <= now + 1; step++) {
        char want[NZ_TOTP_DIGITS];
        if (!err_ok(nz_totp_code(secret, step, want)))
            return false;
        if (secret_equal(ARR(want), code) && step > last) {
            good = true;
            *ret_step = step;
        }
    }
    return good;
}

void nz_base32(struct slice s, struct buf *out)
{
    static const char CHARS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t have = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < s.n; i++) {
        have = (have << 8 | s.p[i]) & 0xFFFF;
        for (bits += 8; bits >= 5; bits -= 5)
            buf_putc(out, (uint8_t)CHARS[have >> (bits - 5) & 31]);
    }
    if (bits)
        buf_putc(out, (uint8_t)CHARS[have << (5 - bits) & 31]);
}

void nz_totp_uri(struct slice secret, struct slice muni, struct slice user, struct buf *out)
{
    buf_puts(out, "otpauth://totp/pmhgw%20");
    buf_put(out, muni);
    buf_putc(out, ':');
    buf_put(out, user);
    buf_puts(out, "?secret=");
    nz_base32(secret, out);
    buf_puts(out, "&issuer=pmhgw%20");
    buf_put(out, muni);
    buf_puts(out, "&algorithm=SHA1&digits=6&period=30");
}
