#include "gateway/box/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gateway/base/slice.h"

#define ROLE(r) (1u << (r))
#define ALL (ROLE(BOX__MAX) - 1)
#define VAULT ROLE(BOX_VAULT)
#define AUDIT ROLE(BOX_AUDIT)
#define INTAKE ROLE(BOX_INTAKE)
#define FRONT ROLE(BOX_FRONT)
#define COURIER ROLE(BOX_COURIER)
#define RELAY ROLE(BOX_RELAY)
#define TOKEN ROLE(BOX_SIGNER_TOKEN) /* the signer itself needs no more than everybody */

/* O_TMPFILE without the O_DIRECTORY in it. */
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

/* Set in AT_FDCWD and in no descriptor that is open: a write starts at a folder that was opened before. A path that is absolute
 * or climbs is in memory, where a filter cannot look; there the user's rights are the wall. */
#define CWD_BIT 0x80000000u

struct rule {
    int call;
    unsigned roles;
    int arg; /* -1: whatever the arguments are; else allowed when (argument & mask) == value */
    uint64_t mask, value;
};

#define ANY -1, 0, 0
#define IS(arg, value) (arg), UINT32_MAX, (value) /* an int: the kernel looks at no more */
#define IS_NULL(arg) (arg), UINT64_MAX, 0
#define WITHOUT(arg, bits) (arg), (bits), 0
#define CALL(name) SCMP_SYS(name)

static const struct rule RULES[] = {
    /* memory; code is mapped only where the resolver or a character set has to be loaded */
    { CALL(brk), ALL, ANY },
    { CALL(mmap), ALL, WITHOUT(2, PROT_EXEC) },
    { CALL(mmap), INTAKE | COURIER, ANY },
    { CALL(mprotect), ALL, WITHOUT(2, PROT_EXEC) },
    { CALL(mprotect), INTAKE | COURIER, ANY },
    { CALL(munmap), ALL, ANY },
    { CALL(mremap), ALL, ANY },
    { CALL(madvise), ALL, ANY },
    { CALL(mlock), ALL, ANY },
    { CALL(munlock), ALL, ANY },

    /* threads of libuv and curl; never a new process. clone3 is answered ENOSYS below, so that glibc comes here */
    { CALL(clone), ALL, 0, CLONE_THREAD, CLONE_THREAD },
    { CALL(futex), ALL, ANY },
    { CALL(set_robust_list), ALL, ANY },
    { CALL(rseq), ALL, ANY },
    { CALL(sched_yield), ALL, ANY },
    { CALL(sched_getaffinity), ALL, ANY },
    { CALL(gettid), ALL, ANY },
    { CALL(exit), ALL, ANY },
    { CALL(exit_group), ALL, ANY },

    /* signals of our own */
    { CALL(rt_sigaction), ALL, ANY },
    { CALL(rt_sigprocmask), ALL, ANY },
    { CALL(rt_sigreturn), ALL, ANY },
    { CALL(sigaltstack), ALL, ANY },
    { CALL(restart_syscall), ALL, ANY },

    /* clock, randomness, who am I */
    { CALL(clock_gettime), ALL, ANY },
    { CALL(clock_getres), ALL, ANY },
    { CALL(gettimeofday), ALL, ANY },
    { CALL(time), ALL, ANY },
    { CALL(nanosleep), ALL, ANY },
    { CALL(clock_nanosleep), ALL, ANY },
    { CALL(getrandom), ALL, ANY },
    { CALL(getpid), ALL, ANY },
    { CALL(getppid), ALL, ANY },
    { CALL(getuid), ALL, ANY },
    { CALL(geteuid), ALL, ANY },
    { CALL(getgid), ALL, ANY },
    { CALL(getegid), ALL, ANY },
    { CALL(uname), ALL, ANY },
    { CALL(sysinfo), ALL, ANY },
    { CALL(getrusage), ALL, ANY },
    { CALL(prlimit64), ALL, IS_NULL(2) },

    /* the loop and open descriptors */
    { CALL(epoll_create1), ALL, ANY },
    { CALL(epoll_ctl), ALL, ANY },
    { CALL(epoll_wait), ALL, ANY },
    { CALL(epoll_pwait), ALL, ANY },
    { CALL(epoll_pwait2), ALL, ANY },
    { CALL(eventfd2), ALL, ANY },
    { CALL(timerfd_create), ALL, ANY },
    { CALL(timerfd_settime), ALL, ANY },
    { CALL(pipe2), ALL, ANY },
    { CALL(poll), ALL, ANY },
    { CALL(ppoll), ALL, ANY },
    { CALL(select), ALL, ANY },
    { CALL(pselect6), ALL, ANY },
    { CALL(read), ALL, ANY },
    { CALL(readv), ALL, ANY },
    { CALL(write), ALL, ANY },
    { CALL(writev), ALL, ANY },
    { CALL(close), ALL, ANY },
    { CALL(lseek), ALL, ANY },
    { CALL(fstat), ALL, ANY },
    { CALL(fcntl), ALL, ANY },
    { CALL(ioctl), ALL, IS(1, FIONBIO) },
    { CALL(ioctl), ALL, IS(1, FIONREAD) },
    { CALL(ioctl), ALL, IS(1, FIOCLEX) },
    { CALL(dup), ALL, ANY },

    /* sockets: new ones are unix sockets; intake and courier go out, to partners that need the number and to those that never see it;
     * the relay goes to Redis elsewhere, so that vault and front need not */
    { CALL(socket), ALL, IS(0, AF_UNIX) },
    { CALL(socket), INTAKE | COURIER | RELAY, IS(0, AF_INET) },
    { CALL(socket), INTAKE | COURIER | RELAY, IS(0, AF_INET6) },
    { CALL(socket), INTAKE | COURIER, IS(0, AF_NETLINK) /* getaddrinfo asks which families there are */ },
    { CALL(bind), INTAKE | COURIER, ANY },
    { CALL(socketpair), ALL, IS(0, AF_UNIX) },
    { CALL(connect), ALL, ANY },
    { CALL(accept), ALL, ANY },
    { CALL(accept4), ALL, ANY },
    { CALL(listen), ALL, ANY },
    { CALL(shutdown), ALL, ANY },
    { CALL(getsockname), ALL, ANY },
    { CALL(getpeername), ALL, ANY },
    { CALL(getsockopt), ALL, ANY },
    { CALL(setsockopt), ALL, ANY },
    { CALL(sendto), ALL, ANY },
    { CALL(sendmsg), ALL, ANY },
    { CALL(sendmmsg), INTAKE | COURIER, ANY },
    { CALL(recvfrom), ALL, ANY },
    { CALL(recvmsg), ALL, ANY },
    { CALL(recvmmsg), INTAKE | COURIER, ANY },

    /* files: vault and front open none (keys of other daemons may lie where the user can read them); intake and courier read
     * (resolver) by name, the intake writes beneath a folder that was opened before (spool); the audit log writes */
    { CALL(open), INTAKE | COURIER | TOKEN, WITHOUT(1, OPEN_WRITES) },
    { CALL(openat), INTAKE | COURIER | TOKEN, WITHOUT(2, OPEN_WRITES) },
    { CALL(openat), INTAKE, WITHOUT(0, CWD_BIT) },
    { CALL(mkdirat), INTAKE | AUDIT, WITHOUT(0, CWD_BIT) },
    { CALL(unlinkat), INTAKE, WITHOUT(0, CWD_BIT) },
    { CALL(newfstatat), ALL, ANY },
    { CALL(stat), INTAKE | COURIER | FRONT | AUDIT, ANY },
    { CALL(lstat), INTAKE | COURIER | FRONT | AUDIT, ANY },
    { CALL(statx), INTAKE | COURIER | FRONT | AUDIT, ANY },
    { CALL(access), INTAKE | COURIER | FRONT | AUDIT, ANY },
    { CALL(faccessat), INTAKE | COURIER | FRONT | AUDIT, ANY },
    { CALL(readlink), INTAKE | COURIER, ANY },
    { CALL(pread64), INTAKE | COURIER | FRONT | AUDIT, ANY },
    { CALL(getdents64), INTAKE | AUDIT, ANY },
    { CALL(open), AUDIT, ANY },
    { CALL(openat), AUDIT, ANY },
    { CALL(preadv), AUDIT, ANY },
    { CALL(pwrite64), INTAKE | AUDIT, ANY },
    { CALL(pwritev), AUDIT, ANY },
    { CALL(pwritev2), AUDIT, ANY },
    { CALL(fsync), INTAKE | AUDIT, ANY },
    { CALL(fdatasync), INTAKE | AUDIT, ANY },
    { CALL(sync_file_range), AUDIT, ANY },
    { CALL(syncfs), AUDIT, ANY },
    { CALL(ftruncate), INTAKE | AUDIT, ANY },
    { CALL(fallocate), AUDIT, ANY },
    { CALL(rename), AUDIT, ANY },
    { CALL(renameat), AUDIT, ANY },
    { CALL(renameat2), AUDIT, ANY },
    { CALL(unlink), AUDIT, ANY },
    { CALL(unlinkat), AUDIT, ANY },
    { CALL(fstatfs), INTAKE | AUDIT, ANY },
    { CALL(statfs), AUDIT, ANY },
    { CALL(flock), AUDIT, ANY },
};

static int rule_add(scmp_filter_ctx ctx, const struct rule *r)
{
    if (r->arg < 0)
        return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 0);
    return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, r->call, 1, SCMP_CMP((unsigned)r->arg, SCMP_CMP_MASKED_EQ, r->mask, r->value));
}

static struct err rules_add(scmp_filter_ctx ctx, enum box_role role)
{
    /* A tree, because the list is long. */
    if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0)
        return FAIL(E_IO);
    /* abort() must work, and nobody else can be signalled. */
    const struct rule own_signals = { CALL(tgkill), ALL, IS(0, (uint64_t)getpid()) };
    if (rule_add(ctx, &own_signals) != 0)
        return FAIL(E_IO);
    /* Its flags are in memory, where a filter cannot look. */
    if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), CALL(clone3), 0) != 0)
        return FAIL(E_IO);
    for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++)
        if ((RULES[i].roles & ROLE(role)) && rule_add(ctx, &RULES[i]) != 0)
            return FAIL(E_IO);
    return OK;
}

enum { MAKE_MAX_S = 5 };

/* The filter as the kernel takes it. */
static ERR program_of(scmp_filter_ctx ctx, struct sock_filter *insns, size_t *ret_n)
{
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0)
        return FAIL(E_IO);
    const size_t most = BPF_MAXINSNS * sizeof *insns;
    bool written = seccomp_export_bpf(ctx, fd) == 0;
    ssize_t got = written ? pread(fd, insns, most, 0) : -1;
    close(fd);
    if (got <= 0 || (size_t)got % sizeof *insns != 0)
        return FAIL(E_IO);
    *ret_n = (size_t)got / sizeof *insns;
    return OK;
}

static ERR make(enum box_role role, struct sock_filter *insns, size_t *ret_n)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return FAIL(E_NOMEM);
    struct err e = rules_add(ctx, role);
    if (err_ok(e))
        e = program_of(ctx, insns, ret_n);
    seccomp_release(ctx);
    return e;
}

/* Twice: when memory is short, libseccomp may leave rules out and say that all went well. */
static ERR make_surely(enum box_role role, struct sock_filter insns[2][BPF_MAXINSNS], size_t *ret_n)
{
    size_t n[2];
    for (size_t i = 0; i < 2; i++)
        TRY(make(role, insns[i], &n[i]));
    const struct slice one = slice_of(insns[0], n[0] * sizeof insns[0][0]), other = slice_of(insns[1], n[1] * sizeof insns[1][0]);
    if (!slice_eq(one, other))
        return FAIL(E_NOMEM);
    *ret_n = n[0];
    return OK;
}

struct err filter_load(enum box_role role)
{
    struct sock_filter(*insns)[BPF_MAXINSNS] = calloc(2, sizeof *insns);
    if (!insns)
        return FAIL(E_NOMEM);
    size_t n = 0;
    (void)alarm(MAKE_MAX_S); /* nor does it always come back then */
    struct err e = make_surely(role, insns, &n);
    (void)alarm(0);
    const struct sock_fprog program = { (unsigned short)n, insns[0] };
    /* Workers that exist already come under the filter too. */
    if (err_ok(e) && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
        e = FAIL(E_IO);
    free(insns);
    return e;
}
