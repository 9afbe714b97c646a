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

#define SID "ffeeddccbbaa99887766554433221100"

static void test_what_is_gone_is_named_by_subject_person_field_and_version(void **state)
{
    static const struct { const char *field; uint64_t version; } CASES[] = { { RECORD, 1 }, { RECORD, UINT16_MAX }, { TICKET, 1764000000123 }, { SUBJECT, UINT64_MAX } };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct person p;
        struct vrs_mark back;
        struct vrs_mark_text mark;
        struct nz_rep_row row;
        memcpy(p.h, H, sizeof p.h);
        vrs_mark_gone_name(LIT(SID), &p, slice_str(CASES[i].field), CASES[i].version, &mark);
        assert_true(vrs_mark_parse(vrs_mark_slice(&mark), &back));
        assert_true(back.gone && !back.again);
        assert_true(slice_eq(back.sid, LIT(SID)) && slice_eq(back.field, slice_str(CASES[i].field)) && slice_eq(ARR(back.person.h), LIT(H)));
        assert_true(back.version == CASES[i].version);
        assert_true(nz_rep_row_begin(&row, vrs_mark_slice(&mark), LIT("7")));
        assert_true(row.gone && row.version == CASES[i].version && row.due_ms == 7 && row.sid[0] == 0xff && row.sid[15] == 0);
        nz_rep_row_done(&row);
    }
}

static void test_all_that_is_gone_of_a_subject_lies_in_its_range_and_nobody_elses(void **state)
{
    struct store_name from, to;
    struct vrs_mark_text mark;
    struct person p;
    (void)state;
    memcpy(p.h, H, sizeof p.h);
    vrs_mark_gone_range(LIT(SID), &from, &to);
    vrs_mark_gone_name(LIT(SID), &p, LIT(TICKET), 5, &mark);
    assert_true(from.c[0] == '[' && to.c[0] == '[' && from.n == to.n);
    assert_true(memcmp(mark.c + 1, from.c + 1, from.n - 1) >= 0 && memcmp(mark.c + 1, to.c + 1, to.n - 1) < 0);
    vrs_mark_gone_name(LIT("ffeeddccbbaa99887766554433221101"), &p, LIT(TICKET), 5, &mark);
    assert_true(memcmp(mark.c + 1, to.c + 1, to.n - 1) > 0);
    vrs_mark_gone_name(LIT("ffeeddccbbaa998877665544332210ff"), &p, LIT(TICKET), 5, &mark);
    assert_true(memcmp(mark.c + 1, from.c + 1, from.n - 1) < 0);
}

static void test_what_is_no_mark(void **state)
{
    static const char *const CASES[] = { "", "+", "++" H ":" RECORD, H, H ":", H ":r:331007:0123456789abcdef", H ":c:331007:0123456789abcdef", H ":q:331007:0123456789abcdef0123456789abcdef", H ";" RECORD,
                                         "0" H ":" RECORD, "zz112233445566778899aabbccddeeff:" RECORD, H ":s:331007", H ":" RECORD "00", "-" H ":" RECORD, "-" SID ":" H ":" RECORD, "-" SID ":" H ":" TICKET, "-" SID ":" H ":" TICKET ":", "-" SID ":" H ":" TICKET ":0", "-" SID ":" H ":" TICKET ":01",
                                         "-" SID ":" H ":" TICKET ":1x", "-" SID ":" H ":" TICKET ":99999999999999999999", "-" SID ":" H ":" TICKET ":123456789012345678901", "-" SID H ":" TICKET ":1",
                                         "-+" SID ":" H ":" TICKET ":1", "+-" SID ":" H ":" TICKET ":1", "-" SID ":" H ":s:331007:1", "-zzeeddccbbaa99887766554433221100:" H ":" TICKET ":1", H ":" TICKET ":1", H ":i:33100:0123456789abcdef0123456789abcdef" };
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
        cmocka_unit_test(test_what_is_gone_is_named_by_subject_person_field_and_version),
        cmocka_unit_test(test_all_that_is_gone_of_a_subject_lies_in_its_range_and_nobody_elses),
        cmocka_unit_test(test_what_is_no_mark),
        cmocka_unit_test(test_marks_of_one_thing_are_one_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
