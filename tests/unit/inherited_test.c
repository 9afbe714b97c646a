/* Sockets that somebody keeps open for us are known by their address, and only when they are meant for this process. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/inherited.h"

struct kept { char path[64]; unsigned port; };

static void say(const char *pid, const char *n)
{
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", n, 1);
}

/* Descriptors 3 and 4, as they come. */
static int setup(void **state)
{
    static struct kept k;
    struct sockaddr_un u = { .sun_family = AF_UNIX };
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    char pid[24];
    snprintf(k.path, sizeof k.path, "/tmp/pmhgw-inherited-%d", (int)getpid());
    snprintf(u.sun_path, sizeof u.sun_path, "%s", k.path);
    int one = socket(AF_UNIX, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);
    if (one < 0 || two < 0 || bind(one, (struct sockaddr *)&u, sizeof u) != 0 || bind(two, (struct sockaddr *)&a, sizeof a) != 0 ||
        getsockname(two, (struct sockaddr *)&a, &n) != 0)
        return -1;
    int far_one = fcntl(one, F_DUPFD, 20), far_two = fcntl(two, F_DUPFD, 20);
    k.port = ntohs(a.sin_port);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    say(pid, "2");
    *state = &k;
    return dup2(far_one, 3) == 3 && dup2(far_two, 4) == 4 ? 0 : -1;
}

static int teardown(void **state)
{
    unlink(((struct kept *)*state)->path);
    return 0;
}

static void a_socket_is_found_by_its_address(void **state)
{
    struct kept *k = *state;
    assert_int_equal(inherited_unix(k->path), 3);
    assert_int_equal(inherited_tcp("127.0.0.1", k->port), 4);
    assert_int_equal(fcntl(3, F_GETFD), FD_CLOEXEC);
}

static void another_address_is_not(void **state)
{
    struct kept *k = *state;
    char longer[80];
    snprintf(longer, sizeof longer, "%sx", k->path);
    assert_int_equal(inherited_unix(longer), -1);
    longer[1] = '\0';
    assert_int_equal(inherited_unix(longer), -1);
    assert_int_equal(inherited_tcp("127.0.0.1", k->port + 1), -1);
    assert_int_equal(inherited_tcp("127.0.0.2", k->port), -1);
    assert_int_equal(inherited_tcp("::1", k->port), -1);
    assert_int_equal(inherited_tcp("localhost", k->port), -1);
}

static void what_is_meant_for_another_process_is_left_alone(void **state)
{
    struct kept *k = *state;
    char pid[24];
    static const char *const BAD[] = { "1", "", "-1", "x" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        say(BAD[i], "2");
        assert_int_equal(inherited_unix(k->path), -1);
    }
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    static const char *const NUMBERS[] = { "0", "", "9", "-1", "99999999999999999999999" };
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        say(pid, NUMBERS[i]);
        assert_int_equal(inherited_unix(k->path), -1);
    }
    unsetenv("LISTEN_PID");
    assert_int_equal(inherited_unix(k->path), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_socket_is_found_by_its_address, setup, teardown),
        cmocka_unit_test_setup_teardown(another_address_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_meant_for_another_process_is_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
