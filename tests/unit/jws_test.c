/* A signed receipt can be verified with the certificate that it carries. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/jose/jws.h"

struct files { char dir[64], cert[96], key[96]; };

static EVP_PKEY *write_pair(struct files *f, EVP_PKEY *key, EVP_PKEY *of_cert)
{
    snprintf(f->dir, sizeof f->dir, "/tmp/jws-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->cert, sizeof f->cert, "%s/c.pem", f->dir);
    snprintf(f->key, sizeof f->key, "%s/k.pem", f->dir);
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, of_cert);
    assert_true(X509_sign(cert, of_cert, EVP_sha256()) > 0);
    FILE *c = fopen(f->cert, "w"), *k = fopen(f->key, "w");
    assert_true(c && k && PEM_write_X509(c, cert) == 1 && PEM_write_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(c);
    fclose(k);
    X509_free(cert);
    return key;
}

static void files_done(struct files *f)
{
    unlink(f->cert);
    unlink(f->key);
    rmdir(f->dir);
}

/* The 64 bytes of the signature as DER. */
static size_t to_der(struct slice raw, unsigned char **ret_der)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    assert_int_equal(raw.n, 64);
    ECDSA_SIG_set0(sig, BN_bin2bn(raw.p, 32, NULL), BN_bin2bn(raw.p + 32, 32, NULL));
    *ret_der = NULL;
    int n = i2d_ECDSA_SIG(sig, ret_der);
    ECDSA_SIG_free(sig);
    assert_true(n > 0);
    return (size_t)n;
}

static bool verifies(EVP_PKEY *key, struct slice text, struct slice raw)
{
    unsigned char *der;
    size_t n = to_der(raw, &der);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key), 1);
    bool good = EVP_DigestVerify(md, der, n, text.p, text.n) == 1;
    EVP_MD_CTX_free(md);
    OPENSSL_free(der);
    return good;
}

static void signs_what_it_is_given(void **state)
{
    (void)state;
    struct files f;
    struct jws_signer *s;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    write_pair(&f, key, key);
    assert_true(err_ok(jws_signer_new(&s, f.cert, f.key)));
    for (int i = 0; i < 64; i++) { /* coordinates with leading zeros among them */
        struct buf out, plain;
        struct slice head, payload = SLICE_NONE, signature = SLICE_NONE, rest;
        buf_init(&out, 65536);
        buf_init(&plain, 65536);
        assert_true(err_ok(jws_sign(s, LIT("{\"rows\":3}"), &out)));
        assert_true(slice_cut(buf_slice(&out), '.', &head, &rest) && slice_cut(rest, '.', &payload, &signature));
        assert_true(b64url_decode(payload, &plain) && slice_eq(buf_slice(&plain), LIT("{\"rows\":3}")));
        buf_reset(&plain);
        assert_true(b64url_decode(head, &plain) && slice_starts(buf_slice(&plain), LIT("{\"alg\":\"ES256\",\"x5c\":[\"MI")));
        buf_reset(&plain);
        assert_true(b64url_decode(signature, &plain));
        struct slice text = slice_of(out.p, head.n + 1 + payload.n);
        assert_true(verifies(key, text, buf_slice(&plain)));
        out.p[head.n + 2] ^= 1;
        assert_false(verifies(key, text, buf_slice(&plain)));
        buf_done(&out);
        buf_done(&plain);
    }
    struct buf small;
    buf_init(&small, 10);
    assert_int_equal(jws_sign(s, LIT("{}"), &small).code, E_FULL);
    buf_done(&small);
    jws_signer_free(s);
    EVP_PKEY_free(key);
    files_done(&f);
}

static void other_keys_are_refused(void **state)
{
    (void)state;
    struct files f;
    struct jws_signer *s;
    EVP_PKEY *a = EVP_EC_gen("P-256"), *b = EVP_EC_gen("P-256"), *big = EVP_EC_gen("P-384");
    write_pair(&f, a, b); /* of somebody else */
    assert_int_equal(jws_signer_new(&s, f.cert, f.key).code, E_CONFIG);
    files_done(&f);
    write_pair(&f, big, big); /* of another curve */
    assert_int_equal(jws_signer_new(&s, f.cert, f.key).code, E_CONFIG);
    assert_int_equal(jws_signer_new(&s, f.key, f.cert).code, E_CONFIG);
    files_done(&f);
    assert_int_equal(jws_signer_new(&s, f.cert, f.key).code, E_CONFIG); /* nothing there */
    jws_signer_free(NULL);
    EVP_PKEY_free(a);
    EVP_PKEY_free(b);
    EVP_PKEY_free(big);
}

static void a_bare_one_names_no_certificate(void **state)
{
    (void)state;
    struct files f;
    struct jws_signer *s;
    struct slice head = SLICE_NONE, rest, payload = SLICE_NONE, signature = SLICE_NONE;
    struct buf out, plain;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *big = EVP_EC_gen("P-384");
    write_pair(&f, key, key);
    assert_true(err_ok(jws_signer_bare(&s, f.key)));
    buf_init(&out, 65536);
    buf_init(&plain, 65536);
    assert_true(err_ok(jws_sign(s, LIT("{\"a\":1}"), &out)));
    assert_true(slice_cut(buf_slice(&out), '.', &head, &rest) && slice_cut(rest, '.', &payload, &signature));
    assert_true(b64url_decode(head, &plain) && slice_eq(buf_slice(&plain), LIT("{\"alg\":\"ES256\"}")));
    buf_reset(&plain);
    assert_true(b64url_decode(signature, &plain));
    assert_true(verifies(key, slice_of(out.p, head.n + 1 + payload.n), buf_slice(&plain)));
    buf_done(&out);
    buf_done(&plain);
    jws_signer_free(s);
    assert_int_equal(jws_signer_bare(&s, f.cert).code, E_CONFIG);
    files_done(&f);
    assert_int_equal(jws_signer_bare(&s, f.key).code, E_CONFIG); /* nothing there */
    write_pair(&f, big, big);
    assert_int_equal(jws_signer_bare(&s, f.key).code, E_CONFIG); /* of another curve */
    files_done(&f);
    EVP_PKEY_free(key);
    EVP_PKEY_free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(signs_what_it_is_given), cmocka_unit_test(other_keys_are_refused),
                                        cmocka_unit_test(a_bare_one_names_no_certificate) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
