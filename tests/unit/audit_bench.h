#ifndef TESTS_AUDIT_BENCH_H
#define TESTS_AUDIT_BENCH_H

/* A log in a folder of its own, a writer on a disk that can be full. For the tests of the audit log only. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/audit/daemon.h"
#include "gateway/audit/segment.h"

enum { PATIENCE_MS = 10000 };

static inline struct audit_rec record(uint32_t count)
{
    struct audit_rec r = { .event = AU_CLINIC_LOOKUP, .result = AR_NOTHING, .reason = E_USED, .count = count, .wall_ms = 1234567890123 };
    audit_set_actor(&r, LIT("clinic/3310010012"));
    memcpy(r.muni, "331007", 6);
    memcpy(r.request.b, &count, sizeof count);
    memset(r.subject, 7, sizeof r.subject);
    return r;
}

/* ---- a disk that can be full ---- */

static struct { _Atomic int calls, fail_at, error; _Atomic bool full; } fault; /* fail_at 0: never */

static inline bool fault_hits(void)
{
    int n = ++fault.calls;
    errno = fault.error;
    return fault.full || (fault.fail_at && n >= fault.fail_at);
}

static inline ssize_t faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (!fault_hits())
        return pwrite(fd, p, n, at);
    if (n > 1 && pwrite(fd, p, n / 2, at) < 0) /* half of it gets there all the same */
        return -1;
    return -1;
}

static inline int faulty_fdatasync(int fd) { return fault_hits() ? -1 : fdatasync(fd); }

static const struct audit_disk FAULTY = { faulty_pwrite, faulty_fdatasync };

static inline void fault_clear(void)
{
    fault.calls = fault.fail_at = 0;
    fault.full = false;
    fault.error = ENOSPC;
}

/* ---- a log in a folder of its own ---- */

struct bench {
    struct loop *loop;
    struct audit_writer *writer;
    struct audit_found found;
    char dir[64], log[96], copy[96], sock[96];
    unsigned written, refused;
    uint64_t last_seq;
    bool closed;
};

static inline void turn(struct bench *b)
{
    uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
    usleep(50);
}

#define UNTIL(b, cond)                                          \
    do {                                                        \
        uint64_t end_ = loop_now((b)->loop) + PATIENCE_MS;      \
        while (!(cond) && loop_now((b)->loop) < end_)           \
            turn(b);                                            \
        assert_true(cond);                                      \
    } while (0)

static inline void run(const char *program, const char *a, const char *b, const char *c)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp(program, program, a, b, c, (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static inline int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    fault_clear();
    snprintf(b->dir, sizeof b->dir, "/tmp/pmhgw-audit-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->log, sizeof b->log, "%s/log", b->dir);
    snprintf(b->copy, sizeof b->copy, "%s/copy", b->dir);
    snprintf(b->sock, sizeof b->sock, "%s/s", b->dir);
    assert_int_equal(mkdir(b->log, 0700), 0);
    assert_true(err_ok(loop_new(&b->loop, clock_system())));
    *state = b;
    return 0;
}

static inline int teardown(void **state)
{
    struct bench *b = *state;
    loop_free(b->loop);
    run("rm", "-r", "-f", b->dir);
    free(b);
    return 0;
}

static inline ERR try_open(struct bench *b, const char *dir) { return audit_writer_new(&b->writer, b->loop, dir, &FAULTY, &b->found); }

static inline void writer_open(struct bench *b, const char *dir)
{
    struct err e = try_open(b, dir);
    if (!err_ok(e))
        fail_msg("%s %s", err_slug(e.code), e.site);
}

static inline void on_closed(void *arg) { ((struct bench *)arg)->closed = true; }

static inline void writer_close(struct bench *b)
{
    b->closed = false;
    audit_writer_close(b->writer, on_closed, b);
    assert_false(b->closed);
    UNTIL(b, b->closed);
}

static inline void on_written(void *arg, struct err e, uint64_t seq)
{
    struct bench *b = arg;
    if (err_ok(e)) {
        assert_true(seq == b->last_seq + 1);
        b->last_seq = seq;
        b->written++;
    } else {
        assert_true(err_is(e, E_AUDIT_DOWN));
        b->refused++;
    }
}

static inline void append_one(struct bench *b, uint32_t count)
{
    struct audit_rec r = record(count);
    uint8_t bytes[AUDIT_REC_BYTES];
    audit_encode(&r, bytes);
    audit_writer_append(b->writer, bytes, IPC_FRONT, on_written, b);
}

/* Appends n records and waits for all of them. */
static inline void append_many(struct bench *b, unsigned n)
{
    unsigned before = b->written + b->refused;
    for (unsigned i = 0; i < n; i++)
        append_one(b, i);
    assert_int_equal(b->written + b->refused, before);
    UNTIL(b, b->written + b->refused == before + n);
}

static inline struct audit_verdict verify(const char *dir)
{
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(dir, NULL, NULL, &v)));
    return v;
}

static inline void assert_good(const char *dir, uint64_t entries)
{
    struct audit_verdict v = verify(dir);
    if (!v.good || v.entries != entries)
        fail_msg("%s at %llu, %llu entries", v.what ? v.what : "good", (unsigned long long)v.bad_seq, (unsigned long long)v.entries);
}

#endif
