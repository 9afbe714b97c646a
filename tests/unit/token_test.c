/* Keys in a PKCS#11 token: SoftHSM, as Debian has it, in a folder of the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/jose/es256.h"
#include "gateway/signer/box_of_keys.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"

struct place { char dir[64], pin[96]; };

static void __attribute__((format(printf, 1, 2))) run(const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    assert_true(n > 0 && (size_t)n < sizeof line);
    assert_int_equal(system(line), 0);
}

static void file_make(const char *path, const char *text, mode_t mode)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* A fresh key of a curve, under label and id. */
static void key_import(const struct place *p, const char *curve, const char *names)
{
    char path[128];
    EVP_PKEY *key = EVP_EC_gen(curve);
    snprintf(path, sizeof path, "%s/key.pem", p->dir);
    FILE *f = fopen(path, "w");
    assert_true(f && PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(f);
    EVP_PKEY_free(key);
    run("softhsm2-util --import '%s' --token pmhgw --pin 271828 %s >/dev/null", path, names);
    unlink(path);
}

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    char path[128], text[160];
    snprintf(p->dir, sizeof p->dir, "/tmp/token-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(path, sizeof path, "%s/tokens", p->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(text, sizeof text, "directories.tokendir = %s/tokens\nobjectstore.backend = file\nlog.level = ERROR\n", p->dir);
    snprintf(path, sizeof path, "%s/softhsm2.conf", p->dir);
    file_make(path, text, 0600);
    setenv("SOFTHSM2_CONF", path, 1);
    snprintf(p->pin, sizeof p->pin, "%s/pin", p->dir);
    file_make(p->pin, "271828\n", 0600);
    run("softhsm2-util --init-token --free --label pmhgw --so-pin 314159 --pin 271828 >/dev/null");
    key_import(p, "P-256", "--label card --id a1");
    key_import(p, "P-256", "--label next --id a2");
    key_import(p, "P-256", "--label twin --id a3");
    key_import(p, "P-256", "--label twin --id a4");
    key_import(p, "P-384", "--label large --id a5");
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    run("rm -rf '%s'", p->dir);
    free(p);
    return 0;
}

static struct key_box *box(const struct place *p)
{
    char ring[96], master[96];
    struct keyring *r;
    struct key_box *b = NULL;
    snprintf(ring, sizeof ring, "%s/ring", p->dir);
    snprintf(master, sizeof master, "%s/master", p->dir);
    assert_true(err_ok(keyring_create(RING_SIGNER, ring, master)));
    assert_true(err_ok(keyring_add(RING_SIGNER, ring, master, KEY_SIGN_SHC, LIT("7"), NULL)));
    assert_true(err_ok(keyring_load(&r, RING_SIGNER, ring, master)));
    assert_true(err_ok(key_box_new(&b, r)));
    keyring_free(r);
    return b;
}

static struct err add(const struct place *p, struct key_box *b, const char *what)
{
    char uri[512];
    snprintf(uri, sizeof uri, "%s?pin-source=file:%s&module-path=" MODULE, what, p->pin);
    return key_box_add_uri(b, SIGNER_SHC, uri);
}

static void assert_signs(struct key_box *b, const struct signer_key *k)
{
    const struct slice text = LIT("what is signed");
    uint8_t digest[SIGNER_DIGEST], rs[SIGNER_SIGNATURE];
    struct es256_key key;
    struct es256_verifier *v;
    EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL);
    assert_true(err_ok(key_box_sign(b, k->use, k->number, digest, rs)));
    memcpy(key.x, k->x, sizeof key.x);
    memcpy(key.y, k->y, sizeof key.y);
    assert_true(err_ok(es256_verifier_new(&v, &key)));
    assert_true(es256_verify(v, text, ARR(rs)));
    rs[40] ^= 1;
    assert_false(es256_verify(v, text, ARR(rs)));
    es256_verifier_free(v);
}

static void keys_in_a_token_sign_beside_the_ring_and_the_last_one_is_the_newest(void **state)
{
    const struct place *p = *state;
    struct key_box *b = box(p);
    assert_true(err_ok(add(p, b, "pkcs11:token=pmhgw;object=card")));
    assert_int_equal(signer_newest(key_box_public(b), SIGNER_SHC)->number, SIGNER_NUMBER_URI);
    assert_true(err_ok(add(p, b, "pkcs11:token=pmhgw;id=%A2;type=private")));
    const struct signer_keys *k = key_box_public(b);
    assert_int_equal(k->n, 3);
    assert_int_equal(signer_newest(k, SIGNER_SHC)->number, SIGNER_NUMBER_URI + 1);
    assert_memory_not_equal(k->key[1].x, k->key[2].x, SIGNER_COORDINATE);
    for (size_t i = 0; i < k->n; i++)
        assert_signs(b, &k->key[i]);
    key_box_free(b);
}

static void what_is_not_one_key_of_p256_is_refused(void **state)
{
    const struct place *p = *state;
    struct key_box *b = box(p);
    static const char *const BAD[] = { "pkcs11:token=pmhgw;object=nobody", "pkcs11:token=other;object=card", "pkcs11:token=pmhgw;object=twin", "pkcs11:token=pmhgw;object=large",
                                       "pkcs11:token=pmhgw", "pkcs11:foo=bar;object=card", "pkcs11:%" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(add(p, b, BAD[i]).code, E_CONFIG);
    char uri[512];
    snprintf(uri, sizeof uri, "pkcs11:token=pmhgw;object=card?pin-value=000000&module-path=" MODULE);
    assert_int_equal(key_box_add_uri(b, SIGNER_SHC, uri).code, E_CONFIG);
    snprintf(uri, sizeof uri, "pkcs11:token=pmhgw;object=card?pin-source=file:%s&module-path=/nowhere.so", p->pin);
    assert_int_equal(key_box_add_uri(b, SIGNER_SHC, uri).code, E_CONFIG);
    assert_int_equal(chmod(p->pin, 0644), 0); /* a PIN that others may read */
    assert_int_equal(add(p, b, "pkcs11:token=pmhgw;object=card").code, E_CONFIG);
    assert_int_equal(chmod(p->pin, 0600), 0);
    assert_int_equal(key_box_public(b)->n, 1);
    key_box_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_in_a_token_sign_beside_the_ring_and_the_last_one_is_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_one_key_of_p256_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
