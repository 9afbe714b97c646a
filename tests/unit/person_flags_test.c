/* What a municipality is told of the flags in force: its own, and nothing of anybody else's. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "keys/person/flags_now.h"
#include "tests/unit/ring_files.h"

#define TODAY 20240229
#define MUNI LIT("331007")
#define OTHER LIT("271403")
#define NONE "\"isNotDisclosed\":false,\"isViewingStopped\":false,\"isRecovery\":false"

struct rig {
    struct ring_files files;
    struct store *store;
    struct store_name person;
    struct nz_flags_now now;
    struct buf plain, sealed, out;
};

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct keyring *ring;
    struct person p;
    assert_non_null(r);
    r->files = ring_files_make(RING_LINK);
    const struct { enum key_kind kind; struct slice id; } KEYS[] = { { KEY_LINK_INDEX, LIT("1") }, { KEY_LINK_COMMON, LIT("1") }, { KEY_AUDIT_HANDLE, LIT("1") },
                                                                     { KEY_LINK_DATA, MUNI }, { KEY_LINK_DATA, OTHER } };
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        assert_int_equal(keyring_add(RING_LINK, r->files.ring, r->files.master, KEYS[i].kind, KEYS[i].id, NULL).code, E_OK);
    assert_int_equal(keyring_load(&ring, RING_LINK, r->files.ring, r->files.master).code, E_OK);
    assert_int_equal(store_new(&r->store, ring).code, E_OK);
    keyring_free(ring);
    assert_int_equal(store_person(r->store, LIT("PMH-1"), &p).code, E_OK);
    store_name_person(&p, &r->person);
    buf_init(&r->plain, STORE_RECORD_MAX);
    buf_init(&r->sealed, 2 * STORE_RECORD_MAX);
    buf_init(&r->out, 4096);
    r->now = (struct nz_flags_now){ .store = r->store, .person = &r->person, .muni = MUNI, .today = TODAY };
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    store_free(r->store);
    buf_done(&r->plain);
    buf_done(&r->sealed);
    buf_done(&r->out);
    ring_files_remove(&r->files);
    free(r);
    return 0;
}

/* What stands in r->plain, as a field of the person. */
static struct err take(struct rig *r, struct slice muni, struct store_name field)
{
    buf_reset(&r->sealed);
    assert_int_equal(store_seal(r->store, muni, &r->person, store_name_slice(&field), buf_slice(&r->plain), &r->sealed).code, E_OK);
    buf_reset(&r->plain);
    return nz_flags_now_take(&r->now, store_name_slice(&field), buf_slice(&r->sealed));
}

static void take_flags(struct rig *r, struct slice muni, uint8_t bits)
{
    struct store_name field;
    flags_field((const char *)muni.p, &field);
    assert_int_equal(flags_encode(&(struct control_flags){ bits, 1709164800000, "dv_support" }, &r->plain).code, E_OK);
    assert_int_equal(take(r, muni, field).code, E_OK);
}

static void take_record(struct rig *r, enum store_kind kind, struct slice muni, const char *key, struct record rec)
{
    struct store_name field;
    rec.basic = rec.eligibility = LIT("{}");
    assert_int_equal(store_field(r->store, kind, muni, LIT("type"), slice_str(key), &field).code, E_OK);
    assert_int_equal(record_encode(&rec, &r->plain).code, E_OK);
    assert_int_equal(take(r, muni, field).code, E_OK);
}

static void take_end(struct rig *r, struct slice muni, ymd_t from)
{
    struct store_name field;
    store_field_end((const char *)muni.p, &field);
    store_end_encode(&(struct store_end){ STORE_END_MOVED, from, 1 }, &r->plain);
    assert_int_equal(take(r, muni, field).code, E_OK);
}

static void is_told(struct rig *r, const char *want)
{
    buf_reset(&r->out);
    nz_flags_now_json(&r->now, &r->out);
    if (!slice_eq(buf_slice(&r->out), slice_str(want)))
        fail_msg("%.*s instead of %s", (int)r->out.n, (const char *)r->out.p, want);
}

static void nothing_is_set(void **state)
{
    is_told(*state, "{" NONE ",\"in_records\":{" NONE "},\"has_left\":false}");
}

static void what_is_set_is_told_with_its_reason_and_day(void **state)
{
    struct rig *r = *state;
    take_flags(r, MUNI, FLAG_NOT_DISCLOSED | FLAG_RECOVERY);
    is_told(r, "{\"isNotDisclosed\":true,\"isViewingStopped\":false,\"isRecovery\":true,\"reason\":\"dv_support\",\"set_at\":\"2024-02-29T00:00:00.000Z\",\"in_records\":{" NONE "},\"has_left\":false}");
}

static void flags_of_records_of_any_kind_are_told_apart(void **state)
{
    struct rig *r = *state;
    take_record(r, STORE_SUBSIDY, MUNI, "a", (struct record){ .to = 20200101 });
    take_record(r, STORE_VACCINATION, MUNI, "b", (struct record){ .recovery = true });
    take_record(r, STORE_CHECKUP, MUNI, "c", (struct record){ .viewing_stopped = true, .to = 20200101 }); /* not valid any more, and silences all the same */
    is_told(r, "{" NONE ",\"in_records\":{\"isNotDisclosed\":false,\"isViewingStopped\":true,\"isRecovery\":true},\"has_left\":false}");
}

static void nothing_is_told_of_another_municipality(void **state)
{
    struct rig *r = *state;
    take_flags(r, OTHER, FLAGS_ALL);
    take_record(r, STORE_SUBSIDY, OTHER, "a", (struct record){ .not_disclosed = true });
    take_end(r, OTHER, 20200101);
    is_told(r, "{" NONE ",\"in_records\":{" NONE "},\"has_left\":false}");
    assert_int_equal(nz_flags_now_take(&r->now, LIT("f:271403"), LIT("rubbish")).code, E_OK); /* not even opened */
}

static void an_end_counts_from_its_day_on(void **state)
{
    struct rig *r = *state;
    static const struct { ymd_t from; bool left; } CASES[] = { { 20240301, false }, { TODAY, true }, { 20200101, true } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        take_end(r, MUNI, CASES[i].from);
        assert_true(r->now.has_left == CASES[i].left);
    }
}

static void rubbish_does_not_open(void **state)
{
    struct rig *r = *state;
    static const char *const FIELDS[] = { "f:331007", "e:331007", "r:331007:0123456789abcdef" };
    for (size_t i = 0; i < sizeof FIELDS / sizeof FIELDS[0]; i++)
        assert_int_equal(nz_flags_now_take(&r->now, slice_str(FIELDS[i]), LIT("rubbish")).code, E_SEAL);
    struct store_name field;
    flags_field("331007", &field);
    buf_put(&r->plain, LIT("\x02 something else"));
    assert_int_equal(take(r, MUNI, field).code, E_SEAL);
    assert_int_equal(nz_flags_now_take(&r->now, LIT("ce"), LIT("rubbish")).code, E_OK); /* nobody's flags */
}

int main(void)
{
#define RIGGED(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RIGGED(nothing_is_set), RIGGED(what_is_set_is_told_with_its_reason_and_day), RIGGED(flags_of_records_of_any_kind_are_told_apart),
        RIGGED(nothing_is_told_of_another_municipality), RIGGED(an_end_counts_from_its_day_on), RIGGED(rubbish_does_not_open),
    };
    return cmocka_run_group_tests_name("person_flags", tests, NULL, NULL);
}
