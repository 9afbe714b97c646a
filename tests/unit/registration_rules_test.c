#include "tests/unit/registration_bench.h"

static json_t *row_of(const char *number, const char *resident, const char *history, const char *name, const char *birth)
{
    json_t *row = good_row();
    json_object_set_new(row, "myNumber", json_string(number));
    json_object_set_new(row, "historyKey", json_string(history));
    json_object_set_new(json_object_get(row, "basicFiveInfo"), "name", json_string(name));
    json_object_set_new(json_object_get(row, "basicFiveInfo"), "dateOfBirth", json_string(birth));
    if (resident)
        json_object_set_new(row, "municipalityIdentityKey", json_string(resident));
    else
        json_object_del(row, "municipalityIdentityKey");
    return row;
}

static void expect(struct bench *b, size_t i, enum nz_row_verdict v, unsigned with_row)
{
    const struct nz_row *r = &b->rows->row[i];
    if (r->verdict != v || r->with_row != with_row)
        fail_msg("row %zu: %s with %u, want %s with %u", i + 1, nz_row_slug(r->verdict), r->with_row, nz_row_slug(v), with_row);
}

#define A "123456789018"
#define B "983205673214"
#define PARSE_ROWS(b, ...) parse_rows((b), (json_t *[]){ __VA_ARGS__ }, sizeof((json_t *[]){ __VA_ARGS__ }) / sizeof(json_t *))

static void test_same_twice(void **state)
{
    struct bench *b = *state;
    PARSE_ROWS(b, row_of(A, "r1", "h", "n", "2000-01-01"), row_of(B, "r2", "h", "m", "2000-01-01"), row_of(A, "r1", "h", "n", "2000-01-01"),
               row_of(A, "r1", "h", "n", "2000-01-01"), row_of(A, "r1", "h2", "n", "2000-01-01"));
    expect(b, 0, NZ_ROW_OK, 0);
    expect(b, 1, NZ_ROW_OK, 0);
    expect(b, 2, NZ_ROW_SAME_TWICE, 1);
    expect(b, 3, NZ_ROW_SAME_TWICE, 1);
    expect(b, 4, NZ_ROW_OK, 0);
}

static void test_contradict(void **state)
{
    struct bench *b = *state;
    PARSE_ROWS(b, row_of(A, "r1", "h", "n", "2000-01-01"), row_of(A, "r1", "h", "n2", "2000-01-01"), row_of(A, "r1", "h", "n", "2000-01-01"));
    expect(b, 0, NZ_ROWS_CONTRADICT, 2);
    expect(b, 1, NZ_ROWS_CONTRADICT, 1);
    expect(b, 2, NZ_ROWS_CONTRADICT, 1);
    /* the resident key belongs to the content */
    PARSE_ROWS(b, row_of(A, "r1", "h", "n", "2000-01-01"), row_of(A, NULL, "h", "n", "2000-01-01"));
    expect(b, 0, NZ_ROWS_CONTRADICT, 2);
    expect(b, 1, NZ_ROWS_CONTRADICT, 1);
}

static void test_resident_two_numbers(void **state)
{
    struct bench *b = *state;
    PARSE_ROWS(b, row_of(A, "r1", "h", "n", "2000-01-01"), row_of("210987654321", "r9", "h", "z", "1999-01-01"), row_of(B, "r1", "h", "n", "2000-01-01"),
               row_of(A, "r1", "h2", "n", "2000-01-01"));
    expect(b, 0, NZ_RESIDENT_TWO_NUMBERS, 3);
    expect(b, 1, NZ_ROW_OK, 0);
    expect(b, 2, NZ_RESIDENT_TWO_NUMBERS, 1);
    expect(b, 3, NZ_RESIDENT_TWO_NUMBERS, 1);
}

static void test_number_two_residents(void **state)
{
    struct bench *b = *state;
    PARSE_ROWS(b, row_of(A, "r1", "h", "n", "2000-01-01"), row_of(A, "r2", "h2", "m", "2001-01-01"), row_of(A, NULL, "h3", "n", "2000-01-01"));
    expect(b, 0, NZ_NUMBER_TWO_RESIDENTS, 2);
    expect(b, 1, NZ_NUMBER_TWO_RESIDENTS, 1);
    expect(b, 2, NZ_NUMBER_TWO_RESIDENTS, 1);
}

static void test_person_mismatch(void **state)
{
    struct bench *b = *state;
    PARSE_ROWS(b, row_of(A, NULL, "h", "n", "2000-01-01"), row_of(A, NULL, "h2", "m", "2001-01-01"), row_of(B, NULL, "h", "q", "2001-01-01"));
    expect(b, 0, NZ_PERSON_MISMATCH, 2);
    expect(b, 1, NZ_PERSON_MISMATCH, 1);
    expect(b, 2, NZ_ROW_OK, 0);
    /* a changed name, or a corrected birth date, is one person */
    PARSE_ROWS(b, row_of(A, NULL, "h", "n", "2000-01-01"), row_of(A, NULL, "h2", "m", "2000-01-01"));
    expect(b, 0, NZ_ROW_OK, 0);
    expect(b, 1, NZ_ROW_OK, 0);
    /* neither neighbour differs in both, but the second and the third do */
    PARSE_ROWS(b, row_of(A, NULL, "h", "n", "2000-01-01"), row_of(A, NULL, "h2", "m", "2000-01-01"), row_of(A, NULL, "h3", "n", "2001-01-01"));
    expect(b, 0, NZ_PERSON_MISMATCH, 2);
    expect(b, 2, NZ_PERSON_MISMATCH, 1);
}

/* A refused row takes no part: its number cannot be believed. */
static void test_faulty_row_takes_no_part(void **state)
{
    struct bench *b = *state;
    json_t *bad = row_of(B, "r1", "h", "n", "2000-01-01");
    json_object_set_new(bad, "isDeleted", json_string("0"));
    PARSE_ROWS(b, row_of(A, "r1", "h", "n", "2000-01-01"), bad);
    expect(b, 0, NZ_ROW_OK, 0);
    expect(b, 1, NZ_ROW_FIELD, 0);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_same_twice), T(test_contradict), T(test_resident_two_numbers), T(test_number_two_residents), T(test_person_mismatch),
        T(test_faulty_row_takes_no_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
