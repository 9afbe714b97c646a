/* The sealed files of the spool: what is read back, what a crash, a full disk or a changed byte does. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "keys/spool/frames.h"

static const uint8_t ID[NZ_FRAME_ID] = { 1, 2, 3 }, OTHER_ID[NZ_FRAME_ID] = { 1, 2, 4 };

static bool disk_fails;

/* In place of the one of libc. */
int fdatasync(int fd)
{
    errno = EIO;
    return disk_fails ? -1 : fsync(fd);
}

struct place {
    char path[64];
    int dir;
    struct secret *key;
    uint8_t *text; /* random, 512 KiB */
};
enum { TEXT = 512 * 1024 };

static int setup(void **state)
{
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/pmhgw-frames-XXXXXX");
    assert_non_null(mkdtemp(p->path));
    p->dir = open(p->path, O_RDONLY | O_DIRECTORY);
    assert_true(p->dir >= 0 && err_ok(secret_random(&p->key, 32)));
    p->text = malloc(TEXT);
    for (size_t i = 0; i < TEXT; i += 256)
        rnd_bytes(p->text + i, 256);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct place *p = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", p->path);
    secret_free(p->key);
    close(p->dir);
    free(p->text);
    free(p);
    return system(command);
}

static struct slice text(const struct place *p, size_t from, size_t n) { return slice_of(p->text + from, n); }

static struct nz_frames *made(struct place *p)
{
    struct nz_frames *f = NULL;
    assert_int_equal(nz_frames_create(&f, p->dir, "upload", p->key, ID).code, E_OK);
    return f;
}

static struct nz_frames *opened(struct place *p)
{
    struct nz_frames *f = NULL;
    assert_int_equal(nz_frames_open(&f, p->dir, "upload", p->key, ID).code, E_OK);
    return f;
}

static struct err read_all(struct nz_frames *f, struct buf *out)
{
    struct nz_frames_at at = { 0 };
    struct err e;
    while (err_ok(e = nz_frames_read(f, &at, out)))
        ;
    return e;
}

static void holds(struct place *p, size_t n)
{
    struct nz_frames *f = NULL;
    struct buf out;
    buf_init(&out, TEXT);
    assert_int_equal(nz_frames_open_read(&f, p->dir, "upload", p->key, ID).code, E_OK);
    assert_int_equal(read_all(f, &out).code, E_NOTHING);
    assert_int_equal(out.n, n);
    assert_int_equal(nz_frames_bytes(f), n);
    assert_true(n == 0 || memcmp(out.p, p->text, n) == 0);
    buf_done(&out);
    nz_frames_close(f);
}

static struct buf file_copy(struct place *p)
{
    struct buf b;
    struct stat st;
    int fd = openat(p->dir, "upload", O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    buf_init(&b, (size_t)st.st_size + 1);
    uint8_t *room = buf_room(&b, (size_t)st.st_size);
    assert_int_equal(read(fd, room, (size_t)st.st_size), st.st_size);
    buf_grew(&b, (size_t)st.st_size);
    close(fd);
    return b;
}

static void file_put(struct place *p, struct slice content)
{
    int fd = openat(p->dir, "upload", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n);
    close(fd);
}

static void put(struct nz_frames *f, struct slice s) { assert_int_equal(nz_frames_append(f, s).code, E_OK); }

static void what_is_appended_is_read_back(void **state)
{
    struct place *p = *state;
    static const size_t PIECES[] = { 0, 1, 65535, 1, 65536, 65537, 131072, 3, 100000 };
    struct nz_frames *f = made(p), *again = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; n += PIECES[i++])
        put(f, text(p, n, PIECES[i]));
    assert_int_equal(nz_frames_bytes(f), n);
    assert_int_equal(nz_frames_create(&again, p->dir, "upload", p->key, ID).code, E_IO); /* it is there */
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    holds(p, n);
    nz_frames_close(f);
    struct buf raw = file_copy(p);
    assert_null(memmem(raw.p, raw.n, p->text, 16)); /* nothing in clear */
    buf_done(&raw);
    f = opened(p); /* and goes on */
    assert_int_equal(nz_frames_bytes(f), n);
    put(f, text(p, n, 70000));
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    nz_frames_close(f);
    holds(p, n + 70000);
}

static void a_reader_sees_what_is_appended_meanwhile(void **state)
{
    struct place *p = *state;
    struct nz_frames *f = made(p), *r = NULL;
    struct nz_frames_at at = { 0 };
    struct buf out;
    buf_init(&out, TEXT);
    assert_int_equal(nz_frames_open_read(&r, p->dir, "upload", p->key, ID).code, E_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(nz_frames_read(r, &at, &out).code, E_NOTHING);
        put(f, text(p, i * 10, 10));
        assert_int_equal(nz_frames_read(r, &at, &out).code, E_NOTHING); /* not written yet */
        assert_int_equal(nz_frames_flush(f).code, E_OK);
        assert_int_equal(nz_frames_read(r, &at, &out).code, E_OK);
    }
    assert_memory_equal(out.p, p->text, 50);
    buf_done(&out);
    nz_frames_close(r);
    nz_frames_close(f);
}

static void another_key_id_or_name_does_not_open(void **state)
{
    struct place *p = *state;
    struct nz_frames *f = made(p), *other = NULL;
    struct secret *key = NULL;
    put(f, text(p, 0, 100));
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    nz_frames_close(f);
    assert_true(err_ok(secret_random(&key, 32)));
    assert_int_equal(nz_frames_open(&other, p->dir, "upload", key, ID).code, E_SEAL);
    assert_int_equal(nz_frames_open(&other, p->dir, "upload", p->key, OTHER_ID).code, E_SEAL);
    assert_int_equal(nz_frames_open_read(&other, p->dir, "upload", p->key, OTHER_ID).code, E_SEAL);
    assert_int_equal(nz_frames_open(&other, p->dir, "undo", p->key, ID).code, E_NOTHING);
    assert_int_equal(renameat(p->dir, "upload", p->dir, "undo"), 0);
    assert_int_equal(nz_frames_open(&other, p->dir, "undo", p->key, ID).code, E_SEAL);
    secret_free(key);
}

/* Three frames of 40 bytes, cut at every byte: the whole ones stay, and what is appended then stands behind them. */
static void a_torn_end_is_cut_off(void **state)
{
    struct place *p = *state;
    enum { FRAME = 4 + 29 + 40 };
    struct nz_frames *f = made(p);
    for (size_t i = 0; i < 3; i++) {
        put(f, text(p, i * 40, 40));
        assert_int_equal(nz_frames_flush(f).code, E_OK);
    }
    nz_frames_close(f);
    struct buf raw = file_copy(p);
    assert_int_equal(raw.n, 8 + 3 * FRAME);
    for (size_t cut = 0; cut < raw.n; cut++) {
        size_t whole = cut < 8 ? 0 : (cut - 8) / FRAME;
        file_put(p, slice_of(raw.p, cut));
        if (cut >= 8)
            holds(p, whole * 40); /* a reader passes over it */
        f = opened(p);
        assert_int_equal(nz_frames_bytes(f), whole * 40);
        put(f, text(p, whole * 40, 7));
        assert_int_equal(nz_frames_flush(f).code, E_OK);
        nz_frames_close(f);
        holds(p, whole * 40 + 7);
    }
    for (size_t zeros = 1; zeros < 600; zeros += 59) { /* the size was there before the bytes */
        uint8_t tail[600] = { 0 };
        struct buf b;
        buf_init(&b, 4096);
        buf_put(&b, slice_of(raw.p, 8 + 2 * FRAME));
        buf_put(&b, slice_of(tail, zeros));
        file_put(p, buf_slice(&b));
        f = opened(p);
        assert_int_equal(nz_frames_bytes(f), 80);
        nz_frames_close(f);
        buf_done(&b);
    }
    buf_done(&raw);
}

/* Its name was on the disk before its first words. */
static void a_file_that_was_never_begun(void **state)
{
    struct place *p = *state;
    static const uint8_t ZEROS[40];
    for (size_t n = 0; n <= sizeof ZEROS; n++) {
        struct nz_frames *f = NULL;
        file_put(p, slice_of(ZEROS, n));
        struct err e = nz_frames_open(&f, p->dir, "upload", p->key, ID);
        assert_int_equal(e.code, n <= 8 ? E_OK : E_SEAL);
        if (!err_ok(e))
            continue;
        put(f, text(p, 0, 3));
        assert_int_equal(nz_frames_flush(f).code, E_OK);
        nz_frames_close(f);
        holds(p, 3);
    }
}

static struct buf file_of_frames(struct place *p, size_t n, size_t plain)
{
    struct nz_frames *f = made(p);
    for (size_t i = 0; i < n; i++) {
        put(f, text(p, i * plain, plain));
        assert_int_equal(nz_frames_flush(f).code, E_OK);
    }
    nz_frames_close(f);
    return file_copy(p);
}

/* Of the last frames only the heads and beginnings came to the disk: the size of the file was there before them. */
static void frames_without_an_end_are_cut_off(void **state)
{
    struct place *p = *state;
    enum { PLAIN = 1000, FRAME = 4 + 29 + PLAIN, N = 5 };
    struct nz_frames *f;
    struct buf raw = file_of_frames(p, N, PLAIN);
    for (size_t good = 0; good <= N; good++) {
        for (size_t i = good; i < N; i++) /* from some byte on */
            memset(raw.p + 8 + i * FRAME + 100 * (i + 1), 0, FRAME - 100 * (i + 1));
        file_put(p, buf_slice(&raw));
        f = opened(p);
        assert_int_equal(nz_frames_bytes(f), good * PLAIN);
        put(f, text(p, good * PLAIN, 9));
        assert_int_equal(nz_frames_flush(f).code, E_OK);
        nz_frames_close(f);
        holds(p, good * PLAIN + 9);
        buf_done(&raw);
        assert_int_equal(unlinkat(p->dir, "upload", 0), 0);
        raw = file_of_frames(p, N, PLAIN);
    }
    buf_done(&raw);
}

/* A big file is opened once for every page of it. */
static void a_reader_does_not_walk_the_file(void **state)
{
    struct place *p = *state;
    enum { FRAME = 4 + 29 + 20 };
    struct nz_frames *f, *r = NULL;
    struct nz_frames_at at = { 0 };
    struct buf out, raw = file_of_frames(p, 3, 20);
    buf_init(&out, TEXT);
    raw.p[8 + 2 * FRAME] ^= 1;
    file_put(p, buf_slice(&raw));
    assert_int_equal(nz_frames_open(&f, p->dir, "upload", p->key, ID).code, E_SEAL); /* a writer does */
    assert_int_equal(nz_frames_open_read(&r, p->dir, "upload", p->key, ID).code, E_OK);
    assert_int_equal(nz_frames_read(r, &at, &out).code, E_OK);
    assert_int_equal(nz_frames_read(r, &at, &out).code, E_OK);
    assert_int_equal(nz_frames_read(r, &at, &out).code, E_SEAL); /* seen where it is */
    assert_int_equal(nz_frames_bytes(r), 40); /* up to there */
    nz_frames_close(r);
    buf_done(&raw);
    buf_done(&out);
}

static enum err_code open_and_read(struct place *p)
{
    struct nz_frames *f = NULL;
    struct buf out;
    struct err e = nz_frames_open(&f, p->dir, "upload", p->key, ID);
    if (!err_ok(e))
        return e.code;
    buf_init(&out, TEXT);
    e = read_all(f, &out);
    buf_done(&out);
    nz_frames_close(f);
    return e.code;
}

static void a_changed_bit_is_seen(void **state)
{
    struct place *p = *state;
    struct nz_frames *f = made(p);
    for (size_t i = 0; i < 3; i++) {
        put(f, text(p, i * 20, 20));
        assert_int_equal(nz_frames_flush(f).code, E_OK);
    }
    nz_frames_close(f);
    struct buf raw = file_copy(p);
    assert_int_equal(open_and_read(p), E_NOTHING);
    for (size_t bit = 0; bit < raw.n * 8; bit++) {
        raw.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        file_put(p, buf_slice(&raw));
        raw.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (open_and_read(p) != E_SEAL)
            fail_msg("bit %zu", bit);
        struct buf after = file_copy(p);
        assert_int_equal(after.n, raw.n); /* and nothing was cut off for it */
        buf_done(&after);
    }
    /* frames that changed places */
    struct buf swapped;
    enum { FRAME = 4 + 29 + 20 };
    buf_init(&swapped, 4096);
    buf_put(&swapped, slice_of(raw.p, 8));
    buf_put(&swapped, slice_of(raw.p + 8 + FRAME, FRAME));
    buf_put(&swapped, slice_of(raw.p + 8, FRAME));
    buf_put(&swapped, slice_of(raw.p + 8 + 2 * FRAME, FRAME));
    file_put(p, buf_slice(&swapped));
    assert_int_equal(open_and_read(p), E_SEAL);
    buf_done(&swapped);
    buf_done(&raw);
}

static void truncate_goes_back_to_the_end_of_a_frame(void **state)
{
    struct place *p = *state;
    struct nz_frames *f = made(p);
    put(f, text(p, 0, 70000)); /* a full frame and a rest */
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    put(f, text(p, 1, 30));
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    put(f, text(p, 2, 5));
    assert_int_equal(nz_frames_truncate(f, 69999).code, E_SEAL);
    assert_int_equal(nz_frames_truncate(f, 70031).code, E_SEAL);
    assert_int_equal(nz_frames_truncate(f, 70000).code, E_OK);
    assert_int_equal(nz_frames_bytes(f), 70000);
    put(f, text(p, 70000, 9));
    assert_int_equal(nz_frames_flush(f).code, E_OK);
    holds(p, 70009);
    assert_int_equal(nz_frames_truncate(f, 0).code, E_OK);
    nz_frames_close(f);
    holds(p, 0);
}

/* The limit on the size of a file stands for a full disk: what does not fit leaves everything as it was. */
static void a_full_disk_changes_nothing(void **state)
{
    struct place *p = *state;
    struct rlimit was, small = { 100000, RLIM_INFINITY };
    struct nz_frames *f = made(p);
    put(f, text(p, 0, 1000));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small.rlim_max = was.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum err_code big = nz_frames_append(f, text(p, 1000, 200000)).code; /* its first frame fits */
    uint64_t bytes = nz_frames_bytes(f);
    enum err_code little = nz_frames_append(f, text(p, 1000, 60000)).code, flushed = nz_frames_flush(f).code;
    enum err_code more = nz_frames_append(f, text(p, 61000, 60000)).code, full = nz_frames_flush(f).code;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_equal(big, E_DISK_FULL);
    assert_int_equal(bytes, 1000);
    assert_int_equal(little, E_OK);
    assert_int_equal(flushed, E_OK);
    assert_int_equal(more, E_OK); /* waits */
    assert_int_equal(full, E_DISK_FULL);
    holds(p, 61000);
    assert_int_equal(nz_frames_flush(f).code, E_OK); /* there is room again */
    nz_frames_close(f);
    holds(p, 121000);
}

struct told {
    int times;
    enum err_code code;
};

static void on_synced(void *arg, struct err e)
{
    struct told *t = arg;
    t->times++;
    t->code = e.code;
}

static void a_sync_ends_once_from_the_loop(void **state)
{
    struct place *p = *state;
    struct loop *l = NULL;
    struct told t = { 0 }, late = { 0 };
    struct nz_frames *f = made(p);
    assert_true(err_ok(loop_new(&l, clock_system())));
    put(f, text(p, 0, 10));
    nz_frames_sync(f, l, on_synced, &t);
    assert_int_equal(t.times, 0);
    put(f, text(p, 10, 10)); /* goes on meanwhile */
    for (int i = 0; i < 2000 && !t.times; i++, usleep(1000))
        uv_run(loop_uv(l), UV_RUN_NOWAIT);
    assert_int_equal(t.times, 1);
    assert_int_equal(t.code, E_OK);
    holds(p, 10);
    nz_frames_sync(f, l, on_synced, &late);
    nz_frames_close(f); /* the sync still ends */
    for (int i = 0; i < 2000 && !late.times; i++, usleep(1000))
        uv_run(loop_uv(l), UV_RUN_NOWAIT);
    assert_int_equal(late.times, 1);
    assert_int_equal(late.code, E_OK);
    holds(p, 20);
    loop_stop(l);
    loop_run(l, 1000);
    loop_free(l);
}

/* The kernel shows what it could not write as if it were there: counted by the next who opens the file, it would be lost without a word. */
static void what_was_not_synced_is_gone(void **state)
{
    struct place *p = *state;
    struct loop *l = NULL;
    struct told t = { 0 };
    struct nz_frames *f = made(p);
    assert_true(err_ok(loop_new(&l, clock_system())));
    for (int i = 1; i <= 2; i++) {
        put(f, text(p, 0, 70000));
        disk_fails = i == 2;
        nz_frames_sync(f, l, on_synced, &t);
        while (t.times < i)
            uv_run(loop_uv(l), UV_RUN_ONCE);
        disk_fails = false;
        assert_int_equal(t.code, i == 1 ? E_OK : E_IO);
    }
    assert_int_equal(nz_frames_append(f, text(p, 0, 1)).code, E_IO);
    nz_frames_close(f);
    f = opened(p);
    assert_int_equal(nz_frames_bytes(f), 70000);
    nz_frames_close(f);
    loop_stop(l);
    loop_run(l, 1000);
    loop_free(l);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_appended_is_read_back), T(a_reader_sees_what_is_appended_meanwhile), T(another_key_id_or_name_does_not_open),
        T(a_torn_end_is_cut_off), T(a_changed_bit_is_seen), T(truncate_goes_back_to_the_end_of_a_frame), T(a_full_disk_changes_nothing),
        T(a_sync_ends_once_from_the_loop), T(what_was_not_synced_is_gone), T(frames_without_an_end_are_cut_off), T(a_reader_does_not_walk_the_file), T(a_file_that_was_never_begun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
