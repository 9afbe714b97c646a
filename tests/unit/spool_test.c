/* The folder of the spool: what is kept of a file, what is found again, what is gone. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "keys/spool/spool.h"

static const uint8_t TASK[16] = { 0xab, 1 }, OTHER[16] = { 0xcd, 2 };
static const uint8_t WRAPPED[NZ_WRAPPED_BYTES] = { 1, 9, 9 };
#define MUNI "331007"

struct place {
    char root[64], dir[96];
    struct nz_spool *s;
    uint8_t key[32];
};

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->root, "/tmp/pmhgw-spool-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    snprintf(p->dir, sizeof p->dir, "%s/spool", p->root);
    rnd_bytes(p->key, sizeof p->key);
    assert_int_equal(nz_spool_new(&p->s, p->dir).code, E_OK);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", p->root);
    nz_spool_free(p->s);
    free(p);
    return system(command);
}

static struct secret *key(const struct place *p)
{
    struct secret *k = NULL;
    assert_true(err_ok(secret_new(&k, ARR(p->key))));
    return k;
}

static const struct nz_spool_meta META = { .bytes = 1234567890123, .has_sha256 = true, .sha256 = { 7, 8 }, .name = "fukushi_2026.csv" };

static struct nz_spool_entry *created(struct place *p, const uint8_t *task)
{
    struct nz_spool_entry *e = NULL;
    assert_int_equal(nz_spool_create(p->s, &e, MUNI, task, key(p), WRAPPED, &META).code, E_OK);
    return e;
}

static enum err_code open_code(struct place *p, const uint8_t *task, struct secret *k)
{
    struct nz_spool_entry *e = NULL;
    struct err r = nz_spool_open(p->s, &e, MUNI, task, k);
    nz_spool_close(e);
    return r.code;
}

static size_t folders(struct place *p)
{
    size_t at = 0, n = 0;
    char muni[6];
    uint8_t task[16];
    while (nz_spool_each(p->s, &at, muni, task)) {
        assert_memory_equal(muni, MUNI, 6);
        assert_true(memcmp(task, TASK, 16) == 0 || memcmp(task, OTHER, 16) == 0);
        n++;
    }
    return n;
}

static void a_file_is_found_again(void **state)
{
    struct place *p = *state;
    uint8_t wrapped[NZ_WRAPPED_BYTES] = { 0 };
    struct nz_spool_entry *e = created(p, TASK);
    assert_int_equal(nz_spool_meta_of(e)->bytes, META.bytes);
    nz_spool_close(e);
    nz_spool_free(p->s); /* as after a restart */
    assert_int_equal(nz_spool_new(&p->s, p->dir).code, E_OK);
    assert_int_equal(folders(p), 1);
    assert_int_equal(nz_spool_wrapped(p->s, MUNI, TASK, wrapped).code, E_OK);
    assert_memory_equal(wrapped, WRAPPED, sizeof wrapped);
    assert_int_equal(nz_spool_wrapped(p->s, MUNI, OTHER, wrapped).code, E_NOTHING);
    assert_int_equal(nz_spool_open(p->s, &e, MUNI, TASK, key(p)).code, E_OK);
    const struct nz_spool_meta *m = nz_spool_meta_of(e);
    assert_true(m->bytes == META.bytes && m->has_sha256);
    assert_memory_equal(m->sha256, META.sha256, 32);
    assert_string_equal(m->name, META.name);
    nz_spool_close(e);
    assert_true(nz_spool_room(p->s) > 0);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct place *p = *state;
    struct nz_spool_entry *e = created(p, TASK), *again = NULL;
    struct secret *wrong = NULL;
    nz_spool_close(e);
    assert_int_equal(nz_spool_create(p->s, &again, MUNI, TASK, key(p), WRAPPED, &META).code, E_IO); /* it is there */
    assert_int_equal(open_code(p, TASK, key(p)), E_OK);                                             /* and stays */
    assert_int_equal(open_code(p, OTHER, key(p)), E_NOTHING);
    assert_true(err_ok(secret_random(&wrong, 32)));
    assert_int_equal(open_code(p, TASK, wrong), E_SEAL);
    char path[256];
    snprintf(path, sizeof path, "%s/" MUNI "-ab010000000000000000000000000000/key", p->dir);
    assert_int_equal(truncate(path, NZ_WRAPPED_BYTES - 1), 0);
    uint8_t wrapped[NZ_WRAPPED_BYTES];
    assert_int_equal(nz_spool_wrapped(p->s, MUNI, TASK, wrapped).code, E_SEAL);
}

static void parts_come_and_go(void **state)
{
    struct place *p = *state;
    struct nz_spool_entry *e = created(p, TASK);
    struct nz_frames *f = NULL;
    assert_int_equal(nz_spool_frames(e, NZ_SPOOL_UPLOAD, NZ_SPOOL_READ, &f).code, E_NOTHING);
    assert_int_equal(nz_spool_frames(e, NZ_SPOOL_UPLOAD, NZ_SPOOL_CREATE, &f).code, E_OK);
    assert_int_equal(nz_frames_append(f, LIT("hello")).code, E_OK);
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    nz_frames_close(f);
    assert_int_equal(nz_spool_frames(e, NZ_SPOOL_UPLOAD, NZ_SPOOL_CREATE, &f).code, E_OK);
    assert_int_equal(nz_frames_bytes(f), 5);
    nz_frames_close(f);
    assert_int_equal(nz_spool_drop_part(e, NZ_SPOOL_UPLOAD).code, E_OK);
    assert_int_equal(nz_spool_drop_part(e, NZ_SPOOL_UPLOAD).code, E_OK);
    assert_int_equal(nz_spool_frames(e, NZ_SPOOL_UPLOAD, NZ_SPOOL_READ, &f).code, E_NOTHING);
    assert_int_equal(nz_spool_frames(e, NZ_SPOOL_RESULTS, NZ_SPOOL_CREATE, &f).code, E_OK);
    nz_frames_close(f);
    nz_spool_close(e);
    e = created(p, OTHER);
    nz_spool_close(e);
    assert_int_equal(folders(p), 2);
    assert_int_equal(nz_spool_remove(p->s, MUNI, TASK).code, E_OK);
    assert_int_equal(nz_spool_remove(p->s, MUNI, TASK).code, E_OK);
    assert_int_equal(folders(p), 1);
    assert_int_equal(open_code(p, TASK, key(p)), E_NOTHING);
}

static void names_of_others_are_passed_over(void **state)
{
    struct place *p = *state;
    static const char *const NAMES[] = { "lost+found", "331007-ab", "33100x-ab010000000000000000000000000000", "331007-AB010000000000000000000000000000",
                                         "331007_ab010000000000000000000000000000" };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", p->dir, NAMES[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    assert_int_equal(folders(p), 0);
}

static void an_open_folder_is_refused(void **state)
{
    struct place *p = *state;
    struct nz_spool *s = NULL;
    assert_int_equal(chmod(p->dir, 0750), 0);
    assert_int_equal(nz_spool_new(&s, p->dir).code, E_CONFIG);
    assert_int_equal(nz_spool_new(&s, "/nonexistent/spool").code, E_CONFIG);
    assert_null(s);
}

struct opened { int times; struct err e; struct nz_frames *f; };

static void on_opened(void *arg, struct err e, struct nz_frames *f)
{
    struct opened *o = arg;
    *o = (struct opened){ o->times + 1, e, f };
}

/* An upload that takes long to walk over: half a gigabyte behind a frame, torn, as some file systems leave it. */
static void long_upload(struct nz_spool_entry *entry, const char *path)
{
    struct nz_frames *f;
    assert_int_equal(nz_spool_frames(entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_CREATE, &f).code, E_OK);
    assert_int_equal(nz_frames_append(f, LIT("abc")).code, E_OK);
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    nz_frames_close(f);
    assert_int_equal(truncate(path, 512 << 20), 0);
}

static void a_long_upload_is_opened_while_the_loop_goes_on(void **state)
{
    struct place *p = *state;
    struct loop *l = NULL;
    struct opened o = { 0 };
    char path[256];
    int turns = 0;
    struct nz_spool_entry *entry = created(p, TASK);
    snprintf(path, sizeof path, "%s/331007-ab010000000000000000000000000000/upload", p->dir);
    long_upload(entry, path);
    assert_true(err_ok(loop_new(&l, clock_system())));
    assert_true(err_ok(nz_spool_frames_later(entry, NZ_SPOOL_UPLOAD, l, on_opened, &o)));
    assert_int_equal(o.times, 0);
    for (; turns < 20000 && !o.times; turns++, usleep(1000))
        uv_run(loop_uv(l), UV_RUN_NOWAIT);
    assert_int_equal(o.times, 1);
    assert_int_equal(o.e.code, E_OK);
    assert_true(turns > 10); /* each of them could have answered somebody */
    assert_int_equal(nz_frames_bytes(o.f), 3);
    nz_frames_close(o.f);
    assert_int_equal(unlink(path), 0); /* what cannot be opened is told the same way */
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(err_ok(nz_spool_frames_later(entry, NZ_SPOOL_UPLOAD, l, on_opened, &o)));
    for (; o.times < 2; usleep(1000))
        uv_run(loop_uv(l), UV_RUN_NOWAIT);
    assert_int_equal(o.e.code, E_IO);
    assert_null(o.f);
    nz_spool_close(entry);
    loop_stop(l);
    loop_run(l, 1000);
    loop_free(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = { T(a_file_is_found_again), T(what_does_not_fit_is_refused), T(parts_come_and_go),
                                        T(names_of_others_are_passed_over), T(an_open_folder_is_refused),
                                        T(a_long_upload_is_opened_while_the_loop_goes_on) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
