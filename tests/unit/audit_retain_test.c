/* The removal of what is past its time: with a crash at every step, told first, and only when its hashes stay. */

#include "tests/unit/audit_rig.h"

#include "gateway/audit/retain.h"

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
        T(a_crash_at_any_step_of_the_removal_leaves_a_log_that_works),
        T(a_segment_that_does_not_fit_its_tiles_is_kept),
        T(nothing_is_removed_that_was_not_told_of_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
