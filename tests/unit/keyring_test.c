/* Keyring files: what is kept, what is refused, what is gone after destruction. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "tests/unit/ring_files.h"

enum { ENTRY = 17 + 32 + AEAD_OVERHEAD };

static struct err first_byte(struct slice s, void *arg)
{
    *(int *)arg = s.n == 32 ? s.p[0] : -1;
    return OK;
}

static int key_first(const struct keyring *r, enum key_kind kind, const char *id)
{
    int b = -1;
    const struct secret *s = keyring_find(r, kind, slice_str(id));
    if (s)
        assert_true(err_ok(secret_use(s, first_byte, &b)));
    return b;
}

static enum err_code load_code(const struct ring_files *f, enum keyring_zone zone)
{
    struct keyring *r = NULL;
    struct err e = keyring_load(&r, zone, f->ring, f->master);
    keyring_free(r);
    return e.code;
}

static void test_add_find_walk_destroy(void **state)
{
    (void)state;
    struct ring_files f = ring_files_make(RING_VAULT);
    ring_files_add(&f, RING_VAULT, KEY_NUM_INDEX, "1", 1);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "331007", 40);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "131016", 80);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "331007", 120); /* the first one stays */
    assert_true(err_ok(keyring_create(RING_VAULT, f.ring, f.master))); /* nothing is made anew */

    struct keyring *r = NULL;
    assert_true(err_ok(keyring_load(&r, RING_VAULT, f.ring, f.master)));
    assert_int_equal(key_first(r, KEY_NUM_INDEX, "1"), 1);
    assert_int_equal(key_first(r, KEY_NUM_DATA, "331007"), 40);
    assert_int_equal(key_first(r, KEY_NUM_DATA, "131016"), 80);
    assert_int_equal(key_first(r, KEY_NUM_DATA, "1"), -1);
    assert_int_equal(key_first(r, KEY_NUM_DATA, "33100"), -1);
    size_t at = 0, seen = 0;
    struct slice id;
    const struct secret *key;
    while (keyring_each(r, KEY_NUM_DATA, &at, &id, &key))
        seen += id.n == 6;
    assert_int_equal(seen, 2);
    keyring_free(r);

    assert_true(err_ok(keyring_destroy(RING_VAULT, f.ring, f.master, KEY_NUM_DATA, LIT("331007"))));
    assert_int_equal(keyring_destroy(RING_VAULT, f.ring, f.master, KEY_NUM_DATA, LIT("331007")).code, E_NOTHING);
    assert_true(err_ok(keyring_load(&r, RING_VAULT, f.ring, f.master)));
    assert_int_equal(key_first(r, KEY_NUM_DATA, "331007"), -1);
    assert_int_equal(key_first(r, KEY_NUM_DATA, "131016"), 80);
    keyring_free(r);

    struct stat st;
    assert_int_equal(stat(f.ring, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 8 + 2 * ENTRY);
    assert_int_equal(stat(f.master, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    ring_files_remove(&f);
}

/* The old file was open while the ring changed: its bytes are gone, not only its name. */
static void test_destroyed_bytes_are_overwritten(void **state)
{
    (void)state;
    uint8_t b[8 + ENTRY];
    struct ring_files f = ring_files_make(RING_VAULT);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "331007", 1);
    int old = open(f.ring, O_RDONLY);
    assert_true(err_ok(keyring_destroy(RING_VAULT, f.ring, f.master, KEY_NUM_DATA, LIT("331007"))));
    assert_int_equal(pread(old, b, sizeof b, 0), sizeof b);
    for (size_t i = 0; i < sizeof b; i++)
        assert_int_equal(b[i], 0);
    close(old);
    ring_files_remove(&f);
}

static void test_names_and_zones(void **state)
{
    static const struct { const char *name; enum keyring_zone zone; enum key_kind kind; const char *id; } BAD[] = {
        { "a link key in the vault's ring", RING_VAULT, KEY_LINK_DATA, "331007" },
        { "a number key in the link ring", RING_LINK, KEY_NUM_DATA, "331007" },
        { "unknown kind", RING_LINK, (enum key_kind)22, "1" },
        { "empty id", RING_VAULT, KEY_NUM_DATA, "" },
        { "id too long", RING_VAULT, KEY_NUM_DATA, "12345678901234567" },
        { "id with a quote", RING_LINK, KEY_LINK_JWE, "k\"1" },
    };
    (void)state;
    struct ring_files f = ring_files_make(RING_VAULT);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        print_message("%s\n", BAD[i].name);
        assert_int_equal(keyring_add(BAD[i].zone, f.ring, f.master, BAD[i].kind, slice_str(BAD[i].id), NULL).code, E_CONFIG);
    }
    struct secret *small = NULL;
    assert_true(err_ok(secret_random(&small, 16)));
    assert_int_equal(keyring_add(RING_VAULT, f.ring, f.master, KEY_NUM_DATA, LIT("331007"), small).code, E_CONFIG);
    secret_free(small);
    assert_true(err_ok(keyring_add(RING_VAULT, f.ring, f.master, KEY_NUM_DATA, LIT("331007"), NULL)));
    assert_int_equal(load_code(&f, RING_VAULT), E_OK);
    assert_int_equal(load_code(&f, RING_LINK), E_CONFIG);
    ring_files_remove(&f);
}

static size_t ring_read(const struct ring_files *f, uint8_t *b, size_t cap)
{
    int fd = open(f->ring, O_RDONLY);
    ssize_t n = read(fd, b, cap);
    close(fd);
    assert_true(n > 0);
    return (size_t)n;
}

static void ring_write(const struct ring_files *f, const uint8_t *b, size_t n)
{
    int fd = open(f->ring, O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, b, n), (ssize_t)n);
    close(fd);
}

static void test_damaged_files(void **state)
{
    (void)state;
    uint8_t good[8 + 2 * ENTRY], b[8 + 3 * ENTRY];
    struct ring_files f = ring_files_make(RING_VAULT);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "331007", 1);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "131016", 2);
    assert_int_equal(ring_read(&f, good, sizeof good), sizeof good);

    for (size_t n = 0; n < sizeof good; n++) /* any cut, but between entries */
        if (n < 8 || (n - 8) % ENTRY != 0) {
            ring_write(&f, good, n);
            assert_int_equal(load_code(&f, RING_VAULT), E_CONFIG);
        }
    for (size_t i = 0; i < sizeof good; i++) { /* any byte */
        memcpy(b, good, sizeof good);
        b[i] ^= 0x40;
        ring_write(&f, b, sizeof good);
        enum err_code code = load_code(&f, RING_VAULT);
        assert_true(code == E_CONFIG || code == E_SEAL);
    }
    memcpy(b, good, sizeof good);
    memcpy(b + 8 + ENTRY + 17, good + 8 + 17, ENTRY - 17); /* the key of one municipality under the name of another */
    ring_write(&f, b, sizeof good);
    assert_int_equal(load_code(&f, RING_VAULT), E_SEAL);
    memcpy(b, good, sizeof good);
    memcpy(b + sizeof good, good + 8, ENTRY); /* the first entry twice */
    ring_write(&f, b, sizeof b);
    assert_int_equal(load_code(&f, RING_VAULT), E_CONFIG);
    ring_write(&f, good, sizeof good);
    assert_int_equal(load_code(&f, RING_VAULT), E_OK);
    ring_files_remove(&f);
}

static void test_modes_and_masters(void **state)
{
    (void)state;
    struct ring_files f = ring_files_make(RING_VAULT), g = ring_files_make(RING_VAULT);
    ring_files_add(&f, RING_VAULT, KEY_NUM_DATA, "331007", 1);
    assert_int_equal(chmod(f.master, 0640), 0);
    assert_int_equal(load_code(&f, RING_VAULT), E_CONFIG);
    assert_int_equal(chmod(f.master, 0600), 0);
    assert_int_equal(chmod(f.ring, 0620), 0);
    assert_int_equal(load_code(&f, RING_VAULT), E_CONFIG);
    assert_int_equal(chmod(f.ring, 0600), 0);

    struct keyring *r = NULL;
    assert_int_equal(keyring_load(&r, RING_VAULT, f.ring, g.master).code, E_SEAL); /* another master key */
    assert_int_equal(keyring_load(&r, RING_VAULT, f.ring, f.ring).code, E_CONFIG); /* not 32 bytes */
    assert_int_equal(keyring_load(&r, RING_VAULT, "/nonexistent/ring", f.master).code, E_CONFIG);
    assert_int_equal(keyring_load(&r, RING_VAULT, f.ring, "/nonexistent/master").code, E_CONFIG);
    unlink(g.master);
    assert_int_equal(keyring_create(RING_VAULT, g.ring, g.master).code, E_CONFIG); /* a new one could never open it */
    ring_files_remove(&f);
    ring_files_remove(&g);
}

/* Eight processes add eight keys each: none is lost. */
static void test_changes_do_not_lose_each_other(void **state)
{
    (void)state;
    struct ring_files f = ring_files_make(RING_VAULT);
    for (int p = 0; p < 8; p++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < 8; i++) {
            char id[8];
            snprintf(id, sizeof id, "%06d", p * 8 + i);
            if (!err_ok(keyring_add(RING_VAULT, f.ring, f.master, KEY_NUM_DATA, slice_str(id), NULL)))
                _exit(1);
        }
        _exit(0);
    }
    for (int p = 0; p < 8; p++) {
        int status = 1;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct keyring *r = NULL;
    size_t at = 0, n = 0;
    struct slice id;
    const struct secret *key;
    assert_true(err_ok(keyring_load(&r, RING_VAULT, f.ring, f.master)));
    while (keyring_each(r, KEY_NUM_DATA, &at, &id, &key))
        n++;
    assert_int_equal(n, 64);
    keyring_free(r);
    ring_files_remove(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_find_walk_destroy), cmocka_unit_test(test_destroyed_bytes_are_overwritten),
        cmocka_unit_test(test_names_and_zones),       cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_modes_and_masters),     cmocka_unit_test(test_changes_do_not_lose_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
