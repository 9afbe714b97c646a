#include "tests/unit/audit_bench.h"

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
    for (bool reached = true; reached && at < 400; at += at < 12 ? 1 : 97) {
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

/* Whatever fails on the way to the first entry, the folder is fit for the next start. */
static void no_failing_call_spoils_an_empty_folder(void **state)
{
    struct bench *b = *state;
    bool failed = true;
    int at = 0;
    while (failed) {
        fault_clear();
        fault.fail_at = ++at;
        fault.error = ENOSPC;
        failed = !err_ok(try_open(b, b->log));
        if (!failed)
            writer_close(b);
        fault_clear();
        assert_true(verify(b->log).good);
        writer_open(b, b->log);
        append_many(b, 1);
        assert_int_equal(b->refused, 0);
        writer_close(b);
        assert_good(b->log, 1);
        run("rm", "-r", "-f", b->log);
        assert_int_equal(mkdir(b->log, 0700), 0);
        b->last_seq = 0;
    }
    assert_true(at > 2);
}

/* ---- the head is never so far behind that a power cut looks like a forgery ---- */

static _Atomic unsigned head_syncs;

static int counting_fdatasync(int fd)
{
    struct stat st;
    head_syncs += fstat(fd, &st) == 0 && st.st_size == HEAD_BYTES;
    return fdatasync(fd);
}

static uint64_t no_time_passes(void *ctx)
{
    (void)ctx;
    return 1000000;
}

static void the_head_is_synced_by_count_too(void **state)
{
    struct bench *b = *state;
    const struct audit_disk counting = { pwrite, counting_fdatasync };
    struct loop *still;
    loop_free(b->loop);
    assert_true(err_ok(loop_new(&still, (struct clock){ no_time_passes, no_time_passes, NULL })));
    b->loop = still;
    assert_true(err_ok(audit_writer_new(&b->writer, b->loop, b->log, &counting, &b->found)));
    append_many(b, 1);
    unsigned before = head_syncs;
    for (int i = 0; i < 4; i++)
        append_many(b, AUDIT_SEGMENT_ENTRIES / 2);
    assert_int_equal(b->refused, 0);
    assert_in_range(head_syncs - before, 3, 4 + 2);
    writer_close(b);
    assert_good(b->log, b->last_seq);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_written_is_read),
        T(two_writers_cannot_have_one_log),
        T(every_alteration_is_found),
        T(an_empty_folder_with_a_head_is_a_cut_log),
        T(a_torn_tail_is_overwritten),
        T(a_log_that_is_broken_before_its_head_is_left_alone),
        T(a_full_disk_refuses_and_recovers),
        T(no_failing_call_breaks_the_log),
        T(no_failing_call_spoils_an_empty_folder),
        T(the_head_is_synced_by_count_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
