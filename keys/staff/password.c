#include "keys/staff/password.h"

#include <argon2.h>

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { MEMORY_KIB = 19456, PASSES = 2, LANES = 1, REPEATS_MIN = 5 /* different characters */ };

/* Lower case, digits that stand for letters turned back: what people make passwords of. A password that is one of these words, or some of them
 * one after the other with nothing else than digits and signs around, is common. */
static const char *const WORDS[] = {
#define X(word) word,
#include "keys/staff/common.def"
#undef X
};

/* The letter that a sign stands for. */
static uint8_t plain(uint8_t c)
{
    static const char FROM[] = "@4301!|5$7", TO[] = "aaeoiiisst";
    for (size_t i = 0; i < sizeof FROM - 1; i++)
        if (c == (uint8_t)FROM[i])
            return (uint8_t)TO[i];
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool is_sign(uint8_t c) { return c < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z'); }

/* How many bytes of s at the front are a common word; 0: none. folded: digits count as letters. */
static size_t word_at(struct slice s, bool folded)
{
    size_t best = 0;
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        struct slice w = slice_str(WORDS[i]);
        size_t k = 0;
        while (k < w.n && k < s.n && w.p[k] == (folded ? plain(s.p[k]) : s.p[k] >= 'A' && s.p[k] <= 'Z' ? s.p[k] - 'A' + 'a' : s.p[k]))
            k++;
        if (k == w.n && k > best)
            best = k;
    }
    return best;
}

/* Nothing but common words, digits and signs. */
static bool only_words(struct slice s, bool folded)
{
    while (s.n) {
        size_t n = word_at(s, folded);
        if (!n && is_sign(s.p[0]))
            n = 1;
        if (!n)
            return false;
        s = slice_of(s.p + n, s.n - n);
    }
    return true;
}

static unsigned different(struct slice s)
{
    bool seen[256] = { false };
    unsigned n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += !seen[s.p[i]];
        seen[s.p[i]] = true;
    }
    return n;
}

/* Every character follows the one before it in the code, up or down: abcdefghijkl. */
static bool is_run(struct slice s)
{
    bool up = true, down = true;
    for (size_t i = 1; i < s.n; i++) {
        up = up && s.p[i] == s.p[i - 1] + 1;
        down = down && s.p[i] + 1 == s.p[i - 1];
    }
    return up || down;
}

/* A shorter piece again and again. */
static bool is_repeat(struct slice s)
{
    for (size_t n = 1; n <= s.n / 2; n++)
        if (slice_eq(slice_of(s.p + n, s.n - n), slice_of(s.p, s.n - n)))
            return true;
    return false;
}

static bool has_id(struct slice s, struct slice id)
{
    for (size_t at = 0; at + id.n <= s.n; at++) {
        size_t k = 0;
        while (k < id.n && id.p[k] == (s.p[at + k] >= 'A' && s.p[at + k] <= 'Z' ? s.p[at + k] - 'A' + 'a' : s.p[at + k]))
            k++;
        if (k == id.n)
            return true;
    }
    return false;
}

static bool controls(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] == 0x7F)
            return true;
    return false;
}

bool nz_password_ok(struct slice p, struct slice id)
{
    if (p.n > NZ_PASSWORD_BYTES_MAX || !utf8_valid(p) || utf8_count(p) < NZ_PASSWORD_CHARS_MIN || controls(p) || all_digits(p))
        return false;
    if (different(p) < REPEATS_MIN || is_run(p) || is_repeat(p))
        return false;
    /* the id with some characters around is the id */
    if (id.n && has_id(p, id) && p.n - id.n < NZ_PASSWORD_CHARS_MIN)
        return false;
    return !only_words(p, false) && !only_words(p, true);
}

ERR nz_password_hash(struct slice password, const uint8_t salt[static NZ_SALT_BYTES], uint8_t out[static NZ_HASH_BYTES])
{
    int e = argon2id_hash_raw(PASSES, MEMORY_KIB, LANES, password.p, password.n, salt, NZ_SALT_BYTES, out, NZ_HASH_BYTES);
    return e == ARGON2_OK ? OK : e == ARGON2_MEMORY_ALLOCATION_ERROR ? FAIL(E_NOMEM) : FAIL(E_CRYPTO);
}

void nz_password_one_time(char out[static NZ_ONE_TIME_CHARS])
{
    static const char CHARS[] = "abcdefghijkmnpqrstuvwxyz23456789"; /* 32, without l, o, 0, 1 */
    uint8_t random[NZ_ONE_TIME_CHARS];
    rnd_bytes(random, sizeof random);
    for (size_t i = 0; i < NZ_ONE_TIME_CHARS; i++)
        out[i] = i % 5 == 4 ? '-' : CHARS[random[i] & 31];
    explicit_bzero(random, sizeof random);
}
