/* Results of the rows of a file, as they are kept and told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/bulk/changed.h"
#include "keys/bulk/result_entry.h"
#include "keys/bulk/undo_entry.h"

static struct nz_result_entry sample(void)
{
    struct nz_result_entry e = { .row = 70001, .line = 70003, .column = 12, .resident_key = LIT("R-1"), .changed = LIT("name,validTo"), .n_unread = 1 };
    e.unread[0] = (struct nz_entry_fault){ LIT("basicFiveInfo.dateOfBirth"), NZ_RULE_DATE, 70003, 12 };
    e.result = (struct nz_row_result){ .result = NZ_REFUSED, .code = NZ_CODE_UNREADABLE_ROW, .with_row = 7, .n_faults = 1, .n_warnings = 1 };
    e.result.faults[0] = (struct nz_fault){ LIT("myNumber"), FR_LENGTH };
    e.result.warnings[0] = (struct nz_fault){ LIT("medicalSubsidyInsurerNumber"), FR_CHECK_DIGIT };
    return e;
}

static void entries_follow_each_other(void **state)
{
    (void)state;
    struct nz_result_entry e = sample(), bare = { .row = 1, .result = { .result = NZ_REGISTERED } }, out;
    struct buf b;
    buf_init(&b, 2 * NZ_ENTRY_MAX);
    nz_entry_encode(&e, &b);
    nz_entry_encode(&bare, &b);
    struct slice in = buf_slice(&b);
    assert_true(err_ok(nz_entry_decode(&in, &out)));
    assert_int_equal(out.row, 70001);
    assert_int_equal(out.line, 70003);
    assert_int_equal(out.column, 12);
    assert_true(slice_eq(out.resident_key, LIT("R-1")));
    assert_true(slice_eq(out.changed, LIT("name,validTo")));
    assert_int_equal(out.unread[0].rule, NZ_RULE_DATE);
    assert_true(slice_eq(out.unread[0].field, LIT("basicFiveInfo.dateOfBirth")));
    assert_int_equal(out.result.code, NZ_CODE_UNREADABLE_ROW);
    assert_int_equal(out.result.with_row, 7);
    assert_true(err_ok(nz_entry_decode(&in, &out)));
    assert_int_equal(out.row, 1);
    assert_int_equal(out.n_unread, 0);
    assert_int_equal(out.result.result, NZ_REGISTERED);
    assert_int_equal(nz_entry_decode(&in, &out).code, E_NOTHING);
    buf_done(&b);
}

static void a_torn_or_damaged_entry_is_refused(void **state)
{
    (void)state;
    struct nz_result_entry e = sample(), out;
    struct buf b;
    buf_init(&b, NZ_ENTRY_MAX);
    nz_entry_encode(&e, &b);
    for (size_t n = 1; n < b.n; n++) {
        struct slice in = slice_of(b.p, n);
        assert_int_equal(nz_entry_decode(&in, &out).code, E_SEAL);
        assert_int_equal(in.n, n);
    }
    static const size_t DAMAGED[] = { 0, 18, 23 };
    for (size_t i = 0; i < sizeof DAMAGED / sizeof DAMAGED[0]; i++) {
        uint8_t old = b.p[DAMAGED[i]];
        b.p[DAMAGED[i]] = 0xff;
        struct slice in = buf_slice(&b);
        assert_int_equal(nz_entry_decode(&in, &out).code, E_SEAL);
        b.p[DAMAGED[i]] = old;
    }
    memset(b.p + 2, 0, 4); /* there is no row 0 */
    struct slice in = buf_slice(&b);
    assert_int_equal(nz_entry_decode(&in, &out).code, E_SEAL);
    buf_done(&b);
}

static void the_largest_entry_fits(void **state)
{
    (void)state;
    static uint8_t text[NZ_ENTRY_CHANGED_MAX + 1];
    memset(text, 'x', sizeof text);
    struct nz_result_entry e = sample(), out;
    e.resident_key = slice_of(text, NZ_ENTRY_KEY_MAX);
    e.changed = slice_of(text, NZ_ENTRY_CHANGED_MAX);
    e.n_unread = NZ_ENTRY_UNREAD_MAX;
    for (unsigned i = 0; i < NZ_ENTRY_UNREAD_MAX; i++)
        e.unread[i] = (struct nz_entry_fault){ slice_of(text, 128), NZ_RULE_DATE, UINT64_MAX, UINT32_MAX };
    struct buf b;
    buf_init(&b, NZ_ENTRY_MAX);
    nz_entry_encode(&e, &b);
    struct slice in = buf_slice(&b);
    assert_true(err_ok(buf_check(&b)));
    assert_true(err_ok(nz_entry_decode(&in, &out)));
    assert_int_equal(out.changed.n, NZ_ENTRY_CHANGED_MAX);
    buf_reset(&b);
    e.changed = ARR(text);
    nz_entry_encode(&e, &b);
    in = buf_slice(&b);
    assert_true(err_ok(nz_entry_decode(&in, &out)));
    assert_int_equal(out.changed.n, 0);
    buf_done(&b);
}

static void told_as_json(void **state)
{
    (void)state;
    struct nz_result_entry e = sample();
    struct buf b;
    struct jsonw w;
    buf_init(&b, 1 << 16);
    jsonw_init(&w, &b);
    nz_entry_json(&e, &w);
    const char *text = buf_cstr(&b);
    static const char *const PARTS[] = {
        "\"row\":70001,\"line\":70003,\"column\":12,\"resident_key\":\"R-1\",\"result\":\"refused\",\"code\":\"row_unreadable\"",
        "\"who\":\"caller\",\"retry\":\"after_fix\"", "\"with_row\":7", "\"changed\":[\"name\",\"validTo\"]",
        "{\"field\":\"myNumber\",\"rule\":\"length\"", "{\"field\":\"basicFiveInfo.dateOfBirth\",\"rule\":\"date\"", "\"warnings\":[{",
    };
    assert_non_null(text);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        assert_non_null(strstr(text, PARTS[i]));
    buf_reset(&b);
    jsonw_init(&w, &b);
    struct nz_result_entry done = { .row = 3, .result = { .result = NZ_UPDATED } };
    nz_entry_json(&done, &w);
    assert_string_equal(buf_cstr(&b), "{\"row\":3,\"result\":\"updated\"}");
    buf_done(&b);
}

/* Whoever reads a row that was not applied is told who acts. */
static void every_failure_says_who_acts(void **state)
{
    (void)state;
    static const enum nz_code OF_APPLIED[] = { NZ_CODE_NONE, NZ_CODE_SAME_TWICE, NZ_CODE_SUPERSEDED, NZ_CODE_REPLACED_EARLIER, NZ_CODE_NOT_FAILED };
    for (int c = 0; c < NZ_CODE__MAX; c++) {
        struct nz_result_entry e = { .row = 1, .result = { .result = NZ_QUARANTINED, .code = (enum nz_code)c } };
        bool applied = !nz_code_slug((enum nz_code)c) || !*nz_code_slug((enum nz_code)c);
        for (size_t i = 0; i < sizeof OF_APPLIED / sizeof OF_APPLIED[0]; i++)
            applied = applied || (int)OF_APPLIED[i] == c;
        struct buf b;
        struct jsonw w;
        buf_init(&b, 4096);
        jsonw_init(&w, &b);
        nz_entry_json(&e, &w);
        assert_int_equal(strstr(buf_cstr(&b), "\"who\":") == NULL, applied);
        buf_done(&b);
    }
}

static void what_was_replaced_is_kept(void **state)
{
    (void)state;
    struct nz_undo_entry e = { .row = 9, .with_row = 4, .there = true, .field = LIT("r:331007:0011223344556677"), .before = LIT("sealed") }, out;
    struct nz_undo_entry bare = { .row = 10, .field = LIT("r:331007:0011223344556677") };
    struct buf b;
    memset(e.person.h, 'a', sizeof e.person.h);
    buf_init(&b, 2 * NZ_UNDO_ENTRY_MAX);
    nz_undo_encode(&e, &b);
    size_t first = b.n;
    nz_undo_encode(&bare, &b);
    struct slice in = buf_slice(&b);
    assert_true(err_ok(nz_undo_decode(&in, &out)));
    assert_int_equal(out.row, 9);
    assert_int_equal(out.with_row, 4);
    assert_true(out.there && slice_eq(out.before, LIT("sealed")) && slice_eq(out.field, e.field));
    assert_memory_equal(out.person.h, e.person.h, sizeof e.person.h);
    assert_true(err_ok(nz_undo_decode(&in, &out)));
    assert_true(!out.there && !out.before.n);
    for (size_t n = 0; n < first; n++) { /* the rest is in the next frame */
        in = slice_of(b.p, n);
        assert_int_equal(nz_undo_decode(&in, &out).code, E_NOTHING);
        assert_int_equal(in.n, n);
    }
    static const size_t DAMAGED[] = { 0, 12, 45 };
    for (size_t i = 0; i < sizeof DAMAGED / sizeof DAMAGED[0]; i++) {
        uint8_t old = b.p[DAMAGED[i]];
        b.p[DAMAGED[i]] = 0xff;
        in = slice_of(b.p, first);
        assert_int_equal(nz_undo_decode(&in, &out).code, E_SEAL);
        b.p[DAMAGED[i]] = old;
    }
    buf_done(&b);
}

static void changed_members_are_named(void **state)
{
    static const struct { const char *a, *b, *names; } CASES[] = {
        { "", "", "" }, { "{}", "", "" }, { "{}", "{}", "" }, { "{\"a\":1}", "{\"a\":1}", "" }, { "{\"a\":1}", "{\"a\":2}", "a" },
        { "", "{\"a\":1,\"b\":2}", "a,b" }, { "{\"a\":1,\"b\":2}", "{}", "a,b" },
        { "{\"a\":\"x\",\"b\":\"y\",\"c\":\"z\"}", "{\"a\":\"x\",\"b\":\"Y\",\"c\":\"z\"}", "b" },
        { "{\"a\":1,\"b\":2,\"c\":3}", "{\"a\":1,\"c\":3,\"d\":4}", "b,d" },
        { "{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", "" },
        { "{\"a\":\",\\\"}\",\"b\":1}", "{\"a\":\",\\\"}\",\"b\":2}", "b" },
        { "{\"m\":{\"x\":1,\"y\":[2,\"}\"]},\"n\":1}", "{\"m\":{\"y\":[2,\"}\"],\"x\":1},\"n\":1}", "" },
        { "{\"m\":{\"x\":1},\"n\":[1,2]}", "{\"m\":{\"x\":2},\"n\":[2,1]}", "m,n" },
        { "{\"m\":{\"x\":1}}", "{\"m\":[1]}", "m" },
        { "{\"a\":1", "{\"a\":2", "" }, { "{\"a\":\"1", "{\"a\":\"2", "" }, { "{\"a\"", "{\"b\"", "" }, { "x", "{", "" },
        { "{\"a\":1}\"b\":2}", "{\"a\":1}", "" },
    };
    struct buf names;
    (void)state;
    buf_init(&names, 256);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        buf_reset(&names);
        nz_changed_members(slice_str(CASES[i].a), slice_str(CASES[i].b), &names);
        if (!slice_eq(buf_slice(&names), slice_str(CASES[i].names)))
            fail_msg("%s | %s: %.*s", CASES[i].a, CASES[i].b, (int)names.n, (const char *)names.p);
    }
    buf_done(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_follow_each_other), cmocka_unit_test(a_torn_or_damaged_entry_is_refused),
        cmocka_unit_test(the_largest_entry_fits),    cmocka_unit_test(told_as_json),
        cmocka_unit_test(every_failure_says_who_acts), cmocka_unit_test(what_was_replaced_is_kept),
        cmocka_unit_test(changed_members_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
