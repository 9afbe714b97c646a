#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/base/secret.h"
#include "keys/ctl/patterns.h"

static const char *const MUNIS[] = { "331007", "271403" };
static const char NUMBERS[] = "123456789018"
                              "983205673214"
                              "000000000000";
enum { N = 3 };

struct hits { size_t n, at, kind, number; };

static void on_hit(void *arg, size_t at, size_t kind, size_t number)
{
    *(struct hits *)arg = (struct hits){ ((struct hits *)arg)->n + 1, at, kind, number };
}

static struct nz_search *search_of(size_t n)
{
    struct nz_search *s = NULL;
    assert_true(err_ok(nz_search_new(&s, NUMBERS, n, MUNIS, 2)));
    return s;
}

static struct nz_search *search_new(void) { return search_of(N); }

static size_t count(const struct nz_search *s, const void *p, size_t n, size_t own)
{
    struct hits h = { 0 };
    nz_search_run(s, slice_of(p, n), own, on_hit, &h);
    return h.n;
}

/* The forms themselves, against values made elsewhere (printf, base64, sha256sum). */
static void test_forms(void **state)
{
    static const struct { const char *kind; const char *want; } FORMS[] = {
        { "ascii", "123456789018" },
        { "reversed", "810987654321" },
        { "4-4-4 blanks", "1234 5678 9018" },
        { "4-4-4 hyphens", "1234-5678-9018" },
        { "full-width utf-8", "\xef\xbc\x91" "\xef\xbc\x92" "\xef\xbc\x93" "\xef\xbc\x94" "\xef\xbc\x95" "\xef\xbc\x96" "\xef\xbc\x97" "\xef\xbc\x98" "\xef\xbc\x99" "\xef\xbc\x90" "\xef\xbc\x91" "\xef\xbc\x98" },
        { "hex of ascii", "313233343536373839303138" },
        { "percent", "%31%32%33%34%35%36%37%38%39%30%31%38" },
        { "json \\u", "\\u0031\\u0032\\u0033\\u0034\\u0035\\u0036\\u0037\\u0038\\u0039\\u0030\\u0031\\u0038" },
        { "base64 +0", "MTIzNDU2Nzg5MDE4" },
        { "packed bcd", "\x12\x34\x56\x78\x90\x18" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS; i++) {
        size_t k = 0;
        struct buf b;
        while (k < nz_kinds() && strcmp(nz_kind_name(k), FORMS[i].kind) != 0)
            k++;
        assert_true(k < nz_kinds());
        buf_init(&b, 256);
        assert_true(nz_kind_write(k, NUMBERS, 0, MUNIS, 2, &b));
        if (!slice_eq(buf_slice(&b), slice_str(FORMS[i].want)))
            fail_msg("%s", FORMS[i].kind);
        assert_false(nz_kind_write(k, NUMBERS, 1, MUNIS, 2, &b));
        buf_done(&b);
    }
}

/* Every form of every number is found at every distance from the start, and is named right. */
static void test_all_found(void **state)
{
    struct nz_search *s = search_new();
    (void)state;
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < nz_kinds(); k++)
            for (size_t variant = 0;; variant++) {
                struct buf b;
                struct hits h = { 0 };
                uint8_t noise[40];
                buf_init(&b, 1024);
                rnd_bytes(noise, sizeof noise);
                buf_put(&b, slice_of(noise, (i * 7 + k) % sizeof noise));
                size_t at = b.n;
                if (!nz_kind_write(k, NUMBERS + i * NZ_DIGITS, variant, MUNIS, 2, &b)) {
                    buf_done(&b);
                    break;
                }
                nz_search_run(s, buf_slice(&b), b.n, on_hit, &h);
                assert_true(h.n >= 1);
                if (i < 2) { /* zeros look alike in many forms */
                    assert_int_equal(h.at, at);
                    assert_int_equal(h.kind, k);
                    assert_int_equal(h.number, i);
                }
                buf_done(&b);
            }
    nz_search_free(s);
}

struct expected { size_t n, at, kind; };

static void on_expected(void *arg, size_t at, size_t kind, size_t number)
{
    struct expected *e = arg;
    e->n += at == e->at && kind == e->kind && number == 0; /* UTF-16 between zeros is both kinds of it */
}

/* What is only zeros is passed over in steps: a form that begins anywhere behind some, or with some of its own, is found all the same. */
static void test_found_among_zeros(void **state)
{
    enum { BEFORE = 40, BEHIND = 24 };
    static const uint8_t ZEROS[BEFORE] = { 0 };
    struct nz_search *s = search_of(2);
    (void)state;
    for (size_t k = 0; k < nz_kinds(); k++)
        for (size_t before = 0; before < BEFORE; before++) {
            struct buf b;
            struct expected e = { 0, before, k };
            buf_init(&b, 1024);
            buf_put(&b, slice_of(ZEROS, before));
            assert_true(nz_kind_write(k, NUMBERS, 0, MUNIS, 2, &b));
            buf_put(&b, slice_of(ZEROS, BEHIND));
            nz_search_run(s, buf_slice(&b), b.n, on_expected, &e);
            assert_int_equal(e.n, 1);
            buf_done(&b);
        }
    nz_search_free(s);
}

static void test_not_found(void **state)
{
    static const char *const TEXTS[] = { "", "1", "12345678901", "123456789017", "1234567 89018", "1234-567-89018", "MTIzNDU2Nzg5MDE5", "2026-11-21T03:00:00Z" };
    struct nz_search *s = search_new();
    (void)state;
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        size_t n = strlen(TEXTS[i]);
        char *copy = malloc(n ? n : 1); /* exactly as long: a step beyond is seen by ASan */
        memcpy(copy, TEXTS[i], n);
        assert_int_equal(count(s, copy, n, n), 0);
        free(copy);
    }
    nz_search_free(s);
}

/* own: hits that start behind it belong to the next block, so that none is counted twice. */
static void test_blocks(void **state)
{
    struct nz_search *s = search_new();
    static const char TEXT[] = "xx123456789018yy";
    (void)state;
    for (size_t own = 0; own <= sizeof TEXT - 1; own++)
        assert_int_equal(count(s, TEXT, sizeof TEXT - 1, own), own > 2 ? 1 : 0);
    nz_search_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_all_found), cmocka_unit_test(test_found_among_zeros),
        cmocka_unit_test(test_not_found), cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
