/* Messages to partners: what is one and what is not, how they get into the outbox, and what becomes of a lane. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/notice/lanes.h"

#define GOOD(x) assert_true(err_ok(x))

static struct notice sample(void)
{
    struct notice n = { .kind = NOTICE_RECORD, .what = NOTICE_CHANGED, .who = "3319900019", .version = 2, .at_ms = 1790000000000 };
    memcpy(n.person.h, "0123456789abcdef0123456789abcdef", sizeof n.person.h);
    memcpy(n.muni, "331007", sizeof n.muni);
    memset(n.ref, 7, sizeof n.ref);
    memset(n.session, 9, sizeof n.session);
    return n;
}

static void test_what_was_written_is_read(void **state)
{
    (void)state;
    struct notice n = sample(), back;
    struct buf plain;
    buf_init(&plain, NOTICE_PLAIN_MAX);
    GOOD(notice_encode(&n, &plain));
    GOOD(notice_decode(buf_slice(&plain), &back));
    assert_int_equal(back.kind, NOTICE_RECORD);
    assert_int_equal(back.what, NOTICE_CHANGED);
    assert_int_equal(back.version, 2);
    assert_true(back.at_ms == n.at_ms);
    assert_memory_equal(back.who, n.who, sizeof n.who);
    assert_memory_equal(&back.person, &n.person, sizeof n.person);
    assert_memory_equal(back.ref, n.ref, sizeof n.ref);
    assert_memory_equal(back.session, n.session, sizeof n.session);
    for (size_t cut = 0; cut < plain.n - 10; cut++)
        assert_true(err_is(notice_decode(slice_of(plain.p, cut), &back), E_SEAL));
    buf_done(&plain);
}

static void refused(const struct notice *n)
{
    struct buf plain;
    buf_init(&plain, NOTICE_PLAIN_MAX);
    assert_true(err_is(notice_encode(n, &plain), E_FIELD));
    assert_int_equal(plain.n, 0);
    buf_done(&plain);
}

static void test_what_cannot_be_is_refused(void **state)
{
    (void)state;
    struct notice n = sample();
    n.kind = NOTICE_KIND__MAX;
    refused(&n);
    n = sample();
    n.what = (enum notice_what)0;
    refused(&n);
    n = sample();
    n.kind = NOTICE_QUESTIONNAIRE; /* can only be new */
    refused(&n);
    n = sample();
    memset(n.who, 0, sizeof n.who); /* to nobody */
    refused(&n);
    n = sample();
    n.kind = NOTICE_PROVISION; /* the database has no name */
    refused(&n);
    n = sample();
    n.who[3] = '/';
    refused(&n);
    n = sample();
    n.person.h[0] = 'A';
    refused(&n);
    n = sample();
    n.muni[5] = 'x';
    refused(&n);
}

static void test_an_unknown_form_does_not_open(void **state)
{
    (void)state;
    struct notice n = sample(), back;
    struct buf plain;
    buf_init(&plain, NOTICE_PLAIN_MAX);
    GOOD(notice_encode(&n, &plain));
    const struct { size_t at; uint8_t v; } CHANGES[] = { { 0, 2 }, { 1, 0 }, { 1, NOTICE_KIND__MAX }, { 2, 0 }, { 2, 9 }, { 11, 'G' }, { plain.n - 1, '!' }, { plain.n - 1, 0 } };
    for (size_t i = 0; i < sizeof CHANGES / sizeof CHANGES[0]; i++) {
        const uint8_t was = plain.p[CHANGES[i].at];
        plain.p[CHANGES[i].at] = CHANGES[i].v;
        assert_true(err_is(notice_decode(buf_slice(&plain), &back), E_SEAL));
        plain.p[CHANGES[i].at] = was;
    }
    GOOD(notice_decode(buf_slice(&plain), &back));
    buf_done(&plain);
}

/* ---- into the outbox ---- */

struct rig { char dir[64], ring[96], master[96]; struct store *store; };

static int setup(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct keyring *ring;
    assert_non_null(r);
    snprintf(r->dir, sizeof r->dir, "/tmp/notice-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->ring, sizeof r->ring, "%s/ring", r->dir);
    snprintf(r->master, sizeof r->master, "%s/master", r->dir);
    GOOD(keyring_create(RING_LINK, r->ring, r->master));
    GOOD(keyring_add(RING_LINK, r->ring, r->master, KEY_LINK_INDEX, LIT("1"), NULL));
    GOOD(keyring_add(RING_LINK, r->ring, r->master, KEY_LINK_COMMON, LIT("1"), NULL));
    GOOD(keyring_add(RING_LINK, r->ring, r->master, KEY_AUDIT_HANDLE, LIT("1"), NULL));
    GOOD(keyring_load(&ring, RING_LINK, r->ring, r->master));
    GOOD(store_new(&r->store, ring));
    keyring_free(ring);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    struct rig *r = *state;
    store_free(r->store);
    unlink(r->ring);
    unlink(r->master);
    rmdir(r->dir);
    free(r);
    return 0;
}

static void test_two_of_one_thing_to_one_recipient_share_a_lane(void **state)
{
    struct rig *r = *state;
    uint8_t a[16], b[16], c[16], d[16];
    const uint8_t record = NOTICE_RECORD, citizen = NOTICE_CITIZEN;
    GOOD(store_handle_lane(r->store, LIT("3319900019"), slice_of(&record, 1), LIT("1"), a));
    GOOD(store_handle_lane(r->store, LIT("3319900019"), slice_of(&record, 1), LIT("1"), b));
    GOOD(store_handle_lane(r->store, LIT("2719900017"), slice_of(&record, 1), LIT("1"), c));
    GOOD(store_handle_lane(r->store, LIT("3319900019"), slice_of(&citizen, 1), LIT("1"), d));
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    assert_memory_not_equal(a, d, sizeof a);
}

static void test_a_provision_has_a_name_of_its_own_for_every_version(void **state)
{
    struct rig *r = *state;
    uint8_t a[16], b[16], c[16];
    GOOD(store_handle_provision(r->store, LIT("record one......"), 1, a));
    GOOD(store_handle_provision(r->store, LIT("record one......"), 2, b));
    GOOD(store_handle_provision(r->store, LIT("record two......"), 1, c));
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void test_adding_needs_room_for_the_recipient(void **state)
{
    struct rig *r = *state;
    struct notice n = sample();
    struct redis_batch *b = redis_batch_new(4096);
    assert_non_null(b);
    assert_true(err_is(notice_add_to_batch(r->store, &n, LIT("a recipient whose name is too long"), b), E_FIELD));
    assert_true(err_is(notice_add_to_batch(r->store, &n, LIT("Upper"), b), E_FIELD));
    assert_int_equal(redis_batch_count(b), 0);
    GOOD(notice_add_to_batch(r->store, &n, LIT("mynaportal"), b));
    assert_int_equal(redis_batch_count(b), 3);
    redis_batch_free(b);
}

static void test_a_message_opens_under_its_own_name_only(void **state)
{
    struct rig *r = *state;
    struct notice n = sample(), back;
    struct store_name name;
    struct buf plain, sealed;
    uint8_t other[NOTICE_ID_BYTES] = { 1 };
    memset(n.id, 5, sizeof n.id);
    notice_name(n.id, &name);
    buf_init(&plain, NOTICE_PLAIN_MAX);
    buf_init(&sealed, 512);
    GOOD(notice_encode(&n, &plain));
    GOOD(store_seal(r->store, SLICE_NONE, &name, SLICE_NONE, buf_slice(&plain), &sealed));
    GOOD(notice_open(r->store, n.id, buf_slice(&sealed), &back));
    assert_memory_equal(back.id, n.id, sizeof n.id);
    assert_true(err_is(notice_open(r->store, other, buf_slice(&sealed), &back), E_SEAL));
    assert_true(err_is(notice_open(r->store, n.id, SLICE_NONE, &back), E_SEAL));
    buf_done(&plain);
    buf_done(&sealed);
}

/* ---- dead letters ---- */

#define ID "00112233445566778899aabbccddeeff"

static void test_a_dead_letter_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct lane_dead d;
    assert_true(lanes_dead_parse(LIT(ID), LIT("1790000000000 gave_up operator 12 " ID), &d));
    assert_true(d.at_ms == 1790000000000 && d.attempts == 12);
    assert_string_equal(d.why, "gave_up");
    assert_string_equal(d.owner, "operator");
    static const char *const BAD[] = {
        "", "1 gave_up operator 12", "1 gave_up operator 12 " ID " ", "x gave_up operator 12 " ID, "1 Gave operator 12 " ID, "1  operator 12 " ID,
        "1 gave_up operator -1 " ID, "1 gave_up operator 12 00", "1 a_word_that_is_too_long operator 12 " ID,
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(lanes_dead_parse(LIT(ID), slice_str(BAD[i]), &d));
    assert_false(lanes_dead_parse(LIT("zz"), LIT("1 gave_up operator 12 " ID), &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_written_is_read),
        cmocka_unit_test(test_what_cannot_be_is_refused),
        cmocka_unit_test(test_an_unknown_form_does_not_open),
        cmocka_unit_test_setup_teardown(test_two_of_one_thing_to_one_recipient_share_a_lane, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_provision_has_a_name_of_its_own_for_every_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_adding_needs_room_for_the_recipient, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_message_opens_under_its_own_name_only, setup, teardown),
        cmocka_unit_test(test_a_dead_letter_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
