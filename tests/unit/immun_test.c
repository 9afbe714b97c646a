/* A vaccination record: what is read, written, kept, and who was told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/vaccine/consequences.h"
#include "gateway/vaccine/ticket_index.h"

#define HEAD "{\"municipalityCode\":\"331007\",\"vaccinationProgramId\":\"mr-1\",\"doseNumber\":\"1\",\"vaccinationDate\":\"2026-11-21\",\"isConsented\":true"
#define WHOLE                                                                                                                               \
    HEAD ",\"ticketNumber\":\"0123456789\",\"gtin\":\"4987035184614\",\"vaccineName\":\"MR\",\"productName\":\"製品\",\"manufacturer\":\"メーカー\"," \
         "\"lotNumber\":\"A1/2\",\"expirationDate\":\"2027-12-31\",\"doseQuantity\":\"0.25\",\"doseUnit\":\"mL\",\"site\":\"left_arm\",\"route\":\"sc\"," \
         "\"medicalInstitutionCode\":\"3319900019\",\"doctorName\":\"葛\U000E0100 花子\",\"place\":\"会場\",\"implementationSegment\":\"1\"," \
         "\"vaccinationSegment\":\"2\",\"isOverseas\":true,\"isCautionRequired\":true,\"specialCircumstances\":\"なし\"}"

static int set_up(void **state)
{
    json_in_setup();
    *state = arena_new(1 << 20);
    return *state ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_free(*state);
    return 0;
}

static void test_every_member_is_read_and_written(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec), *back = arena_get(*state, sizeof *back);
    struct field_report report;
    struct buf plain, out;
    struct jsonw w;
    rec->n_versions = 1;
    assert_int_equal(immun_read(LIT(WHOLE), *state, &rec->versions[0], &report).code, E_OK);
    rec->versions[0].recorded_ms = 1795219200000;
    rec->versions[0].warnings = 5;
    buf_init(&plain, IMMUN_PLAIN_MAX);
    buf_init(&out, 8192);
    assert_int_equal(immun_encode(rec, &plain).code, E_OK);
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_OK);
    assert_true(immun_same(&rec->versions[0], &back->versions[0]));
    assert_int_equal(back->versions[0].warnings, 5);
    jsonw_init(&w, &out);
    immun_write(back, 1, IMMUN_VIEW_MUNICIPALITY, &w);
    static const char *const PARTS[] = { "\"ticketNumber\":\"0123456789\"", "\"gtin\":\"04987035184614\"", "\"doseQuantity\":\"0.25\",\"doseUnit\":\"mL\"",
                                         "\"doctorName\":\"葛\U000E0100 花子\"", "\"isCautionRequired\":true", "\"version\":\"1\"", "\"status\":\"completed\"" };
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        if (!memmem(out.p, out.n, PARTS[i], strlen(PARTS[i])))
            fail_msg("no %s in %s", PARTS[i], buf_cstr(&out));
    buf_reset(&out);
    jsonw_init(&w, &out);
    immun_write(back, 1, IMMUN_VIEW_CLINIC, &w);
    assert_null(memmem(out.p, out.n, "ticketNumber", 12));
    buf_done(&plain);
    buf_done(&out);
}

static void test_a_stored_program_or_gtin_that_is_no_code_is_refused(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec), *back = arena_get(*state, sizeof *back);
    struct field_report report;
    rec->n_versions = 1;
    assert_int_equal(immun_read(LIT(WHOLE), *state, &rec->versions[0], &report).code, E_OK);
    const struct immun good = rec->versions[0];
    const struct { struct slice program, gtin; enum err_code want; } CASES[] = {
        { good.program, good.gtin, E_OK },  { good.program, SLICE_NONE, E_OK },  { LIT("  "), good.gtin, E_SEAL },
        { SLICE_NONE, good.gtin, E_SEAL },  { good.program, LIT("              "), E_SEAL }, { good.program, LIT("4987035184614"), E_SEAL },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct buf plain;
        buf_init(&plain, IMMUN_PLAIN_MAX);
        rec->versions[0].program = CASES[i].program;
        rec->versions[0].gtin = CASES[i].gtin;
        assert_int_equal(immun_encode(rec, &plain).code, E_OK);
        assert_int_equal(immun_decode(buf_slice(&plain), back).code, CASES[i].want);
        buf_done(&plain);
    }
}

static void test_a_part_or_more_of_the_plain_form_is_refused(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec), *back = arena_get(*state, sizeof *back);
    struct field_report report;
    struct buf plain;
    rec->n_versions = 1;
    assert_int_equal(immun_read(LIT(WHOLE), *state, &rec->versions[0], &report).code, E_OK);
    assert_true(immun_note_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 7));
    buf_init(&plain, IMMUN_PLAIN_MAX);
    assert_int_equal(immun_encode(rec, &plain).code, E_OK);
    for (size_t n = 0; n < plain.n; n++)
        assert_int_equal(immun_decode(slice_of(plain.p, n), back).code, E_SEAL);
    buf_putc(&plain, 0);
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_SEAL);
    rec->n_versions = 0;
    assert_int_equal(immun_encode(rec, &plain).code, E_FULL);
    rec->n_versions = IMMUN_VERSIONS_MAX + 1;
    assert_int_equal(immun_encode(rec, &plain).code, E_FULL);
    buf_done(&plain);
}

/* Records that were written before versions kept the reduction of their subject. */
static void test_the_older_plain_form_has_no_reduction(void **state)
{
    enum { EMPTY_TEXT = 2 };
    struct immun_record *rec = arena_get(*state, sizeof *rec), *back = arena_get(*state, sizeof *back);
    struct field_report report;
    struct buf plain;
    rec->n_versions = 1;
    assert_int_equal(immun_read(LIT(WHOLE), *state, &rec->versions[0], &report).code, E_OK);
    buf_init(&plain, IMMUN_PLAIN_MAX);
    assert_int_equal(immun_encode(rec, &plain).code, E_OK);
    assert_int_equal(plain.p[0], 3);
    plain.p[0] = 1;
    back->versions[0].reduction = LIT("of a record that was here before");
    assert_int_equal(immun_decode(slice_of(plain.p, plain.n - EMPTY_TEXT), back).code, E_OK);
    assert_true(immun_same(&rec->versions[0], &back->versions[0]));
    assert_int_equal(back->versions[0].reduction.n, 0);
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_SEAL);
    plain.p[0] = 2;
    assert_int_equal(immun_decode(slice_of(plain.p, plain.n - EMPTY_TEXT), back).code, E_SEAL);
    plain.p[0] = 4;
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_SEAL);
    buf_reset(&plain);
    rec->versions[0].reduction = LIT("生活保護");
    assert_int_equal(immun_encode(rec, &plain).code, E_OK);
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_OK);
    assert_true(slice_eq(back->versions[0].reduction, LIT("生活保護")));
    buf_done(&plain);
}

static void test_what_is_wrong_is_named(void **state)
{
    static const struct { const char *json, *field; enum field_rule rule; } CASES[] = {
        { "{}", "municipalityCode", FR_MISSING },
        { HEAD ",\"municipalityName\":\"x\"}", "", FR_UNKNOWN },
        { HEAD ",\"gtin\":\"498703518\"}", "gtin", FR_LENGTH },
        { HEAD ",\"gtin\":\"4987035184614x\"}", "gtin", FR_CLASS },
        { HEAD ",\"doseQuantity\":\"0.5\"}", "doseUnit", FR_MISSING },
        { HEAD ",\"doseUnit\":\"mL\"}", "doseUnit", FR_RANGE },
        { HEAD ",\"doseUnit\":\"g\",\"doseQuantity\":\"0.5\"}", "doseUnit", FR_CODE },
        { HEAD ",\"doseUnit\":\"mL\",\"doseQuantity\":\"0.5000\"}", "doseQuantity", FR_CLASS },
        { HEAD ",\"doseUnit\":\"mL\",\"doseQuantity\":\".5\"}", "doseQuantity", FR_CLASS },
        { HEAD ",\"doseUnit\":\"mL\",\"doseQuantity\":\"1.\"}", "doseQuantity", FR_CLASS },
        { HEAD ",\"doseUnit\":\"mL\",\"doseQuantity\":\"0\"}", "doseQuantity", FR_CLASS },
        { HEAD ",\"doseUnit\":\"mL\",\"doseQuantity\":\"01\"}", "doseQuantity", FR_CLASS },
        { HEAD ",\"doseUnit\":\"mL\",\"doseQuantity\":\"99999999\"}", "doseQuantity", FR_CLASS },
        { HEAD ",\"place\":\"123456789018\"}", "place", FR_NUMBER_INSIDE },
        { HEAD ",\"place\":\"番号 1234-5678-9018 です\"}", "place", FR_NUMBER_INSIDE },
        { HEAD ",\"doctorName\":\"１２３４５６７８９０１８\"}", "doctorName", FR_NUMBER_INSIDE },
        { HEAD ",\"lotNumber\":\"123456789018\"}", "lotNumber", FR_NUMBER_INSIDE },
        { HEAD ",\"place\":\"a\\u0007b\"}", "place", FR_CLASS },
        { HEAD ",\"isOverseas\":\"1\"}", "isOverseas", FR_TYPE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct immun im;
        struct field_report report;
        if (immun_read(slice_str(CASES[i].json), *state, &im, &report).code != E_FIELD || strcmp(report.faults[0].field, CASES[i].field) != 0 ||
            report.faults[0].rule != CASES[i].rule)
            fail_msg("case %zu: %s %s", i, report.faults[0].field, field_rule_slug(report.faults[0].rule));
    }
    struct immun im;
    struct field_report report;
    assert_int_equal(immun_read(LIT(HEAD ",\"place\":\"12345678901 町\"}"), *state, &im, &report).code, E_OK); /* eleven digits */
    assert_int_equal(immun_read(LIT("[]"), *state, &im, &report).code, E_JSON_SHAPE);
}

static void test_a_field_leads_back_to_its_record(void **state)
{
    static const uint8_t ID[IMMUN_ID_BYTES] = { 0, 1, 0xab, [15] = 0xff };
    struct store_name f;
    struct slice muni;
    uint8_t id[IMMUN_ID_BYTES];
    (void)state;
    immun_field("331007", ID, &f);
    assert_true(immun_field_is(store_name_slice(&f), &muni, id));
    assert_true(slice_eq(muni, LIT("331007")) && slice_eq(ARR(id), ARR(ID)));
    assert_true(store_field_is_made(store_name_slice(&f), &muni));
    assert_false(immun_field_is(slice_of(f.c, f.n - 1), &muni, id));
    assert_false(immun_field_is(LIT("q:331007:00000000000000000000000000000000"), &muni, id));
    assert_true(store_field_is_made(LIT("q:331007:00000000000000000000000000000000"), &muni));
    assert_false(store_field_is_made(LIT("k:331007:0000000000000000"), &muni));
}

static void test_who_was_told_is_known_and_bounded(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec);
    char who[11];
    rec->n_versions = 1;
    assert_true(immun_note_recipient(rec, IMMUN_TO_CITIZEN, SLICE_NONE, 1));
    assert_false(immun_note_recipient(rec, IMMUN_TO_CITIZEN, SLICE_NONE, 2));
    rec->n_versions = 2;
    assert_true(immun_note_recipient(rec, IMMUN_TO_CITIZEN, SLICE_NONE, 3));
    assert_int_equal(rec->n_recipients, 1);
    assert_int_equal(rec->recipients[0].version, 2);
    for (unsigned i = 0; i < 2 * IMMUN_RECIPIENTS_MAX; i++) {
        snprintf(who, sizeof who, "%010u", i);
        assert_true(immun_note_recipient(rec, IMMUN_TO_CLINIC, slice_str(who), 10 + i));
        if (i == 5)
            rec->recipients[3].acked_ms = 99;
    }
    assert_int_equal(rec->n_recipients, IMMUN_RECIPIENTS_MAX);
    for (size_t i = 0; i < rec->n_recipients; i++)
        assert_int_equal(rec->recipients[i].acked_ms, 0); /* the confirmed one left first */
}

static void test_notices_are_read_and_no_others(void **state)
{
    static const uint8_t GOOD[] = { 1, 2, 0, 0, 1, 0x9a, 0, 0, 0, 0, '3', '3', '1', '0', '0', '7', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 3 };
    struct vaccine_notice n;
    (void)state;
    assert_int_equal(vaccine_notice_decode(ARR(GOOD), &n).code, E_OK);
    assert_int_equal(n.what, VACCINE_CORRECTED);
    assert_int_equal(n.version, 3);
    for (size_t k = 0; k < sizeof GOOD; k++)
        assert_int_equal(vaccine_notice_decode(slice_of(GOOD, k), &n).code, E_SEAL);
    assert_true(vaccine_notice_field_is(LIT("nt:0123456789abcdef")));
    assert_false(vaccine_notice_field_is(LIT("nt:0123456789abcdeF")));
    assert_false(vaccine_notice_field_is(LIT("nt:0123456789abcde")));
}

static void test_twelve_digits_are_found_whatever_stands_between_them(void **state)
{
    static const char *const HELD[] = { "123456789018", "1234-5678-9018", "1234 5678 9018", "1.2.3.4.5.6.7.8.9.0.1.8", "１２３４　５６７８　９０１８", "123456－789018", ("123456\xE2\x80\x8B" "789018"),
                                        "1234__5678--9018", "LOT123456789018Z", "1234ー5678−9018" };
    static const char *const NOT[] = { "", "12345678901", "12345678901x8", "1234567890a18", "FC9880", "2026/11/21 2026", "1234567890１" };
    (void)state;
    for (size_t i = 0; i < sizeof HELD / sizeof HELD[0]; i++)
        assert_true(immun_holds_number(slice_str(HELD[i])));
    for (size_t i = 0; i < sizeof NOT / sizeof NOT[0]; i++)
        assert_false(immun_holds_number(slice_str(NOT[i])));
    for (size_t n = 0; n < strlen(HELD[4]); n++) /* cut off inside of a character */
        (void)immun_holds_number(slice_of(HELD[4], n));
}

static void test_a_person_has_room_for_so_much(void **state)
{
    struct immun_book *b = arena_get(*state, sizeof *b);
    assert_true(immun_book_has_room(b, true));
    b->n = IMMUN_RECORDS_MAX;
    assert_false(immun_book_has_room(b, true));
    assert_true(immun_book_has_room(b, false));
    b->n = 1;
    b->bytes = IMMUN_PERSON_MAX;
    assert_false(immun_book_has_room(b, true));
    assert_false(immun_book_has_room(b, false));
    assert_true(vaccine_tie_is(LIT("s:331007")));
    assert_false(vaccine_tie_is(LIT("s:33100")));
    assert_false(vaccine_tie_is(LIT("s:33100x")));
    assert_false(vaccine_tie_is(LIT("k:331007")));
}

static void test_a_recall_is_open_until_the_newest_version_is_confirmed(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec);
    rec->n_versions = 1;
    assert_true(immun_note_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 5));
    const struct immun_recipient *r = &rec->recipients[0];
    assert_false(immun_recall_is_open(rec, r));
    rec->n_versions = 3;
    assert_true(immun_recall_is_open(rec, r));
    assert_true(immun_ack_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 2, 6)); /* of a message that is older by now */
    assert_true(immun_recall_is_open(rec, r));
    assert_true(immun_ack_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 3, 7));
    assert_false(immun_recall_is_open(rec, r));
    assert_true(r->version == 3 && r->at_ms == 7 && r->acked_ms == 7);
    assert_false(immun_ack_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 2, 8)); /* it knows a later one */
    assert_int_equal(r->version, 3);
    assert_true(immun_ack_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1, 9)); /* of whom nothing was noted */
    assert_int_equal(rec->n_recipients, 2);
    assert_true(immun_recall_is_open(rec, &rec->recipients[1]));
    rec->recipients[1].audience = IMMUN_TO_CERTIFICATE;
    assert_false(immun_recall_is_open(rec, &rec->recipients[1]));
}

static void test_what_somebody_was_perhaps_told_is_known_until_it_is_certain(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec);
    rec->n_versions = 3;
    assert_true(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1, 5));
    assert_false(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1, 6)); /* noted already */
    assert_true(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 2, 6));
    assert_false(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 0, 6));
    assert_false(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 4, 6)); /* no such version */
    const struct immun_recipient *r = immun_recipient_of(rec, IMMUN_TO_DATABASE, SLICE_NONE);
    assert_non_null(r);
    assert_int_equal(rec->n_recipients, 1);
    assert_true(r->version == 0 && immun_was_perhaps_told(r, 1) && immun_was_perhaps_told(r, 2) && !immun_was_perhaps_told(r, 3));
    assert_int_equal(immun_told_before(r, 3), 2);
    assert_int_equal(immun_told_before(r, 2), 1);
    assert_int_equal(immun_told_before(r, 1), 0);
    assert_true(immun_recall_is_open(rec, r));
    assert_true(immun_never_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 2));
    assert_false(immun_never_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 2));
    assert_int_equal(immun_told_before(r, 3), 1);
    assert_true(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 3, 7));
    assert_true(immun_ack_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 2, 8)); /* has it after all: 1 is behind it, 3 is not */
    assert_true(r->version == 2 && !immun_was_perhaps_told(r, 1) && immun_was_perhaps_told(r, 3));
    assert_false(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 2, 9));
    assert_true(immun_recall_is_open(rec, r)); /* 3 is not confirmed */
    assert_true(immun_ack_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 3, 9));
    assert_true(r->version == 3 && r->perhaps == 0);
    assert_false(immun_recall_is_open(rec, r));
}

static void test_who_was_told_nothing_after_all_leaves(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec);
    rec->n_versions = 1;
    assert_true(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1, 5));
    assert_false(immun_recall_is_open(rec, &rec->recipients[0])); /* it may have the newest, and no other */
    assert_true(immun_note_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 6));
    assert_false(immun_never_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 1)); /* that one was told */
    assert_true(immun_never_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1));
    assert_int_equal(rec->n_recipients, 1);
    assert_null(immun_recipient_of(rec, IMMUN_TO_DATABASE, SLICE_NONE));
    assert_non_null(immun_recipient_of(rec, IMMUN_TO_CLINIC, LIT("3319900019")));
}

static void test_the_database_never_leaves_the_ledger(void **state)
{
    struct immun_record *rec = arena_get(*state, sizeof *rec);
    char who[11];
    rec->n_versions = 1;
    assert_true(immun_ack_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1, 1)); /* the oldest, and confirmed */
    for (unsigned i = 0; i < 2 * IMMUN_RECIPIENTS_MAX; i++) {
        snprintf(who, sizeof who, "%010u", i);
        assert_true(immun_note_recipient(rec, IMMUN_TO_CLINIC, slice_str(who), 10 + i));
    }
    assert_int_equal(rec->n_recipients, IMMUN_RECIPIENTS_MAX);
    assert_non_null(immun_recipient_of(rec, IMMUN_TO_DATABASE, SLICE_NONE));
}

static void test_what_was_perhaps_told_is_stored_and_older_forms_are_read(void **state)
{
    enum { PERHAPS_BYTES = 4, VERSION_BACK = PERHAPS_BYTES + 10 + 8 + 8 + 2 };
    struct immun_record *rec = arena_get(*state, sizeof *rec), *back = arena_get(*state, sizeof *back);
    struct field_report report;
    struct buf plain;
    rec->n_versions = 2;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(immun_read(LIT(WHOLE), *state, &rec->versions[i], &report).code, E_OK);
    assert_true(immun_ack_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 1, 4));
    assert_true(immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, 2, 5));
    buf_init(&plain, IMMUN_PLAIN_MAX);
    assert_int_equal(immun_encode(rec, &plain).code, E_OK);
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_OK);
    assert_true(back->recipients[0].version == 1 && back->recipients[0].perhaps == 2);
    static const struct { uint8_t version, perhaps; } BAD[] = { { 0, 0 } /* nothing was told */, { 1, 4 } /* no such version */, { 2, 2 } /* and certain too */ };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        plain.p[plain.n - VERSION_BACK + 1] = BAD[i].version;
        plain.p[plain.n - 1] = BAD[i].perhaps;
        assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_SEAL);
    }
    plain.p[plain.n - VERSION_BACK + 1] = 1;
    plain.p[0] = 2; /* as it was written before: the same without the last member */
    assert_int_equal(immun_decode(buf_slice(&plain), back).code, E_SEAL);
    assert_int_equal(immun_decode(slice_of(plain.p, plain.n - PERHAPS_BYTES), back).code, E_OK);
    assert_true(back->recipients[0].version == 1 && back->recipients[0].perhaps == 0 && back->recipients[0].acked_ms == 4);
    buf_done(&plain);
}

static void test_the_number_of_a_ticket_is_found_in_its_record(void **state)
{
    (void)state;
    assert_true(slice_eq(ticket_number_of(LIT("{\"a\":\"b\",\"ticketNumber\":\"0123456789\",\"c\":1}")), LIT("0123456789")));
    assert_int_equal(ticket_number_of(LIT("{\"a\":\"b\",\"ticketNumber\":\"012345678\"}")).n, 0);
    assert_int_equal(ticket_number_of(LIT("{\"a\":\"b\",\"ticketNumber\":\"01234")).n, 0);
    assert_int_equal(ticket_number_of(SLICE_NONE).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_member_is_read_and_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stored_program_or_gtin_that_is_no_code_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_part_or_more_of_the_plain_form_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_older_plain_form_has_no_reduction, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_named, set_up, tear_down),
        cmocka_unit_test(test_a_field_leads_back_to_its_record),
        cmocka_unit_test_setup_teardown(test_who_was_told_is_known_and_bounded, set_up, tear_down),
        cmocka_unit_test(test_notices_are_read_and_no_others),
        cmocka_unit_test(test_twelve_digits_are_found_whatever_stands_between_them),
        cmocka_unit_test_setup_teardown(test_a_person_has_room_for_so_much, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_recall_is_open_until_the_newest_version_is_confirmed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_somebody_was_perhaps_told_is_known_until_it_is_certain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_was_told_nothing_after_all_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_database_never_leaves_the_ledger, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_perhaps_told_is_stored_and_older_forms_are_read, set_up, tear_down),
        cmocka_unit_test(test_the_number_of_a_ticket_is_found_in_its_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
