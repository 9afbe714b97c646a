#ifndef PMHGW_TORTURE_FAIL_PAGE_H
#define PMHGW_TORTURE_FAIL_PAGE_H

/* What the driver of the fault sweeps (sweep.py) and the library that fails calls (fail.c) share: a small file that both map. */

#include <stdint.h>

/* X(symbol, type of the result, parameters, arguments): everything that may fail but the allocations. The second and the third list are
 * calls that may also do a part of what was asked: of a length, of a list of pieces. */
#define TORTURE_PLAIN(X)                                                                                                                   \
    X(fsync, int, (int fd), (fd))                                                                                                          \
    X(fdatasync, int, (int fd), (fd))                                                                                                      \
    X(accept, int, (int fd, struct sockaddr *restrict a, socklen_t *restrict n), (fd, a, n))                                               \
    X(accept4, int, (int fd, struct sockaddr *restrict a, socklen_t *restrict n, int flags), (fd, a, n, flags))                            \
    X(connect, int, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))                                                           \
    X(socket, int, (int d, int t, int p), (d, t, p))                                                                                       \
    X(socketpair, int, (int d, int t, int p, int fds[2]), (d, t, p, fds))                                                                 \
    X(epoll_wait, int, (int fd, struct epoll_event *ev, int max, int ms), (fd, ev, max, ms))                                               \
    X(epoll_pwait, int, (int fd, struct epoll_event *ev, int max, int ms, const sigset_t *s), (fd, ev, max, ms, s))                        \
    X(epoll_ctl, int, (int fd, int op, int other, struct epoll_event *ev), (fd, op, other, ev))                                            \
    X(ftruncate, int, (int fd, off_t n), (fd, n))                                                                                          \
    X(fstat, int, (int fd, struct stat *s), (fd, s))                                                                                       \
    X(rename, int, (const char *a, const char *b), (a, b))                                                                                 \
    X(renameat, int, (int d, const char *a, int e, const char *b), (d, a, e, b))                                                           \
    X(mkdirat, int, (int d, const char *p, mode_t m), (d, p, m))                                                                           \
    X(unlinkat, int, (int d, const char *p, int flags), (d, p, flags))                                                                     \
    X(mlock, int, (const void *p, size_t n), (p, n))

#define TORTURE_LENGTH(X)                                                                                                                  \
    X(read, (int fd, void *p, size_t n), (fd, p, n))                                                                                       \
    X(write, (int fd, const void *p, size_t n), (fd, p, n))                                                                                \
    X(recv, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))                                                                     \
    X(send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))                                                               \
    X(recvfrom, (int fd, void *restrict p, size_t n, int flags, struct sockaddr *restrict a, socklen_t *restrict l), (fd, p, n, flags, a, l)) \
    X(sendto, (int fd, const void *p, size_t n, int flags, const struct sockaddr *a, socklen_t l), (fd, p, n, flags, a, l))                \
    X(pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))                                                                        \
    X(pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))                                                                      \
    X(pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))                                                                 \
    X(pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))

#define TORTURE_LIST(X)                                                                                                                    \
    X(readv, (int fd, const struct iovec *v, int k), (fd, v, k))                                                                           \
    X(writev, (int fd, const struct iovec *v, int k), (fd, v, k))                                                                          \
    X(preadv, (int fd, const struct iovec *v, int k, off_t at), (fd, v, k, at))                                                            \
    X(pwritev, (int fd, const struct iovec *v, int k, off_t at), (fd, v, k, at))

#define TORTURE_MESSAGE(X)                                                                                                                 \
    X(sendmsg, (int fd, const struct msghdr *m, int flags), (fd, m, flags))                                                                \
    X(recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))

/* The order is that of the names that sweep.py reads out of this file. The others are written by hand. */
#define TORTURE_NAME(name, ...) CALL_##name,
enum torture_call {
    CALL_malloc,
    CALL_open,
    CALL_openat,
    CALL_mmap,
    CALL_getrandom,
    CALL_pipe2,
    CALL_eventfd,
    TORTURE_PLAIN(TORTURE_NAME) TORTURE_LENGTH(TORTURE_NAME) TORTURE_LIST(TORTURE_NAME) TORTURE_MESSAGE(TORTURE_NAME) CALL__MAX
};

enum { TORTURE_STACK = 24, TORTURE_CALLS = 64 };

enum torture_lib { LIB_OTHER, LIB_UV, LIB_CRYPTO, LIB_SSL, LIB_HIREDIS, LIB_CURL, LIB_SECCOMP, LIB_C, LIB__MAX };

struct torture_page {
    uint32_t armed;       /* 0: nothing is counted, nothing fails */
    uint32_t pid;         /* of the one process that is meant; 0: each that has the page */
    uint32_t first, last; /* the calls that fail, counted from 1; first 0: none */
    int32_t error;        /* errno of a failure; 0: no failure, the call does a part of what was asked */
    uint32_t depth;       /* of the stack below */
    uint64_t calls;       /* a bit for each torture_call that is counted */
    uint32_t seen, failed, aborted, crashed;
    uint64_t stack[TORTURE_STACK]; /* of the first failure, then of an end: offsets in the program, or an enum torture_lib */
    uint32_t by[TORTURE_CALLS];    /* how often each was seen */
};

_Static_assert((int)CALL__MAX < (int)TORTURE_CALLS, "a bit for each call");

#endif
