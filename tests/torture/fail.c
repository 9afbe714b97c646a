/* Fails the Nth allocation or system call of one daemon, once or from there on. Preloaded (LD_PRELOAD); PMHGW_TORTURE names the file of fail_page.h,
 * which is mapped before the daemon gives its privileges up. Nothing here makes a system call of its own afterwards. */

#include "tests/torture/fail_page.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

static struct torture_page *page;
static uint32_t own_pid;
static __thread bool inside; /* backtrace() may allocate */
static void *program;         /* where it was loaded */

/* Descriptors that the kernel only fails for bad arguments, by their use in this process: of eventfd() and pipe2(). */
enum { FDS = 4096 };
static uint8_t own_lines[FDS / 8];

static void own_line(int fd, bool is)
{
    if (fd < 0 || fd >= FDS)
        return;
    uint8_t bit = (uint8_t)(1u << fd % 8);
    if (is)
        __atomic_fetch_or(&own_lines[fd / 8], bit, __ATOMIC_RELAXED);
    else
        __atomic_fetch_and(&own_lines[fd / 8], (uint8_t)~bit, __ATOMIC_RELAXED);
}

static bool is_own_line(int fd) { return fd >= 0 && fd < FDS && (own_lines[fd / 8] >> fd % 8 & 1); }

static void keep_stack(void);

/* Where it crashed is worth more than what failed before. */
static void on_crash(int signum, siginfo_t *info, void *context)
{
    (void)info, (void)context;
    struct sigaction plain = { .sa_handler = SIG_DFL };
    sigaction(signum, &plain, NULL); /* and again, when this returns */
    if (page && __atomic_fetch_add(&page->crashed, 1, __ATOMIC_RELAXED) == 0)
        keep_stack();
}

static void on_fork(void) { own_pid = (uint32_t)getpid(); }

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("PMHGW_TORTURE");
    void *warm[2];
    (void)backtrace(warm, 2); /* loads what it needs */
    program = (void *)getauxval(AT_PHDR);
    Dl_info of;
    program = dladdr(program, &of) ? of.dli_fbase : NULL;
    own_pid = (uint32_t)getpid();
    (void)pthread_atfork(NULL, NULL, on_fork);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1; /* page is NULL still: nothing fails */
    if (fd < 0)
        return;
    void *p = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        page = p;
    struct sigaction crash = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO };
    sigaction(SIGSEGV, &crash, NULL);
    sigaction(SIGBUS, &crash, NULL);
}

static uint64_t place(void *at)
{
    static const char *const LIBS[LIB__MAX] = { [LIB_UV] = "libuv", [LIB_CRYPTO] = "libcrypto", [LIB_SSL] = "libssl", [LIB_HIREDIS] = "libhiredis",
                                                [LIB_CURL] = "libcurl", [LIB_SECCOMP] = "libseccomp", [LIB_C] = "libc.so" };
    Dl_info of;
    if (!dladdr(at, &of) || !of.dli_fname)
        return LIB_OTHER;
    if (of.dli_fbase == program)
        return (uint64_t)((char *)at - (char *)program);
    for (unsigned i = 1; i < LIB__MAX; i++)
        if (strstr(of.dli_fname, LIBS[i]))
            return i;
    return LIB_OTHER;
}

static void keep_stack(void)
{
    void *at[TORTURE_STACK];
    inside = true;
    int n = backtrace(at, TORTURE_STACK);
    for (int i = 0; i < n; i++)
        page->stack[i] = place(at[i]);
    inside = false;
    page->depth = n > 0 ? (uint32_t)n : 0;
}

/* Is it this one's turn to fail? */
static bool due(unsigned call)
{
    struct torture_page *p = page;
    if (!p || inside || !__atomic_load_n(&p->armed, __ATOMIC_RELAXED) || !(p->calls >> call & 1))
        return false;
    if (p->pid && p->pid != own_pid)
        return false;
    uint32_t n = __atomic_add_fetch(&p->seen, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&p->by[call], 1, __ATOMIC_RELAXED);
    if (!p->first || n < p->first || n > p->last)
        return false;
    if (__atomic_fetch_add(&p->failed, 1, __ATOMIC_RELAXED) == 0)
        keep_stack();
    return true;
}

/* ---- allocations ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t k, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

static bool no_memory(void)
{
    if (!due(CALL_malloc))
        return false;
    errno = ENOMEM;
    return true;
}

SHOWN void *malloc(size_t n) { return no_memory() ? NULL : __libc_malloc(n); }
SHOWN void *calloc(size_t k, size_t n) { return no_memory() ? NULL : __libc_calloc(k, n); }
SHOWN void *realloc(void *p, size_t n) { return n && no_memory() ? NULL : __libc_realloc(p, n); }
SHOWN void *memalign(size_t align, size_t n) { return no_memory() ? NULL : __libc_memalign(align, n); }
SHOWN void *aligned_alloc(size_t align, size_t n) { return no_memory() ? NULL : __libc_memalign(align, n); }

SHOWN int posix_memalign(void **ret_p, size_t align, size_t n)
{
    void *p = due(CALL_malloc) ? NULL : __libc_memalign(align, n);
    if (!p)
        return ENOMEM;
    *ret_p = p;
    return 0;
}

/* strdup, strndup, asprintf and the like of libc come here by themselves. */

SHOWN void abort(void)
{
    if (page && __atomic_fetch_add(&page->aborted, 1, __ATOMIC_RELAXED) == 0)
        keep_stack();
    ((void (*)(void))dlsym(RTLD_NEXT, "abort"))();
    _exit(128);
}

/* ---- system calls ---- */

#define REAL(name, type, params)                                                                                                           \
    static type(*real) params;                                                                                                             \
    if (!real)                                                                                                                             \
    real = (type(*) params)dlsym(RTLD_NEXT, #name)

#define PLAIN(name, type, params, args)                                                                                                    \
    SHOWN type name params                                                                                                                 \
    {                                                                                                                                      \
        REAL(name, type, params);                                                                                                          \
        if (!due(CALL_##name))                                                                                                             \
            return real args;                                                                                                              \
        errno = page->error;                                                                                                               \
        return -1;                                                                                                                         \
    }
TORTURE_PLAIN(PLAIN)

#define LENGTH(name, params, args)                                                                                                         \
    SHOWN ssize_t name params                                                                                                              \
    {                                                                                                                                      \
        REAL(name, ssize_t, params);                                                                                                       \
        if (!is_own_line(fd) && due(CALL_##name)) {                                                                                        \
            errno = page->error;                                                                                                           \
            if (errno)                                                                                                                     \
                return -1;                                                                                                                 \
            n = n > 1 ? 1 : n;                                                                                                             \
        }                                                                                                                                  \
        return real args;                                                                                                                  \
    }
TORTURE_LENGTH(LENGTH)

SHOWN ssize_t getrandom(void *p, size_t n, unsigned flags)
{
    REAL(getrandom, ssize_t, (void *, size_t, unsigned));
    if (due(CALL_getrandom)) {
        errno = page->error;
        if (errno)
            return -1;
        n = n > 1 ? 1 : n;
    }
    return real(p, n, flags);
}

SHOWN int pipe2(int fds[2], int flags)
{
    REAL(pipe2, int, (int *, int));
    if (due(CALL_pipe2)) {
        errno = page->error;
        return -1;
    }
    int got = real(fds, flags);
    if (got == 0) {
        own_line(fds[0], true);
        own_line(fds[1], true);
    }
    return got;
}

SHOWN int eventfd(unsigned n, int flags)
{
    REAL(eventfd, int, (unsigned, int));
    if (due(CALL_eventfd)) {
        errno = page->error;
        return -1;
    }
    int fd = real(n, flags);
    own_line(fd, true);
    return fd;
}

SHOWN int close(int fd)
{
    REAL(close, int, (int));
    own_line(fd, false);
    return real(fd);
}

/* A list of one byte, out of the first piece that has any. */
static struct iovec one_of(const struct iovec *v, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (v[i].iov_len)
            return (struct iovec){ v[i].iov_base, 1 };
    return (struct iovec){ NULL, 0 };
}

#define LIST(name, params, args)                                                                                                           \
    SHOWN ssize_t name params                                                                                                              \
    {                                                                                                                                      \
        REAL(name, ssize_t, params);                                                                                                       \
        struct iovec one;                                                                                                                  \
        if (due(CALL_##name)) {                                                                                                            \
            errno = page->error;                                                                                                           \
            if (errno)                                                                                                                     \
                return -1;                                                                                                                 \
            one = one_of(v, (size_t)k);                                                                                                    \
            v = &one;                                                                                                                      \
            k = 1;                                                                                                                         \
        }                                                                                                                                  \
        return real args;                                                                                                                  \
    }
TORTURE_LIST(LIST)

SHOWN ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    REAL(sendmsg, ssize_t, (int, const struct msghdr *, int));
    if (!due(CALL_sendmsg))
        return real(fd, m, flags);
    errno = page->error;
    if (errno)
        return -1;
    struct msghdr less = *m;
    struct iovec one = one_of(m->msg_iov, m->msg_iovlen);
    less.msg_iov = &one;
    less.msg_iovlen = 1;
    return real(fd, &less, flags);
}

SHOWN ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
    REAL(recvmsg, ssize_t, (int, struct msghdr *, int));
    if (!due(CALL_recvmsg))
        return real(fd, m, flags);
    errno = page->error;
    if (errno)
        return -1;
    struct msghdr less = *m;
    struct iovec one = one_of(m->msg_iov, m->msg_iovlen);
    less.msg_iov = &one;
    less.msg_iovlen = 1;
    ssize_t got = real(fd, &less, flags);
    m->msg_flags = less.msg_flags;
    m->msg_namelen = less.msg_namelen;
    m->msg_controllen = less.msg_controllen;
    return got;
}

SHOWN void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t from)
{
    REAL(mmap, void *, (void *, size_t, int, int, int, off_t));
    if (!due(CALL_mmap))
        return real(at, n, prot, flags, fd, from);
    errno = page->error;
    return MAP_FAILED;
}

static mode_t mode_of(int flags, va_list args) { return flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? va_arg(args, mode_t) : 0; }

#define OPEN(name)                                                                                                                         \
    SHOWN int name(const char *path, int flags, ...)                                                                                       \
    {                                                                                                                                      \
        REAL(name, int, (const char *, int, ...));                                                                                         \
        va_list args;                                                                                                                      \
        va_start(args, flags);                                                                                                             \
        mode_t mode = mode_of(flags, args);                                                                                                \
        va_end(args);                                                                                                                      \
        if (!due(CALL_open))                                                                                                               \
            return real(path, flags, mode);                                                                                                \
        errno = page->error;                                                                                                               \
        return -1;                                                                                                                         \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                                                       \
    SHOWN int name(int dir, const char *path, int flags, ...)                                                                              \
    {                                                                                                                                      \
        REAL(name, int, (int, const char *, int, ...));                                                                                    \
        va_list args;                                                                                                                      \
        va_start(args, flags);                                                                                                             \
        mode_t mode = mode_of(flags, args);                                                                                                \
        va_end(args);                                                                                                                      \
        if (!due(CALL_openat))                                                                                                             \
            return real(dir, path, flags, mode);                                                                                           \
        errno = page->error;                                                                                                               \
        return -1;                                                                                                                         \
    }
OPENAT(openat)
OPENAT(openat64)

/* What -D_FORTIFY_SOURCE makes of some of them; the checked length is at least as long as what the unchecked call is asked for. */
SHOWN ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
SHOWN ssize_t __recv_chk(int fd, void *p, size_t n, size_t room, int flags);
SHOWN ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room);
SHOWN ssize_t __pread64_chk(int fd, void *p, size_t n, off_t at, size_t room);
SHOWN int __open_2(const char *path, int flags);
SHOWN int __openat_2(int dir, const char *path, int flags);

static size_t within(size_t n, size_t room)
{
    if (n > room)
        abort();
    return n;
}

ssize_t __read_chk(int fd, void *p, size_t n, size_t room) { return read(fd, p, within(n, room)); }
ssize_t __recv_chk(int fd, void *p, size_t n, size_t room, int flags) { return recv(fd, p, within(n, room), flags); }
ssize_t __pread_chk(int fd, void *p, size_t n, off_t at, size_t room) { return pread(fd, p, within(n, room), at); }
ssize_t __pread64_chk(int fd, void *p, size_t n, off_t at, size_t room) { return pread(fd, p, within(n, room), at); }
int __open_2(const char *path, int flags) { return open(path, flags); }
int __openat_2(int dir, const char *path, int flags) { return openat(dir, path, flags); }
