/* What is said to partners that never see the number, and what of their answers is believed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "connectors/open/open.h"
#include "gateway/check/json_in.h"

#define ID "00112233445566778899aabbccddeeff"
#define OTHER "10112233445566778899aabbccddeeff"
#define REF "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
#define SESSION "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
#define PROVISION "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
#define EARLIER "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf"
#define PMH_KEY "pk-key-of-the-person"
#define PSEUDONYM "ps-of-the-person"
#define ID5 "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
#define WHEN UINT64_C(1795305600123) /* 2026-11-22T00:00:00.123Z */

struct bench { struct arena *a; struct notice n; struct open_case c; struct immun_record rec; struct buf body; };

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    b->a = arena_new(1 << 20);
    buf_init(&b->body, OPEN_BODY_MAX);
    b->n = (struct notice){ .kind = NOTICE_RECORD, .what = NOTICE_NEW, .version = 1, .at_ms = WHEN };
    memcpy(b->n.muni, "331007", 6);
    memcpy(b->n.who, "3319900019", 10);
    b->c = (struct open_case){ .n = &b->n, .id = ID, .ref = REF, .now_ms = WHEN };
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    buf_done(&b->body);
    arena_free(b->a);
    free(b);
    return 0;
}

static void says(struct bench *b, size_t step, const char *text)
{
    const struct open_connector *k = open_connector_of(b->n.kind);
    buf_reset(&b->body);
    assert_int_equal(k->step[step].build(&b->c, b->a, &b->body).code, E_OK);
    assert_string_equal(buf_cstr(&b->body), text);
}

static void cannot(struct bench *b, size_t step)
{
    buf_reset(&b->body);
    assert_int_equal(open_connector_of(b->n.kind)->step[step].build(&b->c, b->a, &b->body).code, E_FIELD);
}

#define BODY(event, more) "{\"messageId\":\"" ID "\",\"event\":\"" event "\",\"municipalityCode\":\"331007\",\"occurredAt\":\"2026-11-22T00:00:00.123Z\"" more "}"

static void clinics_hear_the_ids_that_they_know(void **state)
{
    struct bench *b = *state;
    says(b, 0, BODY("record_confirmed", ",\"immunizationId\":\"" REF "\",\"version\":\"1\""));
    b->n.what = NOTICE_CHANGED;
    b->n.version = 12;
    says(b, 0, BODY("record_corrected", ",\"immunizationId\":\"" REF "\",\"version\":\"12\""));
    b->n.what = NOTICE_ENDED;
    says(b, 0, BODY("record_cancelled", ",\"immunizationId\":\"" REF "\",\"version\":\"12\""));
    memcpy(b->c.session, SESSION, sizeof SESSION);
    b->n.kind = NOTICE_QUESTIONNAIRE;
    b->n.what = NOTICE_NEW;
    says(b, 0, BODY("questionnaire_submitted", ",\"questionnaireId\":\"" REF "\",\"sessionId\":\"" SESSION "\",\"version\":\"12\""));
    b->n.kind = NOTICE_ELIGIBILITY;
    b->n.what = NOTICE_CHANGED;
    b->n.version = 0;
    says(b, 0, BODY("eligibility_changed", ",\"sessionId\":\"" SESSION "\""));
    b->n.what = NOTICE_ENDED;
    says(b, 0, BODY("eligibility_revoked", ",\"sessionId\":\"" SESSION "\""));
    b->n.what = NOTICE_NEW;
    cannot(b, 0);
    b->n.what = NOTICE_ENDED;
    b->c.session[0] = '\0';
    cannot(b, 0);
}

static void the_portal_hears_its_own_pseudonym(void **state)
{
    struct bench *b = *state;
    b->n.kind = NOTICE_CITIZEN;
    cannot(b, 0);
    b->c.pseudonym = LIT(PSEUDONYM);
    says(b, 0, BODY("immunization_recorded", ",\"pseudonym\":\"" PSEUDONYM "\",\"immunizationId\":\"" REF "\""));
    b->n.what = NOTICE_ENDED;
    says(b, 0, BODY("immunization_cancelled", ",\"pseudonym\":\"" PSEUDONYM "\",\"immunizationId\":\"" REF "\""));
}

/* ---- the vaccination database ---- */

static void provide(struct bench *b)
{
    struct immun *v = &b->rec.versions[b->rec.n_versions++];
    *v = (struct immun){ .status = IMMUN_COMPLETED, .program = LIT("mr-1"), .dose = 2, .date = 20261121, .ticket = LIT("0123456789"), .gtin = LIT("14599990000075"),
                         .maker = LIT("メーカー"), .lot = LIT("A1"), .expiry = 20270331, .amount_ul = 500, .clinic = LIT("3319900019"), .doctor = LIT("岡山 太郎"), .place = LIT("会場"),
                         .special = LIT("事情"), .request = LIT("request-of-the-clinic"), .writer = LIT("3319900019"), .consented = true };
    memcpy(v->muni, "331007", 6);
    b->n.kind = NOTICE_PROVISION;
    b->n.version = (uint16_t)b->rec.n_versions;
    b->c.rec = &b->rec;
    b->c.pmh_key = LIT(PMH_KEY);
    b->c.id5 = LIT(ID5);
    memcpy(b->c.provision, PROVISION, sizeof PROVISION);
}

#define DOSE "{\"municipalityCode\":\"331007\",\"vaccinationProgramId\":\"mr-1\",\"doseNumber\":\"2\",\"vaccinationDate\":\"2026-11-21\",\"gtin\":\"14599990000075\"," \
             "\"lotNumber\":\"A1\",\"expirationDate\":\"2027-03-31\",\"doseMicrolitres\":\"500\",\"isOverseas\":false}"

static void two_steps_have_no_name_in_common_but_the_id5(void **state)
{
    struct bench *b = *state;
    provide(b);
    says(b, 0, "{\"requestId\":\"" ID "\",\"pmhKey\":\"" PMH_KEY "\",\"purpose\":\"vaccination_database\"}");
    says(b, 1, "{\"provisionId\":\"" PROVISION "\",\"id5\":\"" ID5 "\",\"status\":\"completed\",\"immunization\":" DOSE "}");
    memcpy(b->c.replaces, EARLIER, sizeof EARLIER);
    says(b, 1, "{\"provisionId\":\"" PROVISION "\",\"replaces\":\"" EARLIER "\",\"id5\":\"" ID5 "\",\"status\":\"completed\",\"immunization\":" DOSE "}");
    b->rec.versions[0].status = IMMUN_CANCELLED;
    says(b, 1, "{\"provisionId\":\"" PROVISION "\",\"replaces\":\"" EARLIER "\",\"id5\":\"" ID5 "\",\"status\":\"cancelled\"}");
    b->c.replaces[0] = '\0'; /* it never heard of it */
    cannot(b, 1);
}

static void without_what_it_needs_a_provision_says_nothing(void **state)
{
    struct bench *b = *state;
    provide(b);
    b->c.pmh_key = SLICE_NONE;
    cannot(b, 0);
    b->c.id5 = SLICE_NONE;
    cannot(b, 1);
    b->c.id5 = LIT(ID5);
    b->n.version = 2;
    cannot(b, 1);
    b->n.version = 1;
    b->c.provision[0] = '\0';
    cannot(b, 1);
}

/* ---- answers ---- */

struct heard { int status; const char *body; enum open_verdict verdict; enum open_reason why; };

static void hears(struct bench *b, size_t step, const struct heard *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        enum open_reason why = OPEN_R__MAX;
        b->c.id5 = SLICE_NONE;
        print_message("%d %zu %s\n", (int)b->n.kind, i, h[i].body);
        assert_int_equal(open_connector_of(b->n.kind)->step[step].judge(&b->c, h[i].status, slice_str(h[i].body), b->a, &why), h[i].verdict);
        assert_int_equal(why, h[i].why);
        assert_int_equal(b->c.id5.n != 0, b->n.kind == NOTICE_PROVISION && step == 0 && h[i].verdict == OPEN_DELIVERED);
    }
}
#define HEARS(b, step, ...) hears((b), (step), (const struct heard[]){ __VA_ARGS__ }, sizeof((const struct heard[]){ __VA_ARGS__ }) / sizeof(struct heard))
#define STATUSES                                                                                                                                                     \
    { 302, "", OPEN_NEVER, OPEN_R_REDIRECT }, { 307, "{}", OPEN_NEVER, OPEN_R_REDIRECT }, { 401, "", OPEN_NEVER, OPEN_R_REFUSED }, { 408, "", OPEN_LATER, OPEN_R_BUSY }, \
    { 429, "{}", OPEN_LATER, OPEN_R_BUSY }, { 500, "<html>", OPEN_LATER, OPEN_R_SERVER }, { 503, "", OPEN_LATER, OPEN_R_SERVER }, { 100, "", OPEN_NEVER, OPEN_R_STATUS },  \
    { 600, "", OPEN_NEVER, OPEN_R_STATUS }

static void a_message_is_taken_with_its_own_id_or_without_a_word(void **state)
{
    struct bench *b = *state;
    static const enum notice_kind KINDS[] = { NOTICE_RECORD, NOTICE_QUESTIONNAIRE, NOTICE_ELIGIBILITY, NOTICE_CITIZEN };
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        b->n.kind = KINDS[i];
        HEARS(b, 0, STATUSES, { 200, "", OPEN_DELIVERED, OPEN_R_NONE }, { 204, "", OPEN_DELIVERED, OPEN_R_NONE },
              { 200, "{\"messageId\":\"" ID "\"}", OPEN_DELIVERED, OPEN_R_NONE }, { 200, "{\"messageId\":\"" OTHER "\"}", OPEN_NEVER, OPEN_R_OTHER },
              { 200, "{}", OPEN_NEVER, OPEN_R_SHAPE }, { 200, "ok", OPEN_NEVER, OPEN_R_SHAPE }, { 200, "[]", OPEN_NEVER, OPEN_R_SHAPE },
              { 200, "{\"messageId\":7}", OPEN_NEVER, OPEN_R_SHAPE }, { 200, "{\"messageId\":\"" ID "0\"}", OPEN_NEVER, OPEN_R_SHAPE },
              { 200, "{\"messageId\":\"" ID "\",\"more\":\"x\"}", OPEN_NEVER, OPEN_R_SHAPE },
              { 200, "{\"messageId\":\"" ID "\",\"messageId\":\"" ID "\"}", OPEN_NEVER, OPEN_R_SHAPE }, { 200, "{\"messageId\":\"\"}", OPEN_NEVER, OPEN_R_SHAPE });
    }
}

#define GIVEN(id, id5) "{\"requestId\":\"" id "\",\"id5\":\"" id5 "\"}"
static void an_id5_is_of_this_request_and_names_the_person_nowhere_else(void **state)
{
    struct bench *b = *state;
    provide(b);
    HEARS(b, 0, STATUSES, { 200, GIVEN(ID, ID5), OPEN_DELIVERED, OPEN_R_NONE }, { 200, GIVEN(OTHER, ID5), OPEN_NEVER, OPEN_R_OTHER },
          { 200, GIVEN(ID, PMH_KEY), OPEN_NEVER, OPEN_R_SHAPE }, { 200, GIVEN(ID, "123456789018"), OPEN_NEVER, OPEN_R_SHAPE },
          { 200, GIVEN(ID, "12345678901812345678"), OPEN_NEVER, OPEN_R_SHAPE }, { 200, GIVEN(ID, "short"), OPEN_NEVER, OPEN_R_SHAPE },
          { 200, GIVEN(ID, "with a blank in between"), OPEN_NEVER, OPEN_R_SHAPE }, { 200, GIVEN(ID, ID5 ID5 "0"), OPEN_NEVER, OPEN_R_SHAPE },
          { 200, "", OPEN_NEVER, OPEN_R_SHAPE }, { 204, "", OPEN_NEVER, OPEN_R_SHAPE }, { 200, "{\"id5\":\"" ID5 "\"}", OPEN_NEVER, OPEN_R_SHAPE },
          { 200, "{\"requestId\":\"" ID "\",\"id5\":\"" ID5 "\",\"name\":\"x\"}", OPEN_NEVER, OPEN_R_SHAPE });
}

#define TAKEN(id, status) "{\"provisionId\":\"" id "\",\"status\":\"" status "\"}"
static void the_database_takes_this_provision(void **state)
{
    struct bench *b = *state;
    provide(b);
    HEARS(b, 1, STATUSES, { 200, TAKEN(PROVISION, "accepted"), OPEN_DELIVERED, OPEN_R_NONE }, { 200, TAKEN(EARLIER, "accepted"), OPEN_NEVER, OPEN_R_OTHER },
          { 200, TAKEN(PROVISION, "queued"), OPEN_NEVER, OPEN_R_SHAPE }, { 200, "", OPEN_NEVER, OPEN_R_SHAPE }, { 204, "", OPEN_NEVER, OPEN_R_SHAPE },
          { 200, "{\"provisionId\":\"" PROVISION "\"}", OPEN_NEVER, OPEN_R_SHAPE });
}

/* Only the database itself, in so many words, about this provision, when something was to be replaced. */
static void what_the_database_never_had_is_known_by_its_own_word(void **state)
{
    struct bench *b = *state;
    provide(b);
    memcpy(b->c.replaces, EARLIER, sizeof EARLIER);
    HEARS(b, 1, { 404, TAKEN(PROVISION, "unknown"), OPEN_UNKNOWN, OPEN_R_REFUSED }, { 404, TAKEN(EARLIER, "unknown"), OPEN_NEVER, OPEN_R_REFUSED },
          { 404, TAKEN(PROVISION, "accepted"), OPEN_NEVER, OPEN_R_REFUSED }, { 404, "", OPEN_NEVER, OPEN_R_REFUSED }, { 404, "not found", OPEN_NEVER, OPEN_R_REFUSED },
          { 200, TAKEN(PROVISION, "unknown"), OPEN_NEVER, OPEN_R_SHAPE }, { 410, TAKEN(PROVISION, "unknown"), OPEN_NEVER, OPEN_R_REFUSED },
          { 503, TAKEN(PROVISION, "unknown"), OPEN_LATER, OPEN_R_SERVER });
    b->c.replaces[0] = '\0';
    HEARS(b, 1, { 404, TAKEN(PROVISION, "unknown"), OPEN_NEVER, OPEN_R_REFUSED });
}

static void every_kind_has_a_connector_and_the_number_none(void **state)
{
    (void)state;
    for (unsigned k = NOTICE_QUESTIONNAIRE; k < NOTICE_KIND__MAX; k++) {
        const struct open_connector *o = open_connector_of((enum notice_kind)k);
        assert_non_null(o);
        for (size_t s = 0; s < o->n_steps; s++) {
            assert_true(o->step[s].answer_max > 0 && o->step[s].answer_max <= OPEN_ANSWER_MAX);
            assert_int_equal(o->step[s].is_signed, o->step[s].target == OPEN_CLINIC);
        }
    }
    assert_null(open_connector_of(NOTICE_KIND__MAX));
}

#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    json_in_setup();
    const struct CMUnitTest tests[] = {
        WITH_BENCH(clinics_hear_the_ids_that_they_know), WITH_BENCH(the_portal_hears_its_own_pseudonym), WITH_BENCH(two_steps_have_no_name_in_common_but_the_id5),
        WITH_BENCH(without_what_it_needs_a_provision_says_nothing), WITH_BENCH(a_message_is_taken_with_its_own_id_or_without_a_word),
        WITH_BENCH(an_id5_is_of_this_request_and_names_the_person_nowhere_else), WITH_BENCH(the_database_takes_this_provision),
        WITH_BENCH(what_the_database_never_had_is_known_by_its_own_word),
        cmocka_unit_test(every_kind_has_a_connector_and_the_number_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
