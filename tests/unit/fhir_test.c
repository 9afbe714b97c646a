/* The form of a FHIR search, and what the writers never do: a digit in an id, an identifier that could be a number, an empty text, object or array. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/fhir/fhir_int.h"

enum { OUT_MAX = 1 << 20 };
#define NOW UINT64_C(1795000000000)

struct world {
    char dir[32], ring[64], master[64];
    struct store *store;
    struct store_name person;
    struct arena *arena;
    struct buf out;
    struct fhir f;
    struct fhir_form form;
};

static int set_up(void **state)
{
    static const enum key_kind KINDS[] = { KEY_LINK_INDEX, KEY_LINK_COMMON, KEY_AUDIT_HANDLE };
    struct world *w = calloc(1, sizeof *w);
    struct keyring *ring;
    struct person p;
    memcpy(w->dir, "/tmp/fhir_test_XXXXXX", 22);
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->ring, sizeof w->ring, "%s/ring", w->dir);
    snprintf(w->master, sizeof w->master, "%s/master", w->dir);
    assert_int_equal(keyring_create(RING_LINK, w->ring, w->master).code, E_OK);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++)
        assert_int_equal(keyring_add(RING_LINK, w->ring, w->master, KINDS[i], LIT("1"), NULL).code, E_OK);
    assert_int_equal(keyring_load(&ring, RING_LINK, w->ring, w->master).code, E_OK);
    assert_int_equal(store_new(&w->store, ring).code, E_OK);
    keyring_free(ring);
    assert_int_equal(store_person(w->store, LIT("PMH-1"), &p).code, E_OK);
    store_name_person(&p, &w->person);
    w->arena = arena_new(OUT_MAX);
    buf_init(&w->out, OUT_MAX);
    w->form = (struct fhir_form){ .count = FHIR_COUNT_MAX };
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    buf_done(&w->out);
    arena_free(w->arena);
    store_free(w->store);
    unlink(w->ring), unlink(w->master), rmdir(w->dir);
    free(w);
    return 0;
}

static struct fhir *begin(struct world *w, enum fhir_type type, const char *scope)
{
    buf_reset(&w->out);
    fhir_begin(&w->f, &w->out, w->store, type, &w->form);
    fhir_scope(&w->f, slice_str(scope), &w->person);
    return &w->f;
}

/* FHIR has no empty text, object or array, at any depth. */
static void assert_full(const json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(v))
        assert_true(fhir__said(slice_of(json_string_value(v), json_string_length(v))).n > 0);
    if (json_is_object(v)) {
        assert_true(json_object_size(v) > 0);
        json_object_foreach((json_t *)v, key, member) assert_full(member);
    }
    if (json_is_array(v)) {
        assert_true(json_array_size(v) > 0);
        json_array_foreach(v, i, member) assert_full(member);
    }
}

static const json_t *ended(struct world *w)
{
    json_t *v;
    assert_int_equal(fhir_end(&w->f).code, E_OK);
    assert_int_equal(json_in_object(&v, w->arena, buf_slice(&w->out)).code, E_OK);
    assert_full(v);
    return v;
}

static const char *text_at(const json_t *v, const char *a, const char *b) { return json_string_value(json_object_get(b ? json_object_get(v, a) : v, b ? b : a)); }

static const json_t *resource(const json_t *bundle, size_t i) { return json_object_get(json_array_get(json_object_get(bundle, "entry"), i), "resource"); }

static bool says(const struct world *w, const char *what) { return memmem(w->out.p, w->out.n, what, strlen(what)) != NULL; }

/* ---- the form ---- */

static struct err read_form(struct world *w, const char *body, const char *query, struct fhir_form *ret_f, struct field_report *report)
{
    static const struct fhir_ask ASK = { .who = "session", .min = 4, .max = 8 };
    return fhir_form_read(slice_str(body), slice_str(query), &ASK, w->arena, ret_f, report);
}

static void test_a_form_is_read_once_decoded(void **state)
{
    struct fhir_form f;
    struct field_report r;
    assert_int_equal(read_form(*state, "session=a%7Eb-c&_count=3", "_cursor=7&_format=json", &f, &r).code, E_OK);
    assert_true(slice_eq(f.who, LIT("a~b-c")) && f.count == 3 && f.cursor == 7);
    assert_int_equal(read_form(*state, "session=abcd&_count=50&", "", &f, &r).code, E_OK);
    assert_int_equal(read_form(*state, "%73ession=abcd", "", &f, &r).code, E_OK);
}

static void test_what_is_wrong_with_a_form_is_named_and_its_values_are_not(void **state)
{
    static const struct { const char *body, *query, *field; enum field_rule rule; } CASES[] = {
        { "", "", "session", FR_MISSING },
        { "session=abc", "", "session", FR_LENGTH },
        { "session=abcdefghi", "", "session", FR_LENGTH },
        { "session=abcd&session=abcd", "", "session", FR_TWICE },
        { "session=ab%0acd", "", "session", FR_CLASS },
        { "session=ab%2", "", "session", FR_CLASS },
        { "session=ab%zz", "", "session", FR_CLASS },
        { "session=ab cd", "", "session", FR_CLASS },
        { "session=ab+cd", "", "session", FR_CLASS },
        { "session=abcd&patient=1", "", "", FR_UNKNOWN },
        { "session=abcd&Session=abcd", "", "", FR_UNKNOWN },
        { "session=abcd&%zz=1", "", "", FR_UNKNOWN },
        { "session=abcd&_count=0", "", "_count", FR_RANGE },
        { "session=abcd&_count=51", "", "_count", FR_RANGE },
        { "session=abcd&_count=-1", "", "_count", FR_CLASS },
        { "session=abcd&_count=99999999999999999999999", "", "_count", FR_CLASS },
        { "session=abcd&_cursor=0", "", "_cursor", FR_RANGE },
        { "session=abcd&_count=1", "_count=1", "_count", FR_TWICE },
        { "session=abcd&_format=xml", "", "_format", FR_CODE },
        { "session=abcd&_format", "", "", FR_TYPE },
        { "{\"session\":\"abcd\"}", "", "", FR_TYPE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct fhir_form f;
        struct field_report r;
        assert_int_equal(read_form(*state, CASES[i].body, CASES[i].query, &f, &r).code, E_FIELD);
        assert_true(r.n_faults > 0);
        assert_string_equal(r.faults[0].field, CASES[i].field);
        assert_int_equal(r.faults[0].rule, CASES[i].rule);
    }
}

static void test_a_url_names_no_session(void **state)
{
    static const char *const QUERIES[] = { "session=abcd", "%73ession=abcd", "pseudonym=abcd", "patient=1", "_count", "_count=1&session=abcd", "%zz=1" };
    for (size_t i = 0; i < sizeof QUERIES / sizeof QUERIES[0]; i++) {
        struct fhir_form f;
        struct field_report r;
        assert_int_equal(read_form(*state, "session=abcd", QUERIES[i], &f, &r).code, E_BAD_URL);
    }
}

/* ---- ids ---- */

static void test_ids_are_letters_the_same_in_a_scope_and_unlike_in_others(void **state)
{
    char a[FHIR_ID_CHARS], b[FHIR_ID_CHARS];
    for (unsigned i = 0; i < 300; i++) {
        const struct slice name = slice_of(&i, sizeof i);
        fhir__ident(begin(*state, FHIR_CONSENT, "one"), FHIR_CONSENT, name, a);
        fhir__ident(begin(*state, FHIR_CONSENT, "one"), FHIR_CONSENT, name, b);
        assert_memory_equal(a, b, sizeof a);
        for (size_t k = 0; k < sizeof a; k++)
            assert_true(a[k] >= 'a' && a[k] <= 'p');
        fhir__ident(begin(*state, FHIR_CONSENT, "two"), FHIR_CONSENT, name, b);
        assert_memory_not_equal(a, b, sizeof a);
        fhir__ident(begin(*state, FHIR_CONSENT, "one"), FHIR_PATIENT, name, b);
        assert_memory_not_equal(a, b, sizeof a);
    }
}

static void test_a_patient_has_an_id_and_nothing_else(void **state)
{
    struct world *w = *state;
    begin(w, FHIR_PATIENT, "one");
    assert_true(fhir_patient(&w->f));
    const json_t *p = resource(ended(w), 0);
    assert_int_equal(json_object_size(p), 4); /* resourceType, id, meta, identifier */
    assert_int_equal(strlen(text_at(p, "id", NULL)), FHIR_ID_CHARS);
}

/* ---- identifiers ---- */

static const json_t *coverages(struct world *w, const char *body)
{
    begin(w, FHIR_COVERAGE, "one");
    assert_int_equal(fhir_coverages(&w->f, w->arena, slice_str(body)).code, E_OK);
    return ended(w);
}

static void test_a_coverage_says_who_pays_under_which_number(void **state)
{
    const json_t *c = resource(coverages(*state, "{\"eligibility\":[{\"municipalityCode\":\"331007\",\"certificationName\":\"子ども医療\",\"medicalSubsidyInsurerNumber\":"
                                                 "\"88331004\",\"medicalSubsidyRecipientNumber\":\"3985967\",\"segment\":\"1\",\"isAlwaysReimbursement\":\"1\","
                                                 "\"validFrom\":\"2024-04-01\",\"validTo\":\"2043-03-31\"}]}"), 0);
    const json_t *payor = json_array_get(json_object_get(c, "payor"), 0);
    assert_string_equal(text_at(json_object_get(c, "type"), "text", NULL), "子ども医療");
    assert_string_equal(text_at(c, "subscriberId", NULL), "3985967");
    assert_string_equal(text_at(payor, "identifier", "value"), "88331004");
    assert_string_equal(text_at(c, "period", "end"), "2043-03-31");
    assert_true(json_is_true(json_object_get(json_array_get(json_object_get(c, "extension"), 0), "valueBoolean")));
}

static void test_an_identifier_with_twelve_digits_is_not_written(void **state)
{
    static const char *const NUMBERS[] = { "123456789018", "A123456789018", "1234-5678-9018", "１２３４５６７８９０１８", "00123456789018", "1234 5678 9018" };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof NUMBERS / sizeof NUMBERS[0]; i++) {
        char body[256];
        snprintf(body, sizeof body, "{\"eligibility\":[{\"municipalityCode\":\"331007\",\"medicalSubsidyRecipientNumber\":\"%s\"}]}", NUMBERS[i]);
        const json_t *b = coverages(w, body);
        assert_false(says(w, NUMBERS[i]));
        assert_null(json_object_get(resource(b, 0), "subscriberId"));
        assert_non_null(json_object_get(resource(b, 0), "_subscriberId"));
        assert_string_equal(text_at(resource(b, 1), "resourceType", NULL), "OperationOutcome");
        assert_int_equal(json_integer_value(json_object_get(b, "total")), 1);
    }
    assert_null(json_object_get(resource(coverages(w, "{\"eligibility\":[{\"medicalSubsidyRecipientNumber\":\"12345678901\"}]}"), 0), "_subscriberId"));
}

static void test_a_narrowed_record_is_whole_without_what_was_cut(void **state)
{
    static const char *const BODIES[] = { "{\"eligibility\":[{}]}", "{\"eligibility\":[{\"certificationName\":\"\"}]}", "{\"eligibility\":[{\"validTo\":\"2043-03-31\"},{}]}",
                                          "{\"eligibility\":[{\"maxCopaymentAmount\":{\"a\":{}},\"certificationDetail\":[]}]}" };
    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        const json_t *b = coverages(*state, BODIES[i]);
        assert_int_equal(json_array_size(json_object_get(resource(b, 0), "payor")), 1);
    }
    const json_t *same = coverages(*state, "{\"eligibility\":[{},{}]}");
    assert_string_not_equal(text_at(resource(same, 0), "id", NULL), text_at(resource(same, 1), "id", NULL));
}

/* ---- doses, questionnaires, consents ---- */

static struct immun_record *dose(struct world *w, uint8_t id)
{
    struct immun_record *r = arena_get(w->arena, sizeof *r);
    r->id[0] = id;
    r->n_versions = 1;
    r->versions[0] = (struct immun){ .status = IMMUN_COMPLETED, .muni = { "331007" }, .program = LIT("mr-1"), .dose = 1, .date = 20251201, .recorded_ms = NOW };
    return r;
}

static void test_a_dose_of_which_little_is_known_has_no_empty_member(void **state)
{
    struct world *w = *state;
    begin(w, FHIR_IMMUNIZATION, "one");
    assert_true(fhir_immunization(&w->f, dose(w, 1)));
    const json_t *i = resource(ended(w), 0);
    assert_string_equal(text_at(i, "vaccineCode", "text"), "mr-1");
    assert_string_equal(text_at(i, "status", NULL), "completed");
}

static void test_a_text_of_blanks_is_none(void **state)
{
    struct world *w = *state;
    struct immun_record *r = dose(w, 1);
    struct immun *i = &r->versions[0];
    i->vaccine = i->product = i->maker = i->lot = i->site = i->route = i->doctor = i->place = i->kind = i->segment = i->special = LIT(" \xe3\x80\x80 ");
    begin(w, FHIR_IMMUNIZATION, "one");
    assert_true(fhir_immunization(&w->f, r));
    const json_t *told = resource(ended(w), 0);
    assert_null(json_object_get(told, "lotNumber"));
    assert_string_equal(text_at(told, "vaccineCode", "text"), "mr-1");
    assert_true(fhir__said(LIT(" \xe3\x80\x81")).n && fhir__said(LIT("a")).n && !fhir__said(LIT("")).n);
    coverages(w, "{\"eligibility\":[{\"certificationName\":\" \",\"segment\":\"\xe3\x80\x80\",\"additionalConditions\":\" \",\"medicalSubsidyRecipientNumber\":\" \"}]}");
}

static void test_a_cancelled_dose_is_entered_in_error_and_one_abroad_is_reported(void **state)
{
    struct world *w = *state;
    struct immun_record *r = dose(w, 1);
    r->versions[1] = r->versions[0];
    r->versions[1].status = IMMUN_CANCELLED;
    r->versions[1].overseas = r->versions[1].caution = true;
    r->versions[1].amount_ul = 500;
    r->versions[1].doctor = LIT("辻\xf3\xa0\x84\x80 \xee\x80\x80 𠮷");
    r->n_versions = 2;
    begin(w, FHIR_IMMUNIZATION, "one");
    assert_true(fhir_immunization(&w->f, r));
    const json_t *i = resource(ended(w), 0);
    assert_string_equal(text_at(i, "status", NULL), "entered-in-error");
    assert_string_equal(text_at(i, "reportOrigin", "text"), "海外接種");
    assert_true(json_is_false(json_object_get(i, "primarySource")));
    assert_string_equal(text_at(i, "meta", "versionId"), "2");
    assert_true(says(w, "\"value\":0.500") && says(w, "辻\xf3\xa0\x84\x80 \xee\x80\x80 𠮷"));
}

static void test_pages_follow_each_other_and_hold_everything_once(void **state)
{
    struct world *w = *state;
    char seen[7][FHIR_ID_CHARS + 1];
    size_t n = 0;
    w->form = (struct fhir_form){ .count = 3 };
    do {
        begin(w, FHIR_IMMUNIZATION, "one");
        for (uint8_t i = 0; i < 7; i++)
            fhir_immunization(&w->f, dose(w, i));
        w->form.cursor = w->f.next;
        const json_t *b = ended(w);
        assert_int_equal(json_integer_value(json_object_get(b, "total")), 7);
        for (size_t i = 0; i < json_array_size(json_object_get(b, "entry")); i++) {
            assert_true(n < 7);
            memcpy(seen[n++], text_at(resource(b, i), "id", NULL), sizeof seen[0]);
        }
    } while (w->form.cursor);
    assert_int_equal(n, 7);
    for (size_t i = 1; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
    w->form.cursor = 700;
    begin(w, FHIR_IMMUNIZATION, "one");
    assert_false(fhir_immunization(&w->f, dose(w, 1)));
    assert_null(json_object_get(ended(w), "entry"));
}

static void test_answers_have_the_types_of_the_template_and_are_texts_without_it(void **state)
{
    const struct qt_choice CHOICES[] = { { LIT("mild"), LIT("軽い"), LIT("mild") } };
    struct world *w = *state;
    struct qtemplate *t = arena_get(w->arena, sizeof *t);
    struct sheet *s = arena_get(w->arena, sizeof *s);
    static const char *const IDS[] = { "yn", "no", "day", "ch", "tx" }, *const VALUES[] = { "yes", "37.5", "2026-01-02", "mild", "x" };
    static const enum qt_type TYPES[] = { QT_YES_NO, QT_NUMBER, QT_DATE, QT_CHOICE, QT_TEXT };
    static const char *const MEMBERS[] = { "\"valueBoolean\":true", "\"valueDecimal\":37.5", "\"valueDate\":\"2026-01-02\"", "\"valueCoding\"", "\"valueString\":\"x\"" };
    *s = (struct sheet){ .muni = { "331007" }, .program = LIT("mr-1"), .template_id = LIT("flu"), .template_version = 1, .status = SHEET_COMPLETED, .version = 3, .created_ms = NOW,
                         .n_answers = 5, .doctor = { .clinic = { "3319900019" }, .name = LIT("岡山"), .at_ms = NOW } };
    t->n_items = 5;
    for (size_t i = 0; i < 5; i++) {
        s->answers[i] = (struct sheet_answer){ slice_str(IDS[i]), slice_str(VALUES[i]) };
        t->items[i] = (struct qt_item){ .id = slice_str(IDS[i]), .ja = LIT("問い"), .en = LIT("question"), .type = TYPES[i], .n_choices = 1, .choices = CHOICES };
    }
    begin(w, FHIR_QUESTIONNAIRE_RESPONSE, "one");
    assert_true(fhir_response(&w->f, s, t));
    const json_t *r = resource(ended(w), 0);
    assert_string_equal(text_at(r, "status", NULL), "amended");
    for (size_t i = 0; i < 5; i++)
        assert_true(says(w, MEMBERS[i]));
    assert_int_equal(json_array_size(json_object_get(r, "item")), 6);
    begin(w, FHIR_QUESTIONNAIRE_RESPONSE, "one");
    assert_true(fhir_response(&w->f, s, NULL));
    ended(w);
    assert_true(says(w, "\"valueString\":\"37.5\"") && !says(w, "valueDecimal"));
    *s = (struct sheet){ .muni = { "331007" }, .program = LIT("mr-1"), .template_id = LIT("flu"), .template_version = 1, .status = SHEET_DRAFT, .version = 1, .created_ms = NOW };
    begin(w, FHIR_QUESTIONNAIRE_RESPONSE, "one");
    assert_true(fhir_response(&w->f, s, t));
    assert_null(json_object_get(resource(ended(w), 0), "item"));
}

static void test_a_consent_that_was_withdrawn_is_inactive(void **state)
{
    struct world *w = *state;
    struct consent_entry e = { .version = 2, .given_s = NOW / 1000, .until_ms = NOW + 1000, .kinds = 5, .clinic = { "3319900019" }, .purpose = "treatment" };
    begin(w, FHIR_CONSENT, "one");
    assert_true(fhir_consent(&w->f, &e));
    assert_string_equal(text_at(resource(ended(w), 0), "status", NULL), "active");
    e.withdrawn_ms = NOW;
    e.kinds = 0;
    begin(w, FHIR_CONSENT, "one");
    assert_true(fhir_consent(&w->f, &e));
    assert_string_equal(text_at(resource(ended(w), 0), "status", NULL), "inactive");
}

/* ---- outcomes ---- */

static void test_every_error_has_an_outcome_in_both_languages(void **state)
{
    struct world *w = *state;
    for (int c = 1; c < E__MAX; c++) {
        const struct err_info *row = err_info((enum err_code)c);
        json_t *v;
        buf_reset(&w->out);
        FHIR_DIALECT.problem(&w->out, row, (struct req_id){ { 0 } }, NULL, NULL);
        assert_int_equal(json_in_object(&v, w->arena, buf_slice(&w->out)).code, E_OK);
        assert_full(v);
        assert_true(says(w, row->slug) && says(w, row->title_ja) && says(w, row->title_en));
    }
}

static void test_a_door_says_what_it_can(void **state)
{
    struct world *w = *state;
    const struct fhir_door d = { .who = "session", .title_ja = "窓口", .title_en = "door", .types = 1u << FHIR_PATIENT | 1u << FHIR_CONSENT };
    json_t *v;
    fhir_capabilities(&d, &w->out);
    assert_int_equal(json_in_object(&v, w->arena, buf_slice(&w->out)).code, E_OK);
    assert_full(v);
    assert_true(says(w, "\"Patient\"") && says(w, "\"Consent\"") && !says(w, "\"Coverage\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_form_is_read_once_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_with_a_form_is_named_and_its_values_are_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_url_names_no_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ids_are_letters_the_same_in_a_scope_and_unlike_in_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_patient_has_an_id_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_coverage_says_who_pays_under_which_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_identifier_with_twelve_digits_is_not_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_narrowed_record_is_whole_without_what_was_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_dose_of_which_little_is_known_has_no_empty_member, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_text_of_blanks_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cancelled_dose_is_entered_in_error_and_one_abroad_is_reported, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_follow_each_other_and_hold_everything_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_have_the_types_of_the_template_and_are_texts_without_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_consent_that_was_withdrawn_is_inactive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_error_has_an_outcome_in_both_languages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_door_says_what_it_can, set_up, tear_down),
    };
    json_in_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
