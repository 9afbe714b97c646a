#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/vaccine/vrs_mark.h"
#include "keys/report/row.h"

#define H "00112233445566778899aabbccddeeff"
#define RECORD "i:331007:0123456789abcdef0123456789abcdef"
#define TICKET "k:331007:0123456789abcdef"
#define SUBJECT "v:331007:0123456789abcdef"

static void test_a_mark_names_person_and_field(void **state)
{
    static const struct { const char *field; enum vrs_mark_kind kind; } CASES[] = { { RECORD, VRS_MARK_RECORD }, { TICKET, VRS_MARK_TICKET }, { SUBJECT, VRS_MARK_SUBJECT } };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct person p;
        struct vrs_mark back;
        struct store_name mark;
        struct slice muni;
        enum vrs_mark_kind kind;
        memcpy(p.h, H, sizeof p.h);
        vrs_mark_name(&p, slice_str(CASES[i].field), &mark);
        assert_true(vrs_mark_parse(store_name_slice(&mark), &back));
        assert_memory_equal(back.person.h, H, sizeof back.person.h);
        assert_true(slice_eq(back.field, slice_str(CASES[i].field)) && !back.again);
        assert_true(vrs_mark_kind_of(back.field, &kind, &muni));
        assert_int_equal(kind, CASES[i].kind);
        assert_true(slice_eq(muni, LIT("331007")));
        vrs_mark_name_again(&p, slice_str(CASES[i].field), &mark);
        assert_true(vrs_mark_parse(store_name_slice(&mark), &back));
        assert_true(slice_eq(back.field, slice_str(CASES[i].field)) && back.again);
        assert_memory_equal(back.person.h, H, sizeof back.person.h);
    }
}

static void test_what_is_no_mark(void **state)
{
    static const char *const CASES[] = { "", "+", "++" H ":" RECORD, H, H ":", H ":r:331007:0123456789abcdef", H ":c:331007:0123456789abcdef", H ":q:331007:0123456789abcdef0123456789abcdef", H ";" RECORD,
                                         "0" H ":" RECORD, "zz112233445566778899aabbccddeeff:" RECORD, H ":s:331007", H ":" RECORD "00", H ":i:33100:0123456789abcdef0123456789abcdef" };
    struct nz_rep_row row;
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (nz_rep_row_begin(&row, slice_str(CASES[i]), LIT("1")))
            fail_msg("%s", CASES[i]);
}

static void test_marks_of_one_thing_are_one_mark(void **state)
{
    struct person p;
    struct store_name a, b;
    (void)state;
    memcpy(p.h, H, sizeof p.h);
    vrs_mark_name(&p, LIT(TICKET), &a);
    vrs_mark_name(&p, LIT(TICKET), &b);
    assert_true(slice_eq(store_name_slice(&a), store_name_slice(&b)));
    vrs_mark_score(1764000000123, &a);
    assert_true(slice_eq(store_name_slice(&a), LIT("1764000000123")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_mark_names_person_and_field),
        cmocka_unit_test(test_what_is_no_mark),
        cmocka_unit_test(test_marks_of_one_thing_are_one_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
