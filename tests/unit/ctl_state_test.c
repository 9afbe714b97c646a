/* What the command leaves in the state directory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/ctl/state.h"

static unsigned mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_a_new_file_is_closed_and_one_that_replaces_keeps_its_rights(void **state)
{
    char dir[] = "/tmp/pmhgw-state-XXXXXX", path[64], beside[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/crl.pem", dir);
    snprintf(beside, sizeof beside, "%s/crl.pem.new", dir);
    const mode_t before = umask(0);
    assert_true(err_ok(file_write(path, LIT("one"))));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(chmod(path, 0644), 0);
    umask(077);
    assert_true(err_ok(file_write(path, LIT("two"))));
    assert_int_equal(mode_of(path), 0644);
    umask(before);
    assert_int_equal(access(beside, F_OK), -1);
    unlink(path);
    rmdir(dir);
}

static void test_what_is_no_file_lends_no_rights(void **state)
{
    char dir[] = "/tmp/pmhgw-state-XXXXXX", path[64], to[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/link", dir);
    snprintf(to, sizeof to, "%s/open", dir);
    assert_true(err_ok(file_write(to, LIT("one"))));
    assert_int_equal(chmod(to, 0666), 0);
    assert_int_equal(symlink(to, path), 0);
    assert_true(err_ok(file_write(path, LIT("two"))));
    assert_int_equal(mode_of(path), 0600);
    assert_int_equal(mode_of(to), 0666);
    unlink(path);
    unlink(to);
    rmdir(dir);
}

/* Whoever has the number now is signalled otherwise. */
static void test_a_process_is_told_only_while_up_or_what_it_started_lives(void **state)
{
    struct state s = { .dir = "/tmp/pmhgw-state-XXXXXX" };
    char run[64], pid[64], text[32];
    (void)state;
    assert_non_null(mkdtemp(s.dir));
    snprintf(run, sizeof run, "%s/run", s.dir);
    snprintf(pid, sizeof pid, "%s/run/up.pid", s.dir);
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    assert_int_equal(mkdir(run, 0700), 0);
    assert_true(err_ok(file_write(pid, slice_str(text))));
    assert_int_equal(state_pid(&s, "up"), 0); /* there is no lock: it has never run here */
    int lock = open(state_at(&s, "run/lock").c, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(state_pid(&s, "up"), 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(state_pid(&s, "up"), getpid());
    close(lock);
    assert_int_equal(state_pid(&s, "up"), 0);
    unlink(pid);
    unlink(state_at(&s, "run/lock").c);
    rmdir(run);
    rmdir(s.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_file_is_closed_and_one_that_replaces_keeps_its_rights),
        cmocka_unit_test(test_what_is_no_file_lends_no_rights),
        cmocka_unit_test(test_a_process_is_told_only_while_up_or_what_it_started_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
