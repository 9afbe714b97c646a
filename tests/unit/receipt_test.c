/* Receipts: made here with certificates of a CA made here, then broken in every part. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "gateway/base/text.h"
#include "keys/ctl/receipt.h"

struct maker { EVP_PKEY *key; X509 *cert; };
struct world { struct maker ca, other_ca, signer, stranger, municipality; char ca_path[64]; };

static void ext(X509 *x, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
}

/* by NULL: signs itself and is a CA. */
static struct maker make(const char *name, const char *usage, const struct maker *by)
{
    struct maker m = { EVP_EC_gen("P-256"), X509_new() };
    assert_true(m.key && m.cert);
    X509_set_version(m.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(m.cert), by ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(m.cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(m.cert), 3600);
    X509_set_pubkey(m.cert, m.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(m.cert), "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(m.cert, X509_get_subject_name(by ? by->cert : m.cert));
    ext(m.cert, NID_basic_constraints, by ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (usage)
        ext(m.cert, NID_ext_key_usage, usage);
    assert_true(X509_sign(m.cert, by ? by->key : m.key, EVP_sha256()) > 0);
    return m;
}

static void maker_done(struct maker *m)
{
    EVP_PKEY_free(m->key);
    X509_free(m->cert);
}

static int world_new(void **state)
{
    static struct world w;
    w.ca = make("ca", NULL, NULL);
    w.other_ca = make("ca", NULL, NULL);
    w.signer = make("receipts", RECEIPT_USAGE, &w.ca);
    w.stranger = make("receipts", RECEIPT_USAGE, &w.other_ca);
    w.municipality = make("muni", "clientAuth", &w.ca);
    snprintf(w.ca_path, sizeof w.ca_path, "/tmp/receipt-test-%d.pem", (int)getpid());
    FILE *f = fopen(w.ca_path, "w");
    assert_true(f && PEM_write_X509(f, w.ca.cert) == 1 && fclose(f) == 0);
    *state = &w;
    return 0;
}

static int world_free(void **state)
{
    struct world *w = *state;
    struct maker *all[] = { &w->ca, &w->other_ca, &w->signer, &w->stranger, &w->municipality };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        maker_done(all[i]);
    return unlink(w->ca_path);
}

static void b64_cert(X509 *x, char out[static 4096])
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    assert_true(n > 0 && n < 3000);
    EVP_EncodeBlock((unsigned char *)out, der, n);
    OPENSSL_free(der);
}

static void sign(EVP_PKEY *key, struct slice input, uint8_t out[static 64])
{
    uint8_t der[128];
    size_t n = sizeof der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_true(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) == 1 && EVP_DigestSign(md, der, &n, input.p, input.n) == 1);
    EVP_MD_CTX_free(md);
    const unsigned char *at = der;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    assert_true(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32);
    ECDSA_SIG_free(sig);
}

#define CLAIMS "{\"task_id\":\"0123\",\"municipality\":\"331007\",\"bytes\":10}"

/* shown: whose certificate is in the header; key: who signs. */
static void receipt(struct buf *out, const char *alg, const struct maker *shown, const struct maker *key, const char *claims)
{
    char cert[4096];
    static char header[5000];
    uint8_t sig[64];
    b64_cert(shown->cert, cert);
    snprintf(header, sizeof header, "{\"alg\":\"%s\",\"x5c\":[\"%s\"]}", alg, cert);
    buf_reset(out);
    b64url_encode(slice_str(header), out);
    buf_putc(out, '.');
    b64url_encode(slice_str(claims), out);
    sign(key->key, buf_slice(out), sig);
    buf_putc(out, '.');
    b64url_encode(ARR(sig), out);
}

static void test_a_good_receipt(void **state)
{
    struct world *w = *state;
    struct buf jws;
    json_t *claims = NULL;
    buf_init(&jws, RECEIPT_MAX);
    receipt(&jws, "ES256", &w->signer, &w->signer, CLAIMS);
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_GOOD);
    assert_string_equal(json_string_value(json_object_get(claims, "task_id")), "0123");
    json_decref(claims);
    buf_putc(&jws, '\n'); /* as an editor saves it */
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_GOOD);
    json_decref(claims);
    buf_done(&jws);
}

static void test_who_may_not_sign(void **state)
{
    struct world *w = *state;
    struct buf jws;
    json_t *claims = NULL;
    buf_init(&jws, RECEIPT_MAX);
    receipt(&jws, "ES256", &w->stranger, &w->stranger, CLAIMS);
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_CHAIN);
    receipt(&jws, "ES256", &w->municipality, &w->municipality, CLAIMS);
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_NOT_OURS);
    receipt(&jws, "ES256", &w->signer, &w->municipality, CLAIMS);
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_SIGNATURE);
    receipt(&jws, "none", &w->signer, &w->signer, CLAIMS);
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_SHAPE);
    assert_int_equal(receipt_verify(buf_slice(&jws), "/nonexistent", &claims), RECEIPT_SHAPE);
    receipt(&jws, "ES256", &w->signer, &w->signer, "[]");
    assert_int_equal(receipt_verify(buf_slice(&jws), w->ca_path, &claims), RECEIPT_SHAPE);
    assert_null(claims);
    buf_done(&jws);
}

/* No change of a character and no shorter text is taken for good. */
static void test_every_change_is_seen(void **state)
{
    struct world *w = *state;
    struct buf jws;
    json_t *claims = NULL;
    buf_init(&jws, RECEIPT_MAX);
    receipt(&jws, "ES256", &w->signer, &w->signer, CLAIMS);
    for (size_t i = 0; i < jws.n; i++) {
        uint8_t was = jws.p[i];
        jws.p[i] = was == 'A' ? 'B' : 'A';
        if (receipt_verify(buf_slice(&jws), w->ca_path, &claims) == RECEIPT_GOOD)
            fail_msg("good with another character at %zu", i);
        jws.p[i] = was;
    }
    for (size_t n = 0; n < jws.n; n += 7)
        if (receipt_verify(slice_of(jws.p, n), w->ca_path, &claims) == RECEIPT_GOOD)
            fail_msg("good with %zu bytes of it", n);
    assert_null(claims);
    buf_done(&jws);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_receipt),
        cmocka_unit_test(test_who_may_not_sign),
        cmocka_unit_test(test_every_change_is_seen),
    };
    return cmocka_run_group_tests(tests, world_new, world_free);
}
