/* Questionnaires: stored and read back, changed step by step, and what they say to who records a vaccination. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/questionnaire/sheet.h"
#include "gateway/redis/redis_int.h"

#define MUNI "331007"
#define NOON UINT64_C(1795230000000) /* 2026-11-21 12:00 in Japan */
#define DAY UINT64_C(86400000)

enum { SHEETS = 4 };
struct world {
    struct store *store;
    struct store_name person;
    struct redis_reply hash, *items[2 * SHEETS], cell[2 * SHEETS];
    struct store_name field[SHEETS];
    struct buf sealed[SHEETS];
    size_t n;
};

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    char dir[] = "/tmp/sheet_test_XXXXXX", ring[64], master[64];
    struct keyring *keys;
    struct person p;
    static const struct { enum key_kind kind; const char *id; } KEYS[] = {
        { KEY_LINK_INDEX, "1" }, { KEY_LINK_COMMON, "1" }, { KEY_AUDIT_HANDLE, "1" }, { KEY_LINK_DATA, MUNI } };
    assert_non_null(mkdtemp(dir));
    snprintf(ring, sizeof ring, "%s/ring", dir), snprintf(master, sizeof master, "%s/master", dir);
    assert_int_equal(keyring_create(RING_LINK, ring, master).code, E_OK);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++)
        assert_int_equal(keyring_add(RING_LINK, ring, master, KEYS[i].kind, slice_str(KEYS[i].id), NULL).code, E_OK);
    assert_int_equal(keyring_load(&keys, RING_LINK, ring, master).code, E_OK);
    assert_int_equal(store_new(&w->store, keys).code, E_OK);
    keyring_free(keys);
    unlink(ring), unlink(master), rmdir(dir);
    assert_int_equal(store_person(w->store, LIT("PMH-1"), &p).code, E_OK);
    store_name_person(&p, &w->person);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    for (size_t i = 0; i < w->n; i++)
        buf_done(&w->sealed[i]);
    store_free(w->store);
    free(w);
    return 0;
}

static struct sheet sheet_of(uint8_t id, bool fit, uint64_t at_ms)
{
    static const uint8_t ASKED[SHEET_REQUEST_BYTES] = { 1 };
    struct sheet s = { .id = { id }, .program = LIT("INF"), .ticket = LIT("0000000012"), .dose = 1, .template_id = LIT("flu"), .template_version = 3 };
    memcpy(s.muni, MUNI, 6);
    s.n_answers = 2;
    s.answers[0] = (struct sheet_answer){ LIT("temp"), LIT("36.5") };
    s.answers[1] = (struct sheet_answer){ LIT("what"), LIT("喘息") };
    s.doctor = (struct sheet_doctor){ .name = LIT("岡山 太郎"), .fit = fit, .explained = true, .consented = fit, .consented_ms = fit ? at_ms : 0,
                                      .remarks = fit ? SLICE_NONE : LIT("発熱"), .at_ms = at_ms };
    memcpy(s.doctor.clinic, "3319900019", 10);
    sheet_step(&s, SHEET_SUBMITTED, ASKED, at_ms - 1000);
    sheet_step(&s, SHEET_COMPLETED, ASKED, at_ms);
    return s;
}

/* Into the hash of the person, sealed in its place. */
static void store_it(struct world *w, const struct sheet *s)
{
    struct buf plain;
    size_t i = w->n++;
    buf_init(&plain, SHEET_PLAIN_MAX), buf_init(&w->sealed[i], 2 * SHEET_PLAIN_MAX);
    sheet_field(s->muni, s->id, &w->field[i]);
    assert_int_equal(sheet_encode(s, &plain).code, E_OK);
    assert_int_equal(store_seal(w->store, LIT(MUNI), &w->person, store_name_slice(&w->field[i]), buf_slice(&plain), &w->sealed[i]).code, E_OK);
    buf_done(&plain);
    w->cell[2 * i] = (struct redis_reply){ .type = REDIS_STR, .n = w->field[i].n, .bytes = (const uint8_t *)w->field[i].c };
    w->cell[2 * i + 1] = (struct redis_reply){ .type = REDIS_STR, .n = w->sealed[i].n, .bytes = w->sealed[i].p };
    w->items[2 * i] = &w->cell[2 * i], w->items[2 * i + 1] = &w->cell[2 * i + 1];
    w->hash = (struct redis_reply){ .type = REDIS_ARRAY, .n = 2 * w->n, .items = w->items };
}

static void what_is_stored_is_read_back_and_nothing_shorter(void **state)
{
    (void)state;
    struct sheet s = sheet_of(1, false, NOON), t;
    struct buf one, two;
    buf_init(&one, SHEET_PLAIN_MAX), buf_init(&two, SHEET_PLAIN_MAX);
    assert_int_equal(sheet_encode(&s, &one).code, E_OK);
    assert_int_equal(sheet_decode(buf_slice(&one), &t).code, E_OK);
    assert_int_equal(sheet_encode(&t, &two).code, E_OK);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    assert_true(slice_eq(t.doctor.remarks, LIT("発熱")) && !t.doctor.fit && t.doctor.explained && !t.doctor.consented);
    for (size_t n = 0; n < one.n; n++)
        assert_int_equal(sheet_decode(slice_of(one.p, n), &t).code, E_SEAL);
    buf_putc(&one, 0);
    assert_int_equal(sheet_decode(buf_slice(&one), &t).code, E_SEAL);
    buf_done(&one), buf_done(&two);
}

static void a_field_says_whose_it_is(void **state)
{
    (void)state;
    struct store_name f;
    struct slice muni;
    uint8_t id[SHEET_ID_BYTES] = { 0xab, [15] = 0xcd }, back[SHEET_ID_BYTES];
    sheet_field(MUNI, id, &f);
    assert_true(sheet_field_is(store_name_slice(&f), &muni, back));
    assert_true(slice_eq(muni, LIT(MUNI)) && memcmp(id, back, sizeof id) == 0);
    static const char *const OTHERS[] = { "", "q:", "r:331007:00112233", "q:33100x:00000000000000000000000000000000", "q:331007-00000000000000000000000000000000",
                                          "q:331007:0000000000000000000000000000000G", "q:331007:000000000000000000000000000000000" };
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        assert_false(sheet_field_is(slice_str(OTHERS[i]), &muni, back));
}

static void steps_raise_the_version_and_remember_requests(void **state)
{
    (void)state;
    struct sheet s = { 0 };
    uint8_t request[SHEET_REQUEST_BYTES] = { 0 };
    assert_int_equal(sheet_request(LIT("0123456789abcdef"), request).code, E_OK);
    assert_false(sheet_was_asked(&s, request));
    sheet_step(&s, SHEET_DRAFT, request, NOON);
    assert_true(sheet_was_asked(&s, request));
    assert_int_equal(s.version, 1);
    assert_int_equal(s.created_ms, NOON);
    for (uint8_t i = 1; i <= 2 * SHEET_HISTORY_MAX; i++) {
        uint8_t other[SHEET_REQUEST_BYTES] = { i, 1 };
        sheet_step(&s, SHEET_SUBMITTED, other, NOON + i);
    }
    assert_int_equal(s.version, 1 + 2 * SHEET_HISTORY_MAX);
    assert_int_equal(s.n_history, SHEET_HISTORY_MAX);
    assert_int_equal(s.history[0].version, 1); /* the first stays */
    assert_int_equal(s.history[SHEET_HISTORY_MAX - 1].version, s.version);
    assert_false(sheet_was_asked(&s, request)); /* of requests the last few */
}

static struct sheet_finding ask(struct world *w, struct slice program, unsigned dose, ymd_t day)
{
    struct sheet_finding f = { .said = SHEET_SAID_FIT };
    struct sheet_question q = { MUNI, program, dose, day };
    assert_int_equal(sheet_verdict(w->store, &w->person, &w->hash, &q, &f).code, E_OK);
    return f;
}

static void the_newest_decision_of_the_day_counts(void **state)
{
    struct world *w = *state;
    struct sheet first = sheet_of(1, true, NOON), second = sheet_of(2, false, NOON + 1000), draft = sheet_of(3, true, NOON + 2000);
    w->hash = (struct redis_reply){ .type = REDIS_ARRAY };
    assert_int_equal(ask(w, LIT("INF"), 1, 20261121).said, SHEET_SAID_NOTHING);
    store_it(w, &first);
    assert_int_equal(ask(w, LIT("INF"), 1, 20261121).said, SHEET_SAID_FIT);
    assert_true(ask(w, LIT("INF"), 1, 20261121).consented);
    store_it(w, &second);
    draft.status = SHEET_SUBMITTED;
    store_it(w, &draft);
    struct sheet_finding f = ask(w, LIT("INF"), 1, 20261121);
    assert_int_equal(f.said, SHEET_SAID_UNFIT);
    assert_false(f.consented);
    assert_int_equal(f.id[0], 2);
    assert_int_equal(ask(w, LIT("INF"), 1, 20261122).said, SHEET_SAID_NOTHING); /* another day, another 予診 */
    assert_int_equal(ask(w, LIT("INF"), 1, 20261120).said, SHEET_SAID_NOTHING);
    assert_int_equal(ask(w, LIT("INF"), 2, 20261121).said, SHEET_SAID_NOTHING);
    assert_int_equal(ask(w, LIT("HPV"), 1, 20261121).said, SHEET_SAID_NOTHING);
}

static void a_value_out_of_its_place_is_not_taken(void **state)
{
    struct world *w = *state;
    struct sheet s = sheet_of(1, true, NOON);
    struct sheet_finding f;
    struct sheet_question q = { MUNI, LIT("INF"), 1, 20261121 };
    store_it(w, &s);
    uint8_t other[SHEET_ID_BYTES] = { 9 };
    sheet_field(MUNI, other, &w->field[0]); /* moved to another field */
    assert_int_equal(sheet_verdict(w->store, &w->person, &w->hash, &q, &f).code, E_SEAL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(what_is_stored_is_read_back_and_nothing_shorter), T(a_field_says_whose_it_is), T(steps_raise_the_version_and_remember_requests),
        T(the_newest_decision_of_the_day_counts), T(a_value_out_of_its_place_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
