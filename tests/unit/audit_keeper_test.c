/* The tree in the folder: kept behind a log that grows, made anew, refused when it is not what was signed; and whatever is altered is found. */

#include "tests/unit/audit_bench.h"

#include <dirent.h>

#include "gateway/audit/keeper.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/tiles.h"
#include "gateway/audit/verify.h"
#include "tests/unit/audit_make.h"

#define ORIGIN "pmhgw.example/audit"
enum { SEG = AUDIT_SEGMENT_ENTRIES };

static const uint8_t OURS[NOTE_KEY] = { 1 }, OTHERS[NOTE_KEY] = { 2 };

static struct note_key key_of(const uint8_t seed_bytes[static NOTE_KEY])
{
    struct secret *seed;
    struct note_signer *s;
    assert_true(err_ok(secret_new(&seed, slice_of(seed_bytes, NOTE_KEY))) && err_ok(note_signer_new(&s, ORIGIN, seed)));
    struct note_key k = *note_signer_key(s);
    note_signer_free(s);
    secret_free(seed);
    return k;
}

static struct err keeper_try(struct bench *b, const char *dir, const uint8_t seed_bytes[static NOTE_KEY], uint64_t seq, struct audit_keeper **ret_k)
{
    struct secret *seed;
    assert_true(err_ok(secret_new(&seed, slice_of(seed_bytes, NOTE_KEY))));
    struct audit_keeper_conf conf = { .dir = dir, .origin = ORIGIN, .seed = seed };
    struct err e = audit_keeper_new(ret_k, b->loop, conf, seq);
    secret_free(seed);
    return e;
}

static struct audit_keeper *keeper_open(struct bench *b, const char *dir, uint64_t seq)
{
    struct audit_keeper *k;
    struct err e = keeper_try(b, dir, OURS, seq, &k);
    if (!err_ok(e))
        fail_msg("%s %s", err_slug(e.code), e.site);
    return k;
}

static void keeper_close(struct bench *b, struct audit_keeper *k)
{
    b->closed = false;
    audit_keeper_close(k, on_closed, b);
    assert_false(b->closed);
    UNTIL(b, b->closed);
}

/* Signs what is in the folder. */
static void sign(struct bench *b, const char *dir, uint64_t seq) { keeper_close(b, keeper_open(b, dir, seq)); }

static struct audit_verdict look(const char *dir, const uint8_t seed_bytes[static NOTE_KEY], const struct tree_head *since)
{
    struct note_key key = key_of(seed_bytes);
    struct audit_verdict v;
    const struct audit_verify_ask ask = { .dir = dir, .key = &key, .since = since };
    assert_true(err_ok(audit_verify(&ask, &v)));
    return v;
}

static void assert_whole(const char *dir, uint64_t entries)
{
    struct audit_verdict v = look(dir, OURS, NULL);
    if (!v.good || v.entries != entries || v.covered != entries)
        fail_msg("%s at %llu; %llu entries, %llu signed", v.what ? v.what : "good", (unsigned long long)v.bad_seq, (unsigned long long)v.entries,
                 (unsigned long long)v.covered);
}

static void assert_refused(struct bench *b, const char *dir, uint64_t seq, const char *name)
{
    struct audit_keeper *k;
    struct err e = keeper_try(b, dir, OURS, seq, &k);
    if (!err_is(e, E_SEAL))
        fail_msg("%s: %s %s", name, err_slug(e.code), e.site);
}

struct path { char c[512]; };

static struct path at(const char *dir, const char *name)
{
    struct path p;
    snprintf(p.c, sizeof p.c, "%s/%s", dir, name);
    return p;
}

/* ---- logs ---- */

struct recipe { uint64_t altered; /* entry whose record has another byte; UINT64_MAX: none */ size_t byte; };
static const struct recipe TRUE_LOG = { UINT64_MAX, 0 };

static void make_rec(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const struct recipe *r = arg;
    struct audit_rec x = record((uint32_t)i);
    x.epoch = i;
    audit_encode(&x, rec);
    if (i == r->altered)
        rec[r->byte] ^= 1;
}

static void make(const char *dir, uint64_t n, struct recipe r) { make_log(dir, n, make_rec, &r); }

static struct tree_head head_in(const char *dir)
{
    struct note_key key = key_of(OURS);
    struct tree_head h;
    struct buf note;
    buf_init(&note, NOTE_MAX);
    int fd = open(at(dir, "checkpoint").c, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(buf_room(&note, NOTE_MAX) != NULL);
    buf_grew(&note, (size_t)read(fd, note.p, NOTE_MAX));
    close(fd);
    assert_int_equal(checkpoint_open(buf_slice(&note), &key, &h), NOTE_GOOD);
    buf_done(&note);
    return h;
}

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

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void missing_tiles_are_made_anew(void **state)
{
    struct bench *b = *state;
    enum { N = 6 * SEG + 1234 };
    static const char *const GONE[] = { "tiles", "tiles/0", "tiles/1", "tiles/0/003", "tiles/0/300", "tiles/1/000", "tiles/0/388.p", "tiles/2" };
    static const char *const SYNCED[] = { "", "16384\n", "81920\n", "98304\n", "999999999\n", "x" };
    make(b->log, N, TRUE_LOG);
    sign(b, b->log, N);
    assert_whole(b->log, N);
    for (size_t i = 0; i < sizeof GONE / sizeof GONE[0]; i++)
        for (size_t k = 0; k < sizeof SYNCED / sizeof SYNCED[0]; k += i < 2 ? 3 : 1) {
            run("rm", "-r", "-f", at(b->log, GONE[i]).c);
            assert_false(look(b->log, OURS, NULL).good);
            assert_true(i == 0 ? mkdir(at(b->log, "tiles").c, 0700) == 0 : true);
            write_text(at(b->log, "tiles/synced").c, SYNCED[k]);
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

/* ---- alterations ---- */

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
    uint8_t x;
    int fd = open(at(b->copy, file).c, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &x, 1, byte) == 1);
    x ^= 1;
    assert_true(pwrite(fd, &x, 1, byte) == 1);
    close(fd);
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
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++) {
        copy(b);
        flip(b, SEG_1, SEG_HEAD_BYTES + 5000 * AUDIT_ENTRY_BYTES + FIELDS[i].at);
        found(b, FIELDS[i].name, NULL, NULL);
        copy(b);
        flip(b, SEG_2, SEG_HEAD_BYTES + (ALL - SEG - 1) * AUDIT_ENTRY_BYTES + FIELDS[i].at);
        found(b, FIELDS[i].name, NULL, NULL);
    }
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
    for (size_t i = 0; i < sizeof BYTES / sizeof BYTES[0]; i++) {
        copy(b);
        flip(b, BYTES[i].file, BYTES[i].at);
        found(b, BYTES[i].file, BYTES[i].what, NULL);
    }
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
        T(a_growing_log_is_signed_and_proves_its_entries),
        T(it_is_signed_within_a_moment),
        T(a_disk_that_refuses_is_told_and_forgotten),
        T(missing_tiles_are_made_anew),
        T(what_was_not_signed_yet_is_signed_at_the_start),
        T(another_log_is_refused),
        T(an_older_entry_is_found_by_the_verifier),
        T(every_alteration_is_found),
        T(a_pruned_log_still_proves_what_it_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
