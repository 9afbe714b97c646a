#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/tls/caller.h"
#include "gateway/tls/crl.h"
#include "gateway/tls/revoke.h"
#include "tests/unit/crls.h"
#include "tests/unit/tls_link.h"

enum { HOUR = 3600 };

/* ---- reading ---- */

static struct cert_serial serial_of(uint64_t v) { return (struct cert_serial){ { 0, 0, v } }; }

static void reads_lists_of_several_issuers(void **state)
{
    struct pair a = ca_new(), b = ca_new();
    STACK_OF(X509) *issuers = issuers_of(&a, &b);
    struct crl_batch got;
    struct buf text;
    (void)state;
    buf_init(&text, 1 << 20);
    crl_put(&text, &a, (struct crl_wish){ .serials = { 7, 9, 8 }, .n = 3 });
    crl_put(&text, &b, (struct crl_wish){ .serials = { 5 }, .n = 1 });
    crl_read(&got, buf_slice(&text), issuers);
    assert_int_equal(got.fault, CRL_GOOD);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.lists[0]->n, 3);
    for (uint64_t s = 4; s < 12; s++) {
        struct cert_serial want = serial_of(s);
        assert_int_equal(crl_has(got.lists[0], &want), s >= 7 && s <= 9);
        assert_int_equal(crl_has(got.lists[1], &want), s == 5); /* the same number means another certificate */
    }
    crl_batch_done(&got);
    buf_done(&text);
    sk_X509_free(issuers);
    pair_free(&a);
    pair_free(&b);
}

/* removeFromCRL belongs into delta lists: in a full one it lets nobody in. */
static void every_entry_revokes_whatever_its_reason(void **state)
{
    struct pair a = ca_new();
    STACK_OF(X509) *issuers = issuers_of(&a, NULL);
    static const long REASONS[] = { 1, 6 /* on hold */, 8 /* removeFromCRL */, 10, 99 };
    (void)state;
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; i++) {
        struct crl_batch got;
        struct buf text;
        struct cert_serial want = serial_of(7);
        buf_init(&text, 1 << 20);
        crl_put(&text, &a, (struct crl_wish){ .serials = { 7 }, .n = 1, .reason = REASONS[i] });
        crl_read(&got, buf_slice(&text), issuers);
        assert_true(got.fault == CRL_GOOD && got.n == 1 && crl_has(got.lists[0], &want));
        crl_batch_done(&got);
        buf_done(&text);
    }
    sk_X509_free(issuers);
    pair_free(&a);
}

static void refuses_what_is_not_a_good_list(void **state)
{
    struct pair a = ca_new(), b = ca_new(), leaf = client_new(&a, "URI:pmhgw:clinic/3310010012");
    struct pair namesake = { X509_dup(a.cert), b.key }; /* the issuer's name, another's key */
    STACK_OF(X509) *issuers = issuers_of(&a, NULL);
    const struct { const char *what; const struct pair *by; struct crl_wish wish; enum crl_fault want; } CASES[] = {
        { "good", &a, { .n = 0 }, CRL_GOOD },
        { "of a stranger", &b, { .n = 0 }, CRL_STRANGER },
        { "by a caller", &leaf, { .n = 0 }, CRL_STRANGER },
        { "signed with another key", &namesake, { .n = 0 }, CRL_SIGNATURE },
        { "weak digest", &a, { .weak = true }, CRL_SIGNATURE },
        { "altered after signing", &a, { .altered = true, .serials = { 1 }, .n = 1 }, CRL_SIGNATURE },
        { "delta", &a, { .delta = true }, CRL_PARTIAL },
        { "part of a list", &a, { .idp = true }, CRL_PARTIAL },
        { "entry of another issuer", &a, { .critical_entry = true, .serials = { 1 }, .n = 1 }, CRL_PARTIAL },
        { "without an end", &a, { .no_next = true }, CRL_NO_END },
        { "already ended: for the holder to judge", &a, { .from_s = -2 * HOUR, .to_s = -HOUR }, CRL_GOOD },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct crl_batch got;
        struct buf text;
        buf_init(&text, 1 << 20);
        crl_put(&text, CASES[i].by, CASES[i].wish);
        crl_read(&got, buf_slice(&text), issuers);
        if (got.fault != CASES[i].want || got.n != (CASES[i].want == CRL_GOOD))
            fail_msg("%s: %s", CASES[i].what, crl_fault_name(got.fault).s);
        crl_batch_done(&got);
        buf_done(&text);
    }
    sk_X509_free(issuers);
    X509_free(namesake.cert);
    pair_free(&leaf);
    pair_free(&a);
    pair_free(&b);
}

static void a_file_that_is_cut_gives_only_its_whole_lists(void **state)
{
    struct pair a = ca_new(), b = ca_new();
    STACK_OF(X509) *issuers = issuers_of(&a, &b);
    struct buf text;
    struct crl_batch got;
    (void)state;
    buf_init(&text, 1 << 20);
    crl_put(&text, &a, (struct crl_wish){ .serials = { 7 }, .n = 1 });
    size_t first = text.n;
    crl_put(&text, &b, (struct crl_wish){ .serials = { 7 }, .n = 1 });
    for (size_t n = 0; n <= text.n; n += n < text.n && text.n - n < 7 ? 1 : 7) {
        crl_read(&got, slice_of(text.p, n), issuers);
        size_t whole = n + 1 >= text.n ? 2 : n + 1 >= first ? 1 : 0; /* the last line needs no end */
        assert_int_equal(got.n, whole);
        crl_batch_done(&got);
    }
    static const struct slice NONE[] = { LIT(""), LIT("hello\n"), LIT("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), LIT("-----BEGIN X509 CRL-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\nAAAA\n-----END X509 CRL-----\n") };
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        crl_read(&got, NONE[i], issuers);
        assert_int_equal(got.n, 0);
        assert_int_equal(got.fault, i < 2 ? CRL_EMPTY : CRL_BROKEN);
    }
    buf_done(&text);
    sk_X509_free(issuers);
    pair_free(&a);
    pair_free(&b);
}

static void serials_are_compared_by_value(void **state)
{
    static const struct { const char *hex; bool good; struct cert_serial want; } CASES[] = {
        { "00", true, { { 0, 0, 0 } } },
        { "01", true, { { 0, 0, 1 } } },
        { "FF", true, { { 0, 0, 255 } } },
        { "010203040506070809", true, { { 0, 1, 0x0203040506070809 } } },
        { "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", true, { { 0x7fffffff, UINT64_MAX, UINT64_MAX } } },
        { "010000000000000000000000000000000000000000", false, { { 0 } } }, /* 21 bytes */
        { "-01", false, { { 0 } } },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        BIGNUM *n = NULL;
        struct cert_serial got = { { 0 } };
        must(BN_hex2bn(&n, CASES[i].hex) > 0);
        ASN1_INTEGER *a = BN_to_ASN1_INTEGER(n, NULL);
        assert_int_equal(crl_serial(a, &got), CASES[i].good);
        if (CASES[i].good)
            assert_int_equal(crl_serial_order(&got, &CASES[i].want), 0);
        ASN1_INTEGER_free(a);
        BN_free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_lists_of_several_issuers),
        cmocka_unit_test(every_entry_revokes_whatever_its_reason),
        cmocka_unit_test(refuses_what_is_not_a_good_list),
        cmocka_unit_test(a_file_that_is_cut_gives_only_its_whole_lists),
        cmocka_unit_test(serials_are_compared_by_value),
    };
    return cmocka_run_group_tests_name("crl", tests, NULL, NULL);
}
