/* JWE compact, dir and A256GCM: tokens of a foreign implementation, and everything that must not open. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "gateway/jose/jwe.h"
#include "tests/unit/ring_files.h"

/* Made by python3-jwcrypto with the key 00 01 02 ... 1f. */
#define FOREIGN                                                                                                          \
    "eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIiwgImtpZCI6ICJrMSJ9..r3mBYigprZg7J8ay."                                    \
    "840vszhC5OP2fAWwHEscHfWOzNc9BkDOHOwAPOTiHCcVUVieY2qmFe2RSnOka3WNSRR-7-wwzgEMd3vpTNpstlrYwAGgtAFOOVRBSMXPWIOQMRLBXBX" \
    "cWiPC8qZ7v2aq6Nxcb2SgV8xHo6H4jMExDwqFrEarZnVujL90CWOk-LwTKjKk7rmC9GViK7QzXIGY26xfQqFPf8hwLJ78qdfOJxuWdA."           \
    "nPlg4uyNHJd2Hp3vMeWPUA"
/* The same text; header with typ, in another order. */
#define FOREIGN_TYP                                                                                                      \
    "eyJraWQiOiAiazEiLCAidHlwIjogIkpXVCIsICJlbmMiOiAiQTI1NkdDTSIsICJhbGciOiAiZGlyIn0.."                                  \
    "fqiRjzw03ocsGLAy."                                                                                                  \
    "KAUNsDrW2ehJQAcou5_oDVi5mMMokf8cvf3nyITI6pEwMKisK-6bsK9IGXRDpMfN4GA23vgfqGzL5cvEJRugW5TmhwsS3m-gvl37xXYHMFyfqogVooZ" \
    "qY1-4BeUZErOLxrGv9PvVEDBRHAXhhzVWOFMKIgvs8e_OccmPRVVau3WQx5F0HeDrFtHDs4AwAwkbXGB8m_RsgoYXMOBPNxdXikd65g."           \
    "MzqZMsieumzjKtyYTh4oZg"
#define FOREIGN_TEXT                                                                                       \
    "{\"pmh_key\":\"PMH-0001\",\"aud\":\"3310010012\",\"scope\":\"eligibility\",\"iat\":1795000000,"       \
    "\"exp\":1795003600,\"jti\":\"0123456789abcdef0123456789abcdef\",\"consent_id\":\"consent-1\"}"

#define HEADER "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}"

struct fixture {
    struct ring_files files;
    struct jwe_keys *keys;
    struct aead *k1, *k9; /* the key in the table, and one that is not */
};

static struct aead *aead_counting(uint8_t first)
{
    struct aead *a = NULL;
    struct secret *s = counting_key(first);
    assert_true(err_ok(aead_new(&a, s)));
    secret_free(s);
    return a;
}

static int setup(void **state)
{
    static struct fixture f;
    struct keyring *ring = NULL;
    json_in_setup();
    f.files = ring_files_make(RING_LINK);
    ring_files_add(&f.files, RING_LINK, KEY_LINK_JWE, "k1", 0);
    ring_files_add(&f.files, RING_LINK, KEY_LINK_JWE, "k2", 50);
    ring_files_add(&f.files, RING_LINK, KEY_TOKEN, "t1", 100);
    assert_true(err_ok(keyring_load(&ring, RING_LINK, f.files.ring, f.files.master)));
    assert_true(err_ok(jwe_keys_new(&f.keys, ring, KEY_LINK_JWE)));
    struct jwe_keys *none = NULL;
    assert_int_equal(jwe_keys_new(&none, ring, KEY_AUDIT_HANDLE).code, E_CONFIG);
    keyring_free(ring);
    f.k1 = aead_counting(0);
    f.k9 = aead_counting(200);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    jwe_keys_free(f->keys);
    aead_free(f->k1);
    aead_free(f->k9);
    ring_files_remove(&f->files);
    return 0;
}

static enum err_code open_code(struct fixture *f, struct slice token, const char *want)
{
    struct buf out;
    buf_init(&out, JWE_MAX);
    struct err e = jwe_open(f->keys, token, &out);
    if (err_ok(e) && want)
        assert_true(slice_eq(buf_slice(&out), slice_str(want)));
    if (!err_ok(e))
        assert_int_equal(out.n, 0);
    buf_done(&out);
    return e.code;
}

/* An authentic token under `key` with whatever header. */
static void forge(struct aead *key, const char *header, const char *text, struct buf *out)
{
    static const uint8_t IV[12] = { 1, 2, 3 };
    uint8_t cipher[512], tag[16];
    struct slice plain = slice_str(text);
    buf_reset(out);
    b64url_encode(slice_str(header), out);
    assert_true(err_ok(aead_seal_raw(key, ARR(IV), buf_slice(out), plain, cipher, tag)));
    buf_puts(out, "..");
    b64url_encode(ARR(IV), out);
    buf_putc(out, '.');
    b64url_encode(slice_of(cipher, plain.n), out);
    buf_putc(out, '.');
    b64url_encode(ARR(tag), out);
    assert_true(err_ok(buf_check(out)));
}

static void test_foreign(void **state)
{
    assert_int_equal(open_code(*state, LIT(FOREIGN), FOREIGN_TEXT), E_OK);
    assert_int_equal(open_code(*state, LIT(FOREIGN_TYP), FOREIGN_TEXT), E_OK);
}

static void test_round_trip(void **state)
{
    struct fixture *f = *state;
    static const char *const TEXTS[] = { "", "x", "ab", "abc", FOREIGN_TEXT };
    struct buf token;
    buf_init(&token, JWE_MAX);
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        buf_reset(&token);
        assert_true(err_ok(jwe_seal(f->keys, i % 2 ? LIT("k1") : LIT("k2"), slice_str(TEXTS[i]), &token)));
        assert_int_equal(open_code(f, buf_slice(&token), TEXTS[i]), E_OK);
    }
    forge(f->k1, HEADER, "made by hand", &token);
    assert_int_equal(open_code(f, buf_slice(&token), "made by hand"), E_OK);

    static const uint8_t BIG[JWE_MAX];
    buf_reset(&token);
    assert_int_equal(jwe_seal(f->keys, LIT("k3"), LIT("x"), &token).code, E_CONFIG);
    assert_int_equal(jwe_seal(f->keys, LIT("k1"), ARR(BIG), &token).code, E_FULL);
    assert_int_equal(token.n, 0);
    size_t most = 0; /* the longest text that we seal, we open */
    for (size_t n = 2900; n < 3100; n++) {
        buf_reset(&token);
        if (!err_ok(jwe_seal(f->keys, LIT("k1"), slice_of(BIG, n), &token)))
            break;
        most = n;
        assert_true(token.n <= JWE_MAX);
        assert_int_equal(open_code(f, buf_slice(&token), NULL), E_OK);
    }
    assert_in_range(most, 2950, 3098);
    buf_done(&token);
}

/* Every bit of every character: nothing else is the same token. */
static void test_bit_flips(void **state)
{
    char token[] = FOREIGN;
    for (size_t i = 0; i < sizeof token - 1; i++)
        for (int bit = 0; bit < 8; bit++) {
            token[i] = (char)(token[i] ^ 1 << bit);
            assert_int_equal(open_code(*state, slice_of(token, sizeof token - 1), NULL), E_NOTHING);
            token[i] = (char)(token[i] ^ 1 << bit);
        }
    for (size_t n = 0; n < sizeof token - 1; n++)
        assert_int_equal(open_code(*state, slice_of(token, n), NULL), E_NOTHING);
    assert_int_equal(open_code(*state, slice_of(token, sizeof token - 1), NULL), E_OK);
}

static void test_headers(void **state)
{
    static const struct { const char *name, *header; } BAD[] = {
        { "alg none", "{\"alg\":\"none\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}" },
        { "alg RSA-OAEP", "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}" },
        { "alg A256KW", "{\"alg\":\"A256KW\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}" },
        { "alg in capitals", "{\"alg\":\"DIR\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}" },
        { "enc A128GCM", "{\"alg\":\"dir\",\"enc\":\"A128GCM\",\"kid\":\"k1\"}" },
        { "enc A256CBC-HS512", "{\"alg\":\"dir\",\"enc\":\"A256CBC-HS512\",\"kid\":\"k1\"}" },
        { "zip", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\",\"zip\":\"DEF\"}" },
        { "crit", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\",\"crit\":[\"x\"]}" },
        { "crit for typ", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\",\"crit\":[\"typ\"]}" },
        { "jwk", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\",\"jwk\":{}}" },
        { "an extra member beside typ", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\",\"typ\":\"JWT\",\"cty\":\"JWT\"}" },
        { "typ not text", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\",\"typ\":1}" },
        { "kid unknown", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k3\"}" },
        { "kid of another use", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"t1\"}" },
        { "kid of another key", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k2\"}" },
        { "kid a path", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"../k1\"}" },
        { "kid longer by a NUL", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\\u0000\"}" },
        { "kid empty", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"\"}" },
        { "kid a number", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":1}" },
        { "no kid", "{\"alg\":\"dir\",\"enc\":\"A256GCM\"}" },
        { "no enc", "{\"alg\":\"dir\",\"kid\":\"k1\"}" },
        { "alg twice", "{\"alg\":\"none\",\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}" },
        { "kid twice, escaped", "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k9\",\"k\\u0069d\":\"k1\"}" },
        { "an array", "[\"dir\",\"A256GCM\",\"k1\"]" },
        { "not JSON", "alg=dir" },
        { "empty", "" },
        { "two values", HEADER HEADER },
        { "padded with space beyond the limit", HEADER
          "                                                                                                                    "
          "                                                                                                                    " },
    };
    struct fixture *f = *state;
    struct buf token;
    buf_init(&token, JWE_MAX);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        print_message("%s\n", BAD[i].name);
        forge(f->k1, BAD[i].header, "text", &token);
        assert_int_equal(open_code(f, buf_slice(&token), NULL), E_NOTHING);
    }
    forge(f->k9, HEADER, "text", &token); /* right header, wrong key */
    assert_int_equal(open_code(f, buf_slice(&token), NULL), E_NOTHING);
    buf_done(&token);
}

static void test_forms(void **state)
{
#define H "eyJhbGciOiAiZGlyIiwgImVuYyI6ICJBMjU2R0NNIiwgImtpZCI6ICJrMSJ9"
#define IV "r3mBYigprZg7J8ay"
#define TAG "nPlg4uyNHJd2Hp3vMeWPUA"
    static const struct { const char *name, *token; } BAD[] = {
        { "empty", "" },
        { "dots", "...." },
        { "four parts", H ".." IV "." TAG },
        { "six parts", FOREIGN "." },
        { "six parts, in front", "." FOREIGN },
        { "an encrypted key", H ".AAAA." IV ".AAAA." TAG },
        { "no IV", H "...AAAA." TAG },
        { "no text, wrong tag", H ".." IV ".." TAG },
        { "no tag", H ".." IV ".AAAA." },
        { "short IV", H "..r3mBYigprZg7J8.AAAA." TAG },
        { "long IV", H "..r3mBYigprZg7J8ayAA.AAAA." TAG },
        { "tag of 12 bytes", H ".." IV ".AAAA.nPlg4uyNHJd2Hp3v" },
        { "space in front", " " FOREIGN },
        { "newline behind", FOREIGN "\n" },
        { "padding", FOREIGN "==" },
        { "tail bits of the tag", H ".." IV ".AAAA.nPlg4uyNHJd2Hp3vMeWPUB" },
        { "JSON form", "{\"protected\":\"" H "\"}" },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        print_message("%s\n", BAD[i].name);
        assert_int_equal(open_code(*state, slice_str(BAD[i].token), NULL), E_NOTHING);
    }
    /* The last character of the tag carries 4 unused bits; only zeros are the canonical form. */
    char token[] = FOREIGN;
    for (char c = 'B'; c <= 'P'; c++) {
        token[sizeof token - 2] = c;
        assert_int_equal(open_code(*state, slice_of(token, sizeof token - 1), NULL), E_NOTHING);
    }
}

static void test_huge(void **state)
{
    enum { BIG = 1 << 20 };
    uint8_t *p = malloc(BIG);
    assert_non_null(p);
    memset(p, 'A', BIG);
    assert_int_equal(open_code(*state, slice_of(p, BIG), NULL), E_NOTHING);
    memset(p, '.', BIG);
    assert_int_equal(open_code(*state, slice_of(p, BIG), NULL), E_NOTHING);
    memcpy(p, FOREIGN, sizeof FOREIGN - 1);
    assert_int_equal(open_code(*state, slice_of(p, BIG), NULL), E_NOTHING);
    free(p);
}

static void test_output_full(void **state)
{
    struct fixture *f = *state;
    struct buf out;
    buf_init(&out, 8);
    assert_false(err_ok(jwe_open(f->keys, LIT(FOREIGN), &out)));
    assert_int_equal(out.n, 0);
    buf_done(&out);
}

/* A ring that has changed: what is on it opens, what is not does not, and a ring without any changes nothing. */
static void test_renew(void **state)
{
    struct fixture *f = *state;
    struct ring_files other = ring_files_make(RING_LINK), empty = ring_files_make(RING_LINK);
    struct keyring *ring = NULL;
    struct buf old;
    buf_init(&old, JWE_MAX);
    ring_files_add(&other, RING_LINK, KEY_LINK_JWE, "k2", 50);
    ring_files_add(&other, RING_LINK, KEY_LINK_JWE, "k3", 150);
    assert_true(err_ok(jwe_seal(f->keys, LIT("k2"), LIT("text"), &old)));
    assert_int_equal(jwe_keys_count(f->keys), 2);

    assert_true(err_ok(keyring_load(&ring, RING_LINK, empty.ring, empty.master)));
    assert_int_equal(jwe_keys_renew(f->keys, ring, KEY_LINK_JWE).code, E_CONFIG);
    keyring_free(ring);
    assert_int_equal(open_code(f, LIT(FOREIGN), FOREIGN_TEXT), E_OK);

    int fds[] = { open(other.ring, O_RDONLY), open(other.master, O_RDONLY) };
    assert_true(err_ok(keyring_load_fds(&ring, RING_LINK, fds[0], fds[1])));
    assert_true(err_ok(jwe_keys_renew(f->keys, ring, KEY_LINK_JWE)));
    keyring_free(ring);
    assert_int_equal(open_code(f, LIT(FOREIGN), NULL), E_NOTHING);
    assert_int_equal(open_code(f, buf_slice(&old), "text"), E_OK);
    assert_true(err_ok(jwe_seal(f->keys, LIT("k3"), LIT("x"), &old)));

    int wrong[] = { open(other.ring, O_RDONLY), open(empty.master, O_RDONLY) }, swapped[] = { open(other.master, O_RDONLY), open(other.ring, O_RDONLY) };
    assert_int_equal(keyring_load_fds(&ring, RING_LINK, wrong[0], wrong[1]).code, E_SEAL);
    assert_int_equal(keyring_load_fds(&ring, RING_LINK, swapped[0], swapped[1]).code, E_CONFIG);
    assert_int_equal(keyring_load_fds(&ring, RING_LINK, open("/dev/null", O_RDONLY), open("/dev/null", O_RDONLY)).code, E_CONFIG);
    buf_done(&old);
    ring_files_remove(&other);
    ring_files_remove(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_headers), cmocka_unit_test(test_forms),      cmocka_unit_test(test_huge),
        cmocka_unit_test(test_output_full), cmocka_unit_test(test_renew),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
