#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/service.h"

static int listen_at(const char *name, size_t n)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    memcpy(a.sun_path, name, n);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)), 0);
    return fd;
}

static void a_manager_hears_it(void **state)
{
    (void)state;
    char path[64], name[64], got[32] = "";
    snprintf(path, sizeof path, "/tmp/service_test_%d", (int)getpid());
    snprintf(name, sizeof name, "@service_test_%d", (int)getpid());
    int by_file = listen_at(path, strlen(path));
    setenv("NOTIFY_SOCKET", path, 1);
    service_tell("READY=1");
    assert_int_equal(recv(by_file, got, sizeof got, 0), 7);
    assert_memory_equal(got, "READY=1", 7);
    unlink(path);
    service_tell("READY=1"); /* nobody is there */
    name[0] = '\0';
    int by_name = listen_at(name, 1 + strlen(name + 1));
    name[0] = '@';
    setenv("NOTIFY_SOCKET", name, 1);
    service_tell("WATCHDOG=1");
    assert_int_equal(recv(by_name, got, sizeof got, 0), 10);
    close(by_file);
    close(by_name);
}

static void without_one_nothing_happens(void **state)
{
    (void)state;
    static const char *const NONE[] = { "", "@", "relative", "/" };
    unsetenv("NOTIFY_SOCKET");
    service_tell("READY=1");
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        setenv("NOTIFY_SOCKET", NONE[i], 1);
        service_tell("READY=1");
    }
}

static void the_watchdog_is_that_of_this_process(void **state)
{
    (void)state;
    char pid[24];
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
    assert_int_equal(service_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    assert_int_equal(service_watchdog_ms(), 30000);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(service_watchdog_ms(), 30000);
    snprintf(pid, sizeof pid, "%d", (int)getppid());
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(service_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "soon", 1);
    assert_int_equal(service_watchdog_ms(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_manager_hears_it), cmocka_unit_test(without_one_nothing_happens), cmocka_unit_test(the_watchdog_is_that_of_this_process) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
