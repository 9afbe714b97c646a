#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/base/clock.h"
#include "gateway/base/file.h"
#include "gateway/base/json_write.h"
#include "gateway/base/log.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/base/wipe.h"

static void assert_text(struct slice got, const char *want)
{
    assert_int_equal(got.n, strlen(want));
    assert_memory_equal(got.p, want, got.n);
}

/* ---- errors ---- */

static void every_error_has_its_texts_and_a_slug_of_its_own(void **state)
{
    (void)state;
    for (int i = 0; i < E__MAX; i++) {
        const struct err_info *a = err_info((enum err_code)i);
        assert_true(a->status >= 200 && a->status < 600);
        if (i != E_OK)
            assert_true(a->status >= 400 && a->title_ja[0] && a->title_en[0] && a->todo_ja[0] && a->todo_en[0]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(a->slug, err_info((enum err_code)k)->slug);
    }
    assert_ptr_equal(err_info((enum err_code)9999), err_info(E_INTERNAL));
}

/* ---- buf ---- */

static void buf_grows_to_its_maximum_and_then_stays_failed(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        buf_putc(&b, (uint8_t)i);
    assert_true(err_ok(buf_check(&b)));
    buf_putc(&b, 1);
    assert_true(err_is(buf_check(&b), E_FULL));
    buf_puts(&b, "x");
    assert_int_equal(b.n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.p[i], (uint8_t)i);
    buf_reset(&b);
    assert_true(err_ok(buf_check(&b)));
    buf_done(&b);
    assert_null(buf_room(&b, 0));
    assert_null(buf_room(&b, 1001));
    assert_true(err_is(buf_check(&b), E_FULL));
    buf_done(&b);
}

static void slices_are_cut_by_length(void **state)
{
    (void)state;
    struct slice in = LIT("abc:de"), head, tail, none = SLICE_NONE;
    assert_true(slice_cut(in, ':', &head, &tail) && head.n == 3 && slice_eq(tail, LIT("de")));
    assert_false(slice_cut(in, ';', &head, &tail));
    assert_true(slice_take(&in, 6, &head) && in.n == 0);
    assert_false(slice_take(&in, 1, &head));
    assert_true(slice_take(&none, 0, &head) && head.n == 0);
    assert_false(slice_cut(none, ':', &head, &tail));
}

static void buf_writes_numbers_and_hex(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 200);
    buf_u64(&b, 0);
    buf_putc(&b, ' ');
    buf_u64(&b, UINT64_MAX);
    buf_putc(&b, ' ');
    buf_i64(&b, INT64_MIN);
    buf_putc(&b, ' ');
    buf_hex(&b, LIT("\x00\xff\x1a"));
    buf_be16(&b, 0x4142);
    buf_be32(&b, 0x43444546);
    assert_text(buf_slice(&b), "0 18446744073709551615 -9223372036854775808 00ff1aABCDEF");
    buf_drop(&b, 2);
    assert_true(slice_starts(buf_slice(&b), LIT("18446744073709551615 ")));
    buf_done(&b);
}

/* Random walk against a plain array. */
static void buf_behaves_as_its_model(void **state)
{
    (void)state;
    struct buf b;
    uint8_t model[4096];
    size_t n = 0;
    buf_init(&b, sizeof model);
    srand(7);
    for (int step = 0; step < 20000; step++) {
        uint8_t piece[64];
        size_t k = (size_t)(rand() % (int)sizeof piece);
        if (rand() % 2 && n + k <= sizeof model) {
            for (size_t i = 0; i < k; i++)
                piece[i] = (uint8_t)rand();
            buf_put(&b, slice_of(piece, k));
            memcpy(model + n, piece, k);
            n += k;
        } else if (k <= n) {
            buf_drop(&b, k);
            memmove(model, model + k, n - k);
            n -= k;
        }
        assert_int_equal(b.n, n);
        if (n)
            assert_memory_equal(b.p, model, n);
    }
    assert_true(err_ok(buf_check(&b)));
    buf_done(&b);
}

/* ---- arena ---- */

static void count_up(void *arg) { ++*(int *)arg; }

static void arena_gives_zeroed_aligned_memory_and_runs_hooks_once(void **state)
{
    (void)state;
    struct arena *a = arena_new(100000);
    int hooks = 0;
    assert_non_null(a);
    for (size_t n = 1; n < 300; n++) {
        uint8_t *p = arena_get(a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xEE, n);
    }
    assert_true(arena_on_reset(a, count_up, &hooks));
    assert_true(err_ok(arena_check(a)));
    assert_null(arena_get(a, 100000));
    assert_true(err_is(arena_check(a), E_FULL));
    assert_null(arena_get(a, 1));
    arena_reset(a);
    assert_int_equal(hooks, 1);
    assert_non_null(arena_get(a, 20000));
    arena_free(a);
    assert_int_equal(hooks, 1);
    arena_free(NULL);
}

/* ---- text ---- */

static void utf8_is_judged_strictly(void **state)
{
    (void)state;
    static const struct { const char *text; bool good; } CASES[] = {
        { "", true },
        { "abc", true },
        { "\xE5\xB2\xA1\xE5\xB1\xB1", true },       /* 岡山 */
        { "\xF0\xA0\xAE\xB7", true },               /* U+20BB7 */
        { "\xE8\x91\x9B\xF3\xA0\x84\x80", true },   /* with a variation selector */
        { "\xEE\x80\x80", true },                   /* private use */
        { "\xF4\x8F\xBF\xBF", true },               /* U+10FFFF */
        { "\x80", false },
        { "\xC0\x80", false },                      /* overlong NUL */
        { "\xC1\xBF", false },
        { "\xE0\x80\x80", false },
        { "\xED\xA0\x80", false },                  /* surrogate */
        { "\xF0\x80\x80\x80", false },
        { "\xF4\x90\x80\x80", false },              /* beyond U+10FFFF */
        { "\xF5\x80\x80\x80", false },
        { "\xE5\xB2", false },                      /* cut off */
        { "\xE5\x41\x41", false },
        { "\xFF", false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(utf8_valid(slice_str(CASES[i].text)), CASES[i].good);
    assert_int_equal(utf8_count(slice_str("a\xE5\xB2\xA1\xF0\xA0\xAE\xB7")), 3);
}

static void base64url_round_trips_and_refuses_other_spellings(void **state)
{
    (void)state;
    struct buf e, d;
    buf_init(&e, 1000);
    buf_init(&d, 1000);
    for (size_t n = 0; n < 64; n++) {
        uint8_t raw[64];
        rnd_bytes(raw, n);
        buf_reset(&e);
        buf_reset(&d);
        b64url_encode(slice_of(raw, n), &e);
        assert_true(b64url_decode(buf_slice(&e), &d));
        assert_int_equal(d.n, n);
        char chars[400];
        chars[e.n] = '!';
        b64url_chars(slice_of(raw, n), chars);
        assert_memory_equal(chars, e.p, e.n);
        assert_int_equal(chars[e.n], '!');
        if (n)
            assert_memory_equal(d.p, raw, n);
    }
    static const char *const BAD[] = { "A", "AA=", "AA==", "A A", "AB", "AAB", "A+", "A/", "AAAA\n", "AAAAA" };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        buf_reset(&d);
        assert_false(b64url_decode(slice_str(BAD[i]), &d));
    }
    buf_done(&e);
    buf_done(&d);
}

static void hex_and_decimal_are_strict(void **state)
{
    (void)state;
    uint8_t out[2];
    uint64_t v;
    assert_true(hex_decode(LIT("00ff"), out, 2) && out[0] == 0 && out[1] == 0xff);
    assert_false(hex_decode(LIT("00FF"), out, 2));
    assert_false(hex_decode(LIT("00f"), out, 2));
    assert_false(hex_decode(LIT("0g00"), out, 2));
    assert_true(u64_parse(LIT("18446744073709551615"), &v) && v == UINT64_MAX);
    assert_true(u64_parse(LIT("0"), &v) && v == 0);
    static const char *const BAD[] = { "", "01", "-1", "+1", " 1", "1 ", "18446744073709551616", "99999999999999999999", "1e3", "0x1" };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        assert_false(u64_parse(slice_str(BAD[i]), &v));
}

/* ---- dates ---- */

static void dates_exist_or_are_refused(void **state)
{
    (void)state;
    static const struct { const char *text; ymd_t date; } CASES[] = {
        { "2013-01-01", 20130101 }, { "2024-02-29", 20240229 }, { "2000-02-29", 20000229 }, { "1900-02-29", 0 },
        { "2023-02-29", 0 }, { "2023-13-01", 0 }, { "2023-00-01", 0 }, { "2023-01-00", 0 }, { "2023-04-31", 0 },
        { "2023-1-01", 0 }, { "2023/01/01", 0 }, { "20230101", 0 }, { "", 0 }, { "2023-01-01 ", 0 }, { "0000-01-01", 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        ymd_t d = 0;
        assert_int_equal(ymd_parse(slice_str(CASES[i].text), &d), CASES[i].date != 0);
        assert_int_equal(d, CASES[i].date);
        if (d) {
            char back[10];
            ymd_format(d, back);
            assert_memory_equal(back, CASES[i].text, 10);
        }
    }
}

static void the_day_in_japan_turns_at_fifteen_utc(void **state)
{
    (void)state;
    /* 2024-02-28T14:59:59.999Z and one millisecond later */
    assert_int_equal(clock_date_jst(1709132399999u), 20240228);
    assert_int_equal(clock_date_jst(1709132400000u), 20240229);
    char ts[24];
    clock_format_utc(1709132399999u, ts);
    assert_memory_equal(ts, "2024-02-28T14:59:59.999Z", 24);
}

/* ---- JSON writer ---- */

static void json_is_escaped_and_separated(void **state)
{
    (void)state;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 1000);
    jsonw_init(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "a", LIT("q\" b\\ n\n \x1b e"));
    jsonw_array(&w, "l");
    jsonw_u64(&w, NULL, 7);
    jsonw_bool(&w, NULL, false);
    jsonw_null(&w, NULL);
    jsonw_object(&w, NULL);
    jsonw_end_object(&w);
    jsonw_end_array(&w);
    jsonw_raw(&w, "r", LIT("{\"x\":1}"));
    jsonw_str(&w, "none", SLICE_NONE);
    jsonw_end_object(&w);
    assert_text(buf_slice(&b), "{\"a\":\"q\\\" b\\\\ n\\u000a \\u001b e\",\"l\":[7,false,null,{}],\"r\":{\"x\":1},\"none\":\"\"}");
    buf_done(&b);
}

/* ---- secrets ---- */

static struct err copy_out(struct slice bytes, void *arg)
{
    buf_put(arg, bytes);
    return OK;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void secret_files_must_be_private_and_of_the_right_size(void **state)
{
    (void)state;
    char dir[] = "/tmp/base_test_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/k", dir);
    struct secret *s = NULL;
    struct buf b;
    buf_init(&b, 100);
    write_file(path, "0123456789abcdef\n", 0600);
    assert_true(err_is(secret_read_file(&s, path, 16), E_CONFIG));
    assert_true(err_ok(secret_read_file(&s, path, 0)));
    assert_true(err_ok(secret_use(s, copy_out, &b)));
    assert_text(buf_slice(&b), "0123456789abcdef");
    secret_free(s);
    assert_int_equal(chmod(path, 0640), 0);
    assert_true(err_is(secret_read_file(&s, path, 0), E_CONFIG));
    unlink(path);
    assert_true(err_is(secret_read_file(&s, path, 0), E_IO));
    write_file(path, "", 0600);
    assert_true(err_is(secret_read_file(&s, path, 0), E_CONFIG));
    unlink(path);
    rmdir(dir);
    buf_done(&b);
    assert_true(secret_equal(LIT("abc"), LIT("abc")));
    assert_false(secret_equal(LIT("abc"), LIT("abd")));
    assert_false(secret_equal(LIT("abc"), LIT("ab")));
    secret_free(NULL);
}

static void a_new_file_is_nobody_elses(void **state)
{
    (void)state;
    char dir[] = "/tmp/base_test_XXXXXX", path[64], other[64];
    struct stat st;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
    snprintf(other, sizeof other, "%s/o", dir);
    write_file(other, "theirs", 0666);
    assert_int_equal(link(other, path), 0);
    for (int i = 0; i < 3; i++) { /* there is: a file that another name has too, a file, a link */
        int fd = file_new(path);
        assert_true(fd >= 0 && err_ok(fd_write_all(fd, LIT("ours"))) && fstat(fd, &st) == 0);
        assert_true(S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 && st.st_nlink == 1);
        close(fd);
        assert_true(stat(other, &st) == 0 && st.st_size == 6);
        if (i == 1)
            assert_true(unlink(path) == 0 && symlink(other, path) == 0);
    }
    unlink(path);
    unlink(other);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_new(path), -1);
    rmdir(path);
    rmdir(dir);
}

static void a_file_is_read_up_to_the_room_there_is(void **state)
{
    (void)state;
    char dir[] = "/tmp/base_test_XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/f", dir);
    struct buf b;
    write_file(path, "0123456789", 0600);
    buf_init(&b, 10);
    assert_true(err_ok(file_read(path, &b)));
    assert_text(buf_slice(&b), "0123456789");
    buf_done(&b);
    buf_init(&b, 9);
    assert_true(err_is(file_read(path, &b), E_FULL));
    buf_done(&b);
    uint8_t some[16];
    size_t n = 99;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(err_ok(fd_read_up_to(fd, some, 4, &n)) && n == 4 && memcmp(some, "0123", 4) == 0);
    assert_true(err_ok(fd_read_up_to(fd, some, sizeof some, &n)) && n == 6 && memcmp(some, "456789", 6) == 0);
    assert_true(err_ok(fd_read_up_to(fd, some, sizeof some, &n)) && n == 0);
    close(fd);
    assert_true(err_is(fd_read_up_to(-1, some, sizeof some, &n), E_IO));
    write_file(path, "", 0600);
    assert_true(err_ok(file_read(path, &b)) && b.n == 0);
    unlink(path);
    assert_true(err_is(file_read(path, &b), E_IO));
    assert_true(err_is(file_read(dir, &b), E_IO));
    buf_done(&b);
    assert_true(err_is(fd_write_all(-1, LIT("x")), E_IO));
    assert_true(err_ok(fd_write_all(-1, SLICE_NONE)));
    rmdir(dir);
}

static void wiping_realloc_keeps_the_content(void **state)
{
    (void)state;
    char *p = wipe_strdup("twelve bytes");
    for (size_t n = 64; n < 100000; n *= 2) {
        p = wipe_realloc(p, n);
        assert_non_null(p);
        assert_string_equal(p, "twelve bytes");
    }
    p = wipe_realloc(p, 13);
    assert_string_equal(p, "twelve bytes");
    wipe_free(p);
    wipe_free(NULL);
}

/* ---- log ---- */

static void a_log_line_is_one_json_object(void **state)
{
    (void)state;
    int pipe_fd[2], keep = dup(STDERR_FILENO);
    char line[1024] = { 0 };
    assert_int_equal(pipe(pipe_fd), 0);
    dup2(pipe_fd[1], STDERR_FILENO);
    log_open(LITERAL("unit"), LOG_INFO);
    LOG(DEBUG, "not_written");
    LOG(WARN, "happened", LF("n", (uint64_t)5), LF("i", -3), LF("yes", (bool)true), LF("error", FAIL(E_IO)),
        LF("request", ((struct req_id){ { 1, 2, 3, 4, 5, 6, 7, 8 } })), LF("name", LITERAL("door")));
    dup2(keep, STDERR_FILENO);
    ssize_t n = read(pipe_fd[0], line, sizeof line - 1);
    assert_true(n > 0 && line[n - 1] == '\n');
    assert_null(strstr(line, "not_written"));
    assert_non_null(strstr(line, "\"level\":\"warn\",\"daemon\":\"unit\",\"event\":\"happened\",\"n\":5,\"i\":-3,\"yes\":true,"
                                 "\"error\":{\"code\":\"io_error\",\"site\":\"base_test.c:"));
    assert_non_null(strstr(line, "\"request\":\"0102030405060708\",\"name\":\"door\"}\n"));
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    close(keep);
}

/* Eight bytes are judged at a time: none may hide behind its neighbours. */
static void every_byte_of_a_text_is_escaped_or_not_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 20; n++)
        for (size_t at = 0; at < n; at++)
            for (unsigned c = 0; c < 256; c++) {
                char text[20], escaped[7], want[64];
                struct buf b;
                struct jsonw w;
                memset(text, at % 2 ? ' ' : 0x80, n);
                text[at] = (char)c;
                bool quoted = c == '"' || c == '\\', control = c < 0x20 || c == 0x7f;
                snprintf(escaped, sizeof escaped, quoted ? "\\%c" : control ? "\\u00%02x" : "%c", c);
                int len = snprintf(want, sizeof want, "\"%.*s%s%.*s\"", (int)at, text, escaped, (int)(n - at - 1), text + at + 1);
                buf_init(&b, 64);
                jsonw_init(&w, &b);
                jsonw_str(&w, NULL, slice_of(text, n));
                assert_true(slice_eq(buf_slice(&b), slice_of(want, (size_t)len)));
                buf_done(&b);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_error_has_its_texts_and_a_slug_of_its_own),
        cmocka_unit_test(buf_grows_to_its_maximum_and_then_stays_failed),
        cmocka_unit_test(slices_are_cut_by_length),
        cmocka_unit_test(buf_writes_numbers_and_hex),
        cmocka_unit_test(buf_behaves_as_its_model),
        cmocka_unit_test(arena_gives_zeroed_aligned_memory_and_runs_hooks_once),
        cmocka_unit_test(utf8_is_judged_strictly),
        cmocka_unit_test(base64url_round_trips_and_refuses_other_spellings),
        cmocka_unit_test(hex_and_decimal_are_strict),
        cmocka_unit_test(dates_exist_or_are_refused),
        cmocka_unit_test(the_day_in_japan_turns_at_fifteen_utc),
        cmocka_unit_test(json_is_escaped_and_separated),
        cmocka_unit_test(every_byte_of_a_text_is_escaped_or_not_wherever_it_stands),
        cmocka_unit_test(secret_files_must_be_private_and_of_the_right_size),
        cmocka_unit_test(a_file_is_read_up_to_the_room_there_is),
        cmocka_unit_test(a_new_file_is_nobody_elses),
        cmocka_unit_test(wiping_realloc_keeps_the_content),
        cmocka_unit_test(a_log_line_is_one_json_object),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
