/* Questions about the log, asked while it grows, after restarts, with an index that is missing or damaged, and of a log that cannot be read. */

#include "tests/unit/audit_rig.h"

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
    snprintf(path, sizeof path, "%s/index/0000000000008001", b->log);
    int fd = open(path, O_WRONLY); /* of a third one a pair in ten is another person's */
    for (int i = 0; i < AUDIT_SEGMENT_ENTRIES; i += 10)
        assert_int_equal(pwrite(fd, "x", 1, INDEX_HEAD_BYTES + i * INDEX_PAIR_BYTES + 9), 1);
    close(fd);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
