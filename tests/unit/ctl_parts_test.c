/* The parts of the command that only reckon: rows as people name them, progress, server-sent events, operations, lines of results. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "keys/ctl/operations.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/results.h"
#include "keys/ctl/results_sum.h"
#include "keys/ctl/rows.h"
#include "keys/ctl/sse.h"
#include "keys/ctl/verdict.h"

/* ---- rows ---- */

static void test_rows(void **state)
{
    static const struct { const char *text; size_t n; uint32_t first, last; } GOOD[] = {
        { "1", 1, 1, 1 }, { "1,5-9", 6, 1, 9 }, { "7-7", 1, 7, 7 }, { "1-1000", 1000, 1, 1000 }, { "4294967295", 1, UINT32_MAX, UINT32_MAX },
        { "4294967294-4294967295", 2, UINT32_MAX - 1, UINT32_MAX }, { "1,2,3,10-12", 6, 1, 12 },
    };
    static const char *const BAD[] = {
        "", ",", "1,", ",1", "0", "1-", "-1", "9-5", "5,5", "5-9,7", "9,1", "1-1001", "1-500,600-1200", "01", "1 ,2", " 1", "1--2", "1-2-3", "a", "4294967296", "1-4294967295",
        "18446744073709551616",
    };
    static struct rows r;
    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        if (!rows_parse(slice_str(GOOD[i].text), &r))
            fail_msg("%s", GOOD[i].text);
        assert_int_equal(r.n, GOOD[i].n);
        assert_int_equal(r.v[0], GOOD[i].first);
        assert_int_equal(r.v[r.n - 1], GOOD[i].last);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (rows_parse(slice_str(BAD[i]), &r))
            fail_msg("taken: %s", BAD[i]);
}

/* ---- progress ---- */

static void test_rate_and_time_left(void **state)
{
    (void)state;
    assert_int_equal(progress_rate(500, 1000), 500);
    assert_int_equal(progress_rate(500, 0), 0);
    assert_int_equal(progress_rate(UINT64_MAX, 1000), UINT64_MAX);
    assert_int_equal(progress_left_s(0, 100, 10), 10);
    assert_int_equal(progress_left_s(1, 100, 10), 10); /* rounded up */
    assert_int_equal(progress_left_s(100, 100, 0), 0);
    assert_int_equal(progress_left_s(101, 100, 1), 0);
    assert_true(progress_left_s(0, 100, 0) == UINT64_MAX);
}

static void test_a_bar_is_full_only_at_the_end(void **state)
{
    (void)state;
    assert_int_equal(progress_cells(0, 100, 28), 0);
    assert_int_equal(progress_cells(99, 100, 28), 27);
    assert_int_equal(progress_cells(100, 100, 28), 28);
    assert_int_equal(progress_cells(200, 100, 28), 28);
    assert_int_equal(progress_cells(0, 0, 28), 0);
    assert_int_equal(progress_cells(UINT64_MAX - 1, UINT64_MAX, 28), 27);
}

static void test_amounts_for_people(void **state)
{
    static const struct { uint64_t n; const char *want; } BYTES[] = {
        { 0, "0 B" }, { 1023, "1023 B" }, { 1024, "1.0 KiB" }, { 1048575, "1.0 MiB" }, { 12 * 1048576 + 524288, "12.5 MiB" }, { UINT64_MAX, "16.0 EiB" },
    };
    static const struct { uint64_t s; const char *want; } TIMES[] = {
        { 0, "0 s" }, { 59, "59 s" }, { 65, "1 min 05 s" }, { 3600, "1 h 00 min" }, { 90061, "25 h 01 min" }, { UINT64_MAX, "?" },
    };
    char out[32];
    (void)state;
    for (size_t i = 0; i < sizeof BYTES / sizeof *BYTES; i++) {
        progress_bytes(BYTES[i].n, out);
        assert_string_equal(out, BYTES[i].want);
    }
    for (size_t i = 0; i < sizeof TIMES / sizeof *TIMES; i++) {
        progress_duration(TIMES[i].s, out);
        assert_string_equal(out, TIMES[i].want);
    }
}

/* ---- server-sent events ---- */

/* name=data| of every event; "stop" is the last that is wanted. */
static bool note(void *ctx, struct slice name, struct slice data)
{
    buf_put(ctx, name);
    buf_putc(ctx, '=');
    buf_put(ctx, data);
    buf_putc(ctx, '|');
    return !slice_eq(data, LIT("stop"));
}

static void events_of(struct slice text, size_t piece, struct buf *out, bool *ret_more)
{
    struct sse s;
    struct slice part;
    *ret_more = true;
    sse_init(&s, note, out);
    while (text.n && slice_take(&text, text.n < piece ? text.n : piece, &part))
        *ret_more = sse_feed(&s, part);
    sse_done(&s);
}

static void test_events(void **state)
{
    static const struct { const char *text, *want; bool more; } CASES[] = {
        { "event: progress\ndata: {\"a\":1}\n\n", "progress={\"a\":1}|", true },
        { "data: a\r\ndata:b\r\n\r\n", "message=a\nb|", true },
        { "data:  two blanks\r\r", "message= two blanks|", true },
        { ": a comment\n\ndata: x\n\n:\n\n", "message=x|", true },
        { "id: 1\nretry: 2\nevent: e\n\ndata: y\n\n", "message=y|", true }, /* a name without data is no event, and does not stay */
        { "data: not ended\n", "", true },
        { "data\n\n", "message=|", true },
        { "data: stop\n\ndata: more\n\n", "message=stop|", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        for (size_t piece = 1; piece < 9; piece++) {
            struct buf out;
            bool more;
            buf_init(&out, 1024);
            events_of(slice_str(CASES[i].text), piece, &out, &more);
            assert_string_equal(out.n ? buf_cstr(&out) : "", CASES[i].want);
            assert_int_equal(more, CASES[i].more);
            buf_done(&out);
        }
}

static void test_an_endless_event_ends_the_reading(void **state)
{
    static char line[SSE_LINE_MAX / 2];
    struct buf out;
    struct sse s;
    bool more = true;
    (void)state;
    memset(line, 'x', sizeof line);
    buf_init(&out, 1024);
    sse_init(&s, note, &out);
    for (int i = 0; i < 4 && more; i++)
        more = sse_feed(&s, ARR(line));
    assert_false(more);
    assert_int_equal(out.n, 0);
    sse_done(&s);
    sse_init(&s, note, &out); /* many lines of one event */
    more = true;
    for (int i = 0; i < 4 && more; i++)
        more = sse_feed(&s, LIT("data: ")) && sse_feed(&s, ARR(line)) && sse_feed(&s, LIT("\n"));
    assert_false(more);
    sse_done(&s);
    buf_done(&out);
}

/* ---- operations ---- */

static void test_operations(void **state)
{
    enum nz_form f;
    (void)state;
    assert_true(nz_operation_find("subject", &f) && f == NZ_FORM_SUBJECT);
    assert_true(nz_operation_find("changes", &f) && f == NZ_FORM_CHANGE);
    assert_true(nz_operation_find("postHistoryRegistrationTasks", &f) && f == NZ_FORM_HISTORY);
    assert_false(nz_operation_find("", &f));
    assert_false(nz_operation_find("Subject", &f));
    assert_true(nz_operation_of_layout("child-medical-subsidy", &f) && f == NZ_FORM_SUBJECT);
    assert_false(nz_operation_of_layout("own", &f));
    assert_true(nz_operation_in_layout(LIT("# a layout\noperation: \"postVaccinationTicketRegistrationTasks\" # one\ncolumns:\n"), &f) && f == NZ_FORM_TICKET);
    assert_true(nz_operation_in_layout(LIT("operation: postRegistrationTasks"), &f) && f == NZ_FORM_SUBJECT);
    assert_false(nz_operation_in_layout(LIT("columns:\n  operation: postRegistrationTasks\n"), &f));
    assert_false(nz_operation_in_layout(LIT("operation: somethingElse\noperation: postRegistrationTasks\n"), &f));
    for (int i = 0; i < NZ_FORM__MAX; i++)
        if (i != NZ_FORM_INQUIRY)
            assert_true(nz_operation_find(nz_operation_name((enum nz_form)i), &f) && f == (enum nz_form)i);
    assert_false(nz_operation_find("postInquiries", &f)); /* no file can be for it */
}

/* ---- results ---- */

static void test_lines_of_results(void **state)
{
    static const struct { const char *json, *want; } CASES[] = {
        { "{\"row\":1,\"result\":\"registered\"}", "1,,,,\"registered\",,,,,,,,,\r\n" },
        { "{\"row\":2,\"line\":3,\"column\":4,\"resident_key\":\"=1+1\",\"code\":\"c\"}", "2,3,4,\"'=1+1\",,\"c\",,,,,,,,\r\n" },
        { "{\"row\":3,\"resident_key\":\"a\\\"b,c\"}", "3,,,\"a\"\"b,c\",,,,,,,,,,\r\n" },
        { "{\"changed\":[\"a\",\"b\"],\"errors\":[{\"field\":\"f\",\"rule\":\"r\"},{\"field\":\"\",\"rule\":\"column_count\"}]}",
          ",,,,,,,,,,,\"a; b\",\"f:r; column_count\",\r\n" },
        { "{\"resident_key\":\"a\\u001b[2J\"}", ",,,,,,,,,,,,,\r\n" }, /* what steers a terminal is not written */
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf out;
        json_t *row = json_loads(CASES[i].json, 0, NULL);
        buf_init(&out, 4096);
        results_csv_row(row, &out);
        assert_string_equal(buf_cstr(&out), CASES[i].want);
        json_decref(row);
        buf_done(&out);
    }
    assert_int_equal(results_form_of("a.jsonl"), RESULTS_JSON_LINES);
    assert_int_equal(results_form_of("a.csv"), RESULTS_CSV);
    assert_int_equal(results_form_of("a"), RESULTS_CSV);
}

static bool line_add(void *ctx, struct slice line)
{
    buf_put(ctx, line);
    buf_putc(ctx, '\n');
    return line.n < 40;
}

static void test_result_lines_are_cut_as_they_came(void **state)
{
    static const struct { const char *body, *lines; } GOOD[] = {
        { "{\"rows\":[]}", "" },
        { "{\"rows\":[{\"row\":1},{\"a\":\"}]{\\\"\\\\\"}],\"next\":\"x\"}", "{\"row\":1}\n{\"a\":\"}]{\\\"\\\\\"}\n" },
        { "{\"rows\":[{\"e\":[{\"f\":[]}],\"g\":\"/\\u007f\"}]}", "{\"e\":[{\"f\":[]}],\"g\":\"/\\u007f\"}\n" },
    };
    static const char *const BAD[] = {
        "", "{}", "{\"rows\":", "{\"rows\":[", "{\"rows\":[{}", "{\"rows\":[{},", "{\"rows\":[{},]", "{\"rows\":[1]}", "{\"rows\":[{\"a\":\"}]}", "{\"rows\":[{\"a\":\"\\",
        "{\"rows\":[[{}]]}", "{\"rows\":[{}{}]}", "{ \"rows\":[]}", "{\"rows\":[{\"a\":\"0123456789012345678901234567890123456789\"}]}",
    };
    struct buf out;
    (void)state;
    buf_init(&out, 4096);
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        buf_reset(&out);
        if (!results_lines(slice_str(GOOD[i].body), line_add, &out) || !slice_eq(buf_slice(&out), slice_str(GOOD[i].lines)))
            fail_msg("%s", GOOD[i].body);
    }
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (results_lines(slice_str(BAD[i]), line_add, &out))
            fail_msg("taken: %s", BAD[i]);
    buf_done(&out);
}

/* ---- verdicts of daemons ---- */

static void test_verdicts(void **state)
{
    static const struct { const char *line; enum verdict v; bool tells; } LINES[] = {
        { "{\"level\":\"note\",\"event\":\"reloaded\",\"workers\":2}", VERDICT_TAKEN, false },
        { "{\"level\":\"note\",\"event\":\"upgraded\"}", VERDICT_TAKEN, false },
        { "{\"level\":\"note\",\"event\":\"reload_needs_start\"}", VERDICT_NEEDS_START, false },
        { "{\"level\":\"note\",\"event\":\"reload_refused\"}", VERDICT_REFUSED, false },
        { "{\"level\":\"note\",\"event\":\"upgrade_refused\"}", VERDICT_REFUSED, false },
        { "{\"level\":\"info\",\"event\":\"reloaded\"}", VERDICT_NONE, false },
        { "{\"level\":\"note\",\"event\":\"other\"}", VERDICT_NONE, false },
        { "x{\"level\":\"note\",\"event\":\"reloaded\"}", VERDICT_NONE, true },
        { "{\"level\":\"error\",\"event\":\"start_failed\"}", VERDICT_NONE, true },
        { "/conf/front.yaml:3:1: wrong: no such setting", VERDICT_NONE, true },
        { "", VERDICT_NONE, false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        assert_int_equal(verdict_line(slice_str(LINES[i].line)), LINES[i].v);
        assert_int_equal(verdict_tells(slice_str(LINES[i].line)), LINES[i].tells);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_rate_and_time_left),
        cmocka_unit_test(test_a_bar_is_full_only_at_the_end),
        cmocka_unit_test(test_amounts_for_people),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_an_endless_event_ends_the_reading),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_lines_of_results),
        cmocka_unit_test(test_result_lines_are_cut_as_they_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
