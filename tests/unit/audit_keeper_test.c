/* The tree in the folder: kept behind a log that grows, made anew, refused when it is not what was signed. */

#include "tests/unit/audit_sealed.h"

#include <dirent.h>

#include "gateway/audit/leaf.h"
#include "gateway/audit/tiles.h"

/* ---- growing ---- */

struct growth { struct audit_keeper *keeper; struct tree_head head; struct err e; unsigned answers; };

static void on_commit(void *arg, const uint8_t *entries, size_t n, uint64_t seq)
{
    (void)entries, (void)n;
    audit_keeper_grew(((struct growth *)arg)->keeper, seq);
}

static void on_checkpoint(void *arg, struct err e, const struct tree_head *h, struct slice note)
{
    struct growth *g = arg;
    struct note_key key = key_of(OURS);
    struct tree_head in_note;
    g->e = e;
    g->answers++;
    if (!err_ok(e))
        return;
    assert_int_equal(checkpoint_open(note, &key, &in_note), NOTE_GOOD);
    assert_memory_equal(&in_note, h, sizeof in_note);
    g->head = *h;
}

static void ask(struct bench *b, struct growth *g, uint64_t size)
{
    unsigned before = g->answers;
    audit_keeper_ask(g->keeper, size, on_checkpoint, g);
    assert_int_equal(g->answers, before);
    UNTIL(b, g->answers == before + 1);
}

static void assert_proved(const char *dir, uint64_t i, const struct tree_head *h)
{
    uint8_t rec[AUDIT_REC_BYTES], entry[AUDIT_ENTRY_BYTES], leaf[TREE_HASH];
    struct log_point p = { .seq = i };
    struct tree_path path;
    struct recipe r = TRUE_LOG;
    make_rec(&r, i, rec);
    assert_true(err_ok(entry_put(entry, rec, IPC_FRONT, &p)) && err_ok(audit_leaf_hash(entry, leaf)));
    assert_true(err_ok(audit_tree_path(dir, i, h->size, &path)));
    assert_true(tree_included(leaf, i, &path, h));
}

static void append_true(struct bench *b, uint64_t from, unsigned n)
{
    unsigned before = b->written;
    for (unsigned i = 0; i < n; i++) {
        uint8_t rec[AUDIT_REC_BYTES];
        struct recipe r = TRUE_LOG;
        make_rec(&r, from + i, rec);
        audit_writer_append(b->writer, rec, IPC_FRONT, on_written, b);
    }
    UNTIL(b, b->written == before + n);
}

/* Files of a folder; 0 when there is none. */
static unsigned files_in(const char *dir)
{
    DIR *d = opendir(dir);
    unsigned n = 0;
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void a_growing_log_is_signed_and_proves_its_entries(void **state)
{
    struct bench *b = *state;
    struct growth g = { 0 };
    static const unsigned STEPS[] = { 1, 254, 1, 1, 255, 300, 7000, 9000, 700 };
    uint64_t n = 0;
    writer_open(b, b->log);
    g.keeper = keeper_open(b, b->log, 0);
    audit_writer_on_commit(b->writer, on_commit, &g);
    ask(b, &g, 0);
    assert_true(err_ok(g.e) && g.head.size == 0);
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        append_true(b, n, STEPS[i]);
        n += STEPS[i];
        ask(b, &g, n);
        assert_true(err_ok(g.e) && g.head.size == n);
        assert_whole(b->log, n); /* while it is at work */
        for (uint64_t k = 0; k < n; k += 1 + n / 7)
            assert_proved(b->log, k, &g.head);
        assert_proved(b->log, n - 1, &g.head);
        char last[64];
        snprintf(last, sizeof last, "tiles/0/%03u.p", (unsigned)(n / 256));
        assert_true(files_in(at(b->log, last).c) == (n % 256 ? 1 : 0));
    }
    ask(b, &g, n + 1);
    assert_true(err_is(g.e, E_AUDIT_DOWN)); /* so many there are not */
    writer_close(b);
    keeper_close(b, g.keeper);
    assert_whole(b->log, n);
    struct audit_verdict v = look(b->log, OTHERS, NULL);
    assert_true(!v.good && strcmp(v.what, "signature") == 0);
}

/* Nobody asks: it signs by itself, and what is left at the end. */
static void it_is_signed_within_a_moment(void **state)
{
    struct bench *b = *state;
    struct growth g = { 0 };
    writer_open(b, b->log);
    g.keeper = keeper_open(b, b->log, 0);
    audit_writer_on_commit(b->writer, on_commit, &g);
    append_true(b, 0, 300);
    UNTIL(b, head_in(b->log).size == 300);
    append_true(b, 300, 20);
    writer_close(b);
    keeper_close(b, g.keeper);
    assert_whole(b->log, 320);
}

static void a_disk_that_refuses_is_told_and_forgotten(void **state)
{
    struct bench *b = *state;
    struct growth g = { 0 };
    writer_open(b, b->log);
    g.keeper = keeper_open(b, b->log, 0);
    audit_writer_on_commit(b->writer, on_commit, &g);
    append_true(b, 0, 600);
    ask(b, &g, 600);
    run("rm", "-r", at(b->log, "tiles/0").c, "-f");
    int fd = open(at(b->log, "tiles/0").c, O_CREAT | O_WRONLY, 0600); /* no tile can be written now */
    assert_true(fd >= 0 && close(fd) == 0);
    append_true(b, 600, 600);
    ask(b, &g, 1200);
    assert_true(err_is(g.e, E_AUDIT_DOWN) && head_in(b->log).size == 600);
    assert_int_equal(unlink(at(b->log, "tiles/0").c), 0);
    UNTIL(b, head_in(b->log).size == 1200);
    writer_close(b);
    keeper_close(b, g.keeper);
    sign(b, b->log, 1200); /* makes the removed ones too */
    assert_whole(b->log, 1200);
}

/* ---- the start ---- */

static void missing_tiles_are_made_anew(void **state)
{
    struct bench *b = *state;
    enum { N = 4 * SEG + 1234 };
    static const struct { const char *gone, *synced; } CASES[] = {
        { "tiles", "" }, { "tiles", "49152\n" }, { "tiles/0", "16384\n" }, { "tiles/0", "65536\n" }, { "tiles/1", "65536\n" }, { "tiles/0/003", "65536\n" },
        { "tiles/0/003", "999999999\n" }, { "tiles/0/200", "16384\n" }, { "tiles/0/200", "65536\n" }, { "tiles/1/000", "49152\n" }, { "tiles/1/000", "65536\n" },
        { "tiles/0/260.p", "x" }, { "tiles/0/260.p", "65536\n" }, { "tiles/2", "65536\n" },
    };
    make(b->log, N, TRUE_LOG);
    sign(b, b->log, N);
    assert_whole(b->log, N);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        run("rm", "-r", "-f", at(b->log, CASES[i].gone).c);
        assert_false(look(b->log, OURS, NULL).good);
        if (access(at(b->log, "tiles").c, F_OK) != 0)
            assert_int_equal(mkdir(at(b->log, "tiles").c, 0700), 0);
        write_text(at(b->log, "tiles/synced").c, CASES[i].synced);
        sign(b, b->log, N);
        assert_whole(b->log, N);
    }
}

static void what_was_not_signed_yet_is_signed_at_the_start(void **state)
{
    struct bench *b = *state;
    make(b->log, 500, TRUE_LOG);
    struct audit_verdict v = look(b->log, OURS, NULL);
    assert_true(!v.good && strcmp(v.what, "checkpoint") == 0); /* from a time without a tree */
    sign(b, b->log, 500);
    assert_whole(b->log, 500);
    make(b->log, SEG + 900, TRUE_LOG); /* the crash came before the checkpoint */
    v = look(b->log, OURS, NULL);
    assert_true(v.good && v.covered == 500);
    sign(b, b->log, SEG + 900);
    assert_whole(b->log, SEG + 900);
}

static void another_log_is_refused(void **state)
{
    struct bench *b = *state;
    enum { N = SEG + 700 };
    make(b->log, N, TRUE_LOG);
    sign(b, b->log, N);
    make(b->log, N - 1, TRUE_LOG);
    assert_refused(b, b->log, N - 1, "an older log in its place");
    make(b->log, N, (struct recipe){ 5, 20 });
    assert_refused(b, b->log, N, "an entry rewritten, with the chain");
    make(b->log, N + 50, (struct recipe){ N - 1, 20 });
    assert_refused(b, b->log, N + 50, "the last signed entry rewritten, and the log longer");
    make(b->log, N, TRUE_LOG);
    run("cp", at(b->log, "checkpoint").c, at(b->log, "kept").c, "-f");
    write_text(at(b->log, "checkpoint").c, "");
    assert_refused(b, b->log, N, "an empty checkpoint");
    assert_int_equal(unlink(at(b->log, "checkpoint").c), 0);
    assert_refused(b, b->log, N, "no checkpoint, but a history");
    run("mv", at(b->log, "kept").c, at(b->log, "checkpoint").c, "-f");
    struct audit_keeper *k;
    assert_true(err_is(keeper_try(b, b->log, OTHERS, N, &k), E_SEAL)); /* another key */
    run("mv", at(b->log, "checkpoints").c, at(b->log, "kept").c, "-f");
    sign(b, b->log, N); /* a history may be young */
    write_text(at(b->log, "checkpoints").c, "1 2 3\n");
    assert_refused(b, b->log, N, "a history that is none");
    run("mv", at(b->log, "kept").c, at(b->log, "checkpoints").c, "-f");
    sign(b, b->log, N);
    assert_whole(b->log, N);
}

/* A segment that the start does not read: its tiles are known to be on disk. */
static void an_older_entry_is_found_by_the_verifier(void **state)
{
    struct bench *b = *state;
    enum { N = 2 * SEG + 10 };
    make(b->log, N, TRUE_LOG);
    sign(b, b->log, N);
    write_text(at(b->log, "tiles/synced").c, "32768\n");
    make(b->log, N, (struct recipe){ 5, 20 });
    sign(b, b->log, N); /* a start is quick */
    struct audit_verdict v = look(b->log, OURS, NULL);
    assert_true(!v.good && strcmp(v.what, "tiles") == 0 && v.bad_seq == 6);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_growing_log_is_signed_and_proves_its_entries),
        T(it_is_signed_within_a_moment),
        T(a_disk_that_refuses_is_told_and_forgotten),
        T(missing_tiles_are_made_anew),
        T(what_was_not_signed_yet_is_signed_at_the_start),
        T(another_log_is_refused),
        T(an_older_entry_is_found_by_the_verifier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
