/* Each role in a child of its own: what is needed goes on, what is not is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <cmocka.h>

#include "gateway/box/box.h"

#ifdef PMHGW_SANITIZED
enum { FILTERED = 0 }; /* the sanitizers' own calls are not on the lists */
#else
enum { FILTERED = 1 };
#endif

/* In a child an assertion is a line and an exit code. */
#define CHECK(x)                                                        \
    do {                                                                \
        if (!(x)) {                                                     \
            fprintf(stderr, "box_test.c:%d: %s\n", __LINE__, #x);       \
            _exit(1);                                                   \
        }                                                               \
    } while (0)
#define REFUSED(x) CHECK((errno = 0, (x)) < 0 && errno == EPERM)

static void work(uv_work_t *w) { atomic_fetch_add((atomic_int *)w->data, 1); }
static void after_work(uv_work_t *w, int status) { atomic_fetch_add((atomic_int *)w->data, status == 0 ? 1 : 100); }
static void on_timer(uv_timer_t *t)
{
    atomic_fetch_add((atomic_int *)t->data, 1);
    uv_close((uv_handle_t *)t, NULL);
}

/* A loop with a timer and a piece of work for the pool, a unix stream, memory large and small. */
static void ordinary_work(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    uv_work_t req;
    atomic_int done = 0;
    int pair[2];
    char b[4] = "";
    CHECK(uv_loop_init(&loop) == 0);
    CHECK(uv_timer_init(&loop, &timer) == 0);
    timer.data = req.data = &done;
    CHECK(uv_timer_start(&timer, on_timer, 5, 0) == 0);
    CHECK(uv_queue_work(&loop, &req, work, after_work) == 0);
    CHECK(uv_run(&loop, UV_RUN_DEFAULT) == 0);
    CHECK(uv_loop_close(&loop) == 0);
    CHECK(done == 3);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK(write(pair[0], "abc", 3) == 3 && read(pair[1], b, 3) == 3);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(s >= 0 && close(s) == 0);
    for (size_t n = 16; n < 64u << 20; n *= 8) {
        char *p = malloc(n);
        CHECK(p);
        p[n - 1] = 1;
        p = realloc(p, 2 * n);
        CHECK(p && p[n - 1] == 1);
        free(p);
    }
    struct timespec ts;
    CHECK(getrandom(b, sizeof b, 0) == sizeof b);
    CHECK(clock_gettime(CLOCK_REALTIME, &ts) == 0);
    CHECK(fprintf(stderr, "%s", "") >= 0 && write(STDERR_FILENO, "", 0) == 0);
}

static void *thread_body(void *arg) { return arg; }

static void no_role_may(void)
{
    char path[] = "/bin/true", *argv[] = { path, NULL };
    char byte = 0;
    struct iovec v = { &byte, 1 };
    REFUSED(execve(path, argv, NULL));
    REFUSED(fork());
    REFUSED(ptrace(PTRACE_TRACEME, 0, 0, 0));
    REFUSED(process_vm_readv(getppid(), &v, 1, &v, 1, 0));
    REFUSED(kill(getppid(), 0));
    REFUSED(mount("none", "/tmp", "tmpfs", 0, NULL));
    REFUSED(setuid(0));
    REFUSED(chmod("/tmp", 0777));
    REFUSED(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
    REFUSED(socket(AF_PACKET, SOCK_RAW, 0));
    pthread_t t;
    void *back = NULL;
    CHECK(pthread_create(&t, NULL, thread_body, &byte) == 0 && pthread_join(t, &back) == 0 && back == &byte);
}

struct role_case {
    const char *name;
    enum box_role role;
    bool inet, reads, writes, maps_code, spools;
};
static const struct role_case ROLES[] = {
    { "vault", BOX_VAULT, false, false, false, false, false },
    { "audit", BOX_AUDIT, false, true, true, false, false },
    { "intake", BOX_INTAKE, true, true, false, true, true },
    { "front", BOX_FRONT, false, false, false, false, false },
};

static void allowed(bool yes, long result)
{
    CHECK(yes ? result >= 0 : result < 0 && errno == EPERM);
}

/* Tiles: files in folders of their own, replaced whole, and now and then all of it synced at once. */
static void keeps_a_tree(int dir)
{
    int f;
    CHECK(mkdirat(dir, "sub", 0700) == 0 && (f = openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0 && close(f) == 0);
    CHECK(renameat(dir, "file", dir, "sub/file") == 0 && syncfs(dir) == 0);
    CHECK(unlinkat(dir, "sub/file", 0) == 0 && unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
    REFUSED(mkdirat(AT_FDCWD, "sub", 0700));
}

/* Folders and files beneath a folder that was opened before; nothing by a name from the working folder. */
static void spooling(const struct role_case *c, int dir)
{
    struct stat st;
    struct statfs fs;
    char b[4] = "";
    if (c->role == BOX_AUDIT) { /* writes its log anywhere */
        keeps_a_tree(dir);
        return;
    }
    REFUSED(syncfs(dir));
    allowed(c->spools, mkdirat(dir, "sub", 0700));
    int f = openat(dir, "file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    allowed(c->spools, f);
    REFUSED(mkdirat(AT_FDCWD, "sub", 0700));
    REFUSED(unlinkat(AT_FDCWD, "sub", AT_REMOVEDIR));
    REFUSED(openat(AT_FDCWD, "pmhgw-box-none", O_RDWR | O_CREAT, 0600));
    REFUSED(renameat(dir, "file", dir, "other"));
    if (!c->spools)
        return;
    CHECK(pwrite(f, "abc", 3, 0) == 3 && pread(f, b, 3, 0) == 3 && fdatasync(f) == 0 && ftruncate(f, 1) == 0 && fstat(f, &st) == 0);
    CHECK(st.st_size == 1 && fsync(dir) == 0 && fstatfs(dir, &fs) == 0);
    CHECK(unlinkat(dir, "file", 0) == 0 && unlinkat(dir, "sub", AT_REMOVEDIR) == 0);
}

static void by_role(const struct role_case *c, const char *scratch)
{
    errno = 0;
    allowed(c->inet, socket(AF_INET, SOCK_STREAM, 0));
    allowed(c->inet, socket(AF_INET6, SOCK_STREAM, 0));
    allowed(c->reads, open("/etc/hostname", O_RDONLY | O_CLOEXEC));
    allowed(c->writes, open(scratch, O_WRONLY));
    allowed(c->writes, open(scratch, O_RDWR));
    allowed(c->writes, open(scratch, O_RDONLY | O_CREAT, 0600));
    allowed(c->writes, open("/tmp", O_RDWR | O_TMPFILE, 0600));
    int page = (int)sysconf(_SC_PAGESIZE);
    void *code = mmap(NULL, (size_t)page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    allowed(c->maps_code, code == MAP_FAILED ? -1 : 0);
    void *data = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED);
    allowed(c->maps_code, mprotect(data, (size_t)page, PROT_READ | PROT_EXEC));
}

static void early_holds(void)
{
    struct rlimit r;
    char b;
    CHECK(getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 && r.rlim_max == 0);
    CHECK(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
    CHECK(read(STDIN_FILENO, &b, 1) == 0);
    mode_t was = umask(0);
    CHECK(was == 077);
    umask(was);
}

static int run_role(const struct role_case *c, uint32_t uid, const char *scratch)
{
    char folder[] = "/tmp/pmhgw-box-dir-XXXXXX";
    assert_non_null(mkdtemp(folder));
    pid_t pid = fork();
    if (pid == 0) {
        int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CHECK(err_ok(box_early()));
        early_holds();
        CHECK(err_ok(box_enter(c->role, uid)));
        ordinary_work();
        if (FILTERED) {
            no_role_may();
            by_role(c, scratch);
            spooling(c, dir);
        }
        if (uid)
            CHECK(geteuid() == uid && getuid() == uid && getegid() == uid);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rmdir(folder), 0);
    return status;
}

static void test_roles(void **state)
{
    (void)state;
    char scratch[] = "/tmp/pmhgw-box-XXXXXX";
    int fd = mkstemp(scratch);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++) {
        print_message("%s\n", ROLES[i].name);
        assert_int_equal(run_role(&ROLES[i], 0, scratch), 0);
    }
    unlink(scratch);
    close(fd);
}

static void test_uid(void **state)
{
    enum { NOBODY = 65534 };
    static const struct role_case VAULT = { "vault", BOX_VAULT, false, false, false, false, false };
    (void)state;
    if (geteuid() != 0) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(err_is(box_enter(BOX_VAULT, geteuid() + 1), E_CONFIG) ? 0 : 1);
        int status = -1;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        return;
    }
    assert_int_equal(run_role(&VAULT, NOBODY, "/nonexistent"), 0);
}

/* A thread that was there before the filter is under it as well. */
struct old {
    pthread_barrier_t gate;
    bool refused;
};

static void *old_thread(void *arg)
{
    struct old *o = arg;
    pthread_barrier_wait(&o->gate); /* box_enter() has returned */
    errno = 0;
    o->refused = socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM;
    return NULL;
}

static void test_old_threads(void **state)
{
    (void)state;
    if (!FILTERED)
        skip();
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t t;
        struct old o = { .refused = false };
        CHECK(pthread_barrier_init(&o.gate, NULL, 2) == 0);
        CHECK(pthread_create(&t, NULL, old_thread, &o) == 0);
        CHECK(err_ok(box_enter(BOX_VAULT, 0)));
        pthread_barrier_wait(&o.gate);
        CHECK(pthread_join(t, NULL) == 0 && o.refused);
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_roles), cmocka_unit_test(test_uid), cmocka_unit_test(test_old_threads) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
