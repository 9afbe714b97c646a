/* The set of uses against time, memory and its own growth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "gateway/audit/uses.h"
#include "gateway/audit/wire_num.h"

enum { REF = AUDIT_HANDLE_BYTES };
#define HOUR UINT64_C(3600000)

static const struct uses_now EARLY = { .wall_ms = 1795248000000, .mono_ms = 5000 };

static struct uses_now later(uint64_t wall_ms, uint64_t mono_ms) { return (struct uses_now){ EARLY.wall_ms + wall_ms, EARLY.mono_ms + mono_ms }; }

/* Spread as a keyed hash spreads; shard < 0: wherever it falls. */
static void ref_of(uint64_t i, int shard, uint8_t out[static REF])
{
    uint64_t v = (i + 1) * 0x9e3779b97f4a7c15u;
    v ^= v >> 29;
    be_put(out, v * 0xbf58476d1ce4e5b9u, 8);
    be_put(out + 8, i + 1, 8);
    if (shard >= 0) {
        out[0] = (uint8_t)(shard >> 4);
        out[1] = (uint8_t)(shard << 4);
    }
}

static struct uses *set_new(size_t max)
{
    struct uses *u = NULL;
    assert_true(err_ok(uses_new(&u, max)));
    return u;
}

static void put(struct uses *u, const uint8_t *ref, uint64_t used_ms, uint64_t life_ms)
{
    struct use use = { .used_ms = used_ms, .until_s = (uint32_t)((EARLY.wall_ms + life_ms) / 1000), .held_ms = EARLY.mono_ms + life_ms };
    assert_true(err_ok(uses_reserve(u, ref, EARLY)));
    uses_add(u, ref, &use);
}

static void forget_all(struct uses *u, struct uses_now now) { uses_forget(u, now, USES_SHARDS); }

static void what_is_in_it_is_found_with_its_time(void **state)
{
    (void)state;
    struct uses *u = set_new(200000);
    uint8_t ref[REF];
    uint64_t used;
    for (uint64_t i = 0; i < 100000; i++) {
        ref_of(i, -1, ref);
        assert_false(uses_find(u, ref, &used));
        put(u, ref, 1000 + i, HOUR);
    }
    assert_true(uses_count(u) == 100000);
    assert_true(uses_bytes(u) < 100000 * 64 + 1000000);
    for (uint64_t i = 0; i < 200000; i++) {
        ref_of(i, -1, ref);
        assert_true(uses_find(u, ref, &used) == (i < 100000));
        if (i < 100000)
            assert_true(used == 1000 + i);
    }
    uses_free(u);
}

/* Handles that begin alike are worst for a table: none is lost, and others are still told from them. */
static void many_in_one_shard_are_all_kept(void **state)
{
    (void)state;
    struct uses *u = set_new(20000);
    uint8_t ref[REF] = { 0 };
    uint64_t used;
    for (uint64_t i = 0; i < 5000; i++) {
        be_put(ref + 8, i + 1, 8); /* the same home for all */
        put(u, ref, i + 1, HOUR);
    }
    for (uint64_t i = 0; i < 5000; i++) {
        be_put(ref + 8, i + 1, 8);
        assert_true(uses_find(u, ref, &used) && used == i + 1);
    }
    be_put(ref + 8, 5001, 8);
    assert_false(uses_find(u, ref, &used));
    uses_free(u);
}

static void a_use_is_forgotten_when_both_clocks_have_passed_its_end(void **state)
{
    (void)state;
    struct uses *u = set_new(10);
    uint8_t ref[REF];
    uint64_t used;
    ref_of(1, -1, ref);
    put(u, ref, 7, HOUR);
    static const struct { uint64_t wall, mono; } BEFORE[] = {
        { 0, 0 }, { 100 * 24 * HOUR, 0 } /* a clock that runs ahead */, { 0, 100 * 24 * HOUR } /* one that was set back */, { HOUR - 1000, 2 * HOUR }, { 2 * HOUR, HOUR - 1000 },
    };
    for (size_t i = 0; i < sizeof BEFORE / sizeof BEFORE[0]; i++) {
        forget_all(u, later(BEFORE[i].wall, BEFORE[i].mono));
        assert_true(uses_find(u, ref, &used) && used == 7);
    }
    forget_all(u, later(HOUR + 1000, HOUR + 1000));
    assert_false(uses_find(u, ref, &used));
    assert_true(uses_count(u) == 0);
    uses_free(u);
}

static void memory_of_what_has_ended_is_given_back(void **state)
{
    (void)state;
    struct uses *u = set_new(1000000);
    uint8_t ref[REF];
    uint64_t used;
    size_t empty = uses_bytes(u);
    for (uint64_t i = 0; i < 50000; i++) {
        ref_of(i, -1, ref);
        put(u, ref, 1, i % 2 ? HOUR : 10 * HOUR);
    }
    size_t full = uses_bytes(u);
    forget_all(u, later(2 * HOUR, 2 * HOUR));
    assert_true(uses_count(u) >= 25000 && uses_count(u) < 26000 && uses_bytes(u) < full); /* a few are left where they are not worth the work */
    for (uint64_t i = 0; i < 50000; i += 2) {
        ref_of(i, -1, ref);
        assert_true(uses_find(u, ref, &used));
    }
    forget_all(u, later(11 * HOUR, 11 * HOUR));
    assert_true(uses_count(u) == 0 && uses_bytes(u) == empty);
    uses_free(u);
}

static void a_step_of_forgetting_looks_at_its_share_only(void **state)
{
    (void)state;
    struct uses *u = set_new(1000);
    uint8_t ref[REF];
    for (int i = 0; i < 10; i++) {
        ref_of((uint64_t)i, i, ref);
        put(u, ref, 1, HOUR);
    }
    uses_forget(u, later(2 * HOUR, 2 * HOUR), 4);
    assert_true(uses_count(u) == 6);
    uses_forget(u, later(2 * HOUR, 2 * HOUR), 4);
    assert_true(uses_count(u) == 2);
    uses_forget(u, later(2 * HOUR, 2 * HOUR), USES_SHARDS);
    assert_true(uses_count(u) == 0);
    uses_free(u);
}

static void a_full_set_takes_no_more_until_something_has_ended(void **state)
{
    (void)state;
    struct uses *u = set_new(3);
    uint8_t ref[REF];
    uint64_t used;
    for (uint64_t i = 0; i < 3; i++) {
        ref_of(i, 5, ref);
        put(u, ref, 1, i ? 9 * HOUR : HOUR);
    }
    ref_of(3, 5, ref);
    assert_true(err_is(uses_reserve(u, ref, EARLY), E_NOMEM));
    for (uint64_t i = 0; i < 3; i++) {
        uint8_t there[REF];
        ref_of(i, 5, there);
        assert_true(uses_find(u, there, &used));
    }
    assert_true(err_ok(uses_reserve(u, ref, later(2 * HOUR, 2 * HOUR))));
    uses_release(u, ref);
    assert_true(uses_count(u) == 2);
    uses_free(u);
}

/* What is reserved and never added leaves nothing, and counts against the most. */
static void reserved_room_is_kept_while_others_come(void **state)
{
    (void)state;
    struct uses *u = set_new(2000);
    uint8_t ref[REF], other[REF];
    uint64_t used;
    for (uint64_t i = 0; i < 1000; i++) {
        ref_of(i, 9, ref);
        assert_true(err_ok(uses_reserve(u, ref, EARLY)));
    }
    for (uint64_t i = 1000; i < 2000; i++) {
        ref_of(i, 9, other);
        put(u, other, 1, HOUR);
    }
    ref_of(2000, 9, other);
    assert_true(err_is(uses_reserve(u, other, EARLY), E_NOMEM));
    for (uint64_t i = 0; i < 1000; i++) {
        struct use use = { .used_ms = 2, .until_s = UINT32_MAX, .held_ms = HOUR };
        ref_of(i, 9, ref);
        if (i % 2)
            uses_add(u, ref, &use);
        else
            uses_release(u, ref);
        assert_true(uses_find(u, ref, &used) == (i % 2 == 1));
    }
    assert_true(uses_count(u) == 1500);
    uses_free(u);
}

static void twice_the_same_keeps_the_first_use_and_the_last_end(void **state)
{
    (void)state;
    struct uses *u = set_new(10);
    uint8_t ref[REF];
    uint64_t used;
    ref_of(1, -1, ref);
    put(u, ref, 50, HOUR);
    put(u, ref, 40, 2 * HOUR);
    put(u, ref, 60, HOUR);
    assert_true(uses_count(u) == 1 && uses_find(u, ref, &used) && used == 40);
    forget_all(u, later(HOUR + 2000, HOUR + 2000));
    assert_true(uses_find(u, ref, &used));
    forget_all(u, later(2 * HOUR + 2000, 2 * HOUR + 2000));
    assert_false(uses_find(u, ref, &used));
    uses_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_it_is_found_with_its_time),
        cmocka_unit_test(many_in_one_shard_are_all_kept),
        cmocka_unit_test(a_use_is_forgotten_when_both_clocks_have_passed_its_end),
        cmocka_unit_test(memory_of_what_has_ended_is_given_back),
        cmocka_unit_test(a_step_of_forgetting_looks_at_its_share_only),
        cmocka_unit_test(a_full_set_takes_no_more_until_something_has_ended),
        cmocka_unit_test(reserved_room_is_kept_while_others_come),
        cmocka_unit_test(twice_the_same_keeps_the_first_use_and_the_last_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
