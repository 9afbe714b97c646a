/* Whatever is altered in the folder of a log is found: in place, with chain and head made anew, or as a whole. */

#include "tests/unit/audit_sealed.h"

#include "gateway/audit/tiles.h"

enum { FIRST = SEG + 40, ALL = SEG + 300 }; /* entries when the kept checkpoint was made, and now */

static unsigned tried;

/* Made to a fresh copy and found, with the word that is expected (NULL: any). */
static void found(struct bench *b, const char *name, const char *what, const struct tree_head *since)
{
    struct audit_verdict v = look(b->copy, OURS, since);
    if (v.good || (what && strcmp(v.what, what) != 0))
        fail_msg("%s: %s", name, v.good ? "not found" : v.what);
    tried++;
    run("rm", "-r", "-f", b->copy);
}

static void copy(struct bench *b) { run("cp", "-r", b->log, b->copy); }

static void flip(struct bench *b, const char *file, off_t byte)
{
    uint8_t x = 0;
    int fd = open(at(b->copy, file).c, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &x, 1, byte) == 1);
    x ^= 1;
    assert_true(pwrite(fd, &x, 1, byte) == 1);
    close(fd);
}

/* One bit altered, found, and put back. */
static void found_bit(struct bench *b, const char *name, const char *file, off_t byte, const char *what)
{
    flip(b, file, byte);
    struct audit_verdict v = look(b->copy, OURS, NULL);
    if (v.good || (what && strcmp(v.what, what) != 0))
        fail_msg("%s at %lld: %s", name, (long long)byte, v.good ? "not found" : v.what);
    flip(b, file, byte);
    tried++;
}

static const char SEG_1[] = "audit-0000000000000001.log", SEG_2[] = "audit-0000000000004001.log";

static const struct { const char *name; int at; } FIELDS[] = {
    { "form", 0 }, { "result", 1 }, { "event", 3 }, { "reason", 5 }, { "gap", 6 }, { "request", 8 }, { "time", 23 }, { "count", 27 }, { "municipality", 28 },
    { "gap 2", 34 }, { "subject", 40 }, { "actor", 60 }, { "actor's end", 119 }, { "ref", 120 }, { "epoch", 143 }, { "until", 147 }, { "basis", 149 },
    { "items", 151 }, { "purpose", 152 }, { "on behalf", 153 }, { "end", 159 }, { "sequence", 167 }, { "role", 168 }, { "zeros", 175 }, { "chain", 180 },
};

/* One bit in each field, in a middle and in the last entry. */
static void bits(struct bench *b)
{
    copy(b);
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        found_bit(b, FIELDS[i].name, SEG_1, SEG_HEAD_BYTES + 5000 * AUDIT_ENTRY_BYTES + FIELDS[i].at, NULL);
        found_bit(b, FIELDS[i].name, SEG_2, SEG_HEAD_BYTES + (ALL - SEG - 1) * AUDIT_ENTRY_BYTES + FIELDS[i].at, NULL);
    }
    assert_whole(b->copy, ALL);
    run("rm", "-r", "-f", b->copy);
}

/* The same with the whole chain and the head made anew behind it: only the tree sees it. */
static void bits_with_a_new_chain(struct bench *b)
{
    static const uint64_t WHERE[] = { 0, 5000, SEG - 1, SEG, ALL - 1 };
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0] && FIELDS[i].at < AUDIT_REC_BYTES; i++) {
        copy(b);
        make(b->copy, ALL, (struct recipe){ WHERE[i % 5], (size_t)FIELDS[i].at });
        found(b, FIELDS[i].name, NULL, NULL);
    }
    for (size_t i = 0; i < sizeof WHERE / sizeof WHERE[0]; i++) {
        copy(b);
        make(b->copy, ALL, (struct recipe){ WHERE[i], 23 });
        found(b, "time, with a new chain", "tiles", NULL);
    }
}

static void entries_and_files(struct bench *b)
{
    static const struct { const char *name; const char *a, *b; const char *what; } FILES[] = {
        { "segment removed", "audit-0000000000000001.log", NULL, "segment" },
        { "last segment removed", "audit-0000000000004001.log", NULL, "truncated" },
        { "head removed", "head", NULL, "head" },
        { "checkpoint removed", "checkpoint", NULL, "checkpoint" },
        { "history removed", "checkpoints", NULL, "history" },
        { "tiles removed", "tiles", NULL, "tiles" },
        { "first tile removed", "tiles/0/000", NULL, "tiles" },
        { "a tile removed", "tiles/0/063", NULL, "tiles" },
        { "last tile removed", "tiles/0/065.p", NULL, "tiles" },
        { "upper tile removed", "tiles/1", NULL, "tiles" },
        { "tiles swapped", "tiles/0/001", "tiles/0/002", "tiles" },
        { "checkpoint taken for the history", "checkpoint", "checkpoints", NULL },
        { "segments swapped", "audit-0000000000000001.log", "audit-0000000000004001.log", "segment" },
    };
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        copy(b);
        if (FILES[i].b) {
            run("mv", at(b->copy, FILES[i].a).c, at(b->copy, "aside").c, "-f");
            run("mv", at(b->copy, FILES[i].b).c, at(b->copy, FILES[i].a).c, "-f");
            run("mv", at(b->copy, "aside").c, at(b->copy, FILES[i].b).c, "-f");
        } else {
            run("rm", "-r", "-f", at(b->copy, FILES[i].a).c);
        }
        found(b, FILES[i].name, FILES[i].what, NULL);
    }
    static const struct { const char *file; off_t at; const char *what; } BYTES[] = {
        { "tiles/0/000", 0, "tiles" }, { "tiles/0/000", TILE_BYTES - 1, "tiles" }, { "tiles/0/064", 40, "tiles" }, { "tiles/0/065.p/44", 43 * 32, "tiles" },
        { "tiles/1/000.p/65", 64 * 32, "tiles" }, { "tiles/1/000.p/65", 0, "tiles" }, { "checkpoint", 0, "signature" }, { "checkpoint", 20, "signature" },
        { "checkpoint", 30, "signature" }, { "checkpoint", 100, "signature" }, { "checkpoint", 150, "signature" }, { "checkpoints", 0, "history" },
        { "checkpoints", 30, "history" }, { "checkpoints", 80, "history" }, { "head", 7, NULL }, { "head", 20, "head" }, { "audit-0000000000004001.log", 20, "segment" },
    };
    copy(b);
    for (size_t i = 0; i < sizeof BYTES / sizeof BYTES[0]; i++)
        found_bit(b, BYTES[i].file, BYTES[i].file, BYTES[i].at, BYTES[i].what);
    assert_whole(b->copy, ALL);
    run("rm", "-r", "-f", b->copy);
    for (off_t cut = 0; cut < TILE_BYTES; cut += 2731) {
        copy(b);
        assert_int_equal(truncate(at(b->copy, "tiles/0/010").c, cut), 0);
        found(b, "tile cut", "tiles", NULL);
    }
}

/* Entries swapped, repeated, taken out, the tail cut off: each with head and chain to match. */
struct shuffle { uint64_t a, b, shift; };

static void shuffled(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const struct shuffle *s = arg;
    struct recipe r = TRUE_LOG;
    make_rec(&r, i == s->a ? s->b : i == s->b ? s->a : i >= s->shift ? i + 1 : i, rec);
}

static void orders(struct bench *b)
{
    static const struct { const char *name; struct shuffle s; uint64_t n; const char *what; } CASES[] = {
        { "neighbours swapped", { 70, 71, UINT64_MAX }, ALL, "tiles" },
        { "entries of two segments swapped", { 70, SEG + 5, UINT64_MAX }, ALL, "tiles" },
        { "first and last swapped", { 0, ALL - 1, UINT64_MAX }, ALL, "tiles" },
        { "an entry taken out", { UINT64_MAX, UINT64_MAX, 100 }, ALL - 1, "tiles" },
        { "the first taken out", { UINT64_MAX, UINT64_MAX, 0 }, ALL - 1, "tiles" },
        { "an entry taken out, one added", { UINT64_MAX, UINT64_MAX, 100 }, ALL, "tiles" },
        { "the last cut off", { UINT64_MAX, UINT64_MAX, UINT64_MAX }, ALL - 1, "checkpoint" },
        { "the tail cut off", { UINT64_MAX, UINT64_MAX, UINT64_MAX }, SEG + 1, "checkpoint" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct shuffle s = CASES[i].s;
        copy(b);
        make_log(b->copy, CASES[i].n, shuffled, &s);
        found(b, CASES[i].name, CASES[i].what, NULL);
    }
}

/* Where everything in the folder is made anew by whoever can write there. */
static void whole_forgeries(struct bench *b, const struct tree_head *since)
{
    struct audit_keeper *k;
    copy(b);
    run("rm", "-r", "-f", at(b->copy, "tiles").c);
    make(b->copy, ALL, (struct recipe){ 50, 23 });
    found(b, "tiles removed with it", "tiles", NULL);

    assert_int_equal(mkdir(b->copy, 0700), 0);
    make(b->copy, ALL, (struct recipe){ 50, 23 });
    assert_true(err_ok(keeper_try(b, b->copy, OTHERS, ALL, &k)));
    keeper_close(b, k);
    found(b, "signed with a key of one's own", "signature", NULL);

    assert_int_equal(mkdir(b->copy, 0700), 0);
    make(b->copy, FIRST - 1, TRUE_LOG);
    sign(b, b->copy, FIRST - 1);
    assert_true(look(b->copy, OURS, NULL).good); /* an older log, true in itself: nothing in the folder can tell */
    found(b, "an older true log", "since", since);

    assert_int_equal(mkdir(b->copy, 0700), 0);
    make(b->copy, ALL, (struct recipe){ 50, 23 });
    sign(b, b->copy, ALL);
    assert_true(look(b->copy, OURS, NULL).good); /* the operator's own key signed it */
    found(b, "rewritten and signed with the true key", "since", since);

    copy(b);
    struct log_point p = { .seq = SEG };
    uint8_t point[HEAD_BYTES];
    int fd = open(at(b->copy, SEG_2).c, O_RDONLY);
    assert_true(fd >= 0 && pread(fd, p.chain, CHAIN_BYTES, 16) == CHAIN_BYTES && close(fd) == 0);
    head_put(point, &p);
    fd = open(at(b->copy, "pruned").c, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0 && write(fd, point, sizeof point) == (ssize_t)sizeof point && close(fd) == 0);
    assert_int_equal(unlink(at(b->copy, SEG_1).c), 0);
    found(b, "removed without an entry that says so", "pruned", NULL);
}

static void every_alteration_is_found(void **state)
{
    struct bench *b = *state;
    make(b->log, FIRST, TRUE_LOG);
    sign(b, b->log, FIRST);
    struct tree_head since = head_in(b->log), wrong = since, later = since;
    make(b->log, ALL, TRUE_LOG);
    sign(b, b->log, ALL);
    assert_whole(b->log, ALL);
    assert_true(look(b->log, OURS, &since).good);
    wrong.root[7] ^= 1;
    later.size = ALL + 1;
    assert_false(look(b->log, OURS, &wrong).good);
    assert_false(look(b->log, OURS, &later).good);
    tried = 0;
    bits(b);
    bits_with_a_new_chain(b);
    entries_and_files(b);
    orders(b);
    whole_forgeries(b, &since);
    assert_true(tried > 100);
    assert_true(look(b->log, OURS, &since).good);
}

/* ---- removed after their time ---- */

static void with_pruning(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    struct audit_rec x = record((uint32_t)i);
    const uint32_t *count = arg;
    if (i == 2 * SEG + 5) {
        x.event = AU_LOG_PRUNED;
        x.count = *count;
    }
    audit_encode(&x, rec);
}

/* The first two segments go, their leaf hashes stay. */
static void prune(struct bench *b, uint64_t segments)
{
    struct log_point p = { .seq = segments * SEG };
    uint8_t point[HEAD_BYTES];
    char name[SEG_NAME_BYTES];
    seg_name(p.seq + 1, name);
    int fd = open(at(b->log, name).c, O_RDONLY);
    assert_true(fd >= 0 && pread(fd, p.chain, CHAIN_BYTES, 16) == CHAIN_BYTES && close(fd) == 0);
    head_put(point, &p);
    fd = open(at(b->log, "pruned").c, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, point, sizeof point) == (ssize_t)sizeof point && close(fd) == 0);
    for (uint64_t s = 0; s < segments; s++) {
        seg_name(s * SEG + 1, name);
        unlink(at(b->log, name).c);
    }
}

static void a_pruned_log_still_proves_what_it_had(void **state)
{
    struct bench *b = *state;
    enum { N = 2 * SEG + 400 };
    uint32_t count = 2;
    make_log(b->log, N, with_pruning, &count);
    sign(b, b->log, N);
    struct tree_head before = head_in(b->log);
    prune(b, 1);
    assert_whole(b->log, N);
    prune(b, 2);
    struct audit_verdict v = look(b->log, OURS, &before);
    assert_true(v.good && v.entries == N && v.pruned == 2 * SEG);
    writer_open(b, b->log);
    assert_int_equal(b->found.seq, N);
    writer_close(b);
    sign(b, b->log, N);
    copy(b);
    flip(b, "tiles/0/020", 77);
    found(b, "hash of a removed entry", NULL, NULL);
    copy(b);
    assert_int_equal(unlink(at(b->copy, "tiles/0/020").c), 0);
    found(b, "hashes of removed entries gone", "tiles", NULL);
    copy(b);
    assert_int_equal(unlink(at(b->copy, "pruned").c), 0);
    found(b, "the mark gone", "segment", NULL);
    copy(b);
    flip(b, "pruned", 20);
    found(b, "another chain in the mark", "segment", NULL);
    copy(b);
    flip(b, "pruned", 7);
    found(b, "a mark inside a segment", "pruned", NULL);
    assert_int_equal(unlink(at(b->log, "tiles/0/020").c), 0);
    assert_refused(b, b->log, N, "hashes of removed entries gone");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(every_alteration_is_found),
        T(a_pruned_log_still_proves_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
