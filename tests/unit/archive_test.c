/* Backups: the archive inside, and the seal around it. A file that was cut, altered or made by somebody else is no backup. */

#include <fcntl.h>
#include <sys/mman.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/file.h"
#include "keys/ctl/age.h"
#include "keys/ctl/archive.h"

enum { MAX = 8 << 20 };

static void put_member(struct archive_out *a, const char *name, struct slice content, struct buf *out)
{
    uint8_t sum[SHA256_BYTES];
    archive_header(name, content.n, 1700000000, out);
    buf_put(out, content);
    archive_pad(content.n, out);
    assert_true(err_ok(sha256(1, &content, sum)));
    assert_true(err_ok(archive_sum(a, name, sum)));
}

/* Two files, one of them longer than a block. */
static void make(enum archive_kind kind, struct buf *out)
{
    struct archive_out a;
    uint8_t longer[1500];
    memset(longer, 'x', sizeof longer);
    archive_out_init(&a);
    assert_true(err_ok(archive_about(&a, kind, "2026-11-22T01:02:03.000Z", out)));
    put_member(&a, kind == ARCHIVE_KEYS ? "keys/link.ring" : "conf/front.yaml", LIT("workers: 2\n"), out);
    put_member(&a, kind == ARCHIVE_KEYS ? "certs/doors.key" : "redis-link/appendonlydir/appendonly.aof.1.incr.aof", ARR(longer), out);
    put_member(&a, kind == ARCHIVE_KEYS ? "keys/link.master" : "audit/head", SLICE_NONE, out);
    assert_true(err_ok(archive_end(&a, 1700000000, out)));
    archive_out_done(&a);
}

/* Read in pieces of so many bytes. */
static struct err read_all(enum archive_kind kind, struct slice text, size_t piece, const struct archive_sink *sink)
{
    struct archive_in *a;
    assert_true(err_ok(archive_in_new(&a, kind, sink)));
    struct err e = OK;
    for (size_t at = 0; err_ok(e) && at < text.n; at += piece)
        e = archive_in_feed(a, slice_of(text.p + at, text.n - at < piece ? text.n - at : piece));
    if (err_ok(e))
        e = archive_in_end(a);
    archive_in_free(a);
    return e;
}

struct seen { char names[512]; uint64_t bytes; unsigned ends; };

static struct err on_begin(void *arg, const char *name, uint64_t size)
{
    struct seen *s = arg;
    snprintf(s->names + strlen(s->names), sizeof s->names - strlen(s->names), "%s:%llu ", name, (unsigned long long)size);
    return OK;
}
static struct err on_data(void *arg, struct slice bytes)
{
    ((struct seen *)arg)->bytes += bytes.n;
    return OK;
}
static struct err on_end(void *arg)
{
    ((struct seen *)arg)->ends++;
    return OK;
}

static void test_members_come_back_whatever_the_pieces(void **state)
{
    static const size_t PIECES[] = { 1, 7, 511, 512, 513, MAX };
    struct buf b;
    (void)state;
    buf_init(&b, MAX);
    make(ARCHIVE_DATA, &b);
    for (size_t i = 0; i < sizeof PIECES / sizeof *PIECES; i++) {
        struct seen s = { .bytes = 0 };
        assert_true(err_ok(read_all(ARCHIVE_DATA, buf_slice(&b), PIECES[i], &(struct archive_sink){ on_begin, on_data, on_end, &s })));
        assert_string_equal(s.names, "conf/front.yaml:11 redis-link/appendonlydir/appendonly.aof.1.incr.aof:1500 audit/head:0 ");
        assert_int_equal(s.bytes, 1511);
        assert_int_equal(s.ends, 3);
    }
    buf_done(&b);
}

static void test_every_cut_and_every_changed_byte_is_found(void **state)
{
    struct buf b;
    unsigned good = 0;
    (void)state;
    buf_init(&b, MAX);
    make(ARCHIVE_DATA, &b);
    for (size_t n = 0; n < b.n; n += 13)
        assert_false(err_ok(read_all(ARCHIVE_DATA, slice_of(b.p, n), MAX, NULL)));
    for (size_t i = 0; i < b.n; i++) {
        b.p[i] ^= 1;
        good += err_ok(read_all(ARCHIVE_DATA, buf_slice(&b), MAX, NULL));
        b.p[i] ^= 1;
    }
    assert_int_equal(good, 0);
    buf_put(&b, LIT("x"));
    assert_false(err_ok(read_all(ARCHIVE_DATA, buf_slice(&b), MAX, NULL)));
    buf_done(&b);
}

static void test_a_backup_of_keys_is_no_backup_of_data(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, MAX);
    make(ARCHIVE_KEYS, &b);
    assert_true(err_ok(read_all(ARCHIVE_KEYS, buf_slice(&b), MAX, NULL)));
    assert_true(err_is(read_all(ARCHIVE_DATA, buf_slice(&b), MAX, NULL), E_PROTOCOL));
    buf_done(&b);
}

static void test_names_stay_below_the_state(void **state)
{
    static const char *const BAD[] = { "", "conf", "conf/", "/etc/passwd", "conf/../keys/x", "conf/.hidden", "../conf/x", "conf//x", "keys/link.master", "home/x", "run/up.pid", "run/base-port/x", "run/order", "conf/a b", "conf/\xe3\x81\x82",
                                       "conf/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(archive_name_ok(ARCHIVE_DATA, slice_str(BAD[i])));
    assert_true(archive_name_ok(ARCHIVE_DATA, LIT("spool/331007-0123456789abcdef0123456789abcdef/upload")));
    assert_true(archive_name_ok(ARCHIVE_DATA, LIT("run/base-port")));
    assert_true(archive_name_ok(ARCHIVE_KEYS, LIT("keys/link.master")));
    assert_false(archive_name_ok(ARCHIVE_KEYS, LIT("run/base-port")));
}

/* A tar file of a stranger: a good header, a name that leads away, a link. */
static void test_a_foreign_tar_is_refused(void **state)
{
    struct buf b;
    (void)state;
    buf_init(&b, MAX);
    archive_header("conf/x", 1, 0, &b);
    buf_puts(&b, "y");
    archive_pad(1, &b);
    assert_true(err_is(read_all(ARCHIVE_DATA, buf_slice(&b), MAX, NULL), E_PROTOCOL)); /* does not say what it is */
    buf_done(&b);
}

/* ---- the seal ---- */

static int memory_file(void)
{
    int fd = memfd_create("sealed", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void seal(int fd, const struct age_who *w, size_t n)
{
    struct age_out *o;
    uint8_t piece[1000];
    assert_true(err_ok(age_out_new(&o, fd, w)));
    for (size_t at = 0; at < n; at += sizeof piece) {
        size_t k = n - at < sizeof piece ? n - at : sizeof piece;
        memset(piece, (int)('a' + at / sizeof piece % 26), k);
        assert_true(err_ok(age_put(o, slice_of(piece, k))));
    }
    assert_true(err_ok(age_out_end(o)));
    age_out_free(o);
}

static struct err unseal(int fd, struct age_who *w, size_t *ret_n)
{
    struct age_in *i;
    size_t n = 0;
    bool over = false;
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    struct err e = age_in_new(&i, fd, w);
    if (!err_ok(e))
        return e;
    while (err_ok(e) && !over) {
        struct slice plain;
        e = age_get(i, &plain, &over);
        for (size_t k = 0; err_ok(e) && k < plain.n; k++, n++)
            assert_int_equal(plain.p[k], 'a' + n / 1000 % 26);
    }
    age_in_free(i);
    *ret_n = n;
    return e;
}

static void pair(struct age_who *ret_public, struct age_who *ret_private)
{
    char identity[AGE_TEXT_MAX], recipient[AGE_TEXT_MAX];
    assert_true(err_ok(age_key_new(identity, recipient)));
    assert_true(age_recipient_read(slice_str(recipient), ret_public));
    assert_true(age_identity_read(slice_str(identity), ret_private));
    recipient[20] = recipient[20] == 'q' ? 'p' : 'q';
    assert_false(age_recipient_read(slice_str(recipient), &(struct age_who){ .by_passphrase = false }));
}

static void test_what_is_sealed_opens_for_its_key_alone(void **state)
{
    static const size_t SIZES[] = { 0, 1, AGE_PIECE - 1, AGE_PIECE, AGE_PIECE + 1, 3 * AGE_PIECE };
    struct age_who public, private, other_public, other;
    (void)state;
    pair(&public, &private);
    pair(&other_public, &other);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        size_t n;
        int fd = memory_file();
        seal(fd, &public, SIZES[i]);
        assert_true(err_ok(unseal(fd, &private, &n)));
        assert_int_equal(n, SIZES[i]);
        assert_true(err_is(unseal(fd, &other, &n), E_SEAL));
        close(fd);
    }
}

static void test_a_sealed_file_that_was_touched_does_not_open(void **state)
{
    struct age_who public, private;
    uint8_t b;
    size_t n;
    (void)state;
    pair(&public, &private);
    int fd = memory_file();
    seal(fd, &public, AGE_PIECE + 100);
    off_t size = lseek(fd, 0, SEEK_END);
    for (off_t at = 0; at < size; at += at < 300 ? 1 : 997) {
        assert_int_equal(pread(fd, &b, 1, at), 1);
        b ^= 1;
        assert_int_equal(pwrite(fd, &b, 1, at), 1);
        assert_false(err_ok(unseal(fd, &private, &n)));
        b ^= 1;
        assert_int_equal(pwrite(fd, &b, 1, at), 1);
    }
    assert_true(err_ok(unseal(fd, &private, &n)));
    assert_int_equal(ftruncate(fd, size - 100 - 16), 0); /* the last piece is gone: the one before it is not the last */
    assert_true(err_is(unseal(fd, &private, &n), E_SEAL));
    close(fd);
}

/* A pair that another program of the format made. */
static void test_keys_of_other_programs_are_read(void **state)
{
    static const char IDENTITY[] = "# created: 2024-01-01T00:00:00Z\n# public key: age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n"
                                   "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX\n";
    struct age_who public, private;
    size_t n;
    (void)state;
    assert_true(age_identity_read(slice_str(IDENTITY), &private));
    assert_true(age_recipient_read(LIT("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n"), &public));
    int fd = memory_file();
    seal(fd, &public, 10);
    assert_true(err_ok(unseal(fd, &private, &n)));
    close(fd);
    assert_false(age_identity_read(LIT("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n"), &private));
    assert_false(age_passphrase_read(LIT("too short\n"), &private));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members_come_back_whatever_the_pieces),
        cmocka_unit_test(test_every_cut_and_every_changed_byte_is_found),
        cmocka_unit_test(test_a_backup_of_keys_is_no_backup_of_data),
        cmocka_unit_test(test_names_stay_below_the_state),
        cmocka_unit_test(test_a_foreign_tar_is_refused),
        cmocka_unit_test(test_what_is_sealed_opens_for_its_key_alone),
        cmocka_unit_test(test_a_sealed_file_that_was_touched_does_not_open),
        cmocka_unit_test(test_keys_of_other_programs_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
