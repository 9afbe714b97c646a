#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "gateway/store/store.h"

struct fixture {
    char dir[64], ring[96], master[96];
    struct keyring *keys;
    struct store *store;
};

static void add(const struct fixture *f, enum key_kind kind, struct slice id)
{
    assert_true(err_ok(keyring_add(RING_LINK, f->ring, f->master, kind, id, NULL)));
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    snprintf(f->dir, sizeof f->dir, "/tmp/store_test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->ring, sizeof f->ring, "%s/ring", f->dir);
    snprintf(f->master, sizeof f->master, "%s/master", f->dir);
    assert_true(err_ok(keyring_create(RING_LINK, f->ring, f->master)));
    add(f, KEY_LINK_INDEX, LIT("1"));
    add(f, KEY_LINK_COMMON, LIT("1"));
    add(f, KEY_AUDIT_HANDLE, LIT("1"));
    add(f, KEY_LINK_DATA, LIT("331007"));
    add(f, KEY_LINK_DATA, LIT("222127"));
    assert_true(err_ok(keyring_load(&f->keys, RING_LINK, f->ring, f->master)));
    assert_true(err_ok(store_new(&f->store, f->keys)));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_free(f->store);
    keyring_free(f->keys);
    unlink(f->ring);
    unlink(f->master);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    struct person p, q;
    struct store_name a, b;
    assert_true(err_ok(store_person(f->store, LIT("key-1"), &p)));
    assert_true(err_ok(store_person(f->store, LIT("key-2"), &q)));
    assert_memory_not_equal(p.h, q.h, sizeof p.h);
    store_name_person(&p, &a);
    assert_int_equal(a.n, 3 + 32 + 1);
    assert_memory_equal(a.c, "p:{", 3);
    assert_int_equal(a.c[a.n - 1], '}');
    assert_true(err_ok(store_name_used(f->store, &p, LIT("jti"), &b)));
    assert_int_equal(b.n, 3 + 32 + 2 + 32);
    assert_memory_equal(b.c + 3, p.h, 32); /* same hash tag, same slot */
    const uint8_t sid[SUBJECT_BYTES] = { 0xab };
    store_name_subject(sid, &a);
    assert_int_equal(a.n, 34);
    assert_memory_equal(a.c, "s:ab00", 6);
    assert_true(err_ok(store_name_resident(f->store, LIT("331007"), LIT("r1"), &a)));
    assert_true(err_ok(store_name_resident(f->store, LIT("222127"), LIT("r1"), &b)));
    assert_int_equal(a.n, 3 + 6 + 1 + 32);
    assert_memory_not_equal(a.c + 10, b.c + 10, 32);
    assert_int_equal(store_name_resident(f->store, LIT("33100x"), LIT("r1"), &a).code, E_FORBIDDEN);
    assert_int_equal(store_field_record(f->store, LIT("3310077"), LIT("t"), LIT("h"), &a).code, E_FORBIDDEN);
}

/* Parts of a name cannot shift into each other. */
static void test_parts_do_not_shift(void **state)
{
    struct fixture *f = *state;
    struct store_name a, b;
    assert_true(err_ok(store_name_pseudonym(f->store, LIT("por"), LIT("talx"), &a)));
    assert_true(err_ok(store_name_pseudonym(f->store, LIT("portal"), LIT("x"), &b)));
    assert_false(slice_eq(store_name_slice(&a), store_name_slice(&b)));
    assert_true(err_ok(store_field_record(f->store, LIT("331007"), LIT("ab"), LIT("c"), &a)));
    assert_true(err_ok(store_field_record(f->store, LIT("331007"), LIT("a"), LIT("bc"), &b)));
    assert_false(slice_eq(store_name_slice(&a), store_name_slice(&b)));
}

static void test_field_is_record(void **state)
{
    struct fixture *f = *state;
    struct store_name k;
    struct slice muni = SLICE_NONE;
    static const char *const OTHERS[] = { "", "r:", "r:331007", "r:331007:", "r:331007:0123456789abcde", "r:331007:0123456789abcdef0",
                                          "s:331007", "ps:mynaportal", "r:33100x:0123456789abcdef", "x:331007:0123456789abcdef", "r:331007;0123456789abcdef" };
    assert_true(err_ok(store_field_record(f->store, LIT("331007"), LIT("t"), SLICE_NONE, &k)));
    assert_true(store_field_is_record(store_name_slice(&k), &muni));
    assert_true(slice_eq(muni, LIT("331007")));
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_false(store_field_is_record(slice_str(OTHERS[i]), &muni));
}

static void test_token_leads_to_its_person_and_tells_nothing(void **state)
{
    struct fixture *f = *state;
    struct person p, q;
    uint8_t a[STORE_TOKEN_BYTES], b[STORE_TOKEN_BYTES], h[16], a_handle[STORE_HANDLE_BYTES], b_handle[STORE_HANDLE_BYTES], handle[STORE_HANDLE_BYTES];
    assert_true(err_ok(store_person(f->store, LIT("key-1"), &p)));
    assert_true(err_ok(store_token_new(f->store, &p, a, a_handle)) && err_ok(store_token_new(f->store, &p, b, b_handle)));
    assert_memory_not_equal(a, b, 16);
    assert_memory_not_equal(a + 16, b + 16, 16); /* the same person */
    assert_memory_not_equal(a_handle, b_handle, sizeof a_handle);
    assert_true(hex_decode(ARR(p.h), h, sizeof h));
    assert_memory_not_equal(a + 16, h, sizeof h);
    assert_memory_not_equal(a + 16, a_handle, 16); /* the handle is known to many, the mask to nobody */
    assert_true(err_ok(store_token_open(f->store, a, &q, handle)));
    assert_memory_equal(q.h, p.h, sizeof p.h);
    assert_memory_equal(handle, a_handle, sizeof handle);
    for (size_t i = 0; i < sizeof a; i++) { /* altered: another session, or another person */
        a[i] ^= 1;
        assert_true(err_ok(store_token_open(f->store, a, &q, handle)));
        assert_memory_not_equal(q.h, p.h, sizeof p.h);
        assert_true((memcmp(handle, a_handle, sizeof handle) == 0) == (i >= 16));
        a[i] ^= 1;
    }
}

static void test_seal(void **state)
{
    struct fixture *f = *state;
    struct buf sealed, plain;
    struct store_name k, other;
    struct person p;
    buf_init(&sealed, 4096);
    buf_init(&plain, 4096);
    assert_true(err_ok(store_person(f->store, LIT("key-1"), &p)));
    store_name_person(&p, &k);
    assert_true(err_ok(store_name_pseudonym(f->store, LIT("mynaportal"), LIT("t"), &other)));
    assert_true(err_ok(store_seal(f->store, LIT("331007"), &k, LIT("f"), LIT("secret text"), &sealed)));
    assert_true(err_ok(store_open(f->store, LIT("331007"), &k, LIT("f"), buf_slice(&sealed), &plain)));
    assert_true(slice_eq(buf_slice(&plain), LIT("secret text")));
    /* another field, no field, another key, another municipality, the common key, one bit */
    assert_int_equal(store_open(f->store, LIT("331007"), &k, LIT("g"), buf_slice(&sealed), &plain).code, E_SEAL);
    assert_int_equal(store_open(f->store, LIT("331007"), &k, SLICE_NONE, buf_slice(&sealed), &plain).code, E_SEAL);
    assert_int_equal(store_open(f->store, LIT("331007"), &other, LIT("f"), buf_slice(&sealed), &plain).code, E_SEAL);
    assert_int_equal(store_open(f->store, LIT("222127"), &k, LIT("f"), buf_slice(&sealed), &plain).code, E_SEAL);
    assert_int_equal(store_open(f->store, SLICE_NONE, &k, LIT("f"), buf_slice(&sealed), &plain).code, E_SEAL);
    sealed.p[sealed.n / 2] ^= 1;
    assert_int_equal(store_open(f->store, LIT("331007"), &k, LIT("f"), buf_slice(&sealed), &plain).code, E_SEAL);
    assert_int_equal(store_seal(f->store, LIT("271403"), &k, LIT("f"), LIT("x"), &sealed).code, E_FORBIDDEN);
    assert_int_equal(store_open(f->store, LIT("271403"), &k, LIT("f"), LIT("x"), &plain).code, E_FORBIDDEN);
    assert_true(store_knows_muni(f->store, LIT("222127")));
    assert_false(store_knows_muni(f->store, LIT("271403")));
    buf_done(&sealed);
    buf_done(&plain);
}

/* The end of a key cannot pass for the start of a field. */
static void test_key_and_field_do_not_shift(void **state)
{
    struct fixture *f = *state;
    struct store_name ab = { "ab", 2 }, a = { "a", 1 };
    struct buf sealed, plain;
    buf_init(&sealed, 4096);
    buf_init(&plain, 4096);
    assert_true(err_ok(store_seal(f->store, SLICE_NONE, &ab, LIT("c"), LIT("x"), &sealed)));
    assert_int_equal(store_open(f->store, SLICE_NONE, &a, LIT("bc"), buf_slice(&sealed), &plain).code, E_SEAL);
    assert_true(err_ok(store_open(f->store, SLICE_NONE, &ab, LIT("c"), buf_slice(&sealed), &plain)));
    buf_done(&sealed);
    buf_done(&plain);
}

static void test_field_too_long(void **state)
{
    struct fixture *f = *state;
    struct store_name k;
    struct buf out;
    uint8_t field[STORE_NAME_MAX + 1] = { 'f' };
    buf_init(&out, 4096);
    assert_true(err_ok(store_name_pseudonym(f->store, LIT("mynaportal"), LIT("t"), &k)));
    assert_int_equal(store_seal(f->store, SLICE_NONE, &k, ARR(field), LIT("x"), &out).code, E_FULL);
    buf_done(&out);
}

static void test_missing_key(void **state)
{
    static const enum key_kind NEEDED[] = { KEY_LINK_INDEX, KEY_LINK_COMMON, KEY_AUDIT_HANDLE };
    struct fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        struct keyring *r;
        struct store *s = NULL;
        assert_true(err_ok(keyring_destroy(RING_LINK, f->ring, f->master, NEEDED[i], LIT("1"))));
        assert_true(err_ok(keyring_load(&r, RING_LINK, f->ring, f->master)));
        assert_int_equal(store_new(&s, r).code, E_CONFIG);
        assert_null(s);
        keyring_free(r);
        add(f, NEEDED[i], LIT("1"));
    }
    /* a destroyed municipality key closes what was sealed under it */
    struct keyring *r;
    struct store *s;
    assert_true(err_ok(keyring_destroy(RING_LINK, f->ring, f->master, KEY_LINK_DATA, LIT("222127"))));
    assert_true(err_ok(keyring_load(&r, RING_LINK, f->ring, f->master)));
    assert_true(err_ok(store_new(&s, r)));
    assert_false(store_knows_muni(s, LIT("222127")));
    assert_true(store_knows_muni(s, LIT("331007")));
    store_free(s);
    keyring_free(r);
}

static void test_audit_handle(void **state)
{
    struct fixture *f = *state;
    uint8_t a[16], b[16];
    assert_true(err_ok(store_audit_handle(f->store, LIT("k1"), a)));
    assert_true(err_ok(store_audit_handle(f->store, LIT("k2"), b)));
    assert_memory_not_equal(a, b, 16);
    assert_true(err_ok(store_audit_handle(f->store, LIT("k1"), b)));
    assert_memory_equal(a, b, 16);

    struct person of_key, of_handle;
    assert_true(err_ok(store_person(f->store, LIT("k1"), &of_key)));
    assert_true(err_ok(store_handle_person(f->store, a, &of_handle)));
    assert_memory_equal(of_key.h, of_handle.h, sizeof of_key.h);
    uint8_t h[16];
    assert_true(hex_decode(ARR(of_key.h), h, sizeof h));
    assert_memory_not_equal(a, h, 16); /* the log does not name what redis-link names */
}

static struct record sample(void)
{
    return (struct record){ .deleted = true, .from = 20240401, .to = 20250331, .stored_ms = 1700000000123u, .task = { 1, 2, 3 }, .row = 7,
                            .updated = true, .eligibility = LIT("{\"a\":1}"), .basic = LIT("{\"name\":\"x\"}") };
}

static void test_record_round_trip(void **state)
{
    struct record r = sample(), back;
    struct buf b;
    (void)state;
    buf_init(&b, STORE_RECORD_MAX);
    assert_true(err_ok(record_encode(&r, &b)));
    assert_true(err_ok(record_decode(buf_slice(&b), &back)));
    assert_true(record_same(&r, &back));
    assert_true(back.stored_ms == r.stored_ms && back.row == 7 && back.updated && back.deleted && !back.not_disclosed);
    assert_memory_equal(back.task, r.task, 16);
    buf_done(&b);
}

static void test_record_strict(void **state)
{
    struct record r = sample(), back;
    struct buf b;
    (void)state;
    buf_init(&b, STORE_RECORD_MAX);
    assert_true(err_ok(record_encode(&r, &b)));
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(record_decode(slice_of(b.p, n), &back).code, E_SEAL);
    buf_putc(&b, 0);
    assert_int_equal(record_decode(buf_slice(&b), &back).code, E_SEAL);
    b.n--;
    for (int version = 0; version < 256; version++) {
        b.p[0] = (uint8_t)version;
        assert_int_equal(record_decode(buf_slice(&b), &back).code, version == 2 ? E_OK : E_SEAL);
    }
    b.p[0] = 2;
    b.p[1] = 0x80; /* flags */
    assert_int_equal(record_decode(buf_slice(&b), &back).code, E_SEAL);
    b.p[1] = 0;
    b.p[42] = 0xff; /* length of the first slice */
    assert_int_equal(record_decode(buf_slice(&b), &back).code, E_SEAL);
    buf_done(&b);
    uint8_t *big = calloc(1, STORE_RECORD_MAX);
    buf_init(&b, 4 * STORE_RECORD_MAX);
    r.eligibility = slice_of(big, STORE_RECORD_MAX);
    assert_int_equal(record_encode(&r, &b).code, E_FULL);
    r.eligibility = slice_of(big, STORE_RECORD_MAX - 46);
    assert_int_equal(record_encode(&r, &b).code, E_FULL); /* the second slice does not fit any more */
    assert_int_equal(b.n, 0);
    buf_init(&b, 16);
    r = sample();
    assert_int_equal(record_encode(&r, &b).code, E_FULL);
    buf_done(&b);
    free(big);
}

/* As it was written before records had an end: it opens, and has none. */
static void test_record_of_version_1(void **state)
{
    static const uint8_t OLD[] = { 1, 3, 0x01, 0x34, 0xd9, 0x29, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                   0, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0, 1, '{', '}', 'b' };
    struct record r;
    (void)state;
    assert_true(err_ok(record_decode(ARR(OLD), &r)));
    assert_true(r.not_disclosed && r.deleted && !r.updated && !r.viewing_stopped && !r.removal);
    assert_true(r.from == 20240681 && r.to == 0 && r.ended == 0 && r.stored_ms == 9 && r.row == 7);
    assert_true(slice_eq(r.eligibility, LIT("{}")) && slice_eq(r.basic, LIT("b")));
    uint8_t with_new_flag[sizeof OLD];
    memcpy(with_new_flag, OLD, sizeof OLD);
    with_new_flag[1] = 8;
    assert_int_equal(record_decode(ARR(with_new_flag), &r).code, E_SEAL);
    assert_int_equal(record_decode(slice_of(OLD, sizeof OLD - 1), &r).code, E_SEAL);
}

static void test_record_ends(void **state)
{
    struct record r = { .removal = true, .viewing_stopped = true, .ended = 20250401, .from = 20240401 }, back;
    struct buf b;
    (void)state;
    buf_init(&b, STORE_RECORD_MAX);
    assert_true(err_ok(record_encode(&r, &b)));
    assert_true(err_ok(record_decode(buf_slice(&b), &back)));
    assert_true(back.removal && back.viewing_stopped && back.ended == 20250401 && record_same(&r, &back));
    buf_done(&b);
    back.viewing_stopped = false;
    assert_false(record_same(&r, &back));
    assert_true(record_valid_on(&back, 20250331));
    assert_false(record_valid_on(&back, 20250401)); /* the day itself is behind the end */
    assert_false(record_valid_on(&back, 20260101));
    assert_false(record_valid_on(&r, 20250101)); /* viewing is stopped */
    r = back;
    r.ended = 20250402;
    assert_false(record_same(&r, &back));
    r = back;
    r.removal = false;
    assert_false(record_same(&r, &back));
}

static void test_fields_of_kinds(void **state)
{
    struct fixture *f = *state;
    struct store_name name[STORE_KIND__MAX], again;
    enum store_kind kind;
    struct slice muni;
    static const char HEADS[] = "rcvk";
    for (int k = STORE_SUBSIDY; k < STORE_CHANGE; k++) {
        assert_true(err_ok(store_field(f->store, (enum store_kind)k, LIT("331007"), LIT("t"), LIT("h"), &name[k])));
        assert_int_equal(name[k].c[0], HEADS[k]);
        assert_true(store_field_kind(store_name_slice(&name[k]), &kind, &muni));
        assert_true((int)kind == k && slice_eq(muni, LIT("331007")));
        for (int before = 0; before < k; before++) /* not the same with another letter in front */
            assert_memory_not_equal(name[before].c + 2, name[k].c + 2, name[k].n - 2);
    }
    assert_true(err_ok(store_field_record(f->store, LIT("331007"), LIT("t"), LIT("h"), &again)));
    assert_true(slice_eq(store_name_slice(&again), store_name_slice(&name[STORE_SUBSIDY])));
    assert_int_equal(store_field(f->store, STORE_CHANGE, LIT("331007"), LIT("t"), LIT("h"), &again).code, E_FORBIDDEN);
    assert_int_equal(store_field(f->store, STORE_KIND__MAX, LIT("331007"), LIT("t"), LIT("h"), &again).code, E_FORBIDDEN);
    assert_int_equal(store_field(f->store, STORE_CHECKUP, LIT("33100"), LIT("t"), LIT("h"), &again).code, E_FORBIDDEN);
    static const char *const OTHERS[] = { "", "e:", "e:331007", "s:331007", "x:331007:0123456789abcdef", "c:33100x:0123456789abcdef", "c:331007:0123456789abcde" };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_false(store_field_kind(slice_str(OTHERS[i]), &kind, &muni));
}

static void test_end(void **state)
{
    (void)state;
    struct store_end e = { STORE_END_DIED, 20250401, 1700000000123u }, back;
    struct store_name name;
    struct slice muni;
    struct buf b;
    buf_init(&b, 64);
    store_end_encode(&e, &b);
    assert_true(err_ok(store_end_decode(buf_slice(&b), &back)));
    assert_true(back.why == e.why && back.from == e.from && back.stored_ms == e.stored_ms);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(store_end_decode(slice_of(b.p, n), &back).code, E_SEAL);
    b.p[1] = 0;
    assert_int_equal(store_end_decode(buf_slice(&b), &back).code, E_SEAL);
    b.p[1] = 4;
    assert_int_equal(store_end_decode(buf_slice(&b), &back).code, E_SEAL);
    buf_done(&b);
    store_field_end("331007", &name);
    assert_true(slice_eq(store_name_slice(&name), LIT("e:331007")));
    assert_true(store_field_is_end(store_name_slice(&name), &muni) && slice_eq(muni, LIT("331007")));
    static const char *const OTHERS[] = { "", "e:", "e:33100", "e:331007:", "s:331007", "e:33100x" };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        assert_false(store_field_is_end(slice_str(OTHERS[i]), &muni));
}

static void test_valid_on(void **state)
{
    static const struct {
        ymd_t from, to, day;
        bool deleted, silent, want;
    } CASES[] = {
        { 20240401, 20250331, 20240401, false, false, true }, { 20240401, 20250331, 20250331, false, false, true },
        { 20240401, 20250331, 20240331, false, false, false }, { 20240401, 20250331, 20250401, false, false, false },
        { 0, 0, 20250401, false, false, true }, { 0, 20250331, 19000101, false, false, true },
        { 20240401, 0, 99991231, false, false, true }, { 0, 0, 20250401, true, false, false },
        { 0, 0, 20250401, false, true, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct record r = { .from = CASES[i].from, .to = CASES[i].to, .deleted = CASES[i].deleted, .not_disclosed = CASES[i].silent };
        assert_true(record_valid_on(&r, CASES[i].day) == CASES[i].want);
    }
}

static void test_same(void **state)
{
    struct record a = sample(), b = sample();
    (void)state;
    b.stored_ms = 1;
    b.row = 9;
    b.task[0] = 9;
    b.updated = false;
    assert_true(record_same(&a, &b));
    b = sample(), b.deleted = false;
    assert_false(record_same(&a, &b));
    b = sample(), b.not_disclosed = true;
    assert_false(record_same(&a, &b));
    b = sample(), b.to++;
    assert_false(record_same(&a, &b));
    b = sample(), b.from++;
    assert_false(record_same(&a, &b));
    b = sample(), b.basic = LIT("{}");
    assert_false(record_same(&a, &b));
    b = sample(), b.eligibility = LIT("{}");
    assert_false(record_same(&a, &b));
}

#define WITH_STORE(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_names), WITH_STORE(test_parts_do_not_shift), WITH_STORE(test_field_is_record), WITH_STORE(test_token_leads_to_its_person_and_tells_nothing), WITH_STORE(test_seal),
        WITH_STORE(test_field_too_long), WITH_STORE(test_key_and_field_do_not_shift), WITH_STORE(test_missing_key), WITH_STORE(test_audit_handle),
        cmocka_unit_test(test_record_round_trip), cmocka_unit_test(test_record_strict), cmocka_unit_test(test_valid_on), cmocka_unit_test(test_same),
        cmocka_unit_test(test_record_of_version_1), cmocka_unit_test(test_record_ends), WITH_STORE(test_fields_of_kinds), cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
