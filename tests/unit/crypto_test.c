/* AES-256-GCM against NIST vectors, HMAC-SHA-256 against RFC 4231, and what must not open. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "gateway/crypto/crypto.h"
#include "gateway/base/text.h"

static struct slice unhex(const char *s, uint8_t *out, size_t cap)
{
    size_t n = strlen(s) / 2;
    assert_true(n <= cap);
    assert_true(hex_decode(slice_str(s), out, n));
    return slice_of(out, n);
}

static struct aead *aead_hex(const char *key)
{
    uint8_t k[64];
    struct secret *s = NULL;
    struct aead *a = NULL;
    assert_true(err_ok(secret_new(&s, unhex(key, k, sizeof k))));
    assert_true(err_ok(aead_new(&a, s)));
    secret_free(s);
    return a;
}

/* = McGrew, Viega: The Galois/Counter Mode of Operation, test cases 13-16 (the AES-256 ones with a 96-bit IV) */
static const struct gcm_case {
    const char *name, *key, *iv, *ad, *plain, *cipher, *tag;
} GCM[] = {
    { "13: nothing", "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "", "", "",
      "530f8afbc74536b9a963b4f1c4cb738b" },
    { "14: one block", "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000", "",
      "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
    { "15: four blocks", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
      "b094dac5d93471bdec1a502270e3cc6c" },
    { "16: with associated data", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
      "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
      "76fc6ece0f4e1768cddf8853bb2d551b" },
};

static void test_gcm_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof GCM / sizeof GCM[0]; i++) {
        const struct gcm_case *c = &GCM[i];
        uint8_t iv[12], ad[64], plain[64], cipher[64], tag[16], out[65], got_tag[16];
        struct aead *a = aead_hex(c->key);
        struct slice siv = unhex(c->iv, iv, 12), sad = unhex(c->ad, ad, 64), sp = unhex(c->plain, plain, 64);
        struct slice sc = unhex(c->cipher, cipher, 64), st = unhex(c->tag, tag, 16);
        print_message("%s\n", c->name);
        for (int again = 0; again < 2; again++) { /* the kept context starts afresh */
            assert_true(err_ok(aead_seal_raw(a, siv, sad, sp, out, got_tag)));
            assert_memory_equal(out, cipher, sc.n);
            assert_memory_equal(got_tag, tag, 16);
            assert_true(err_ok(aead_open_raw(a, siv, sad, sc, st, out)));
            assert_memory_equal(out, plain, sp.n);
        }
        tag[15] ^= 1;
        assert_int_equal(aead_open_raw(a, siv, sad, sc, st, out).code, E_SEAL);
        for (size_t k = 0; k < sc.n; k++)
            assert_int_equal(out[k], 0); /* nothing that did not authenticate is left */
        aead_free(a);
    }
}

static void test_raw_sizes(void **state)
{
    (void)state;
    struct aead *a = aead_hex(GCM[0].key);
    uint8_t b[32] = { 0 }, out[32];
    assert_int_equal(aead_open_raw(a, slice_of(b, 11), SLICE_NONE, slice_of(b, 4), slice_of(b, 16), out).code, E_SEAL);
    assert_int_equal(aead_open_raw(a, slice_of(b, 13), SLICE_NONE, slice_of(b, 4), slice_of(b, 16), out).code, E_SEAL);
    assert_int_equal(aead_open_raw(a, slice_of(b, 12), SLICE_NONE, slice_of(b, 4), slice_of(b, 12), out).code, E_SEAL);
    assert_int_equal(aead_seal_raw(a, slice_of(b, 16), SLICE_NONE, slice_of(b, 4), out, b).code, E_CRYPTO);
    aead_free(a);

    struct secret *short_key = NULL;
    assert_true(err_ok(secret_random(&short_key, 16)));
    assert_int_equal(aead_new(&a, short_key).code, E_CRYPTO);
    secret_free(short_key);
}

static void test_sealed_form(void **state)
{
    (void)state;
    struct aead *a = aead_hex(GCM[0].key), *other = aead_hex(GCM[2].key);
    struct buf sealed, plain;
    buf_init(&sealed, 256);
    buf_init(&plain, 256);
    struct slice text = LIT("a stored value"), ad = LIT("name of its place");
    assert_true(err_ok(aead_seal(a, ad, text, &sealed)));
    assert_int_equal(sealed.n, text.n + AEAD_OVERHEAD);
    assert_int_equal(sealed.p[0], 1);
    assert_true(err_ok(aead_open(a, ad, buf_slice(&sealed), &plain)));
    assert_true(slice_eq(buf_slice(&plain), text));
    buf_reset(&plain);

    assert_int_equal(aead_open(a, LIT("name of another"), buf_slice(&sealed), &plain).code, E_SEAL); /* a moved value */
    assert_int_equal(aead_open(other, ad, buf_slice(&sealed), &plain).code, E_SEAL);
    for (size_t i = 0; i < sealed.n * 8; i++) { /* every bit counts, the version's too */
        sealed.p[i / 8] ^= (uint8_t)(1u << i % 8);
        assert_int_equal(aead_open(a, ad, buf_slice(&sealed), &plain).code, E_SEAL);
        sealed.p[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_int_equal(aead_open(a, ad, slice_of(sealed.p, n), &plain).code, E_SEAL);
    assert_int_equal(plain.n, 0);
    assert_true(err_ok(aead_open(a, ad, buf_slice(&sealed), &plain)));

    struct buf tiny;
    buf_init(&tiny, 8);
    assert_false(err_ok(aead_seal(a, ad, text, &tiny)));
    buf_done(&tiny);
    buf_init(&tiny, 8);
    assert_false(err_ok(aead_open(a, ad, buf_slice(&sealed), &tiny)));
    buf_done(&tiny);
    buf_done(&sealed);
    buf_done(&plain);
    aead_free(a);
    aead_free(other);
}

static void test_empty_text(void **state)
{
    (void)state;
    struct aead *a = aead_hex(GCM[0].key);
    struct buf sealed, plain;
    buf_init(&sealed, 64);
    buf_init(&plain, 64);
    assert_true(err_ok(aead_seal(a, SLICE_NONE, SLICE_NONE, &sealed)));
    assert_int_equal(sealed.n, AEAD_OVERHEAD);
    assert_true(err_ok(aead_open(a, SLICE_NONE, buf_slice(&sealed), &plain)));
    assert_int_equal(plain.n, 0);
    sealed.p[sealed.n - 1] ^= 1;
    assert_int_equal(aead_open(a, SLICE_NONE, buf_slice(&sealed), &plain).code, E_SEAL);
    buf_done(&sealed);
    buf_done(&plain);
    aead_free(a);
}

static int nonce_order(const void *a, const void *b) { return memcmp(a, b, AEAD_NONCE); }

/* Over several blocks, and across fork: the child must not repeat what the parent uses. */
static void test_nonces_never_repeat(void **state)
{
    enum { EACH = 600 };
    static uint8_t seen[2 * EACH][AEAD_NONCE];
    (void)state;
    struct aead *a = aead_hex(GCM[0].key);
    struct buf b;
    int pipe_fd[2];
    buf_init(&b, 64);
    assert_true(err_ok(aead_seal(a, SLICE_NONE, SLICE_NONE, &b))); /* the block is filled before fork */
    buf_reset(&b);
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    for (int i = 0; i < EACH; i++) {
        if (!err_ok(aead_seal(a, SLICE_NONE, SLICE_NONE, &b)))
            _exit(1);
        memcpy(seen[i], b.p + 1, AEAD_NONCE);
        buf_reset(&b);
    }
    if (child == 0)
        _exit(write(pipe_fd[1], seen, EACH * AEAD_NONCE) == EACH * AEAD_NONCE ? 0 : 1);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = EACH; i < 2 * EACH; i++)
        assert_int_equal(read(pipe_fd[0], seen[i], AEAD_NONCE), AEAD_NONCE);
    qsort(seen, 2 * EACH, AEAD_NONCE, nonce_order);
    for (size_t i = 1; i < 2 * EACH; i++)
        assert_memory_not_equal(seen[i - 1], seen[i], AEAD_NONCE);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    buf_done(&b);
    aead_free(a);
}

/* A sum is HMAC-SHA-256 over be32(length) | part for each part. The sums were made with another implementation
 * (hmac of Python), with keys and data of RFC 4231. */
static const struct mac_case {
    const char *name, *key, *part1, *part2, *sum;
} MACS[] = {
    { "RFC 4231 case 1 key and data", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265", NULL,
      "9f9434ff5fba252b4b6d8cd08ea7901067fd90471fb57ad05f0e7d1e7886fb31" },
    { "RFC 4231 case 2 key and data", "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f", NULL,
      "6298cecdfbe401fe7a2c98963b8fc9fce1d110839f3a1ac4f873523359f55750" },
    { "two parts", "4a656665", "333331303037", "393833323035363733323134", "c43bcba08ffb02e7cf2a0627a1b90097626a2cdaf95cfa3cbe36b4c5e1de27b2" },
    { "the same bytes, cut elsewhere", "4a656665", "3333313030373938", "33323035363733323134", "bb039ab2648adc0d809a7e7c0d9e1c7e3de129df001d30cf05818430f863ae4e" },
};

static void test_mac(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof MACS / sizeof MACS[0]; i++) {
        const struct mac_case *c = &MACS[i];
        uint8_t key[64], p1[64], p2[64], want[32], got[32];
        struct slice parts[2] = { unhex(c->part1, p1, 64), c->part2 ? unhex(c->part2, p2, 64) : SLICE_NONE };
        struct secret *s = NULL;
        struct mac *m = NULL;
        assert_true(err_ok(secret_new(&s, unhex(c->key, key, 64))));
        assert_true(err_ok(mac_new(&m, s)));
        secret_free(s);
        unhex(c->sum, want, 32);
        print_message("%s\n", c->name);
        for (int again = 0; again < 3; again++) { /* the kept context starts afresh, with its key */
            assert_true(err_ok(mac_sum(m, c->part2 ? 2 : 1, parts, got)));
            assert_memory_equal(got, want, 32);
        }
        mac_free(m);
    }
}

/* Against the library's own HMAC, with parts around the sizes at which they are gathered, and around each other. */
static void test_mac_of_any_length(void **state)
{
    (void)state;
    static const size_t SIZES[] = { 0, 1, 3, 4, 59, 60, 61, 63, 64, 65, 119, 120, 124, 125, 127, 128, 129, 200, 500 };
    enum { N = sizeof SIZES / sizeof SIZES[0], MOST = 2 * (4 + 500) };
    static const uint8_t KEY[] = "a key of some other size";
    uint8_t part[500], text[MOST], want[32], got[32];
    struct secret *s = NULL;
    struct mac *m = NULL;
    for (size_t i = 0; i < sizeof part; i++)
        part[i] = (uint8_t)(i * 7 + 1);
    assert_true(err_ok(secret_new(&s, ARR(KEY))));
    assert_true(err_ok(mac_new(&m, s)));
    for (size_t i = 0; i < N * N; i++) {
        const size_t size[2] = { SIZES[i / N], SIZES[i % N] };
        size_t n = 0;
        for (int k = 0; k < 2; k++) {
            memset(text + n, 0, 2);
            text[n + 2] = (uint8_t)(size[k] >> 8);
            text[n + 3] = (uint8_t)size[k];
            memcpy(text + n + 4, part, size[k]);
            n += 4 + size[k];
        }
        assert_non_null(HMAC(EVP_sha256(), KEY, sizeof KEY, text, n, want, NULL));
        assert_true(err_ok(MAC_SUM(m, got, slice_of(part, size[0]), slice_of(part, size[1]))));
        assert_memory_equal(got, want, 32);
    }
    mac_free(m);
    secret_free(s);
}

/* = FIPS 180-4, examples */
static void test_sha256(void **state)
{
    (void)state;
    uint8_t got[32], want[32];
    unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", want, 32);
    assert_true(err_ok(sha256(3, (struct slice[]){ LIT("a"), SLICE_NONE, LIT("bc") }, got)));
    assert_memory_equal(got, want, 32);
    unhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", want, 32);
    assert_true(err_ok(sha256(0, NULL, got)));
    assert_memory_equal(got, want, 32);
}

static void a_permutation_leads_there_and_back(void **state)
{
    (void)state;
    struct secret *key, *other = NULL, *small = NULL;
    struct prp *p, *q = NULL;
    uint8_t in[PRP_BLOCK] = "sixteen bytes 16", there[PRP_BLOCK], by_other[PRP_BLOCK], back[PRP_BLOCK];
    assert_true(err_ok(secret_random(&key, PRP_KEY)) && err_ok(secret_random(&other, PRP_KEY)) && err_ok(secret_random(&small, 16)));
    assert_true(err_ok(prp_new(&p, key)) && err_ok(prp_new(&q, other)));
    assert_true(err_ok(prp_there(p, in, there)) && err_ok(prp_there(q, in, by_other)) && err_ok(prp_back(p, there, back)));
    assert_memory_equal(in, back, sizeof in);
    assert_memory_not_equal(in, there, sizeof in);
    assert_memory_not_equal(there, by_other, sizeof there);
    prp_free(q);
    assert_true(err_is(prp_new(&q, small), E_CONFIG));
    prp_free(p);
    secret_free(key);
    secret_free(other);
    secret_free(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gcm_vectors), cmocka_unit_test(test_raw_sizes), cmocka_unit_test(test_sealed_form),
        cmocka_unit_test(test_empty_text),  cmocka_unit_test(test_nonces_never_repeat),
        cmocka_unit_test(test_mac), cmocka_unit_test(test_mac_of_any_length),        cmocka_unit_test(test_sha256),
        cmocka_unit_test(a_permutation_leads_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
