#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/must.h"
#include "mocks/journal.h"

enum { LINES = 500 };

struct bench {
    char path[64];
    struct loop *l;
    struct journal *j;
    struct buf lines; /* what was read at the open, one a line */
    unsigned done, failed, puts_left;
    bool in_put;      /* a callback must not come from inside the call that asked for it */
};

static struct err on_line(void *arg, struct slice line)
{
    struct bench *b = arg;
    buf_put(&b->lines, line);
    buf_putc(&b->lines, '\n');
    return slice_eq(line, LIT("stop")) ? FAIL(E_FULL) : OK;
}

static struct err open_journal(struct bench *b)
{
    buf_reset(&b->lines);
    return journal_open(&b->j, b->l, b->path, on_line, b);
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    snprintf(b->path, sizeof b->path, "/tmp/pmhgw-journal-XXXXXX");
    int fd = mkstemp(b->path);
    MUST(fd >= 0 && close(fd) == 0);
    buf_init(&b->lines, 1024 * 1024);
    MUST(err_ok(loop_new(&b->l, clock_system())));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    unlink(b->path);
    buf_done(&b->lines);
    loop_free(b->l);
    free(b);
    return 0;
}

static void file_set(const struct bench *b, const char *text)
{
    FILE *f = fopen(b->path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static void file_get(const struct bench *b, char *out, size_t n)
{
    FILE *f = fopen(b->path, "r");
    assert_non_null(f);
    size_t k = fread(out, 1, n - 1, f);
    out[k] = '\0';
    fclose(f);
}

static void on_stop(void *arg)
{
    struct bench *b = arg;
    journal_close(b->j);
    b->j = NULL;
}

static void on_done(void *arg, struct err e)
{
    struct bench *b = arg;
    assert_false(b->in_put);
    b->done++;
    b->failed += !err_ok(e);
    if (b->done == LINES)
        loop_stop(b->l);
}

/* Everything that was put before a sync is in the file when its callback comes. */
static void put_some(void *arg)
{
    struct bench *b = arg;
    b->in_put = true;
    for (unsigned i = 0; i < 7 && b->puts_left > 0; i++, b->puts_left--) {
        assert_int_equal(journal_put(b->j, LIT("line")).code, E_OK);
        assert_int_equal(journal_sync(b->j, on_done, b).code, E_OK);
    }
    b->in_put = false;
    if (b->puts_left > 0)
        assert_int_equal(loop_defer(b->l, put_some, b).code, E_OK);
}

static void test_every_line_is_there(void **state)
{
    struct bench *b = *state;
    b->puts_left = LINES;
    assert_int_equal(open_journal(b).code, E_OK);
    loop_on_stop(b->l, on_stop, b);
    assert_int_equal(loop_defer(b->l, put_some, b).code, E_OK);
    loop_run(b->l, 5000);
    assert_int_equal(b->done, LINES);
    assert_int_equal(b->failed, 0);
    char text[LINES * 5 + 16];
    file_get(b, text, sizeof text);
    assert_int_equal(strlen(text), LINES * 5);
}

static void on_synced_look(void *arg, struct err e)
{
    struct bench *b = arg;
    char text[64];
    assert_true(err_ok(e));
    file_get(b, text, sizeof text);
    assert_string_equal(text, "old\nnew\n");
    b->done++;
    loop_stop(b->l);
}

static void test_torn_tail_is_cut_off(void **state)
{
    struct bench *b = *state;
    file_set(b, "old\ntor");
    assert_int_equal(open_journal(b).code, E_OK);
    assert_true(slice_eq(buf_slice(&b->lines), LIT("old\n")));
    loop_on_stop(b->l, on_stop, b);
    assert_int_equal(journal_put(b->j, LIT("new")).code, E_OK);
    assert_int_equal(journal_sync(b->j, on_synced_look, b).code, E_OK);
    loop_run(b->l, 5000);
    assert_int_equal(b->done, 1);
}

static void test_an_error_while_reading_ends_it(void **state)
{
    struct bench *b = *state;
    file_set(b, "one\nstop\ntwo\n");
    assert_int_equal(open_journal(b).code, E_FULL);
    assert_true(slice_eq(buf_slice(&b->lines), LIT("one\nstop\n")));
    char text[64];
    file_get(b, text, sizeof text);
    assert_string_equal(text, "one\nstop\ntwo\n"); /* nothing was cut off */
}

static void test_cannot_open(void **state)
{
    struct bench *b = *state;
    snprintf(b->path, sizeof b->path, "/tmp/no-such-folder/journal");
    assert_int_equal(open_journal(b).code, E_IO);
}

/* A disk that takes two bytes more. Whoever waits hears it, nothing is accepted afterwards, and the torn line is cut off later. */
static void on_full(void *arg, struct err e)
{
    struct bench *b = arg;
    assert_int_equal(e.code, E_IO);
    assert_int_equal(journal_put(b->j, LIT("later")).code, E_IO);
    b->done++;
    loop_stop(b->l);
}

static void test_full_disk(void **state)
{
    struct bench *b = *state;
    struct rlimit before, tight = { .rlim_cur = 2, .rlim_max = RLIM_INFINITY };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(open_journal(b).code, E_OK);
    loop_on_stop(b->l, on_stop, b);
    assert_int_equal(journal_put(b->j, LIT("line")).code, E_OK);
    assert_int_equal(journal_sync(b->j, on_full, b).code, E_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    loop_run(b->l, 5000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(b->done, 1);
    char text[64];
    file_get(b, text, sizeof text);
    assert_string_equal(text, "li");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_line_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_error_while_reading_ends_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cannot_open, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
