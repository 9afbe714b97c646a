/* Pages of results out of sealed frames: the same rows however they are cut into frames and pages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "keys/files/work.h"

enum { ROWS = 3000, ARENA = 16 << 20 };
#define MUNI "331007"
static const uint8_t TASK[16] = { 5, 6, 7 }, WRAPPED[NZ_WRAPPED_BYTES] = { 1 };

struct bench {
    char root[64], dir[96];
    struct loop *loop;
    struct nz_intake in;
    struct nz_spool_entry *entry;
    struct nz_file_task t;
    struct arena *arena;
    struct err e;      /* of the last page */
    bool there;
};

/* Row i fails when it is a multiple of 50; keys are of many lengths, so that entries lie across the ends of frames. */
static void write_rows(struct bench *b)
{
    static char key[NZ_ENTRY_KEY_MAX];
    struct nz_frames *f;
    struct buf out;
    memset(key, 'k', sizeof key);
    assert_true(err_ok(nz_spool_frames(b->entry, NZ_SPOOL_RESULTS, NZ_SPOOL_CREATE, &f)));
    buf_init(&out, NZ_ENTRY_MAX);
    for (uint32_t i = 1; i <= ROWS; i++) {
        struct nz_result_entry e = { .row = i, .line = i + 1, .resident_key = slice_of(key, i * 7 % sizeof key) };
        e.result.result = i % 50 ? NZ_REGISTERED : NZ_REFUSED;
        e.result.code = i % 50 ? NZ_CODE_NONE : NZ_CODE_FIELD;
        buf_reset(&out);
        nz_entry_encode(&e, &out);
        assert_true(err_ok(nz_frames_append(f, buf_slice(&out))));
        if (i % 700 == 0)
            assert_true(err_ok(nz_frames_flush(f))); /* a checkpoint: a short frame */
    }
    assert_true(err_ok(nz_frames_flush(f)));
    buf_done(&out);
    nz_frames_close(f);
}

static int bench_begin(void **state)
{
    static struct bench b;
    struct secret *key = NULL;
    static const struct nz_spool_meta META = { .bytes = 1 };
    b = (struct bench){ .root = "/tmp/pmhgw-page-XXXXXX" };
    assert_non_null(mkdtemp(b.root));
    snprintf(b.dir, sizeof b.dir, "%s/spool", b.root);
    assert_true(err_ok(loop_new(&b.loop, clock_system())) && err_ok(nz_spool_new(&b.in.spool, b.dir)) && err_ok(secret_random(&key, 32)));
    b.in.loop = b.loop;
    assert_true(err_ok(nz_spool_create(b.in.spool, &b.entry, MUNI, TASK, key, WRAPPED, &META)));
    b.arena = arena_new(ARENA);
    b.t.checkpoint = b.t.task.rows = ROWS;
    memcpy(b.t.task.id.b, TASK, sizeof TASK);
    write_rows(&b);
    *state = &b;
    return 0;
}

static int bench_end(void **state)
{
    struct bench *b = *state;
    char command[128];
    nz_spool_close(b->entry);
    nz_spool_free(b->in.spool);
    loop_free(b->loop);
    arena_free(b->arena);
    snprintf(command, sizeof command, "rm -rf '%s'", b->root);
    return system(command);
}

static void page_there(void *arg, struct err e)
{
    struct bench *b = arg;
    b->e = e;
    b->there = true;
}

static struct nz_page page_of(struct bench *b, uint64_t limit, bool only_failed)
{
    return (struct nz_page){ .in = &b->in, .muni = { '3', '3', '1', '0', '0', '7' }, .t = &b->t, .entry = b->entry, .arena = b->arena, .limit = limit,
                             .only_failed = only_failed, .fn = page_there, .arg = b };
}

static struct err read_page(struct bench *b, struct nz_page *p)
{
    b->there = false;
    arena_reset(b->arena);
    nz_page_read(p);
    for (int i = 0; i < 100 && !b->there; i++)
        uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
    assert_true(b->there);
    return b->e;
}

/* Walks all pages by cursors as text. Returns the rows seen. */
static uint32_t walk(struct bench *b, uint64_t limit, bool only_failed)
{
    struct nz_page p = page_of(b, limit, only_failed);
    uint32_t seen = 0, last = 0;
    for (;;) {
        assert_true(err_ok(read_page(b, &p)));
        assert_true(p.n <= limit);
        for (size_t i = 0; i < p.n; i++) {
            const struct nz_result_entry *e = &p.row[i];
            assert_true(only_failed ? e->row == last + 50 : e->row == last + 1);
            assert_int_equal(e->resident_key.n, e->row * 7 % NZ_ENTRY_KEY_MAX);
            last = e->row;
            seen++;
        }
        if (p.at_end)
            return seen;
        char text[96];
        struct nz_results_at at;
        assert_true(nz_results_at_parse(slice_of(text, nz_results_at_format(&p.at, text)), &at));
        p = page_of(b, limit, only_failed);
        p.at = at;
    }
}

static void pages_of_every_size(void **state)
{
    static const uint64_t LIMITS[] = { 1, 7, 64, 333, 1000 };
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        if (LIMITS[i] > 1)
            assert_int_equal(walk(*state, LIMITS[i], false), ROWS);
        assert_int_equal(walk(*state, LIMITS[i], true), ROWS / 50);
    }
}

static void nothing_behind_the_checkpoint(void **state)
{
    struct bench *b = *state;
    static const uint64_t AT[] = { 0, 1, 699, 700, 701, 2999 };
    for (size_t i = 0; i < sizeof AT / sizeof AT[0]; i++) {
        b->t.checkpoint = AT[i];
        assert_int_equal(walk(b, 100, false), AT[i]);
    }
    b->t.checkpoint = ROWS;
}

static void forged_cursors_lead_nowhere(void **state)
{
    struct bench *b = *state;
    srand(1);
    for (int i = 0; i < 3000; i++) {
        struct nz_page p = page_of(b, 10, false);
        p.at = (struct nz_results_at){ { (uint64_t)rand() % 1000000, (uint64_t)rand() % 12 }, (uint64_t)rand() % NZ_FRAME_PLAIN, (uint64_t)rand() % ROWS };
        if (i % 2)
            p.at.frame = (struct nz_frames_at){ 0, 0 }; /* a good frame, and somewhere in it */
        struct err e = read_page(b, &p);
        assert_true(err_ok(e) || err_is(e, E_SEAL));
        for (size_t k = 0; err_ok(e) && k < p.n; k++)
            assert_true(p.row[k].row <= ROWS);
    }
}

/* An undo tells rows from the last to the first, and only those that wrote something: their numbers say nothing about the checkpoint. */
static void every_row_of_an_undo_is_told(void **state)
{
    enum { FIRST = 9000, TOLD = 500 };
    static const uint64_t LIMITS[] = { 1, 7, 64, 1000 };
    struct bench *b = *state;
    struct nz_frames *f;
    struct buf out;
    assert_true(err_ok(nz_spool_drop_part(b->entry, NZ_SPOOL_RESULTS)));
    assert_true(err_ok(nz_spool_frames(b->entry, NZ_SPOOL_RESULTS, NZ_SPOOL_CREATE, &f)));
    buf_init(&out, TOLD * 64);
    for (uint32_t i = 0; i < TOLD + 1; i++) { /* the last one is not durable */
        const struct nz_result_entry e = { .row = FIRST - 2 * i, .result = { .result = NZ_UPDATED } };
        nz_entry_encode(&e, &out);
    }
    assert_true(err_ok(nz_frames_append(f, buf_slice(&out))) && err_ok(nz_frames_flush(f)));
    buf_done(&out);
    nz_frames_close(f);
    b->t.mode = NZ_MODE_UNDO;
    b->t.checkpoint = TOLD;
    b->t.task.rows = TOLD;
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        struct nz_page p = page_of(b, LIMITS[i], false);
        uint32_t seen = 0;
        do {
            assert_true(err_ok(read_page(b, &p)));
            for (size_t k = 0; k < p.n; k++)
                assert_int_equal(p.row[k].row, FIRST - 2 * seen++);
        } while (!p.at_end);
        assert_int_equal(seen, TOLD);
    }
}

static void no_results_yet(void **state)
{
    struct bench *b = *state;
    assert_true(err_ok(nz_spool_drop_part(b->entry, NZ_SPOOL_RESULTS)));
    b->t.checkpoint = 0;
    assert_int_equal(walk(b, 100, false), 0);
}

static void results_that_were_durable_and_are_gone_are_no_empty_page(void **state)
{
    struct bench *b = *state;
    struct nz_page p = page_of(b, 10, false);
    b->t.checkpoint = 1;
    assert_true(err_is(read_page(b, &p), E_NOTHING));
    assert_true(err_is(nz_results_error(b->e), E_RESULTS_LOST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_every_size),
        cmocka_unit_test(nothing_behind_the_checkpoint),
        cmocka_unit_test(forged_cursors_lead_nowhere),
        cmocka_unit_test(every_row_of_an_undo_is_told),
        cmocka_unit_test(no_results_yet),
        cmocka_unit_test(results_that_were_durable_and_are_gone_are_no_empty_page),
    };
    return cmocka_run_group_tests(tests, bench_begin, bench_end);
}
