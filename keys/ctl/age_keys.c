/* Keys as text: Bech32 (BIP 173) with the prefixes of age. */

#include <openssl/evp.h>
#include <string.h>
#include <strings.h>

#include "gateway/base/wipe.h"
#include "keys/ctl/age.h"

enum { GROUPS = 52 /* 32 bytes in fives of bits */, SUM = 6, LINE_MAX_BYTES = 512 };

static const char LETTERS[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t polymod(uint32_t sum, uint8_t v)
{
    static const uint32_t G[] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
    uint8_t top = (uint8_t)(sum >> 25);
    sum = (sum & 0x1ffffff) << 5 ^ v;
    for (int i = 0; i < 5; i++)
        sum ^= top >> i & 1 ? G[i] : 0;
    return sum;
}

static uint32_t sum_of(const char *prefix, const uint8_t *v, size_t n)
{
    uint32_t sum = 1;
    for (const char *p = prefix; *p; p++)
        sum = polymod(sum, (uint8_t)*p >> 5);
    sum = polymod(sum, 0);
    for (const char *p = prefix; *p; p++)
        sum = polymod(sum, (uint8_t)*p & 31);
    for (size_t i = 0; i < n; i++)
        sum = polymod(sum, v[i]);
    return sum;
}

static void text_of(const char *prefix, const uint8_t key[static AGE_KEY], char out[static AGE_TEXT_MAX])
{
    uint8_t v[GROUPS + SUM] = { 0 };
    unsigned bits = 0, held = 0;
    size_t n = 0, at = strlen(prefix);
    for (size_t i = 0; i < AGE_KEY; i++) {
        held = (held << 8 | key[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5)
            v[n++] = (uint8_t)(held >> (bits - 5) & 31);
    }
    if (bits)
        v[n++] = (uint8_t)(held << (5 - bits) & 31);
    uint32_t sum = sum_of(prefix, v, n + SUM) ^ 1;
    for (int i = 0; i < SUM; i++)
        v[n + (size_t)i] = (uint8_t)(sum >> 5 * (5 - i) & 31);
    memcpy(out, prefix, at);
    out[at++] = '1';
    for (size_t i = 0; i < n + SUM; i++)
        out[at++] = LETTERS[v[i]];
    out[at] = '\0';
    explicit_bzero(v, sizeof v);
}

static bool key_of(const char *prefix, struct slice text, uint8_t ret_key[static AGE_KEY])
{
    uint8_t v[GROUPS + SUM], key[AGE_KEY + 1];
    size_t at = strlen(prefix) + 1, n = 0;
    unsigned bits = 0, held = 0;
    if (text.n != at + GROUPS + SUM || !slice_eq(slice_of(text.p, at - 1), slice_str(prefix)) || text.p[at - 1] != '1')
        return false;
    for (size_t i = 0; i < GROUPS + SUM; i++) {
        const char *l = text.p[at + i] ? strchr(LETTERS, text.p[at + i]) : NULL;
        if (!l)
            return false;
        v[i] = (uint8_t)(l - LETTERS);
    }
    if (sum_of(prefix, v, sizeof v) != 1)
        return false;
    for (size_t i = 0; i < GROUPS; i++) {
        held = (held << 5 | v[i]) & 0xfff;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            key[n++] = (uint8_t)(held >> bits);
        }
    }
    bool good = n == AGE_KEY && (held & ((1u << bits) - 1)) == 0;
    if (good)
        memcpy(ret_key, key, AGE_KEY);
    explicit_bzero(key, sizeof key);
    explicit_bzero(v, sizeof v);
    return good;
}

ERR age_key_new(char ret_identity[static AGE_TEXT_MAX], char ret_recipient[static AGE_TEXT_MAX])
{
    uint8_t private[AGE_KEY], public[AGE_KEY];
    size_t n = AGE_KEY;
    rnd_bytes(private, sizeof private);
    EVP_PKEY *k = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, sizeof private);
    bool good = k && EVP_PKEY_get_raw_public_key(k, public, &n) == 1 && n == AGE_KEY;
    EVP_PKEY_free(k);
    if (good) {
        text_of("age-secret-key-", private, ret_identity);
        for (char *p = ret_identity; *p; p++)
            *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
        text_of("age", public, ret_recipient);
    }
    explicit_bzero(private, sizeof private);
    return good ? OK : FAIL(E_CRYPTO);
}

/* The first line that is no comment. */
static bool line_of(struct slice text, char ret_line[static LINE_MAX_BYTES])
{
    for (bool more = true; more;) {
        struct slice line = text;
        more = slice_cut(text, '\n', &line, &text);
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        if (!line.n || line.p[0] == '#')
            continue;
        if (line.n >= LINE_MAX_BYTES)
            return false;
        memcpy(ret_line, line.p, line.n);
        ret_line[line.n] = '\0';
        return true;
    }
    return false;
}

bool age_recipient_read(struct slice text, struct age_who *ret_w)
{
    char line[LINE_MAX_BYTES];
    *ret_w = (struct age_who){ .by_passphrase = false };
    return line_of(text, line) && key_of("age", slice_str(line), ret_w->key);
}

bool age_identity_read(struct slice text, struct age_who *ret_w)
{
    char line[LINE_MAX_BYTES] = "";
    *ret_w = (struct age_who){ .by_passphrase = false };
    bool good = line_of(text, line) && strncmp(line, "AGE-SECRET-KEY-", 15) == 0;
    for (char *p = line; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    good = good && key_of("age-secret-key-", slice_str(line), ret_w->key);
    explicit_bzero(line, sizeof line);
    return good;
}

bool age_passphrase_read(struct slice text, struct age_who *ret_w)
{
    struct slice line = text, rest;
    *ret_w = (struct age_who){ .by_passphrase = true };
    (void)slice_cut(text, '\n', &line, &rest);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n < AGE_PASSPHRASE_MIN || line.n >= sizeof ret_w->passphrase || memchr(line.p, 0, line.n))
        return false;
    memcpy(ret_w->passphrase, line.p, line.n);
    return true;
}

void age_who_wipe(struct age_who *w) { explicit_bzero(w, sizeof *w); }
