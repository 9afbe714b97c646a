#include "tests/unit/registration_bench.h"

/* The forms with modificationSeg: good rows, then one member changed. */

#define BASIC "\"basicFiveInfo\":{\"name\":\"岡山太郎\",\"nameKana\":\"オカヤマタロウ\",\"address\":\"岡山市\",\"dateOfBirth\":\"2015-05-05\",\"sex\":\"1\"}"
#define HEAD(seg) "\"modificationSeg\":\"" seg "\",\"myNumber\":\"123456789018\",\"municipalityIdentityKey\":\"R-1\""
#define CHECKUP                                                                                                                     \
    "{" HEAD("1") "," BASIC ",\"isNotDisclosed\":false,\"isViewingStopped\":false,\"checkupTypeId\":\"GAN-01\",\"fiscalYear\":\"2026\"," \
    "\"checkupName\":\"胃がん検診\",\"checkupTicketNumber\":\"0001\",\"burdenSegment\":\"1\",\"checkupDate\":\"2026-06-01\","         \
    "\"validFrom\":\"2026-04-01\",\"validTo\":\"2027-03-31\"}"
#define VACCINATION                                                                                                                 \
    "{" HEAD("1") "," BASIC ",\"guardianName\":\"岡山花子\",\"isRecovery\":true,\"isNotDisclosed\":false,\"isViewingStopped\":false,"    \
    "\"vaccinationSubjectNumber\":\"V-1\",\"subjectSegment\":\"A\",\"reductionSegment\":\"B\"}"
#define TICKET                                                                                                                      \
    "{" HEAD("1") "," BASIC ",\"vaccinationProgramId\":\"MR-1\",\"ticketNumber\":\"0123456789\",\"vaccineName\":\"MR\",\"doseNumber\":\"1\"," \
    "\"validFrom\":\"2026-04-01\",\"validTo\":\"2027-03-31\",\"forcedExpiryDate\":\"2026-10-01\"}"

static const char *const GOOD[NZ_FORM__MAX] = { [NZ_FORM_CHECKUP] = CHECKUP, [NZ_FORM_VACCINATION] = VACCINATION, [NZ_FORM_TICKET] = TICKET };

struct change { enum nz_form form; const char *path, *value /* NULL: drop it */, *field; enum field_rule rule; };

static void put(json_t *row, const char *path, const char *value)
{
    const char *dot = strchr(path, '.');
    json_t *obj = dot ? json_object_get(row, "basicFiveInfo") : row;
    const char *name = dot ? dot + 1 : path;
    if (value)
        assert_int_equal(json_object_set_new(obj, name, json_loads(value, JSON_DECODE_ANY, NULL)), 0);
    else
        assert_int_equal(json_object_del(obj, name), 0);
}

static const struct nz_row *parse_one(struct bench *b, enum nz_form form, json_t *row)
{
    json_t *array = json_pack("[o]", row);
    char *text = json_dumps(array, 0);
    assert_int_equal(parse(b, form, text), E_OK);
    free(text);
    json_decref(array);
    return &b->rows->row[0];
}

static json_t *good(enum nz_form form)
{
    json_t *v = json_loads(GOOD[form], 0, NULL);
    assert_non_null(v);
    return v;
}

static void run(struct bench *b, const struct change *c, json_t *row)
{
    put(row, c->path, c->value);
    const struct nz_row *r = parse_one(b, c->form, row);
    const char *value = c->value ? c->value : "(none)";
    if (c->rule == FR_NONE) {
        if (r->verdict != NZ_ROW_OK || r->report.n_warnings)
            fail_msg("%s = %s: %s of %s", c->path, value, field_rule_slug(r->report.faults[0].rule), r->report.faults[0].field);
    } else if (r->verdict != NZ_ROW_FIELD || r->report.n_faults != 1 || r->report.faults[0].rule != c->rule || strcmp(r->report.faults[0].field, c->field) != 0) {
        fail_msg("%s = %s: %u faults, %s of %s", c->path, value, r->report.n_faults, field_rule_slug(r->report.faults[0].rule), r->report.faults[0].field);
    }
}

static void one_member_changed(void **state)
{
    static const struct change CASES[] = {
        { NZ_FORM_CHECKUP, "modificationSeg", NULL, "modificationSeg", FR_MISSING },
        { NZ_FORM_CHECKUP, "modificationSeg", "\"3\"", "modificationSeg", FR_CODE },
        { NZ_FORM_CHECKUP, "modificationSeg", "1", "modificationSeg", FR_TYPE },
        { NZ_FORM_CHECKUP, "modificationSeg", "\"\"", "modificationSeg", FR_CODE },
        { NZ_FORM_CHECKUP, "myNumber", NULL, "myNumber", FR_MISSING },
        { NZ_FORM_CHECKUP, "myNumber", "\"12345678901\"", "myNumber", FR_LENGTH },
        { NZ_FORM_CHECKUP, "municipalityIdentityKey", NULL, "municipalityIdentityKey", FR_MISSING },
        { NZ_FORM_CHECKUP, "municipalityIdentityKey", "\"\"", "municipalityIdentityKey", FR_LENGTH },
        { NZ_FORM_CHECKUP, "municipalityIdentityKey", "\"123456789018\"", "municipalityIdentityKey", FR_NUMBER_INSIDE },
        { NZ_FORM_CHECKUP, "basicFiveInfo", NULL, "basicFiveInfo", FR_MISSING },
        { NZ_FORM_CHECKUP, "basicFiveInfo", "\"x\"", "basicFiveInfo", FR_TYPE },
        { NZ_FORM_CHECKUP, "basicFiveInfo.name", NULL, "name", FR_MISSING },
        { NZ_FORM_CHECKUP, "basicFiveInfo.address", "\"983205673214\"", "address", FR_NUMBER_INSIDE },
        { NZ_FORM_CHECKUP, "isNotDisclosed", NULL, "isNotDisclosed", FR_MISSING },
        { NZ_FORM_CHECKUP, "isNotDisclosed", "\"0\"", "isNotDisclosed", FR_TYPE },
        { NZ_FORM_CHECKUP, "isViewingStopped", NULL, NULL, FR_NONE },
        { NZ_FORM_CHECKUP, "removalDate", "\"2026-10-01\"", "removalDate", FR_RANGE },
        { NZ_FORM_CHECKUP, "checkupTypeId", "\"胃\"", "checkupTypeId", FR_CLASS },
        { NZ_FORM_CHECKUP, "checkupTypeId", "\"123456789018\"", "checkupTypeId", FR_NUMBER_INSIDE },
        { NZ_FORM_CHECKUP, "checkupTypeId", NULL, "checkupTypeId", FR_MISSING }, /* a year is of a checkup */
        { NZ_FORM_CHECKUP, "fiscalYear", "\"26\"", "fiscalYear", FR_LENGTH },
        { NZ_FORM_CHECKUP, "fiscalYear", NULL, NULL, FR_NONE },
        { NZ_FORM_CHECKUP, "checkupName", "\"983205673214\"", "checkupName", FR_NUMBER_INSIDE },
        { NZ_FORM_CHECKUP, "checkupTicketNumber", "\"123456789018\"", "checkupTicketNumber", FR_NUMBER_INSIDE },
        { NZ_FORM_CHECKUP, "checkupTicketNumber", "\"983205673214\"", NULL, FR_NONE }, /* twelve digits of its own */
        { NZ_FORM_CHECKUP, "burdenSegment", "\"983205673214\"", "burdenSegment", FR_NUMBER_INSIDE },
        { NZ_FORM_CHECKUP, "checkupDate", "\"2026-02-30\"", "checkupDate", FR_DATE },
        { NZ_FORM_CHECKUP, "validTo", "\"2026-03-31\"", "validTo", FR_RANGE },
        { NZ_FORM_CHECKUP, "segment", "\"A\"", "", FR_UNKNOWN },
        { NZ_FORM_VACCINATION, "basicFiveInfo", NULL, "basicFiveInfo", FR_MISSING },
        { NZ_FORM_VACCINATION, "isNotDisclosed", NULL, "isNotDisclosed", FR_MISSING },
        { NZ_FORM_VACCINATION, "isRecovery", "\"1\"", "isRecovery", FR_TYPE },
        { NZ_FORM_VACCINATION, "isRecovery", NULL, NULL, FR_NONE },
        { NZ_FORM_VACCINATION, "isViewingStopped", "null", "isViewingStopped", FR_TYPE },
        { NZ_FORM_VACCINATION, "guardianName", "\"１２３４５６７８９０１８\"", "guardianName", FR_NUMBER_INSIDE },
        { NZ_FORM_VACCINATION, "guardianName", "\"a\\nb\"", "guardianName", FR_CLASS },
        { NZ_FORM_VACCINATION, "vaccinationSubjectNumber", "\"123456789018\"", "vaccinationSubjectNumber", FR_NUMBER_INSIDE },
        { NZ_FORM_VACCINATION, "vaccinationSubjectNumber", "\"\"", "vaccinationSubjectNumber", FR_LENGTH },
        { NZ_FORM_VACCINATION, "subjectSegment", "\"983205673214\"", "subjectSegment", FR_NUMBER_INSIDE },
        { NZ_FORM_VACCINATION, "reductionSegment", "\"983205673214\"", "reductionSegment", FR_NUMBER_INSIDE },
        { NZ_FORM_VACCINATION, "removalDate", "\"2026-10-01\"", "removalDate", FR_RANGE },
        { NZ_FORM_VACCINATION, "ticketNumber", "\"0123456789\"", "", FR_UNKNOWN },
        { NZ_FORM_TICKET, "basicFiveInfo", NULL, NULL, FR_NONE },
        { NZ_FORM_TICKET, "vaccinationProgramId", NULL, "vaccinationProgramId", FR_MISSING },
        { NZ_FORM_TICKET, "vaccinationProgramId", "\"123456789018\"", "vaccinationProgramId", FR_NUMBER_INSIDE },
        { NZ_FORM_TICKET, "ticketNumber", NULL, "ticketNumber", FR_MISSING },
        { NZ_FORM_TICKET, "ticketNumber", "\"012345678\"", "ticketNumber", FR_LENGTH },
        { NZ_FORM_TICKET, "ticketNumber", "\"01234 6789\"", "ticketNumber", FR_CLASS },
        { NZ_FORM_TICKET, "doseNumber", NULL, "doseNumber", FR_MISSING },
        { NZ_FORM_TICKET, "doseNumber", "\"100\"", "doseNumber", FR_LENGTH },
        { NZ_FORM_TICKET, "doseNumber", "1", "doseNumber", FR_TYPE },
        { NZ_FORM_TICKET, "vaccineName", "\"983205673214\"", "vaccineName", FR_NUMBER_INSIDE },
        { NZ_FORM_TICKET, "forcedExpiryDate", "\"\"", "forcedExpiryDate", FR_DATE },
        { NZ_FORM_TICKET, "isNotDisclosed", "true", "", FR_UNKNOWN }, /* flags are of persons, not of tickets */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        run(*state, &CASES[i], good(CASES[i].form));
}

/* A removal needs a date and what tells the record; the rest of a row may stand there, and is judged, and is not kept. */
static void removals(void **state)
{
    static const char *const BARE[NZ_FORM__MAX] = {
        [NZ_FORM_CHECKUP] = "{" HEAD("2") ",\"removalDate\":\"2026-10-01\"}",
        [NZ_FORM_VACCINATION] = "{" HEAD("2") ",\"removalDate\":\"2026-10-01\"}",
        [NZ_FORM_TICKET] = "{" HEAD("2") ",\"removalDate\":\"2026-10-01\",\"vaccinationProgramId\":\"MR-1\",\"ticketNumber\":\"0123456789\"}",
    };
    struct bench *b = *state;
    for (int form = NZ_FORM_CHECKUP; form <= NZ_FORM_TICKET; form++) {
        const struct nz_row *r = parse_one(b, (enum nz_form)form, json_loads(BARE[form], 0, NULL));
        assert_int_equal(r->verdict, NZ_ROW_OK);
        assert_true(r->record.removal && r->record.ended == 20261001 && !r->record.deleted);
        assert_true(r->record.eligibility.n == 0 && r->record.basic.n == 0 && r->record.from == 0 && r->record.to == 0);
        run(b, &(struct change){ (enum nz_form)form, "removalDate", NULL, "removalDate", FR_MISSING }, json_loads(BARE[form], 0, NULL));
        run(b, &(struct change){ (enum nz_form)form, "removalDate", "\"2026-13-01\"", "removalDate", FR_DATE }, json_loads(BARE[form], 0, NULL));
        run(b, &(struct change){ (enum nz_form)form, "municipalityIdentityKey", NULL, "municipalityIdentityKey", FR_MISSING }, json_loads(BARE[form], 0, NULL));
        json_t *full = good((enum nz_form)form);
        put(full, "modificationSeg", "\"2\"");
        put(full, "removalDate", "\"2026-10-02\"");
        r = parse_one(b, (enum nz_form)form, full);
        assert_int_equal(r->verdict, NZ_ROW_OK);
        assert_true(r->record.removal && r->record.ended == 20261002 && r->record.eligibility.n == 0 && r->record.basic.n > 0 && r->record.to == 0);
    }
}

static void what_is_kept(void **state)
{
    struct bench *b = *state;
    const struct nz_row *r = parse_one(b, NZ_FORM_CHECKUP, good(NZ_FORM_CHECKUP));
    assert_int_equal(r->verdict, NZ_ROW_OK);
    assert_true(slice_eq(r->type_id, LIT("GAN-01")) && slice_eq(r->history_key, LIT("2026")) && slice_eq(r->resident_key, LIT("R-1")));
    assert_true(r->record.from == 20260401 && r->record.to == 20270331 && r->record.ended == 0 && !r->record.removal);
    assert_true(slice_eq(r->record.eligibility, LIT("{\"municipalityCode\":\"331007\",\"checkupTypeId\":\"GAN-01\",\"fiscalYear\":\"2026\",\"checkupName\":\"胃がん検診\","
                                                    "\"checkupTicketNumber\":\"0001\",\"burdenSegment\":\"1\",\"checkupDate\":\"2026-06-01\","
                                                    "\"validFrom\":\"2026-04-01\",\"validTo\":\"2027-03-31\"}")));
    r = parse_one(b, NZ_FORM_VACCINATION, good(NZ_FORM_VACCINATION));
    assert_int_equal(r->verdict, NZ_ROW_OK);
    assert_true(r->type_id.n == 0 && r->history_key.n == 0); /* one record a person */
    assert_true(r->record.recovery && record_silences(&r->record));
    assert_true(slice_eq(r->record.eligibility, LIT("{\"municipalityCode\":\"331007\",\"guardianName\":\"岡山花子\",\"isRecovery\":true,"
                                                    "\"vaccinationSubjectNumber\":\"V-1\",\"subjectSegment\":\"A\",\"reductionSegment\":\"B\"}")));
    r = parse_one(b, NZ_FORM_TICKET, good(NZ_FORM_TICKET));
    assert_int_equal(r->verdict, NZ_ROW_OK);
    assert_true(slice_eq(r->type_id, LIT("MR-1")) && slice_eq(r->history_key, LIT("0123456789")));
    assert_int_equal(r->record.ended, 20261001); /* forced expiry */
    assert_true(slice_eq(r->record.basic, LIT("{\"name\":\"岡山太郎\",\"nameKana\":\"オカヤマタロウ\",\"address\":\"岡山市\",\"dateOfBirth\":\"2015-05-05\",\"sex\":\"1\"}")));
}

static void flags(void **state)
{
    struct bench *b = *state;
    for (int form = NZ_FORM_CHECKUP; form <= NZ_FORM_VACCINATION; form++)
        for (int bits = 0; bits < 4; bits++) {
            json_t *row = good((enum nz_form)form);
            put(row, "isNotDisclosed", bits & 1 ? "true" : "false");
            put(row, "isViewingStopped", bits & 2 ? "true" : "false");
            const struct nz_row *r = parse_one(b, (enum nz_form)form, row);
            assert_int_equal(r->verdict, NZ_ROW_OK);
            assert_int_equal(r->record.not_disclosed, bits & 1);
            assert_int_equal(r->record.viewing_stopped, bits >> 1);
        }
}

/* Rows between rows: a row that does not say whose it is, is no other person. */
static void nameless_rows_are_no_mix_up(void **state)
{
    struct bench *b = *state;
    static const char *const SECOND[] = { "\"0000000002\"", "\"0000000003\"" };
    json_t *named = good(NZ_FORM_TICKET), *nameless = good(NZ_FORM_TICKET), *other = good(NZ_FORM_TICKET);
    put(nameless, "basicFiveInfo", NULL);
    put(nameless, "ticketNumber", SECOND[0]);
    put(other, "basicFiveInfo.name", "\"別人\"");
    put(other, "basicFiveInfo.dateOfBirth", "\"1970-01-01\"");
    put(other, "ticketNumber", SECOND[1]);
    for (int with_other = 0; with_other < 2; with_other++) {
        json_t *array = json_pack(with_other ? "[OOO]" : "[OO]", nameless, named, other);
        char *text = json_dumps(array, 0);
        assert_int_equal(parse(b, NZ_FORM_TICKET, text), E_OK);
        for (size_t i = 0; i < b->rows->n; i++)
            assert_int_equal(b->rows->row[i].verdict, with_other ? NZ_PERSON_MISMATCH : NZ_ROW_OK);
        free(text);
        json_decref(array);
    }
    json_decref(named);
    json_decref(nameless);
    json_decref(other);
}

static void a_form_that_is_read_elsewhere(void **state)
{
    assert_int_equal(parse(*state, NZ_FORM_CHANGE, "[{}]"), E_CONFIG);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { T(one_member_changed), T(removals), T(what_is_kept), T(flags), T(nameless_rows_are_no_mix_up),
                                        T(a_form_that_is_read_elsewhere) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
