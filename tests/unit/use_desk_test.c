/* Who uses a link key first: races, a disk that fails, starts, clocks that are wrong, a log that cannot be read. */
#include "tests/unit/audit_bench.h"

#include "gateway/audit/index.h"
#include "gateway/audit/use_desk.h"
#include "gateway/audit/wire_num.h"
#include "tests/unit/audit_make.h"

#define HOUR UINT64_C(3600000)

/* ---- clocks that a test moves ---- */

static struct { _Atomic uint64_t wall, mono; } shift;

static uint64_t moved_wall(void *ctx)
{
    struct clock real = clock_system();
    (void)ctx;
    return clock_wall(&real) + shift.wall;
}

static uint64_t moved_mono(void *ctx)
{
    struct clock real = clock_system();
    (void)ctx;
    return clock_mono(&real) + shift.mono;
}

static int moved_setup(void **state)
{
    setup(state);
    struct bench *b = *state;
    loop_free(b->loop);
    shift.wall = shift.mono = 0;
    assert_true(err_ok(loop_new(&b->loop, (struct clock){ moved_wall, moved_mono, NULL })));
    return 0;
}

static uint64_t now(const struct bench *b) { return clock_wall(loop_clock(b->loop)); }

/* ---- uses ---- */

static struct audit_rec use_of(const struct bench *b, uint32_t key)
{
    struct audit_rec r = record(key);
    r.result = key % 2 ? AR_OK : AR_NOTHING;
    r.reason = key % 2 ? E_OK : E_NOTHING;
    r.until_s = (uint32_t)(now(b) / 1000) + 3600;
    be_put(r.ref, key * 0x9e3779b97f4a7c15u, 8);
    be_put(r.ref + 8, key + 1, 8);
    return r;
}

struct heard {
    struct bench *b;
    unsigned n, ok, used, down;
    uint64_t first_ms, seq;
    void (*at_down)(struct heard *h); /* at the first one */
};

static void on_decided(void *arg, struct err e, uint64_t seq, uint64_t used_ms)
{
    struct heard *h = arg;
    h->n++;
    h->ok += err_ok(e);
    h->used += err_is(e, E_USED);
    h->down += err_is(e, E_AUDIT_DOWN);
    assert_int_equal(h->n, h->ok + h->used + h->down);
    if (err_ok(e)) {
        assert_true(seq > 0 && used_ms > 0);
        h->first_ms = used_ms;
        h->seq = seq;
    } else if (err_is(e, E_USED)) {
        assert_true(seq == 0 && used_ms > 0);
        if (h->first_ms)
            assert_true(used_ms == h->first_ms);
        h->first_ms = used_ms;
    } else if (h->at_down && h->down == 1) {
        h->at_down(h);
    }
}

struct desk {
    struct bench *b;
    struct use_desk *d;
    bool closed;
};

static void desk_open(struct desk *k, struct bench *b)
{
    *k = (struct desk){ .b = b };
    writer_open(b, b->log);
    struct use_desk_conf conf = { .dir = b->log, .writer = b->writer, .found = &b->found, .uses_max = 100000, .again_ms = 20 };
    assert_true(err_ok(use_desk_new(&k->d, b->loop, conf)));
}

static void desk_gone(void *arg) { ((struct desk *)arg)->closed = true; }

static void desk_close(struct desk *k)
{
    use_desk_stop(k->d);
    writer_close(k->b);
    use_desk_close(k->d, desk_gone, k);
    UNTIL(k->b, k->closed);
}

static void ask(struct desk *k, uint32_t key, struct heard *h)
{
    struct audit_rec r = use_of(k->b, key);
    use_desk_ask(k->d, &r, IPC_FRONT, on_decided, h);
}

static void ask_and_wait(struct desk *k, uint32_t key, struct heard *h)
{
    unsigned n = h->n;
    ask(k, key, h);
    UNTIL(k->b, h->n == n + 1);
}

static void the_first_wins_and_later_ones_hear_when_that_was(void **state)
{
    struct bench *b = *state;
    struct desk k;
    struct heard h = { 0 }, other = { 0 };
    desk_open(&k, b);
    ask_and_wait(&k, 1, &h);
    assert_true(h.ok == 1 && h.first_ms <= now(b) && h.first_ms + 60000 > now(b));
    ask_and_wait(&k, 1, &h);
    ask_and_wait(&k, 2, &other);
    ask_and_wait(&k, 1, &h);
    assert_true(h.ok == 1 && h.used == 2 && other.ok == 1);
    desk_close(&k);
    assert_good(b->log, 2); /* who came too late has no entry */
}

static void of_many_at_once_one_wins_for_each_key(void **state)
{
    enum { KEYS = 300, RACERS = 40 };
    struct bench *b = *state;
    struct desk k;
    struct heard *h = calloc(KEYS, sizeof *h);
    unsigned n = 0;
    desk_open(&k, b);
    for (unsigned round = 0; round < RACERS; round++) {
        for (uint32_t i = 0; i < KEYS; i++)
            ask(&k, i, &h[i]);
        if (round % 7 == 6) /* some come while the first is written, some behind it */
            turn(b);
    }
    for (uint32_t i = 0; i < KEYS; i++)
        UNTIL(b, h[i].n == RACERS);
    for (uint32_t i = 0; i < KEYS; i++)
        n += h[i].ok == 1 && h[i].used == RACERS - 1;
    assert_int_equal(n, KEYS);
    desk_close(&k);
    assert_good(b->log, KEYS);
    free(h);
}

/* ---- a disk that fails ---- */

static void use_that_was_not_written_is_none(void **state)
{
    struct bench *b = *state;
    struct desk k;
    struct heard h = { 0 };
    desk_open(&k, b);
    ask_and_wait(&k, 5, &h);
    fault.full = true;
    struct heard lost = { 0 };
    for (int i = 0; i < 20; i++)
        ask(&k, 6, &lost);
    UNTIL(b, lost.n == 20);
    assert_int_equal(lost.down, 20);
    ask_and_wait(&k, 5, &h);
    assert_true(h.ok == 1 && h.used == 1); /* what is known is told, whatever the disk does */
    fault.full = false;
    uint64_t seq;
    UNTIL(b, err_ok(audit_writer_seq(b->writer, &seq)));
    ask_and_wait(&k, 6, &lost);
    ask_and_wait(&k, 6, &lost);
    assert_true(lost.ok == 1 && lost.used == 1 && lost.down == 20);
    desk_close(&k);
    assert_good(b->log, 2);
}

static void disk_is_back(struct heard *h)
{
    (void)h;
    fault.full = false;
    shift.mono += 1000; /* longer than a failed disk is left alone */
}

static void who_waited_for_a_write_that_failed_is_written_in_its_place(void **state)
{
    struct bench *b = *state;
    struct desk k;
    struct heard h = { .b = b, .at_down = disk_is_back };
    desk_open(&k, b);
    ask_and_wait(&k, 1, &(struct heard){ 0 });
    fault.full = true;
    for (int i = 0; i < 10; i++)
        ask(&k, 7, &h);
    UNTIL(b, h.n == 10);
    assert_true(h.ok == 1 && h.used == 8 && h.down == 1);
    desk_close(&k);
    assert_good(b->log, 2);
}

/* ---- starts ---- */

static void what_was_used_before_a_start_stays_used(void **state)
{
    struct bench *b = *state;
    struct desk k;
    struct heard h[50] = { { 0 } };
    for (unsigned run = 0; run < 3; run++) {
        desk_open(&k, b);
        for (uint32_t i = 0; i < 50; i++)
            ask(&k, i, &h[i]); /* before the log has been read */
        for (uint32_t i = 0; i < 50; i++)
            UNTIL(b, h[i].n == run + 1);
        desk_close(&k);
    }
    for (uint32_t i = 0; i < 50; i++)
        assert_true(h[i].ok == 1 && h[i].used == 2);
    assert_good(b->log, 50);
}

/* Whatever the clock does, before a start or in between. */
static void no_clock_lets_a_key_work_twice(void **state)
{
    static const struct { const char *name; int64_t used, start, asked; } CASES[] = { /* hours by which the wall clock is wrong, then */
        { "right", 0, 0, 0 },
        { "ahead at the use, set right", 20, 20, 0 },
        { "ahead at the use, set right before a start", 20, 0, 0 },
        { "far ahead at the start, set right", 0, 10000, 0 },
        { "behind at the use", -20, 0, 0 },
        { "behind all the time", -20, -20, -20 },
        { "behind at the start", 0, -10000, -10000 },
        { "ahead a day at both, set right", 23, 23, 0 },
    };
    struct bench *b = *state;
    for (uint32_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct desk k;
        struct heard h = { 0 };
        struct audit_rec r = use_of(b, 100 + i);
        r.until_s = (uint32_t)(now(b) / 1000 + 23 * 3600); /* by the issuer's clock, which is right */
        shift.wall = (uint64_t)CASES[i].used * HOUR;
        desk_open(&k, b);
        use_desk_ask(k.d, &r, IPC_FRONT, on_decided, &h);
        UNTIL(b, h.n == 1);
        desk_close(&k);
        for (int starts = 0; starts < 2; starts++) {
            shift.wall = (uint64_t)CASES[i].start * HOUR;
            desk_open(&k, b);
            b->last_seq = b->found.seq;
            append_many(b, 1); /* something else is written meanwhile */
            if (starts)
                shift.wall = (uint64_t)CASES[i].asked * HOUR;
            use_desk_ask(k.d, &r, IPC_FRONT, on_decided, &h);
            UNTIL(b, h.n == 2u + (unsigned)starts);
            desk_close(&k);
        }
        if (h.ok != 1 || h.used != 2)
            fail_msg("%s", CASES[i].name);
        shift.wall = 0;
    }
}

static void a_use_that_ends_too_late_to_be_remembered_is_refused(void **state)
{
    struct bench *b = *state;
    struct desk k;
    struct heard h = { 0 };
    desk_open(&k, b);
    struct audit_rec r = use_of(b, 1);
    r.until_s = (uint32_t)(now(b) / 1000 + 49 * 3600);
    use_desk_ask(k.d, &r, IPC_FRONT, on_decided, &h);
    UNTIL(b, h.down == 1);
    ask_and_wait(&k, 1, &h);
    assert_int_equal(h.ok, 1);
    desk_close(&k);
}

/* ---- a log of several segments ---- */

struct made { const struct bench *b; uint64_t start_ms, step_ms; };

/* Every 100th is a use of the key with that number. */
static void make_entry(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const struct made *m = arg;
    struct audit_rec r = i % 100 ? record((uint32_t)i) : use_of(m->b, (uint32_t)i);
    r.wall_ms = m->start_ms + i * m->step_ms;
    if (i % 100 == 0)
        r.until_s = (uint32_t)(r.wall_ms / 1000 + 3600);
    audit_encode(&r, rec);
}

static void only_what_may_be_alive_is_loaded(void **state)
{
    enum { N = 3 * AUDIT_SEGMENT_ENTRIES + 200, STEP = 10000 };
    struct bench *b = *state;
    struct made m = { b, now(b) - N * (uint64_t)STEP, STEP }; /* 5.7 days */
    struct desk k;
    struct heard young = { 0 }, old = { 0 }, newest = { 0 };
    make_log(b->log, N, make_entry, &m);
    desk_open(&k, b);
    uint32_t day = 24 * 3600 * 1000 / STEP;
    ask_and_wait(&k, (N - day) / 100 * 100, &young);
    ask_and_wait(&k, (N - 3 * day) / 100 * 100, &old);
    ask_and_wait(&k, (N - 1) / 100 * 100, &newest);
    assert_true(young.used == 1 && newest.used == 1 && old.ok == 1);
    assert_true(young.first_ms == m.start_ms + (N - day) / 100 * 100 * (uint64_t)STEP);
    assert_true(use_desk_prunable(k.d, N) == AUDIT_SEGMENT_ENTRIES); /* in the second segment are uses of the last two days */
    desk_close(&k);
}

static void flip(const struct bench *b, uint64_t first, off_t at)
{
    char name[SEG_NAME_BYTES], path[256];
    uint8_t c = 0;
    seg_name(first, name);
    snprintf(path, sizeof path, "%s/%s", b->log, name);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
    c ^= 1;
    assert_true(pwrite(fd, &c, 1, at) == 1);
    close(fd);
}

/* Three segments: uses of an hour ago; a clock that was ten days behind, without a use; one use now. */
static void make_set_back(void *arg, uint64_t i, uint8_t rec[static AUDIT_REC_BYTES])
{
    const struct made *m = arg;
    uint64_t segment = i / AUDIT_SEGMENT_ENTRIES;
    struct audit_rec r = (segment == 0 && i % 100 == 0) || i == 2 * AUDIT_SEGMENT_ENTRIES ? use_of(m->b, (uint32_t)i) : record((uint32_t)i);
    r.wall_ms = m->start_ms - (segment == 0 ? HOUR : segment == 1 ? 240 * HOUR : 0);
    audit_encode(&r, rec);
}

static void make_indexes(const struct bench *b, uint64_t to)
{
    int dir = open(b->log, O_RDONLY | O_DIRECTORY);
    assert_true(dir >= 0 && mkdirat(dir, "index", 0700) == 0);
    for (uint64_t first = 1; first + AUDIT_SEGMENT_ENTRIES - 1 <= to; first += AUDIT_SEGMENT_ENTRIES) {
        struct index_table *t = NULL;
        assert_true(err_ok(index_table_scan(&t, dir, first)) && err_ok(index_write(dir, t)));
        index_table_free(t);
    }
    close(dir);
}

static void uses_behind_a_clock_that_was_set_back_are_loaded(void **state)
{
    enum { N = 2 * AUDIT_SEGMENT_ENTRIES + 10 };
    struct bench *b = *state;
    struct made m = { .b = b, .start_ms = now(b) };
    make_log(b->log, N, make_set_back, &m);
    for (int indexed = 0; indexed < 2; indexed++) {
        struct desk k;
        struct heard h = { 0 };
        if (indexed)
            make_indexes(b, N);
        desk_open(&k, b);
        ask_and_wait(&k, 300, &h);
        assert_true(h.used == 1 && h.first_ms == m.start_ms - HOUR);
        assert_true(use_desk_prunable(k.d, N) == 0);
        desk_close(&k);
    }
}

/* With its index a segment without any use, or an old one, is not even opened: one that is damaged there does no harm. */
static void what_the_index_passes_over_is_not_read(void **state)
{
    enum { N = 2 * AUDIT_SEGMENT_ENTRIES + 10 };
    struct bench *b = *state;
    struct made m = { .b = b, .start_ms = now(b) };
    struct desk k;
    struct heard h = { 0 };
    make_log(b->log, N, make_set_back, &m);
    make_indexes(b, N);
    flip(b, AUDIT_SEGMENT_ENTRIES + 1, SEG_HEAD_BYTES + 5000 * AUDIT_ENTRY_BYTES + 120);
    desk_open(&k, b);
    ask_and_wait(&k, 300, &h);
    assert_int_equal(h.used, 1);
    desk_close(&k);
}

static void segments_of_living_uses_may_not_be_pruned(void **state)
{
    struct bench *b = *state;
    struct desk k;
    desk_open(&k, b);
    ask_and_wait(&k, 1, &(struct heard){ 0 });
    assert_true(use_desk_prunable(k.d, 1) == 0);
    for (int hours = 0; hours < 49; hours++) {
        assert_true(use_desk_prunable(k.d, 1) == 0);
        shift.mono += HOUR;
    }
    assert_true(use_desk_prunable(k.d, 5) == 0); /* hour 49: what was there at the start */
    shift.mono += HOUR;
    assert_true(use_desk_prunable(k.d, 9) == 1);
    shift.mono += 47 * HOUR; /* nobody asked meanwhile */
    assert_true(use_desk_prunable(k.d, 20) == 1);
    shift.mono += 49 * HOUR;
    assert_true(use_desk_prunable(k.d, 30) == 20);
    desk_close(&k);
}

/* One entry, and with it a use, is no longer what was written: nobody knows which keys are good. Everything else goes on. */
static void a_damaged_segment_stops_uses_and_nothing_else(void **state)
{
    enum { N = AUDIT_SEGMENT_ENTRIES + 100 };
    struct bench *b = *state;
    struct made m = { b, now(b) - N, 1 };
    struct desk k;
    struct heard h = { 0 };
    make_log(b->log, N, make_entry, &m);
    flip(b, 1, SEG_HEAD_BYTES + 5000 * AUDIT_ENTRY_BYTES + 120);
    desk_open(&k, b);
    b->last_seq = N;
    ask(&k, 5000, &h);
    ask(&k, 77, &h);
    append_many(b, 10);
    assert_int_equal(b->written, 10);
    assert_true(h.n == 0 && use_desk_prunable(k.d, N) == 0);
    flip(b, 1, SEG_HEAD_BYTES + 5000 * AUDIT_ENTRY_BYTES + 120); /* put back from a copy */
    UNTIL(b, h.n == 2);
    assert_true(h.used == 1 && h.ok == 1);
    desk_close(&k);
}

static void when_every_older_key_has_ended_a_damaged_log_stops_nobody(void **state)
{
    enum { N = AUDIT_SEGMENT_ENTRIES + 100 };
    struct bench *b = *state;
    struct made m = { b, now(b) - N, 1 };
    struct desk k;
    struct heard h = { 0 };
    make_log(b->log, N, make_entry, &m);
    flip(b, 1, SEG_HEAD_BYTES + 5000 * AUDIT_ENTRY_BYTES + 120);
    desk_open(&k, b);
    ask(&k, 77, &h);
    for (int i = 0; i < 100; i++)
        turn(b);
    assert_int_equal(h.n, 0);
    shift.mono += (uint64_t)AUDIT_USE_S * 1000 + 1000;
    UNTIL(b, h.n == 1);
    assert_int_equal(h.ok, 1);
    desk_close(&k);
}

static void who_waits_while_it_stops_is_told(void **state)
{
    enum { N = AUDIT_SEGMENT_ENTRIES + 100 };
    struct bench *b = *state;
    struct made m = { b, now(b) - N, 1 };
    struct desk k;
    struct heard early = { 0 }, late = { 0 };
    make_log(b->log, N, make_entry, &m);
    desk_open(&k, b);
    ask(&k, 77, &early);
    desk_close(&k);
    assert_int_equal(early.down, 1);
    desk_open(&k, b);
    ask_and_wait(&k, 78, &late);
    assert_int_equal(late.ok, 1);
    for (int i = 0; i < 5; i++)
        ask(&k, 79, &late);
    use_desk_stop(k.d);
    ask(&k, 80, &late);
    desk_close(&k);
    assert_true(late.n == 7 && late.ok <= 2 && late.down >= 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, moved_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_first_wins_and_later_ones_hear_when_that_was),
        T(of_many_at_once_one_wins_for_each_key),
        T(use_that_was_not_written_is_none),
        T(who_waited_for_a_write_that_failed_is_written_in_its_place),
        T(what_was_used_before_a_start_stays_used),
        T(no_clock_lets_a_key_work_twice),
        T(a_use_that_ends_too_late_to_be_remembered_is_refused),
        T(only_what_may_be_alive_is_loaded),
        T(uses_behind_a_clock_that_was_set_back_are_loaded),
        T(what_the_index_passes_over_is_not_read),
        T(segments_of_living_uses_may_not_be_pruned),
        T(a_damaged_segment_stops_uses_and_nothing_else),
        T(when_every_older_key_has_ended_a_damaged_log_stops_nobody),
        T(who_waits_while_it_stops_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
