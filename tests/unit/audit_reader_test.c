/* Questions about the log, asked while it grows, after restarts, with an index that is missing; and the removal of what is past its time. */

#include "tests/unit/audit_bench.h"

#include "gateway/audit/keeper.h"
#include "gateway/audit/reader.h"
#include "gateway/audit/retain.h"
#include "gateway/audit/tiles.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/wire_num.h"

enum { SEGMENTS = 3, MORE = 500, RARE_EVERY = 9001, U64 = 8 };
#define ALL (SEGMENTS * AUDIT_SEGMENT_ENTRIES + MORE)

static const uint8_t SEED[32] = "a seed of the tests, 32 bytes...";

/* ---- a log with a reader and a keeper behind it ---- */

struct rig {
    struct bench *b;
    struct audit_reader *reader;
    struct audit_keeper *keeper;
    bool closed;
    /* the last answer */
    bool answered;
    struct err e;
    uint8_t reply[IPC_BODY_MAX];
    size_t n;
};

static void on_commit(void *arg, const uint8_t *entries, size_t n, uint64_t seq)
{
    struct rig *r = arg;
    audit_reader_grew(r->reader, entries, n);
    audit_keeper_grew(r->keeper, seq);
}

static void rig_open(struct rig *r, struct bench *b)
{
    struct secret *seed = NULL;
    *r = (struct rig){ .b = b };
    writer_open(b, b->log);
    b->last_seq = b->found.seq;
    assert_true(err_ok(secret_new(&seed, ARR(SEED))));
    assert_true(err_ok(audit_reader_new(&r->reader, b->loop, b->log, b->found.seq, b->found.pruned)));
    assert_true(err_ok(audit_keeper_new(&r->keeper, b->loop, (struct audit_keeper_conf){ .dir = b->log, .origin = "test.example/log", .seed = seed }, b->found.seq)));
    secret_free(seed);
    audit_writer_on_commit(b->writer, on_commit, r);
}

static void on_rig_closed(void *arg) { ((struct rig *)arg)->closed = true; }

static void rig_close(struct rig *r)
{
    writer_close(r->b);
    audit_keeper_close(r->keeper, on_rig_closed, r);
    UNTIL(r->b, r->closed);
    r->closed = false;
    audit_reader_close(r->reader, on_rig_closed, r);
    UNTIL(r->b, r->closed);
}

/* Entry seq is about person seq % 1000, and every RARE_EVERYth about one who is rarely seen. */
static struct audit_rec rec_of(uint64_t seq)
{
    struct audit_rec r = record((uint32_t)seq);
    memset(r.subject, 0, sizeof r.subject);
    be_put(r.subject, seq % RARE_EVERY == 0 ? 0xffff : 1 + seq % 1000, 2);
    r.subject[2] = 9;
    r.wall_ms = 1700000000000u + seq * 1000;
    r.epoch = seq % 5000 == 0 ? seq / 5000 : 0;
    r.ref[0] = seq % 20011 == 0;
    return r;
}

static void grow(struct rig *r, uint64_t n)
{
    struct bench *b = r->b;
    uint64_t goal = b->last_seq + n, sent = b->last_seq;
    while (b->last_seq < goal) {
        while (sent < goal && sent - b->last_seq < 8192) {
            struct audit_rec rec = rec_of(++sent);
            uint8_t bytes[AUDIT_REC_BYTES];
            audit_encode(&rec, bytes);
            audit_writer_append(b->writer, bytes, IPC_FRONT, on_written, b);
        }
        turn(b);
        assert_int_equal(b->refused, 0);
    }
}

/* ---- questions ---- */

static void on_reply(void *arg, struct err e, struct slice reply)
{
    struct rig *r = arg;
    assert_false(r->answered);
    r->answered = true;
    r->e = e;
    r->n = reply.n;
    if (reply.n)
        memcpy(r->reply, reply.p, reply.n);
}

static void ask(struct rig *r, uint8_t message, struct slice body)
{
    r->answered = false;
    audit_reader_ask(r->reader, message, body, on_reply, r);
    UNTIL(r->b, r->answered);
}

static void key_put(uint8_t *out, const struct audit_key *k)
{
    out[0] = (uint8_t)k->kind;
    memcpy(out + 1, k->b, sizeof k->b);
}

static void find(struct rig *r, const struct audit_key *k, uint64_t before, uint64_t from_ms, uint64_t to_ms, struct audit_hits *h)
{
    uint8_t body[AUDIT_FIND_BYTES];
    key_put(body, k);
    be_put(body + AUDIT_KEY_BYTES, before, U64);
    be_put(body + AUDIT_KEY_BYTES + 8, from_ms, U64);
    be_put(body + AUDIT_KEY_BYTES + 16, to_ms, U64);
    ask(r, AUDIT_MSG_FIND, ARR(body));
    assert_true(err_ok(r->e));
    h->next = be_get(r->reply, U64);
    h->n = r->n / U64 - 1;
    for (size_t i = 0; i < h->n; i++)
        h->seq[i] = be_get(r->reply + U64 * (i + 1), U64);
}

static struct audit_key person_of(uint64_t seq)
{
    struct audit_rec rec = rec_of(seq);
    return audit_key_person(rec.subject);
}

/* All pages; every hit is about the key, in order, and none is missing. */
static void assert_finds_all(struct rig *r, const struct audit_key *k, uint64_t oldest, uint64_t newest)
{
    struct audit_hits h = { 0 };
    uint64_t want = newest, before = 0;
    do {
        find(r, k, before, 0, UINT64_MAX, &h);
        for (size_t i = 0; i < h.n; i++, want--) {
            for (struct audit_rec rec = rec_of(want); !audit_is_about(&rec, k); rec = rec_of(--want))
                assert_true(want > h.seq[i]);
            assert_true(h.seq[i] == want);
        }
        before = h.next;
    } while (h.next);
    for (; want >= oldest; want--) {
        struct audit_rec rec = rec_of(want);
        assert_false(audit_is_about(&rec, k));
    }
}

static uint64_t epoch(struct rig *r)
{
    ask(r, AUDIT_MSG_EPOCH, SLICE_NONE);
    assert_true(err_ok(r->e) && r->n == U64);
    return be_get(r->reply, U64);
}

static void assert_all_is_found(struct rig *r, uint64_t oldest, uint64_t newest)
{
    struct audit_key rare = person_of(RARE_EVERY), often = person_of(77), muni = audit_key_muni("331007"), nobody = audit_key_muni("271403");
    struct audit_hits h;
    assert_finds_all(r, &rare, oldest, newest);
    assert_finds_all(r, &often, oldest, newest);
    find(r, &nobody, 0, 0, UINT64_MAX, &h);
    assert_true(h.n == 0 && h.next == 0);
    find(r, &muni, 40000, 0, UINT64_MAX, &h);
    assert_true(h.n == AUDIT_FIND_MAX && h.seq[0] == 39999 && h.seq[63] == 39936 && h.next == 39936);
    assert_true(epoch(r) == newest / 5000);
}

static void questions_are_answered_while_the_log_grows_and_after_restarts(void **state)
{
    struct bench *b = *state;
    struct rig r;
    rig_open(&r, b);
    struct audit_hits h;
    struct audit_key k = person_of(1);
    find(&r, &k, 0, 0, UINT64_MAX, &h);
    assert_true(h.n == 0 && h.next == 0 && epoch(&r) == 0);
    grow(&r, 100);
    assert_finds_all(&r, &k, 1, 100);
    find(&r, &k, 1, 0, UINT64_MAX, &h);
    assert_true(h.n == 0 && h.next == 0);
    grow(&r, ALL - 100);
    assert_all_is_found(&r, 1, ALL);
    rig_close(&r);
    rig_open(&r, b);
    assert_all_is_found(&r, 1, ALL);
    rig_close(&r);
    char path[160]; /* the index of one segment is lost, that of another is damaged */
    snprintf(path, sizeof path, "%s/index/0000000000000001", b->log);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/index/0000000000004001", b->log);
    assert_int_equal(truncate(path, 1000), 0);
    rig_open(&r, b);
    assert_all_is_found(&r, 1, ALL);
    UNTIL(b, audit_reader_caught_up(r.reader));
    struct index_stats s;
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    assert_true(err_ok(index_stats_read(dir, 1, &s)) && err_ok(index_stats_read(dir, 0x4001, &s)));
    close(dir);
    rig_close(&r);
    assert_good(b->log, ALL);
}

static void segments_outside_the_time_are_passed_over(void **state)
{
    struct bench *b = *state;
    struct rig r;
    struct audit_hits h;
    struct audit_key k = person_of(77);
    rig_open(&r, b);
    grow(&r, ALL);
    uint64_t t2 = rec_of(AUDIT_SEGMENT_ENTRIES + 1).wall_ms;
    find(&r, &k, 0, t2 + 1000, t2 + 2000, &h);
    assert_true(h.n == 16 || h.n == 17); /* of the second segment only */
    for (size_t i = 0; i < h.n; i++)
        assert_in_range(h.seq[i], AUDIT_SEGMENT_ENTRIES + 1, 2 * AUDIT_SEGMENT_ENTRIES);
    find(&r, &k, 0, 0, 1000, &h);
    assert_true(h.n == 0 && h.next == 0);
    rig_close(&r);
}

/* Pages until the log ends or cannot be read. */
static struct err find_until_it_ends(struct rig *r, const struct audit_key *k, unsigned *ret_hits)
{
    uint8_t body[AUDIT_FIND_BYTES] = { 0 };
    uint64_t before = 0;
    *ret_hits = 0;
    key_put(body, k);
    be_put(body + AUDIT_KEY_BYTES + 16, UINT64_MAX, U64);
    do {
        be_put(body + AUDIT_KEY_BYTES, before, U64);
        ask(r, AUDIT_MSG_FIND, ARR(body));
        if (!err_ok(r->e))
            return r->e;
        *ret_hits += (unsigned)(r->n / U64) - 1;
        before = be_get(r->reply, U64);
    } while (before);
    return OK;
}

static void what_cannot_be_read_is_not_left_out_in_silence(void **state)
{
    struct bench *b = *state;
    struct rig r;
    struct audit_key rare = person_of(RARE_EVERY);
    unsigned hits;
    char seg[160], index[160];
    rig_open(&r, b);
    grow(&r, ALL);
    UNTIL(b, audit_reader_caught_up(r.reader));
    assert_true(err_ok(find_until_it_ends(&r, &rare, &hits)));
    assert_int_equal(hits, ALL / RARE_EVERY);
    snprintf(seg, sizeof seg, "%s/audit-0000000000004001.log", b->log);
    snprintf(index, sizeof index, "%s/index/0000000000004001", b->log);
    assert_int_equal(unlink(index), 0);
    int fd = open(seg, O_RDWR); /* an entry in the middle of the second segment cannot be read */
    assert_int_equal(pwrite(fd, "\xff", 1, SEG_HEAD_BYTES + 1000 * AUDIT_ENTRY_BYTES), 1);
    assert_true(err_is(find_until_it_ends(&r, &rare, &hits), E_AUDIT_DOWN));
    assert_int_equal(hits, ALL / RARE_EVERY - 2 * AUDIT_SEGMENT_ENTRIES / RARE_EVERY); /* what is newer was told */
    assert_int_equal(pwrite(fd, "\x00", 1, 0), 1); /* its head */
    assert_true(err_is(find_until_it_ends(&r, &rare, &hits), E_AUDIT_DOWN));
    close(fd);
    assert_int_equal(unlink(seg), 0);
    assert_true(err_is(find_until_it_ends(&r, &rare, &hits), E_AUDIT_DOWN));
    rig_close(&r);
}

/* ---- proofs ---- */

static void checkpoint_here(void *arg, struct err e, const struct tree_head *head, struct slice note)
{
    assert_true(err_ok(e) && note.n > 0);
    *(struct tree_head *)arg = *head;
}

static struct err prove(struct rig *r, const struct audit_key *k, uint64_t seq, uint64_t size)
{
    uint8_t body[AUDIT_PROVE_BYTES];
    key_put(body, k);
    be_put(body + AUDIT_KEY_BYTES, seq, U64);
    be_put(body + AUDIT_KEY_BYTES + 8, size, U64);
    ask(r, AUDIT_MSG_PROVE, ARR(body));
    return r->e;
}

static void an_entry_is_proved_to_whom_it_is_about_only(void **state)
{
    struct bench *b = *state;
    struct rig r;
    struct tree_head head = { 0 };
    rig_open(&r, b);
    grow(&r, 2 * AUDIT_SEGMENT_ENTRIES + 77);
    uint64_t size = b->last_seq;
    audit_keeper_ask(r.keeper, size, checkpoint_here, &head);
    UNTIL(b, head.size);
    assert_true(head.size == size);
    static const uint64_t SEQS[] = { 1, 2, 255, 256, 257, 9001, 16384, 16385, 2 * AUDIT_SEGMENT_ENTRIES + 77 };
    for (size_t i = 0; i < sizeof SEQS / sizeof SEQS[0]; i++) {
        struct audit_key k = person_of(SEQS[i]), other = person_of(SEQS[i] + 1), muni = audit_key_muni("331007"), foreign = audit_key_muni("331003");
        uint8_t hash[AUDIT_HASH_BYTES];
        struct tree_path p = { 0 };
        assert_true(err_ok(prove(&r, &k, SEQS[i], size)));
        p.n = (r.n - AUDIT_LEAF_BYTES) / AUDIT_HASH_BYTES;
        memcpy(p.hash, r.reply + AUDIT_LEAF_BYTES, p.n * AUDIT_HASH_BYTES);
        assert_true(err_ok(audit_leaf_hash(r.reply, hash)));
        assert_true(tree_included(hash, SEQS[i] - 1, &p, &head));
        assert_false(tree_included(hash, SEQS[i], &p, &head));
        assert_true(err_ok(prove(&r, &muni, SEQS[i], size)));
        assert_true(err_is(prove(&r, &other, SEQS[i], size), E_NOTHING));
        assert_true(err_is(prove(&r, &foreign, SEQS[i], size), E_NOTHING));
    }
    struct audit_key k = person_of(5);
    static const uint64_t WRONG[][2] = { { 0, 5 }, { 5, 4 }, { 5, 0 }, { 5, UINT64_MAX }, { UINT64_MAX, UINT64_MAX } };
    for (size_t i = 0; i < sizeof WRONG / sizeof WRONG[0]; i++)
        assert_true(err_is(prove(&r, &k, WRONG[i][0], WRONG[i][1]), E_NOTHING));
    assert_true(err_ok(prove(&r, &k, 5, 5))); /* an older tree */
    rig_close(&r);
}

/* ---- acts ---- */

static void acts_come_in_order_and_none_is_missing(void **state)
{
    struct bench *b = *state;
    struct rig r;
    rig_open(&r, b);
    grow(&r, ALL);
    UNTIL(b, audit_reader_caught_up(r.reader));
    static const uint64_t SINCE[] = { 0, 3, 7, 100 };
    for (size_t i = 0; i < sizeof SINCE / sizeof SINCE[0]; i++) {
        uint64_t after = 0, want = 1;
        do {
            uint8_t body[AUDIT_ACTS_BYTES];
            be_put(body, SINCE[i], U64);
            be_put(body + U64, after, U64);
            ask(&r, AUDIT_MSG_ACTS, ARR(body));
            assert_true(err_ok(r.e));
            for (size_t n = 0; n < (r.n - U64) / (U64 + AUDIT_REC_BYTES); n++, want++) {
                uint64_t seq = be_get(r.reply + U64 + n * (U64 + AUDIT_REC_BYTES), U64);
                for (struct audit_rec x = rec_of(want); !audit_is_act(&x) || (x.epoch && x.epoch <= SINCE[i]); x = rec_of(++want))
                    assert_true(want < seq);
                assert_true(seq == want);
            }
            after = be_get(r.reply, U64);
        } while (after);
        for (; want <= ALL; want++) {
            struct audit_rec x = rec_of(want);
            assert_true(!audit_is_act(&x) || (x.epoch && x.epoch <= SINCE[i]));
        }
    }
    rig_close(&r);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    struct bench *b = *state;
    struct rig r;
    uint8_t body[64] = { 0 };
    rig_open(&r, b);
    static const struct { uint8_t message; size_t n; uint8_t first; } CASES[] = {
        { AUDIT_MSG_FIND, AUDIT_FIND_BYTES, 0 }, { AUDIT_MSG_FIND, AUDIT_FIND_BYTES, AK__MAX }, { AUDIT_MSG_FIND, AUDIT_FIND_BYTES - 1, 1 }, { AUDIT_MSG_PROVE, AUDIT_PROVE_BYTES, 9 },
        { AUDIT_MSG_PROVE, AUDIT_PROVE_BYTES + 1, 1 }, { AUDIT_MSG_ACTS, 15, 0 }, { AUDIT_MSG_APPEND, 0, 0 }, { 99, 0, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        body[0] = CASES[i].first;
        ask(&r, CASES[i].message, slice_of(body, CASES[i].n));
        assert_true(err_is(r.e, E_PROTOCOL));
    }
    rig_close(&r);
}

/* ---- the end of the time that entries are kept ---- */

static struct log_point at_start(int dir)
{
    struct log_point p = { 0 };
    (void)pruned_read(dir, &p);
    return p;
}

/* After every step the log opens, and what should be there is found. */
static void assert_log_works(struct bench *b, uint64_t oldest, uint64_t newest)
{
    struct rig r;
    rig_open(&r, b);
    assert_true(b->found.seq == newest && b->found.pruned == oldest - 1);
    struct audit_key rare = person_of(RARE_EVERY);
    assert_finds_all(&r, &rare, oldest, newest);
    struct tree_head head = { 0 };
    audit_keeper_ask(r.keeper, newest, checkpoint_here, &head);
    UNTIL(b, head.size);
    struct audit_key k = person_of(newest - 1), gone = person_of(5);
    assert_true(err_ok(prove(&r, &k, newest - 1, newest)));
    assert_int_equal(prove(&r, &gone, 5, newest).code, oldest > 5 ? E_NOTHING : E_OK);
    rig_close(&r);
}

static void a_crash_at_any_step_of_the_removal_leaves_a_log_that_works(void **state)
{
    struct bench *b = *state;
    struct rig r;
    struct log_point to, from = { 0 };
    rig_open(&r, b);
    grow(&r, ALL);
    rig_close(&r);
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    uint64_t two = 2 * AUDIT_SEGMENT_ENTRIES;
    assert_true(err_ok(retain_look(dir, b->log, &from, ALL, rec_of(1).wall_ms, &to)) && to.seq == 0); /* nothing is so old */
    assert_true(err_ok(retain_look(dir, b->log, &from, ALL, rec_of(two).wall_ms, &to)) && to.seq == AUDIT_SEGMENT_ENTRIES); /* its newest is not older */
    assert_true(err_ok(retain_look(dir, b->log, &from, ALL, rec_of(two).wall_ms + 1, &to)) && to.seq == two);
    assert_true(err_ok(retain_mark(dir, &to)));
    assert_log_works(b, two + 1, ALL); /* marked, nothing removed */
    char first[160];
    snprintf(first, sizeof first, "%s/audit-0000000000000001.log", b->log);
    assert_int_equal(unlink(first), 0);
    assert_log_works(b, two + 1, ALL); /* the first of two removed */
    to = at_start(dir);
    assert_true(err_ok(retain_remove(dir, &to)));
    assert_log_works(b, two + 1, ALL);
    snprintf(first, sizeof first, "%s/audit-0000000000004001.log", b->log);
    assert_int_equal(access(first, F_OK), -1);
    snprintf(first, sizeof first, "%s/index/0000000000004001", b->log);
    assert_int_equal(access(first, F_OK), -1);
    /* the segment that is being written stays, however old */
    assert_true(err_ok(retain_look(dir, b->log, &to, ALL, UINT64_MAX, &from)) && from.seq == 3 * AUDIT_SEGMENT_ENTRIES);
    close(dir);
}

static void a_segment_that_does_not_fit_its_tiles_is_kept(void **state)
{
    struct bench *b = *state;
    struct rig r;
    struct log_point to, from = { 0 };
    char tile[160];
    rig_open(&r, b);
    grow(&r, ALL);
    rig_close(&r);
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    snprintf(tile, sizeof tile, "%s/tiles/0/100", b->log); /* of the second segment */
    int fd = open(tile, O_RDWR);
    assert_int_equal(pwrite(fd, "x", 1, 700), 1);
    close(fd);
    assert_true(err_ok(retain_look(dir, b->log, &from, ALL, UINT64_MAX, &to)) && to.seq == AUDIT_SEGMENT_ENTRIES);
    assert_true(err_is(retain_look(dir, b->log, &to, ALL, UINT64_MAX, &from), E_SEAL) && from.seq == to.seq);
    assert_int_equal(unlink(tile), 0);
    assert_false(err_ok(retain_look(dir, b->log, &to, ALL, UINT64_MAX, &from)));
    close(dir);
}

struct keep { struct rig *r; struct audit_retain *t; unsigned told, segments; uint64_t pruned; bool refuse; };

static void keep_tell(void *arg, uint32_t segments)
{
    struct keep *k = arg;
    assert_true(k->pruned < (uint64_t)segments * AUDIT_SEGMENT_ENTRIES);
    k->told++;
    k->segments = segments;
    audit_retain_told(k->t, k->refuse ? FAIL(E_AUDIT_DOWN) : OK);
}

static void keep_pruned(void *arg, uint64_t seq)
{
    struct keep *k = arg;
    k->pruned = seq;
    audit_reader_pruned(k->r->reader, seq);
}

static uint64_t keep_seq(void *arg) { return ((struct keep *)arg)->r->b->last_seq; }

static void keep_closed(void *arg) { ((struct keep *)arg)->r->closed = true; }

/* The clock of the test: 1096 days after the first entries of the third segment. */
static void nothing_is_removed_that_was_not_told_of_first(void **state)
{
    struct bench *b = *state;
    struct rig r;
    struct keep k = { .r = &r, .refuse = true };
    rig_open(&r, b);
    grow(&r, ALL);
    struct tree_head head = { 0 };
    audit_keeper_ask(r.keeper, ALL, checkpoint_here, &head);
    UNTIL(b, head.size);
    uint64_t now = clock_wall(loop_clock(b->loop)), keep_ms = now - rec_of(2 * AUDIT_SEGMENT_ENTRIES + 5).wall_ms;
    struct audit_retain_conf conf = { .dir = b->log, .keep_ms = keep_ms, .first_ms = 1, .every_ms = 20, .tell = keep_tell, .pruned = keep_pruned, .seq = keep_seq, .arg = &k };
    assert_true(err_ok(audit_retain_new(&k.t, b->loop, conf)));
    UNTIL(b, k.told >= 3);
    assert_true(k.pruned == 0);
    assert_good(b->log, ALL);
    k.refuse = false;
    UNTIL(b, k.pruned);
    for (int i = 0; i < 400; i++)
        turn(b);
    assert_true(k.segments == 2 && k.pruned == 2 * AUDIT_SEGMENT_ENTRIES);
    struct audit_key rare = person_of(RARE_EVERY);
    assert_finds_all(&r, &rare, k.pruned + 1, ALL);
    audit_retain_close(k.t, keep_closed, &k);
    UNTIL(b, r.closed);
    r.closed = false;
    rig_close(&r);
    assert_log_works(b, 2 * AUDIT_SEGMENT_ENTRIES + 1, ALL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(questions_are_answered_while_the_log_grows_and_after_restarts),
        T(segments_outside_the_time_are_passed_over),
        T(what_cannot_be_read_is_not_left_out_in_silence),
        T(an_entry_is_proved_to_whom_it_is_about_only),
        T(acts_come_in_order_and_none_is_missing),
        T(what_cannot_be_asked_is_refused),
        T(a_crash_at_any_step_of_the_removal_leaves_a_log_that_works),
        T(a_segment_that_does_not_fit_its_tiles_is_kept),
        T(nothing_is_removed_that_was_not_told_of_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
