/* The signer and who asks it, on one loop: what it signs verifies, what it must not do it does not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/jose/es256.h"
#include "gateway/signer/daemon.h"

enum { PATIENCE_MS = 5000, MANY = 2000 };

static const uint8_t CAP[IPC_CAP_BYTES] = "the capability of the tests, 32b";

struct bench {
    char dir[64], ring[96], master[96], sock[96];
    struct loop *loop;
    struct signer_daemon *daemon;
    struct signer *front;
    struct signer_keys keys;
    struct err e;
    unsigned times, bad;
    uint8_t rs[SIGNER_SIGNATURE];
};

static struct secret *cap(void)
{
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, ARR(CAP))));
    return s;
}

static void ring_make(struct bench *b)
{
    snprintf(b->dir, sizeof b->dir, "/tmp/signer-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->ring, sizeof b->ring, "%s/ring", b->dir);
    snprintf(b->master, sizeof b->master, "%s/master", b->dir);
    snprintf(b->sock, sizeof b->sock, "%s/sock", b->dir);
    assert_true(err_ok(keyring_create(RING_SIGNER, b->ring, b->master)));
    assert_true(err_ok(keyring_add(RING_SIGNER, b->ring, b->master, KEY_SIGN_SHC, LIT("1"), NULL)));
    assert_true(err_ok(keyring_add(RING_SIGNER, b->ring, b->master, KEY_SIGN_SHC, LIT("2"), NULL)));
    assert_true(err_ok(keyring_add(RING_SIGNER, b->ring, b->master, KEY_SIGN_VDS, LIT("1"), NULL)));
}

static struct err box_of(const struct bench *b, struct key_box **ret_k)
{
    struct keyring *ring;
    TRY(keyring_load(&ring, RING_SIGNER, b->ring, b->master));
    struct err e = key_box_new(ret_k, ring);
    keyring_free(ring);
    return e;
}

static void up(struct bench *b)
{
    struct key_box *keys = NULL;
    memset(b, 0, sizeof *b);
    ring_make(b);
    assert_true(err_ok(box_of(b, &keys)));
    assert_true(err_ok(loop_new(&b->loop, clock_system())));
    assert_true(err_ok(signer_daemon_new(&b->daemon, b->loop, (struct signer_daemon_conf){ b->sock, cap(), cap(), cap(), keys })));
    assert_true(err_ok(signer_new(&b->front, b->loop, b->sock, IPC_FRONT, cap())));
}

static void down(struct bench *b)
{
    signer_close(b->front);
    signer_daemon_close(b->daemon);
    loop_stop(b->loop);
    loop_free(b->loop);
    unlink(b->ring);
    unlink(b->master);
    unlink(b->sock);
    char lock[128];
    snprintf(lock, sizeof lock, "rm -rf '%s'", b->dir);
    assert_int_equal(system(lock), 0);
}

static void spin(struct bench *b, unsigned times)
{
    uint64_t until = loop_now(b->loop) + PATIENCE_MS;
    while (b->times < times && loop_now(b->loop) < until)
        uv_run(loop_uv(b->loop), UV_RUN_ONCE);
    assert_int_equal(b->times, times);
}

static void on_signature(void *arg, struct err e, const uint8_t *rs)
{
    struct bench *b = arg;
    b->times++;
    b->e = e;
    if (rs)
        memcpy(b->rs, rs, sizeof b->rs);
    else
        b->bad++;
}

static void on_keys(void *arg, struct err e, const struct signer_keys *k)
{
    struct bench *b = arg;
    b->times++;
    b->e = e;
    if (k)
        b->keys = *k;
}

static uint64_t soon(const struct bench *b) { return loop_now(b->loop) + PATIENCE_MS; }

static void ask_keys(struct bench *b)
{
    b->times = 0;
    signer_ask_keys(b->front, soon(b), on_keys, b);
    spin(b, 1);
    assert_true(err_ok(b->e));
    b->times = 0;
}

static struct es256_verifier *verifier_of(const struct signer_key *k)
{
    struct es256_key key;
    struct es256_verifier *v = NULL;
    memcpy(key.x, k->x, sizeof key.x);
    memcpy(key.y, k->y, sizeof key.y);
    assert_true(err_ok(es256_verifier_new(&v, &key)));
    return v;
}

static void what_it_signs_verifies_with_the_key_that_it_names(void **state)
{
    (void)state;
    struct bench b;
    uint8_t digest[SIGNER_DIGEST];
    const struct slice text = LIT("what is signed");
    up(&b);
    ask_keys(&b);
    assert_int_equal(b.keys.n, 3);
    const struct signer_key *newest = signer_newest(&b.keys, SIGNER_SHC);
    assert_int_equal(newest->number, 2);
    EVP_Digest(text.p, text.n, digest, NULL, EVP_sha256(), NULL);
    signer_sign(b.front, SIGNER_SHC, newest->number, digest, soon(&b), on_signature, &b);
    spin(&b, 1);
    assert_true(err_ok(b.e));
    struct es256_verifier *v = verifier_of(newest), *other = verifier_of(signer_newest(&b.keys, SIGNER_VDS));
    assert_true(es256_verify(v, text, ARR(b.rs)));
    assert_false(es256_verify(other, text, ARR(b.rs)));
    assert_false(es256_verify(v, LIT("what is not signed"), ARR(b.rs)));
    b.rs[7] ^= 1;
    assert_false(es256_verify(v, text, ARR(b.rs)));
    es256_verifier_free(v);
    es256_verifier_free(other);
    down(&b);
}

static void a_key_that_it_has_not_signs_nothing(void **state)
{
    (void)state;
    struct bench b;
    const uint8_t digest[SIGNER_DIGEST] = { 1 };
    up(&b);
    signer_sign(b.front, SIGNER_SHC, 9, digest, soon(&b), on_signature, &b);
    spin(&b, 1);
    assert_true(err_is(b.e, E_NOTHING));
    down(&b);
}

static void many_at_once_are_all_answered_once(void **state)
{
    (void)state;
    struct bench b;
    uint8_t digest[SIGNER_DIGEST] = { 0 };
    up(&b);
    for (unsigned i = 0; i < MANY; i++) {
        digest[0] = (uint8_t)i;
        signer_sign(b.front, SIGNER_VDS, 1, digest, soon(&b), on_signature, &b);
    }
    spin(&b, MANY);
    assert_int_equal(b.bad, 0);
    down(&b);
}

static void the_command_may_ask_for_keys_and_not_for_signatures(void **state)
{
    (void)state;
    struct bench b;
    struct signer *ctl;
    const uint8_t digest[SIGNER_DIGEST] = { 1 };
    up(&b);
    assert_true(err_ok(signer_new(&ctl, b.loop, b.sock, IPC_CTL, cap())));
    signer_ask_keys(ctl, soon(&b), on_keys, &b);
    spin(&b, 1);
    assert_int_equal(b.keys.n, 3);
    b.times = 0;
    signer_sign(ctl, SIGNER_SHC, 1, digest, soon(&b), on_signature, &b);
    spin(&b, 1);
    assert_true(err_is(b.e, E_SIGNER_DOWN));
    signer_close(ctl);
    down(&b);
}

static void who_speaks_for_certificates_and_who_for_messages_are_two(void **state)
{
    (void)state;
    struct bench b;
    struct signer *courier;
    const uint8_t digest[SIGNER_DIGEST] = { 1 };
    up(&b);
    assert_true(err_ok(keyring_add(RING_SIGNER, b.ring, b.master, KEY_SIGN_WEBHOOK, LIT("1"), NULL)));
    signer_daemon_close(b.daemon);
    struct key_box *keys = NULL;
    assert_true(err_ok(box_of(&b, &keys)));
    assert_true(err_ok(signer_daemon_new(&b.daemon, b.loop, (struct signer_daemon_conf){ b.sock, cap(), cap(), cap(), keys })));
    assert_true(err_ok(signer_new(&courier, b.loop, b.sock, IPC_COURIER, cap())));
    const struct { struct signer *who; enum signer_use use; enum err_code want; } ASKED[] = {
        { courier, SIGNER_WEBHOOK, E_OK }, { courier, SIGNER_SHC, E_SIGNER_DOWN }, { courier, SIGNER_VDS, E_SIGNER_DOWN }, { b.front, SIGNER_WEBHOOK, E_SIGNER_DOWN },
        { b.front, SIGNER_SHC, E_OK }, { courier, SIGNER_WEBHOOK, E_OK },
    };
    for (size_t i = 0; i < sizeof ASKED / sizeof ASKED[0]; i++) {
        b.times = 0;
        signer_sign(ASKED[i].who, ASKED[i].use, 1, digest, soon(&b), on_signature, &b);
        spin(&b, 1);
        assert_int_equal(b.e.code, ASKED[i].want);
    }
    signer_close(courier);
    down(&b);
}

static void without_a_signer_it_is_down_within_the_deadline(void **state)
{
    (void)state;
    struct bench b;
    const uint8_t digest[SIGNER_DIGEST] = { 1 };
    up(&b);
    signer_daemon_close(b.daemon);
    b.daemon = NULL;
    signer_sign(b.front, SIGNER_SHC, 1, digest, loop_now(b.loop) + 50, on_signature, &b);
    spin(&b, 1);
    assert_true(err_is(b.e, E_SIGNER_DOWN));
    down(&b);
}

static void a_ring_with_what_is_no_key_is_refused(void **state)
{
    (void)state;
    struct bench b = { 0 };
    struct key_box *keys = NULL;
    struct secret *zero = NULL, *large = NULL;
    uint8_t bytes[32] = { 0 };
    assert_true(err_ok(secret_new(&zero, ARR(bytes))));
    memset(bytes, 0xFF, sizeof bytes);
    assert_true(err_ok(secret_new(&large, ARR(bytes))));
    const struct { const char *id; const struct secret *key; } BAD[] = { { "3", zero }, { "4", large }, { "x", NULL }, { "0", NULL }, { "240", NULL }, { "255", NULL } };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        ring_make(&b);
        assert_true(err_ok(keyring_add(RING_SIGNER, b.ring, b.master, KEY_SIGN_SHC, slice_str(BAD[i].id), BAD[i].key)));
        assert_true(err_is(box_of(&b, &keys), E_CONFIG));
    }
    assert_true(err_is(keyring_add(RING_SIGNER, b.ring, b.master, KEY_LINK_INDEX, LIT("1"), NULL), E_CONFIG));
    secret_free(zero);
    secret_free(large);
}

static void a_key_by_uri_is_the_newest(void **state)
{
    (void)state;
    struct bench b = { 0 };
    struct key_box *keys = NULL;
    char path[128], uri[160];
    uint8_t rs[SIGNER_SIGNATURE], digest[SIGNER_DIGEST] = { 3 };
    ring_make(&b);
    assert_true(err_ok(box_of(&b, &keys)));
    snprintf(path, sizeof path, "%s/key.pem", b.dir);
    snprintf(uri, sizeof uri, "file:%s", path);
    const struct { EVP_PKEY *key; enum err_code want; } KEYS[] = { { EVP_EC_gen("P-384"), E_CONFIG }, { EVP_EC_gen("P-256"), E_OK } };
    for (size_t i = 0; i < 2; i++) {
        FILE *f = fopen(path, "w");
        assert_true(f && PEM_write_PrivateKey(f, KEYS[i].key, NULL, NULL, 0, NULL, NULL) == 1);
        fclose(f);
        EVP_PKEY_free(KEYS[i].key);
        assert_int_equal(key_box_add_uri(keys, SIGNER_SHC, uri).code, KEYS[i].want);
    }
    assert_int_equal(key_box_add_uri(keys, SIGNER_SHC, "file:/nowhere/at/all").code, E_CONFIG);
    assert_int_equal(signer_newest(key_box_public(keys), SIGNER_SHC)->number, SIGNER_NUMBER_URI);
    assert_true(err_ok(key_box_sign(keys, SIGNER_SHC, SIGNER_NUMBER_URI, digest, rs)));
    key_box_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_signs_verifies_with_the_key_that_it_names),
        cmocka_unit_test(a_key_that_it_has_not_signs_nothing),
        cmocka_unit_test(many_at_once_are_all_answered_once),
        cmocka_unit_test(the_command_may_ask_for_keys_and_not_for_signatures),
        cmocka_unit_test(who_speaks_for_certificates_and_who_for_messages_are_two),
        cmocka_unit_test(without_a_signer_it_is_down_within_the_deadline),
        cmocka_unit_test(a_ring_with_what_is_no_key_is_refused),
        cmocka_unit_test(a_key_by_uri_is_the_newest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
