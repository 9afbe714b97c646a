/* A partner that has a name, in a process that is boxed as the intake is: the resolver works under the filter, and a slow
 * one holds nobody up. */

#include "tests/unit/client_bench.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <time.h>

#include "gateway/box/box.h"

#define PARTNER "pmh.test"

enum { DEADLINE_MS = 500, SLOW_S = 4, EXIT_GOOD = 7 };

static atomic_bool slow_resolver;
static const char *own_name = "localhost"; /* or its address, on a machine whose files do not know the name */

/* In the place of libc's: libcurl's own thread comes here. The name of the partner is looked up as that of this machine, in the files
 * that libc's own resolver reads. ("localhost" itself libcurl would not ask for.) */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **res)
{
    int (*theirs)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = NULL;
    *(void **)&theirs = dlsym(RTLD_NEXT, "getaddrinfo");
    if (atomic_load(&slow_resolver))
        nanosleep(&(struct timespec){ SLOW_S, 0 }, NULL);
    return theirs(node && strcmp(node, PARTNER) == 0 ? own_name : node, service, hints, res);
}

struct answer {
    struct loop *loop;
    struct client *client;
    enum err_code code;
    int status, times;
};

static void on_done(void *arg, struct err e, int status, struct slice body)
{
    struct answer *a = arg;
    (void)body;
    a->code = e.code;
    a->status = status;
    a->times++;
    client_close(a->client);
    loop_stop(a->loop);
}

/* One request by name. Returns the milliseconds until the loop had ended. */
static uint64_t ask_by_name(const struct fixture *f, struct answer *a, bool boxed)
{
    char paths[3][96], url[96];
    struct client_conf conf;
    *a = (struct answer){ 0 };
    conf_of(f, paths, &conf);
    assert_true(err_ok(loop_new(&a->loop, clock_system())));
    assert_true(err_ok(client_new(&a->client, a->loop, &conf)));
    if (boxed && !err_ok(box_enter(BOX_INTAKE, 0)))
        _exit(1);
    snprintf(url, sizeof url, "https://" PARTNER ":%d/echo", f->good.port);
    struct client_req req = { .method = "GET", .url = url, .answer_max = 1000, .timeout_ms = boxed ? 5000 : DEADLINE_MS };
    struct buf none;
    uint64_t start = loop_now(a->loop);
    buf_init(&none, 1);
    client_send(a->client, &req, &none, on_done, a);
    loop_run(a->loop, 10000);
    uint64_t took = loop_now(a->loop) - start;
    loop_free(a->loop);
    return took;
}

static void test_name_under_the_filter(void **state)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct answer a;
        ask_by_name(*state, &a, true);
        if (a.code != E_OK || a.status != 200)
            fprintf(stderr, "boxed request: %s, status %d\n", err_slug(a.code), a.status);
        _exit(a.times == 1 && a.code == E_OK && a.status == 200 ? EXIT_GOOD : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_GOOD);
}

static void test_slow_resolver_keeps_the_deadline(void **state)
{
    struct answer a;
    atomic_store(&slow_resolver, true);
    uint64_t took = ask_by_name(*state, &a, false);
    atomic_store(&slow_resolver, false);
    assert_int_equal(a.times, 1);
    assert_int_equal(a.code, E_UPSTREAM_DOWN);
    assert_in_range(took, DEADLINE_MS, DEADLINE_MS + 1500);
}

static void learn_own_name(void)
{
    struct addrinfo *found = NULL;
    if (getaddrinfo(own_name, NULL, NULL, &found) == 0)
        freeaddrinfo(found);
    else
        own_name = "127.0.0.1";
}

int main(void)
{
    learn_own_name();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_under_the_filter),
        cmocka_unit_test(test_slow_resolver_keeps_the_deadline),
    };
    if (!err_ok(client_setup()))
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
