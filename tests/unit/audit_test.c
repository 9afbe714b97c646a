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

static struct audit_rec record(uint32_t count)
{
    struct audit_rec r = { .event = AU_CLINIC_LOOKUP, .result = AR_NOTHING, .reason = E_USED, .count = count, .wall_ms = 1234567890123 };
    audit_set_actor(&r, LIT("clinic/3310010012"));
    memcpy(r.muni, "331007", 6);
    memcpy(r.request.b, &count, sizeof count);
    memset(r.subject, 7, sizeof r.subject);
    return r;
}

/* ---- the record ---- */

static void a_record_comes_back_as_it_was(void **state)
{
    (void)state;
    struct audit_rec in = record(42), out;
    uint8_t b[AUDIT_REC_BYTES], again[AUDIT_REC_BYTES];
    audit_encode(&in, b);
    assert_true(audit_decode(b, &out));
    audit_encode(&out, again);
    assert_memory_equal(b, again, sizeof b);
    assert_true(out.event == AU_CLINIC_LOOKUP && out.result == AR_NOTHING && out.reason == E_USED && out.count == 42);
    assert_true(out.wall_ms == 1234567890123 && memcmp(out.muni, "331007", 6) == 0 && strcmp(out.actor, "clinic/3310010012") == 0);
}

static void a_malformed_record_is_refused(void **state)
{
    (void)state;
    static const struct { const char *name; unsigned at; uint8_t value; } CASES[] = {
        { "form", 0, 2 },           { "no form", 0, 0 },         { "result", 1, AR__MAX },     { "event high byte", 2, 1 },
        { "event unknown", 3, 99 }, { "reason", 4, 255 },        { "gap", 6, 1 },              { "gap", 7, 1 },
        { "muni", 28, 'x' },        { "muni NUL", 33, 0 },       { "gap 2", 34, 1 },           { "gap 2", 39, 1 },
        { "no actor", 56, 0 },      { "actor capital", 57, 'L' }, { "actor space", 57, ' ' },  { "actor quote", 57, '"' },
        { "actor after its end", 119, 'a' }, { "gap 3", 120, 1 }, { "gap 3", 159, 1 },         { "actor high byte", 56, 0xe3 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct audit_rec in = record(1), out;
        uint8_t b[AUDIT_REC_BYTES];
        audit_encode(&in, b);
        b[CASES[i].at] = CASES[i].value;
        if (audit_decode(b, &out))
            fail_msg("%s", CASES[i].name);
    }
}

static void actors_are_made_harmless(void **state)
{
    (void)state;
    static const struct { struct slice in; const char *out; } CASES[] = {
        { LIT("muni/331007_kodomo-1"), "muni/331007_kodomo-1" },
        { LIT("Clinic 1\n\"x\""), "_linic_1__x_" },
        { LIT("\xe5\xb2\xa1"), "___" },
        { LIT(""), "_" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct audit_rec r;
        audit_set_actor(&r, CASES[i].in);
        assert_string_equal(r.actor, CASES[i].out);
    }
    struct audit_rec r = record(1), back;
    char longer[100];
    uint8_t b[AUDIT_REC_BYTES];
    memset(longer, 'a', sizeof longer);
    audit_set_actor(&r, ARR(longer));
    audit_encode(&r, b);
    assert_true(audit_decode(b, &back));
}

static void every_event_has_somebody_who_may_report_it(void **state)
{
    (void)state;
#define X(sym, number, name)                                                           \
    {                                                                                  \
        bool any = false;                                                              \
        for (int role = 0; role < IPC__ROLES; role++)                                  \
            any = any || audit_event_plausible((enum ipc_role)role, AU_##sym);         \
        if (!any)                                                                      \
            fail_msg("nobody may report %s: add it to the table in daemon.c", name);   \
        assert_false(audit_event_plausible(IPC_CTL, AU_##sym));                        \
    }
#include "gateway/audit/events.def"
#undef X
    assert_false(audit_event_plausible(IPC_FRONT, AU_NUMBER_REVEALED));
    assert_false(audit_event_plausible(IPC_VAULT, AU_CLINIC_LOOKUP));
    assert_false(audit_event_plausible(IPC_INTAKE, AU_AUDIT_START));
}

/* ---- a disk that can be full ---- */

static struct { _Atomic int calls, fail_at; _Atomic bool full; int error; } fault; /* fail_at 0: never */

static bool fault_hits(void)
{
    int n = ++fault.calls;
    errno = fault.error;
    return fault.full || (fault.fail_at && n >= fault.fail_at);
}

static ssize_t faulty_pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (!fault_hits())
        return pwrite(fd, p, n, at);
    if (n > 1 && pwrite(fd, p, n / 2, at) < 0) /* half of it gets there all the same */
        return -1;
    return -1;
}

static int faulty_fdatasync(int fd) { return fault_hits() ? -1 : fdatasync(fd); }

static const struct audit_disk FAULTY = { faulty_pwrite, faulty_fdatasync };

static void fault_clear(void)
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

static void turn(struct bench *b)
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

static void run(const char *program, const char *a, const char *b, const char *c)
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

static int setup(void **state)
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

static int teardown(void **state)
{
    struct bench *b = *state;
    loop_free(b->loop);
    run("rm", "-r", "-f", b->dir);
    free(b);
    return 0;
}

static ERR try_open(struct bench *b, const char *dir) { return audit_writer_new(&b->writer, b->loop, dir, &FAULTY, &b->found); }

static void writer_open(struct bench *b, const char *dir)
{
    struct err e = try_open(b, dir);
    if (!err_ok(e))
        fail_msg("%s %s", err_slug(e.code), e.site);
}

static void on_closed(void *arg) { ((struct bench *)arg)->closed = true; }

static void writer_close(struct bench *b)
{
    b->closed = false;
    audit_writer_close(b->writer, on_closed, b);
    assert_false(b->closed);
    UNTIL(b, b->closed);
}

static void on_written(void *arg, struct err e, uint64_t seq)
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

static void append_one(struct bench *b, uint32_t count)
{
    struct audit_rec r = record(count);
    uint8_t bytes[AUDIT_REC_BYTES];
    audit_encode(&r, bytes);
    audit_writer_append(b->writer, bytes, IPC_FRONT, on_written, b);
}

/* Appends n records and waits for all of them. */
static void append_many(struct bench *b, unsigned n)
{
    unsigned before = b->written + b->refused;
    for (unsigned i = 0; i < n; i++)
        append_one(b, i);
    assert_int_equal(b->written + b->refused, before);
    UNTIL(b, b->written + b->refused == before + n);
}

static struct audit_verdict verify(const char *dir)
{
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(dir, NULL, NULL, &v)));
    return v;
}

static void assert_good(const char *dir, uint64_t entries)
{
    struct audit_verdict v = verify(dir);
    if (!v.good || v.entries != entries)
        fail_msg("%s at %llu, %llu entries", v.what ? v.what : "good", (unsigned long long)v.bad_seq, (unsigned long long)v.entries);
}

static bool count_entries(void *arg, const struct audit_entry *e)
{
    uint64_t *n = arg;
    assert_true(e->seq == ++*n && e->from == IPC_FRONT && e->rec.event == AU_CLINIC_LOOKUP);
    return *n < 1000;
}

static void what_is_written_is_read(void **state)
{
    struct bench *b = *state;
    assert_good(b->log, 0);
    writer_open(b, b->log);
    assert_good(b->log, 0);
    append_many(b, 700);
    assert_good(b->log, 700); /* while the writer has it open */
    writer_close(b);
    assert_good(b->log, 700);
    writer_open(b, b->log);
    assert_true(b->found.seq == 700 && b->found.cut == 0);
    append_many(b, 700);
    writer_close(b);
    assert_good(b->log, 1400);
    uint64_t n = 0;
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, count_entries, &n, &v)));
    assert_true(v.good && n == 1000); /* stopped by the callback */
    assert_true(err_is(audit_log_verify("/nonexistent", NULL, NULL, &v), E_IO));
}

static void two_writers_cannot_have_one_log(void **state)
{
    struct bench *b = *state;
    struct audit_writer *second;
    struct audit_found found;
    writer_open(b, b->log);
    assert_true(err_is(audit_writer_new(&second, b->loop, b->log, &AUDIT_DISK, &found), E_IO));
    writer_close(b);
    assert_true(err_is(audit_writer_new(&second, b->loop, "/nonexistent", &AUDIT_DISK, &found), E_IO));
}

/* ---- tampering ---- */

static off_t entry_at(uint32_t i) { return SEG_HEAD_BYTES + (off_t)i * AUDIT_ENTRY_BYTES; }

enum { SEG_1, SEG_2, SEG_3, HEAD };
static const char *const FILES[] = { "audit-0000000000000001.log", "audit-0000000000004001.log", "audit-0000000000008001.log", "head" };

static int open_part(struct bench *b, int file)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", b->copy, FILES[file]);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    return fd;
}

struct tamper {
    const char *name;
    enum { T_FLIP, T_COPY_ENTRY, T_SWAP, T_ZERO, T_DELETE, T_CUT, T_WRITE_ZEROS_TO_END, T_RENAME, T_FOREIGN, T_SHIFT, T_GROW } how;
    int file;
    off_t at;   /* byte, or entry for the entry kinds */
    off_t to;   /* other entry, or new length */
    const char *what;
};

static void entry_read(int fd, off_t i, uint8_t *e) { assert_int_equal(pread(fd, e, AUDIT_ENTRY_BYTES, entry_at((uint32_t)i)), AUDIT_ENTRY_BYTES); }
static void entry_write(int fd, off_t i, const uint8_t *e) { assert_int_equal(pwrite(fd, e, AUDIT_ENTRY_BYTES, entry_at((uint32_t)i)), AUDIT_ENTRY_BYTES); }

static void tamper_file(int fd, const struct tamper *t)
{
    uint8_t x[AUDIT_ENTRY_BYTES] = { 0 }, y[AUDIT_ENTRY_BYTES], none[AUDIT_ENTRY_BYTES] = { 0 };
    switch (t->how) {
    case T_FLIP:
        assert_int_equal(pread(fd, x, 1, t->at), 1);
        x[0] ^= 1;
        assert_int_equal(pwrite(fd, x, 1, t->at), 1);
        break;
    case T_COPY_ENTRY:
        entry_read(fd, t->at, x);
        entry_write(fd, t->to, x);
        break;
    case T_SWAP:
        entry_read(fd, t->at, x);
        entry_read(fd, t->to, y);
        entry_write(fd, t->to, x);
        entry_write(fd, t->at, y);
        break;
    case T_ZERO: entry_write(fd, t->at, none); break;
    case T_SHIFT: /* one entry taken out, the rest moved up */
        for (off_t i = t->at; i < t->to; i++) {
            entry_read(fd, i + 1, x);
            entry_write(fd, i, x);
        }
        break;
    case T_WRITE_ZEROS_TO_END:
        for (off_t i = t->at; i < t->to; i++)
            entry_write(fd, i, none);
        break;
    case T_CUT:
    case T_GROW: assert_int_equal(ftruncate(fd, t->to), 0); break;
    default: break;
    }
}

static void tamper_name(struct bench *b, const struct tamper *t)
{
    char path[256], to[300];
    snprintf(path, sizeof path, "%s/%s", b->copy, FILES[t->file]);
    snprintf(to, sizeof to, "%s/audit-00000000000%05x.log", b->copy, (unsigned)t->to);
    if (t->how == T_DELETE)
        assert_int_equal(unlink(path), 0);
    else if (t->how == T_RENAME)
        assert_int_equal(rename(path, to), 0);
    else
        run("cp", path, to, "-f");
}

/* Two whole segments and 300 entries in a third; every alteration is made to a fresh copy. */
static void every_alteration_is_found(void **state)
{
    struct bench *b = *state;
    enum { LAST = 299, SEG = AUDIT_SEGMENT_ENTRIES, E = AUDIT_ENTRY_BYTES };
    static const struct tamper CASES[] = {
        { "record byte at the start", T_FLIP, SEG_1, SEG_HEAD_BYTES + 20, 0, "chain" },
        { "record byte in the middle", T_FLIP, SEG_2, SEG_HEAD_BYTES + 5000 * E + 60, 0, "chain" },
        { "record byte in the last entry", T_FLIP, SEG_3, SEG_HEAD_BYTES + LAST * E + 60, 0, "chain" },
        { "sequence byte", T_FLIP, SEG_2, SEG_HEAD_BYTES + 9 * E + AUDIT_REC_BYTES + 7, 0, "sequence" },
        { "role byte", T_FLIP, SEG_2, SEG_HEAD_BYTES + 9 * E + AUDIT_REC_BYTES + 8, 0, "chain" },
        { "zero byte", T_FLIP, SEG_2, SEG_HEAD_BYTES + 9 * E + AUDIT_REC_BYTES + 15, 0, "chain" },
        { "chain byte", T_FLIP, SEG_1, SEG_HEAD_BYTES + 9 * E + E - 1, 0, "chain" },
        { "chain byte of the last entry", T_FLIP, SEG_3, SEG_HEAD_BYTES + LAST * E + E - 1, 0, "chain" },
        { "last entry of a segment", T_FLIP, SEG_1, SEG_HEAD_BYTES + (SEG - 1) * E + 20, 0, "chain" },
        { "segment magic", T_FLIP, SEG_2, 0, 0, "segment" },
        { "segment first number", T_FLIP, SEG_2, 15, 0, "segment" },
        { "segment chain", T_FLIP, SEG_2, 20, 0, "segment" },
        { "segment filler", T_FLIP, SEG_2, 63, 0, "segment" },
        { "first segment's chain", T_FLIP, SEG_1, 20, 0, "segment" },
        { "entry doubled over the next", T_COPY_ENTRY, SEG_1, 7, 8, "sequence" },
        { "entry repeated at the end", T_COPY_ENTRY, SEG_3, LAST, LAST + 1, "sequence" },
        { "entries swapped", T_SWAP, SEG_2, 70, 71, "sequence" },
        { "last entries swapped", T_SWAP, SEG_3, LAST - 1, LAST, "sequence" },
        { "entry blanked", T_ZERO, SEG_1, 100, 0, "sequence" },
        { "last entry blanked", T_ZERO, SEG_3, LAST, 0, "truncated" },
        { "entry taken out", T_SHIFT, SEG_3, 10, LAST + 1, "sequence" },
        { "tail blanked", T_WRITE_ZEROS_TO_END, SEG_3, 100, LAST + 1, "truncated" },
        { "whole last segment blanked", T_WRITE_ZEROS_TO_END, SEG_3, 0, LAST + 1, "truncated" },
        { "end of a middle segment blanked", T_WRITE_ZEROS_TO_END, SEG_2, SEG - 50, SEG, "truncated" },
        { "last segment deleted", T_DELETE, SEG_3, 0, 0, "truncated" },
        { "middle segment deleted", T_DELETE, SEG_2, 0, 0, "segment" },
        { "first segment deleted", T_DELETE, SEG_1, 0, 0, "segment" },
        { "head deleted", T_DELETE, HEAD, 0, 0, "head" },
        { "segment cut off", T_CUT, SEG_3, 0, SEG_HEAD_BYTES + 200 * E, "segment" },
        { "segment longer", T_GROW, SEG_2, 0, SEG_BYTES + E, "segment" },
        { "segment renamed", T_RENAME, SEG_3, 0, 0x8002, "segment" },
        { "segment with another number added", T_FOREIGN, SEG_2, 0, 0xc001, "truncated" },
        { "head number lower", T_FLIP, HEAD, 6, 0, "head" },
        { "head chain", T_FLIP, HEAD, 20, 0, "head" },
        { "head number higher", T_FLIP, HEAD, 4, 0, "truncated" },
        { "head cut", T_CUT, HEAD, 0, 39, "head" },
        { "head longer", T_GROW, HEAD, 0, 41, "head" },
        { "head empty", T_CUT, HEAD, 0, 0, "head" },
    };
    writer_open(b, b->log);
    append_many(b, SEG);
    append_many(b, SEG);
    append_many(b, LAST + 1);
    writer_close(b);
    assert_good(b->log, 2 * SEG + LAST + 1);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const struct tamper *t = &CASES[i];
        run("cp", "-r", b->log, b->copy);
        if (t->how == T_DELETE || t->how == T_RENAME || t->how == T_FOREIGN) {
            tamper_name(b, t);
        } else {
            int fd = open_part(b, t->file);
            tamper_file(fd, t);
            close(fd);
        }
        struct audit_verdict v = verify(b->copy);
        if (v.good || strcmp(v.what, t->what) != 0)
            fail_msg("%s: %s", t->name, v.good ? "not found" : v.what);
        /* The writer refuses what it can see without reading everything: the last segment, its joints, the head. */
        if (t->file == SEG_3 && strcmp(t->what, "truncated") == 0)
            assert_true(err_is(try_open(b, b->copy), E_SEAL));
        run("rm", "-r", "-f", b->copy);
    }
}

static void an_empty_folder_with_a_head_is_a_cut_log(void **state)
{
    struct bench *b = *state;
    char path[256];
    writer_open(b, b->log);
    append_many(b, 3);
    writer_close(b);
    snprintf(path, sizeof path, "%s/%s", b->log, FILES[SEG_1]);
    assert_int_equal(unlink(path), 0);
    struct audit_verdict v = verify(b->log);
    assert_true(!v.good && strcmp(v.what, "truncated") == 0);
    assert_true(err_is(try_open(b, b->log), E_SEAL));
}

/* ---- crashes ---- */

/* An unfinished write behind the head: some bytes of an entry, zeros after them. */
static void a_torn_tail_is_overwritten(void **state)
{
    struct bench *b = *state;
    static const struct { const char *name; size_t bytes; } CASES[] = { { "one byte", 1 }, { "half", 104 }, { "all but the end", 190 } };
    writer_open(b, b->log);
    append_many(b, 20);
    writer_close(b);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        uint8_t e[AUDIT_ENTRY_BYTES];
        run("cp", "-r", b->log, b->copy);
        int fd = open_part(b, SEG_1);
        entry_read(fd, 5, e);
        assert_int_equal(pwrite(fd, e, CASES[i].bytes, entry_at(20)), (ssize_t)CASES[i].bytes);
        close(fd);
        assert_good(b->copy, 20);
        b->last_seq = 20;
        writer_open(b, b->copy);
        if (b->found.cut != 1 || b->found.seq != 20)
            fail_msg("%s", CASES[i].name);
        append_many(b, 2);
        writer_close(b);
        assert_good(b->copy, 22);
        run("rm", "-r", "-f", b->copy);
    }
}

static void a_log_that_is_broken_before_its_head_is_left_alone(void **state)
{
    struct bench *b = *state;
    static const struct { const char *name; int file; off_t at; } CASES[] = {
        { "middle", SEG_1, SEG_HEAD_BYTES + 10 * AUDIT_ENTRY_BYTES + 30 },
        { "last committed entry", SEG_1, SEG_HEAD_BYTES + 399 * AUDIT_ENTRY_BYTES + 30 },
        { "segment head", SEG_1, 3 },
        { "head", HEAD, 30 },
    };
    writer_open(b, b->log);
    append_many(b, 400);
    writer_close(b);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        run("cp", "-r", b->log, b->copy);
        int fd = open_part(b, CASES[i].file);
        struct tamper t = { .how = T_FLIP, .at = CASES[i].at };
        tamper_file(fd, &t);
        close(fd);
        if (!err_is(try_open(b, b->copy), E_SEAL))
            fail_msg("%s", CASES[i].name);
        assert_false(verify(b->copy).good);
        run("rm", "-r", "-f", b->copy);
    }
}

/* ---- a full or broken disk ---- */

static void a_full_disk_refuses_and_recovers(void **state)
{
    struct bench *b = *state;
    uint64_t seq;
    writer_open(b, b->log);
    append_many(b, 10);
    fault.full = true;
    append_many(b, 600);
    assert_true(b->written == 10 && b->refused == 600);
    assert_true(err_is(audit_writer_seq(b->writer, &seq), E_AUDIT_DOWN));
    append_many(b, 5); /* refused at once */
    assert_int_equal(b->refused, 605);
    fault.full = false;
    for (int i = 0; i < 100 && b->written == 10; i++) {
        append_many(b, 1);
        usleep(10000);
    }
    assert_int_equal(b->written, 11);
    assert_true(err_ok(audit_writer_seq(b->writer, &seq)) && seq == 11);
    append_many(b, 20);
    writer_close(b);
    assert_good(b->log, 31);
}

/* Every write and sync around the change of segments fails once, and from then on until it is healed: nothing that was
 * acknowledged is missing, and what a failed commit left behind is not in the log. */
static void no_failing_call_breaks_the_log(void **state)
{
    struct bench *b = *state;
    enum { BEFORE = AUDIT_SEGMENT_ENTRIES - 3 };
    writer_open(b, b->log);
    append_many(b, BEFORE);
    writer_close(b);
    int at = 1;
    for (bool reached = true; reached && at < 400; at += at < 12 ? 1 : 23) {
        run("cp", "-r", b->log, b->copy);
        b->last_seq = BEFORE;
        writer_open(b, b->copy);
        unsigned before = b->written, refused = b->refused;
        fault_clear();
        fault.fail_at = at;
        fault.error = EIO;
        for (int i = 0; i < 3; i++)
            append_many(b, 4);
        reached = b->refused > refused;
        fault_clear();
        usleep(260000);
        append_many(b, 1);
        assert_int_equal(b->last_seq, BEFORE + b->written - before);
        writer_close(b);
        assert_good(b->copy, b->last_seq);
        run("rm", "-r", "-f", b->copy);
    }
    assert_true(at > 12);
}

/* ---- the daemon ---- */

static const uint8_t CAP[IPC_CAP_BYTES] = "the capability of the tests, 32b";

static struct secret *cap_new(void)
{
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, ARR(CAP))));
    return s;
}

static struct audit_daemon *daemon_new(struct bench *b, struct loop *l)
{
    struct audit_daemon *d = NULL;
    struct audit_daemon_conf conf = { .socket_path = b->sock, .dir = b->log, .disk = &FAULTY };
    conf.caps[IPC_FRONT] = cap_new();
    conf.caps[IPC_VAULT] = cap_new();
    conf.caps[IPC_CTL] = cap_new();
    struct err e = audit_daemon_new(&d, l, conf);
    if (!err_ok(e))
        fail_msg("%s %s", err_slug(e.code), e.site);
    return d;
}

struct answer {
    unsigned ok, down;
};

static void on_answer(void *arg, struct err e)
{
    struct answer *a = arg;
    assert_true(err_ok(e) || err_is(e, E_AUDIT_DOWN));
    if (err_ok(e))
        a->ok++;
    else
        a->down++;
}

static void append_by_client(struct bench *b, struct audit *a, const struct audit_rec *r, struct answer *ans)
{
    audit_append(a, r, loop_now(b->loop) + 3000, on_answer, ans);
}

static struct audit *audit_client(struct bench *b, enum ipc_role role)
{
    struct audit *a = NULL;
    assert_true(err_ok(audit_new(&a, b->loop, b->sock, role, cap_new())));
    return a;
}

static bool tally(void *arg, const struct audit_entry *e)
{
    unsigned *n = arg;
    n[e->rec.event]++;
    if (e->rec.event == AU_CLINIC_LOOKUP)
        assert_true(e->rec.wall_ms > 1700000000000u); /* stamped with our clock */
    return true;
}

static void the_daemon_takes_records_and_notes_breaches(void **state)
{
    struct bench *b = *state;
    struct answer good = { 0 }, bad = { 0 }, own_fault = { 0 };
    struct audit_daemon *d = daemon_new(b, b->loop);
    struct audit *front = audit_client(b, IPC_FRONT), *vault = audit_client(b, IPC_VAULT);
    struct audit_rec r = record(1), wrong = record(1);
    for (int i = 0; i < 1000; i++)
        append_by_client(b, front, &r, &good);
    UNTIL(b, good.ok == 1000);
    assert_true(audit_up(front));
    append_by_client(b, vault, &r, &bad); /* a vault sees no clinic */
    UNTIL(b, bad.down == 1);
    memcpy(wrong.muni, "33 007", 6);
    append_by_client(b, front, &wrong, &own_fault);
    UNTIL(b, own_fault.down == 1);
    append_by_client(b, front, &r, &good);
    UNTIL(b, good.ok == 1001);
    audit_daemon_close(d);
    audit_close(front);
    audit_close(vault);
    for (int i = 0; i < 200; i++)
        turn(b);
    unsigned n[256] = { 0 };
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, tally, n, &v)));
    assert_true(v.good && n[AU_CLINIC_LOOKUP] == 1001 && n[AU_AUDIT_START] == 1 && n[AU_IPC_BREACH] == 1);
}

static void a_full_disk_is_heard_at_the_client_and_by_ping(void **state)
{
    struct bench *b = *state;
    struct answer a = { 0 };
    struct audit_daemon *d = daemon_new(b, b->loop);
    struct audit *front = audit_client(b, IPC_FRONT);
    struct audit_rec r = record(1);
    append_by_client(b, front, &r, &a);
    UNTIL(b, a.ok == 1);
    fault.full = true;
    append_by_client(b, front, &r, &a);
    UNTIL(b, a.down == 1);
    assert_true(audit_up(front));
    fault.full = false;
    for (int i = 0; i < 100 && a.ok == 1; i++) {
        unsigned before = a.ok + a.down;
        append_by_client(b, front, &r, &a);
        UNTIL(b, a.ok + a.down == before + 1);
        usleep(10000);
    }
    assert_int_equal(a.ok, 2);
    audit_daemon_close(d);
    append_by_client(b, front, &r, &a); /* comes while it stops: written or refused, but answered */
    unsigned before = a.ok + a.down;
    UNTIL(b, a.ok + a.down == before + 1);
    audit_close(front);
    for (int i = 0; i < 100; i++)
        turn(b);
}

/* ---- kill -9 ---- */

static void daemon_run(struct bench *b)
{
    struct loop *l = NULL;
    if (!err_ok(loop_new(&l, clock_system())))
        _exit(1);
    (void)daemon_new(b, l);
    loop_run(l, 1000);
    _exit(0);
}

enum { ROUNDS = 6, WINDOW = 400, SENT_MAX = 200000 };

struct flood {
    uint32_t sent, open;
    uint8_t acked[SENT_MAX], found[SENT_MAX];
};
struct one {
    struct flood *f;
    uint32_t number;
};

static void on_flood(void *arg, struct err e)
{
    struct one *o = arg;
    o->f->open--;
    if (err_ok(e))
        o->f->acked[o->number] = 1;
    free(o);
}

static bool mark_found(void *arg, const struct audit_entry *e)
{
    struct flood *f = arg;
    if (e->rec.event == AU_CLINIC_LOOKUP) {
        assert_true(e->rec.count < f->sent && !f->found[e->rec.count]);
        f->found[e->rec.count] = 1;
    }
    return true;
}

static void killed_at_any_moment_nothing_acknowledged_is_lost(void **state)
{
    struct bench *b = *state;
    struct flood *f = calloc(1, sizeof *f);
    struct audit *a = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() == parent)
                daemon_run(b);
            _exit(1);
        }
        if (!a)
            a = audit_client(b, IPC_FRONT);
        UNTIL(b, audit_up(a));
        uint64_t end = loop_now(b->loop) + 60 + (uint64_t)round * 37;
        while (loop_now(b->loop) < end) {
            while (f->open < WINDOW && f->sent < SENT_MAX) {
                struct one *o = malloc(sizeof *o);
                struct audit_rec r = record(f->sent);
                *o = (struct one){ f, f->sent++ };
                f->open++;
                audit_append(a, &r, loop_now(b->loop) + 2000, on_flood, o);
            }
            uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        UNTIL(b, !audit_up(a));
        assert_true(verify(b->log).good);
    }
    UNTIL(b, f->open == 0);
    struct audit_verdict v;
    assert_true(err_ok(audit_log_verify(b->log, mark_found, f, &v)));
    uint32_t acked = 0;
    for (uint32_t i = 0; i < f->sent; i++) {
        acked += f->acked[i];
        if (f->acked[i] && !f->found[i])
            fail_msg("record %u was acknowledged and is not in the log", i);
    }
    assert_true(v.good && acked > 1000);
    print_message("%u sent, %u acknowledged, %llu entries\n", f->sent, acked, (unsigned long long)v.entries);
    audit_close(a);
    for (int i = 0; i < 50; i++)
        turn(b);
    free(f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_as_it_was),
        cmocka_unit_test(a_malformed_record_is_refused),
        cmocka_unit_test(actors_are_made_harmless),
        cmocka_unit_test(every_event_has_somebody_who_may_report_it),
        T(what_is_written_is_read),
        T(two_writers_cannot_have_one_log),
        T(every_alteration_is_found),
        T(an_empty_folder_with_a_head_is_a_cut_log),
        T(a_torn_tail_is_overwritten),
        T(a_log_that_is_broken_before_its_head_is_left_alone),
        T(a_full_disk_refuses_and_recovers),
        T(no_failing_call_breaks_the_log),
        T(the_daemon_takes_records_and_notes_breaches),
        T(a_full_disk_is_heard_at_the_client_and_by_ping),
        T(killed_at_any_moment_nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
