#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/lookup/judge.h"

#define TODAY 20240229

struct rig {
    char dir[32], ring[64], master[64];
    struct store *store, *narrow; /* narrow: without the key of 271403 */
    struct store_name person;
    struct buf out;
    struct jsonw w;
    struct judge j;
};

static struct store *load(struct rig *r)
{
    struct keyring *ring;
    struct store *s;
    assert_int_equal(keyring_load(&ring, RING_LINK, r->ring, r->master).code, E_OK);
    assert_int_equal(store_new(&s, ring).code, E_OK);
    keyring_free(ring);
    return s;
}

static void add(struct rig *r, enum key_kind kind, struct slice id)
{
    assert_int_equal(keyring_add(RING_LINK, r->ring, r->master, kind, id, NULL).code, E_OK);
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof *r);
    struct person p;
    assert_non_null(r);
    memcpy(r->dir, "/tmp/lookup_test_XXXXXX", 24);
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->ring, sizeof r->ring, "%s/ring", r->dir);
    snprintf(r->master, sizeof r->master, "%s/master", r->dir);
    assert_int_equal(keyring_create(RING_LINK, r->ring, r->master).code, E_OK);
    add(r, KEY_LINK_INDEX, LIT("1"));
    add(r, KEY_LINK_COMMON, LIT("1"));
    add(r, KEY_AUDIT_HANDLE, LIT("1"));
    add(r, KEY_LINK_DATA, LIT("331007"));
    r->narrow = load(r);
    add(r, KEY_LINK_DATA, LIT("271403"));
    r->store = load(r);
    assert_int_equal(store_person(r->store, LIT("PMH-1"), &p).code, E_OK);
    store_name_person(&p, &r->person);
    buf_init(&r->out, 1 << 20);
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    store_free(r->store);
    store_free(r->narrow);
    buf_done(&r->out);
    unlink(r->ring);
    unlink(r->master);
    rmdir(r->dir);
    free(r);
    return 0;
}

static void begin(struct rig *r, struct store *s)
{
    buf_reset(&r->out);
    jsonw_init(&r->w, &r->out);
    jsonw_array(&r->w, NULL);
    judge_begin(&r->j, s, &r->person, TODAY, &r->w);
}

/* Hands one record, sealed by the full store, to the judge. history: its key, so that records differ. */
static struct err give_kind(struct rig *r, enum store_kind kind, struct slice muni, const char *history, struct record rec)
{
    struct store_name field;
    struct buf plain, sealed;
    buf_init(&plain, STORE_RECORD_MAX);
    buf_init(&sealed, 2 * STORE_RECORD_MAX);
    rec.basic = LIT("{}");
    assert_int_equal(store_field(r->store, kind, muni, LIT("type"), slice_str(history), &field).code, E_OK);
    assert_int_equal(record_encode(&rec, &plain).code, E_OK);
    assert_int_equal(store_seal(r->store, muni, &r->person, store_name_slice(&field), buf_slice(&plain), &sealed).code, E_OK);
    struct err e = judge_field(&r->j, store_name_slice(&field), buf_slice(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}

static struct err give(struct rig *r, struct slice muni, const char *history, struct record rec)
{
    return give_kind(r, STORE_SUBSIDY, muni, history, rec);
}

/* The end of the person in a municipality. */
static struct err give_end(struct rig *r, const char *muni, ymd_t from)
{
    struct store_end end = { STORE_END_MOVED, from, 1 };
    struct store_name field;
    struct buf plain, sealed;
    buf_init(&plain, 64);
    buf_init(&sealed, 200);
    store_field_end(muni, &field);
    store_end_encode(&end, &plain);
    assert_int_equal(store_seal(r->store, slice_of(muni, 6), &r->person, store_name_slice(&field), buf_slice(&plain), &sealed).code, E_OK);
    struct err e = judge_end(&r->j, store_name_slice(&field), buf_slice(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}

struct day_case {
    const char *name;
    ymd_t from, to;
    bool deleted, not_disclosed;
    enum err_code verdict;
};

static const struct day_case DAYS[] = {
    { "open at both ends", 0, 0, false, false, E_OK },
    { "from today", TODAY, 0, false, false, E_OK },
    { "until today", 0, TODAY, false, false, E_OK },
    { "from tomorrow", 20240301, 0, false, false, E_NOTHING },
    { "until yesterday", 0, 20240228, false, false, E_NOTHING },
    { "deleted", 0, 0, true, false, E_NOTHING },
    { "not disclosed", 0, 0, false, true, E_NOT_DISCLOSED },
    { "not disclosed and expired", 0, 20200101, false, true, E_NOT_DISCLOSED },
    { "not disclosed and deleted", 0, 0, true, true, E_NOT_DISCLOSED },
};

static void one_record_is_judged(void **state)
{
    struct rig *r = *state;
    for (size_t i = 0; i < sizeof DAYS / sizeof DAYS[0]; i++) {
        const struct day_case *d = &DAYS[i];
        begin(r, r->store);
        struct record rec = { .from = d->from, .to = d->to, .deleted = d->deleted, .not_disclosed = d->not_disclosed, .eligibility = LIT("{}") };
        assert_int_equal(give(r, LIT("331007"), "h1", rec).code, E_OK);
        if (judge_verdict(&r->j).code != d->verdict)
            fail_msg("%s: %s", d->name, err_slug(judge_verdict(&r->j).code));
    }
}

static void valid_records_are_rendered_in_order(void **state)
{
    struct rig *r = *state;
    begin(r, r->store);
    assert_int_equal(give(r, LIT("271403"), "h0", (struct record){ .to = 20230101, .eligibility = LIT("{\"n\":0}") }).code, E_OK);
    assert_int_equal(give(r, LIT("331007"), "h1", (struct record){ .eligibility = LIT("{\"n\":1}") }).code, E_OK);
    assert_int_equal(give(r, LIT("271403"), "h2", (struct record){ .eligibility = LIT("{\"n\":2}") }).code, E_OK);
    assert_int_equal(give(r, LIT("331007"), "h3", (struct record){ .eligibility = LIT("{\"n\":3}") }).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_OK);
    jsonw_end_array(&r->w);
    assert_true(slice_eq(buf_slice(&r->out), LIT("[{\"n\":1},{\"n\":2},{\"n\":3}]")));
    assert_true(r->j.count == 3 && r->j.n_munis == 2); /* a record for the log of each */
    assert_true(r->j.munis[0].count == 2 && r->j.munis[1].count == 1);
    assert_memory_equal(r->j.munis[0].code, "331007", 6);
    assert_memory_equal(r->j.munis[1].code, "271403", 6);
}

static void one_silent_record_silences_all(void **state)
{
    struct rig *r = *state;
    const struct record open = { .eligibility = LIT("{}") }, silent = { .not_disclosed = true, .deleted = true, .to = 20000101, .eligibility = LIT("{}") };
    for (int silent_at = 0; silent_at < 3; silent_at++) {
        begin(r, r->store);
        for (int i = 0; i < 3; i++) {
            const char history[] = { (char)('0' + i), 0 };
            assert_int_equal(give(r, i == 1 ? LIT("271403") : LIT("331007"), history, i == silent_at ? silent : open).code, E_OK);
        }
        assert_int_equal(judge_verdict(&r->j).code, E_NOT_DISCLOSED);
    }
}

static void only_subsidies_are_told(void **state)
{
    struct rig *r = *state;
    for (int kind = STORE_CHECKUP; kind < STORE_CHANGE; kind++) {
        begin(r, r->store);
        assert_int_equal(give_kind(r, (enum store_kind)kind, LIT("331007"), "h", (struct record){ .eligibility = LIT("{\"n\":1}") }).code, E_OK);
        assert_int_equal(judge_verdict(&r->j).code, E_NOTHING);
        assert_int_equal(give(r, LIT("331007"), "h", (struct record){ .eligibility = LIT("{\"n\":2}") }).code, E_OK);
        assert_int_equal(judge_verdict(&r->j).code, E_OK);
        jsonw_end_array(&r->w);
        assert_true(slice_eq(buf_slice(&r->out), LIT("[{\"n\":2}]")));
    }
}

static void a_flag_of_any_kind_silences_all(void **state)
{
    struct rig *r = *state;
    const struct record open = { .eligibility = LIT("{}") };
    const struct record flags[] = { { .not_disclosed = true }, { .viewing_stopped = true }, { .viewing_stopped = true, .ended = 20200101, .to = 20200101 } };
    for (int kind = STORE_SUBSIDY; kind < STORE_CHANGE; kind++)
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
            for (int first = 0; first < 2; first++) {
                begin(r, r->store);
                if (first)
                    assert_int_equal(give(r, LIT("331007"), "h", open).code, E_OK);
                assert_int_equal(give_kind(r, (enum store_kind)kind, LIT("271403"), "f", flags[i]).code, E_OK);
                if (!first)
                    assert_int_equal(give(r, LIT("331007"), "h", open).code, E_OK);
                assert_int_equal(judge_verdict(&r->j).code, E_NOT_DISCLOSED);
            }
}

static void a_removed_record_ends_on_its_day(void **state)
{
    struct rig *r = *state;
    static const struct { ymd_t ended; enum err_code want; } CASES[] = { { 0, E_OK }, { 20240301, E_OK }, { TODAY, E_NOTHING }, { 20240228, E_NOTHING } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        begin(r, r->store);
        assert_int_equal(give(r, LIT("331007"), "h", (struct record){ .ended = CASES[i].ended, .eligibility = LIT("{}") }).code, E_OK);
        assert_int_equal(judge_verdict(&r->j).code, CASES[i].want);
    }
}

/* Until the day, flags are in force; from the day on, neither records nor flags are, and another municipality is heard. */
static void an_end_hides_a_municipality(void **state)
{
    struct rig *r = *state;
    const struct record flagged = { .not_disclosed = true, .eligibility = LIT("{\"n\":1}") }, open = { .eligibility = LIT("{\"n\":2}") };
    static const struct { ymd_t from; bool flag, other; enum err_code want; } CASES[] = {
        { 20240301, true, true, E_NOT_DISCLOSED }, { 20240301, false, false, E_OK }, { TODAY, true, true, E_OK }, { TODAY, true, false, E_NOTHING },
        { TODAY, false, false, E_NOTHING }, { 20200101, false, true, E_OK },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        begin(r, r->store);
        assert_int_equal(give_end(r, "331007", CASES[i].from).code, E_OK);
        assert_int_equal(give(r, LIT("331007"), "h", CASES[i].flag ? flagged : open).code, E_OK);
        if (CASES[i].other)
            assert_int_equal(give(r, LIT("271403"), "h", open).code, E_OK);
        assert_int_equal(judge_verdict(&r->j).code, CASES[i].want);
        if (CASES[i].want == E_OK && CASES[i].other) {
            jsonw_end_array(&r->w);
            assert_true(slice_eq(buf_slice(&r->out), LIT("[{\"n\":2}]")));
            assert_true(r->j.n_munis == 1);
            assert_memory_equal(r->j.munis[0].code, "271403", 6);
        }
    }
}

static void an_end_that_cannot_be_read_silences(void **state)
{
    struct rig *r = *state;
    begin(r, r->narrow);
    assert_int_equal(give_end(r, "271403", 20200101).code, E_OK);
    assert_int_equal(give(r, LIT("331007"), "h", (struct record){ .eligibility = LIT("{}") }).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_FORBIDDEN);
    begin(r, r->store);
    assert_int_equal(judge_end(&r->j, LIT("e:331007"), LIT("rubbish")).code, E_SEAL);
    assert_int_equal(judge_end(&r->j, LIT("e:33100"), LIT("rubbish")).code, E_OK);
    for (int i = 0; i <= JUDGE_ENDS_MAX; i++)
        assert_int_equal(give_end(r, "331007", 20200101).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_FORBIDDEN);
}

static void nobody_is_nothing(void **state)
{
    struct rig *r = *state;
    begin(r, r->store);
    assert_int_equal(judge_verdict(&r->j).code, E_NOTHING);
    assert_int_equal(r->j.n_munis, 0);
}

static void other_fields_are_passed_over(void **state)
{
    struct rig *r = *state;
    begin(r, r->store);
    assert_int_equal(judge_field(&r->j, LIT("ps:mynaportal"), LIT("x")).code, E_OK);
    assert_int_equal(judge_field(&r->j, LIT("s:331007"), LIT("x")).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_NOTHING);
}

static void a_record_without_a_key_silences(void **state)
{
    struct rig *r = *state;
    begin(r, r->narrow);
    assert_int_equal(give(r, LIT("331007"), "h1", (struct record){ .eligibility = LIT("{}") }).code, E_OK);
    assert_int_equal(give(r, LIT("271403"), "h2", (struct record){ .eligibility = LIT("{}") }).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_FORBIDDEN);
}

static void a_moved_record_does_not_open(void **state)
{
    struct rig *r = *state;
    struct person other;
    begin(r, r->store);
    assert_int_equal(store_person(r->store, LIT("PMH-2"), &other).code, E_OK);
    store_name_person(&other, &r->j.person); /* the judge reads it from another person's hash */
    assert_int_equal(give(r, LIT("331007"), "h1", (struct record){ .eligibility = LIT("{}") }).code, E_SEAL);
}

static void rubbish_does_not_open(void **state)
{
    struct rig *r = *state;
    begin(r, r->store);
    assert_int_equal(judge_field(&r->j, LIT("r:331007:0123456789abcdef"), LIT("rubbish")).code, E_SEAL);
    assert_int_equal(judge_field(&r->j, LIT("r:331007:0123456789abcdef"), SLICE_NONE).code, E_SEAL);
}

static void an_answer_that_does_not_fit_is_an_error(void **state)
{
    struct rig *r = *state;
    static char fragment[40000];
    memset(fragment, ' ', sizeof fragment);
    fragment[0] = '{', fragment[sizeof fragment - 1] = '}';
    begin(r, r->store);
    r->out.max = 50000;
    assert_int_equal(give(r, LIT("331007"), "h1", (struct record){ .eligibility = ARR(fragment) }).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_OK);
    assert_int_equal(give(r, LIT("331007"), "h2", (struct record){ .eligibility = ARR(fragment) }).code, E_OK);
    assert_int_equal(judge_verdict(&r->j).code, E_FULL);
}

#define RIGGED(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

static void only_allowed_members_are_told(void **state)
{
    struct rig *r = *state;
    static const struct { const char *json; uint16_t fields; const char *want; } CASES[] = {
        { "{}", 1, "{}" },
        { "{\"municipalityCode\":\"331007\",\"certificationName\":\"a\"}", 1, "{\"municipalityCode\":\"331007\"}" },
        { " { \"certificationName\" : \"x\\\"},{\" , \"segment\" : { \"a\" : [ 1 , { \"b\" : \"}\" } ] } , \"more\" : null } ", 1 << 4 | 1 << 1,
          "{\"certificationName\":\"x\\\"},{\",\"segment\":{ \"a\" : [ 1 , { \"b\" : \"}\" } ] }}" },
        { "{\"more\":{\"municipalityCode\":1}}", LINK_FIELDS_ALL, "{}" },
        { "{\"validTo\":null,\"isAlwaysReimbursement\":false}", 1 << 8, "{\"isAlwaysReimbursement\":false}" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        buf_reset(&r->out);
        jsonw_init(&r->w, &r->out);
        assert_int_equal(narrow_object(slice_str(CASES[i].json), CASES[i].fields, &r->w).code, E_OK);
        assert_true(slice_eq(buf_slice(&r->out), slice_str(CASES[i].want)));
    }
}

static void what_is_no_object_is_not_cut(void **state)
{
    struct rig *r = *state;
    static const char *const BAD[] = { "", "[]", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{\"a\":\"", "{\"a\":[1}", "{\"a\":1}x", "{a:1}", "{\"a\":\"\\\"}",
                                       "{\"a\":]}" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        buf_reset(&r->out);
        jsonw_init(&r->w, &r->out);
        assert_int_equal(narrow_object(slice_str(BAD[i]), 1, &r->w).code, E_SEAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIGGED(only_allowed_members_are_told), RIGGED(what_is_no_object_is_not_cut), RIGGED(one_record_is_judged),         RIGGED(valid_records_are_rendered_in_order),
        RIGGED(one_silent_record_silences_all), RIGGED(only_subsidies_are_told), RIGGED(a_flag_of_any_kind_silences_all),
        RIGGED(a_removed_record_ends_on_its_day), RIGGED(an_end_hides_a_municipality), RIGGED(an_end_that_cannot_be_read_silences),
        RIGGED(nobody_is_nothing),
        RIGGED(other_fields_are_passed_over), RIGGED(a_record_without_a_key_silences),
        RIGGED(a_moved_record_does_not_open), RIGGED(rubbish_does_not_open),
        RIGGED(an_answer_that_does_not_fit_is_an_error),
    };
    return cmocka_run_group_tests_name("lookup", tests, NULL, NULL);
}
