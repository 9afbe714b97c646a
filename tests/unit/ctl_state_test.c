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

#include "keys/ctl/conf_files.h"

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
    char text[32];
    (void)state;
    assert_non_null(mkdtemp(s.dir));
    const struct state_path run = state_at(&s, "run"), pid = state_at(&s, "run/up.pid");
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    assert_int_equal(mkdir(run.c, 0700), 0);
    assert_true(err_ok(file_write(pid.c, slice_str(text))));
    assert_int_equal(state_pid(&s, "up"), 0); /* there is no lock: it has never run here */
    int lock = open(state_at(&s, "run/lock").c, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(state_pid(&s, "up"), 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(state_pid(&s, "up"), getpid());
    close(lock);
    assert_int_equal(state_pid(&s, "up"), 0);
    unlink(pid.c);
    unlink(state_at(&s, "run/lock").c);
    rmdir(run.c);
    rmdir(s.dir);
}

static void touch(const char *path) { assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600)), 0); }

static void test_a_relay_stands_where_it_has_settings(void **state)
{
    struct state s = { .dir = "/tmp/pmhgw-state-XXXXXX" };
    (void)state;
    assert_non_null(mkdtemp(s.dir));
    assert_int_equal(mkdir(state_at(&s, "conf").c, 0700), 0);
    assert_null(conf_file_relay(&s, "redis-link"));
    const struct state_path file = conf_file_path(&s, conf_file(FILE_RELAY_LINK)), want = state_at(&s, "conf/relay-link.yaml");
    assert_string_equal(file.c, want.c);
    touch(file.c);
    assert_ptr_equal(conf_file_relay(&s, "redis-link"), conf_file(FILE_RELAY_LINK));
    assert_null(conf_file_relay(&s, "redis-vault"));
    assert_null(conf_file_relay(&s, "front"));
    assert_ptr_equal(conf_file_of("intake"), conf_file(FILE_INTAKE));
    assert_null(conf_file_of("relay"));
    unlink(file.c);
    rmdir(state_at(&s, "conf").c);
    rmdir(s.dir);
}

static void test_units_of_the_packages_have_their_settings_elsewhere(void **state)
{
    struct state s = { .dir = "/tmp/pmhgw-state-XXXXXX" };
    (void)state;
    assert_non_null(mkdtemp(s.dir));
    assert_int_equal(symlink("/run/pmhgw", state_at(&s, "run").c), 0);
    assert_string_equal(conf_file_path(&s, conf_file(FILE_INTAKE)).c, "/etc/pmhgw/intake.yaml");
    unlink(state_at(&s, "run").c);
    for (const char *const *to = (const char *const[]){ "/run/pmhgw2", "/run", NULL }; *to; to++) {
        const struct state_path own = state_at(&s, "conf/intake.yaml");
        assert_int_equal(symlink(*to, state_at(&s, "run").c), 0);
        assert_string_equal(conf_file_path(&s, conf_file(FILE_INTAKE)).c, own.c);
        unlink(state_at(&s, "run").c);
    }
    rmdir(s.dir);
}

static void test_credentials_are_those_of_the_unit(void **state)
{
    (void)state;
    unsetenv("CREDENTIALS_DIRECTORY");
    conf_file_as_unit(conf_file(FILE_FRONT));
    conf_file_as_unit(conf_file(FILE_RELAY_LINK));
    assert_string_equal(getenv("CREDENTIALS_DIRECTORY"), "/run/credentials/pmhgw-relay@link.service");
    setenv("CREDENTIALS_DIRECTORY", "/run/secrets", 1);
    conf_file_as_unit(conf_file(FILE_FRONT));
    assert_string_equal(getenv("CREDENTIALS_DIRECTORY"), "/run/secrets");
    unsetenv("CREDENTIALS_DIRECTORY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_file_is_closed_and_one_that_replaces_keeps_its_rights),
        cmocka_unit_test(test_what_is_no_file_lends_no_rights),
        cmocka_unit_test(test_a_process_is_told_only_while_up_or_what_it_started_lives),
        cmocka_unit_test(test_a_relay_stands_where_it_has_settings),
        cmocka_unit_test(test_units_of_the_packages_have_their_settings_elsewhere),
        cmocka_unit_test(test_credentials_are_those_of_the_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
