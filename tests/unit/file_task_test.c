/* What is stored of a task that came as a file, and how it is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "keys/intake/file_task.h"

struct entry { const char *name, *value; };
#define ID "0123456789abcdef0123456789abcdef"

static bool read_all(struct nz_file_task *t, const struct entry *f, bool *ret_is_file)
{
    *t = (struct nz_file_task){ 0 };
    for (; f->name; f++) {
        if (!nz_file_task_field(t, slice_str(f->name), slice_str(f->value)))
            return false;
    }
    return nz_file_task_complete(t, ret_is_file);
}

static const struct entry WHOLE[] = {
    { "op", "postRegistrationTasks" }, { "ms", "1000" }, { "rows", "10" }, { "registered", "4" }, { "refused", "1" }, { "src", "csv" },
    { "st", "processing" }, { "mode", "apply" }, { "layout", "kodomo-subject" }, { "enc", "cp932" }, { "of", ID }, { "acc_ms", "2000" },
    { "ck", "5" }, { "sus", "0" }, { "fence", "7" }, { "of a later version", "?" }, { NULL, NULL },
};

static void every_field_is_read(void **state)
{
    (void)state;
    struct nz_file_task t;
    bool is_file = false;
    assert_true(read_all(&t, WHOLE, &is_file));
    assert_true(is_file);
    assert_int_equal(t.state, NZ_FILE_PROCESSING);
    assert_int_equal(t.mode, NZ_MODE_APPLY);
    assert_string_equal(t.layout, "kodomo-subject");
    assert_string_equal(t.encoding, "cp932");
    assert_true(t.has_of && t.of.b[15] == 0xef);
    assert_int_equal(t.accepted_ms, 2000);
    assert_int_equal(t.checkpoint, 5);
    assert_int_equal(t.fence, 7);
    assert_int_equal(t.task.count[NZ_WAITING], 5);
}

static void a_task_of_a_request_is_no_file(void **state)
{
    (void)state;
    struct nz_file_task t;
    bool is_file = true;
    const struct entry f[] = { { "op", "postRegistrationTasks" }, { "ms", "1000" }, { "rows", "2" }, { NULL, NULL } };
    assert_true(read_all(&t, f, &is_file));
    assert_false(is_file);
    const struct entry empty[] = { { NULL, NULL } };
    assert_false(read_all(&t, empty, &is_file));
}

static void malformed_fields_are_refused(void **state)
{
    (void)state;
    static const struct entry BAD[] = {
        { "src", "xml" }, { "src", "" }, { "st", "Ended" }, { "mode", "drop" }, { "layout", "../x" }, { "layout", "a b" }, { "enc", "utf-16" },
        { "of", "0123" }, { "acc_ms", "-1" }, { "ck", "99999999999999999999999" }, { "fence", "" }, { "rj", "a\"b" }, { "rj_field", "<b>" },
        { "rj_line", "x" }, { "rows", "-2" },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct nz_file_task t = { 0 };
        assert_false(nz_file_task_field(&t, slice_str(BAD[i].name), slice_str(BAD[i].value)));
    }
    struct nz_file_task t = { 0 };
    char name[NZ_LAYOUT_NAME_MAX + 1];
    memset(name, 'a', sizeof name);
    assert_true(nz_file_task_field(&t, LIT("layout"), slice_of(name, sizeof name - 1)));
    assert_int_equal(strlen(t.layout), NZ_LAYOUT_NAME_MAX);
    assert_false(nz_file_task_field(&t, LIT("layout"), slice_of(name, sizeof name)));
}

/* The whole of WHOLE with one field changed or left out (value NULL). */
static bool with(const char *name, const char *value)
{
    struct entry f[sizeof WHOLE / sizeof WHOLE[0] + 1];
    struct nz_file_task t;
    bool is_file;
    size_t n = 0;
    for (size_t i = 0; WHOLE[i].name; i++) {
        if (strcmp(WHOLE[i].name, name) != 0)
            f[n++] = WHOLE[i];
    }
    if (value)
        f[n++] = (struct entry){ name, value };
    f[n] = (struct entry){ NULL, NULL };
    return read_all(&t, f, &is_file) && is_file;
}

static void fields_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    assert_true(with("fence", NULL));
    assert_false(with("st", NULL));
    assert_false(with("ms", NULL));
    assert_false(with("acc_ms", NULL));
    assert_false(with("st", "ended"));    /* without its time */
    assert_false(with("st", "rejected"));
    assert_false(with("ck", "11"));       /* more than rows */
    assert_false(with("registered", "10"));
    assert_false(with("registered", "18446744073709551615"));
}

static void states_as_told(void **state)
{
    (void)state;
    struct nz_file_task t = { .task = { .received_ms = 500, .rows = 3, .count = { [NZ_WAITING] = 3 } }, .accepted_ms = 1000 };
    static const char *const SAME[] = { "uploading", "accepted", "validating", "processing" };
    for (int s = NZ_FILE_UPLOADING; s <= NZ_FILE_PROCESSING; s++) {
        t.state = (enum nz_file_state)s;
        assert_string_equal(nz_file_task_state(&t, 5000000), SAME[s]);
        assert_false(nz_file_task_over(&t));
    }
    t.task.upstream_down = true; /* rows without a turn yet do not wait for it */
    assert_string_equal(nz_file_task_state(&t, 5000000), "processing");
    t.task.failed_ms = 2;
    assert_string_equal(nz_file_task_state(&t, 5000000), "stalled");
    assert_string_equal(nz_file_task_state(&t, 1000 + NZ_STALLED_MS), "processing");
    assert_string_equal(nz_file_task_state(&t, 0), "processing"); /* the clock went back */
    t.state = NZ_FILE_ENDED;
    t.task.failed_ms = 0;
    assert_string_equal(nz_file_task_state(&t, 5000000), "stalled");
    assert_false(nz_file_task_over(&t));
    t.task.count[NZ_WAITING] = 0;
    assert_string_equal(nz_file_task_state(&t, 5000000), "done");
    assert_true(nz_file_task_over(&t));
    t.task.count[NZ_QUARANTINED] = 1;
    assert_string_equal(nz_file_task_state(&t, 5000000), "done_with_errors");
    t.state = NZ_FILE_REJECTED;
    assert_string_equal(nz_file_task_state(&t, 5000000), "rejected");
    assert_true(nz_file_task_over(&t));
}

static void json_of(const struct nz_file_task *t, struct buf *b)
{
    struct jsonw w;
    buf_init(b, 4096);
    jsonw_init(&w, b);
    nz_file_task_json_open(t, 0, &w);
    jsonw_end_object(&w);
    buf_putc(b, 0);
    assert_true(err_ok(buf_check(b)));
}

static void told_as_json(void **state)
{
    (void)state;
    struct nz_file_task t;
    bool is_file;
    struct buf b;
    assert_true(read_all(&t, WHOLE, &is_file));
    t.has_of = false;
    json_of(&t, &b);
    assert_string_equal((char *)b.p,
        "{\"task_id\":\"00000000000000000000000000000000\",\"operation\":\"postRegistrationTasks\",\"state\":\"processing\","
        "\"received_at\":\"1970-01-01T00:00:01.000Z\",\"accepted_at\":\"1970-01-01T00:00:02.000Z\",\"mode\":\"apply\",\"source\":\"csv\","
        "\"layout\":\"kodomo-subject\",\"counts\":{\"rows\":10,\"registered\":4,\"updated\":0,\"unchanged\":0,\"refused\":1,\"quarantined\":0,"
        "\"waiting\":5}}");
    buf_done(&b);
    t.state = NZ_FILE_REJECTED;
    t.mode = NZ_MODE_DRY_RUN;
    t.reject = (struct nz_file_reject){ .rule = "header_missing", .field = "person.myNumber", .line = 1, .column = 3 };
    json_of(&t, &b);
    assert_non_null(strstr((char *)b.p, "\"suspicious\":0,\"reject\":{\"code\":\"header_missing\",\"message_ja\":\"必要な列がありません\",\"message_en\":"));
    assert_non_null(strstr((char *)b.p, "\"field\":\"person.myNumber\",\"line\":1,\"column\":3}}"));
    buf_done(&b);
    static const char *const OWN[] = { "checksum_mismatch", "size_mismatch", "stored_value_unreadable", "municipality_closed", "layout_unknown" };
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
        t.reject = (struct nz_file_reject){ 0 };
        snprintf(t.reject.rule, sizeof t.reject.rule, "%s", OWN[i]);
        json_of(&t, &b);
        assert_non_null(strstr((char *)b.p, "\"message_en\":"));
        buf_done(&b);
    }
}

/* It ended before its end: not rejected, for rows were applied, and never done. */
static void a_file_that_was_stopped_says_so(void **state)
{
    (void)state;
    static const char *const WHY[] = { "municipality_closed", "file_unreadable" };
    struct nz_file_task t = { .state = NZ_FILE_ENDED, .source = NZ_SOURCE_CSV, .accepted_ms = 2000, .ended_ms = 3000, .untold = 6 };
    struct buf b;
    t.task.received_ms = 1000;
    t.task.rows = 10;
    t.task.count[NZ_REGISTERED] = 4;
    t.task.count[NZ_REFUSED] = 6;
    for (size_t i = 0; i < sizeof WHY / sizeof WHY[0]; i++) {
        snprintf(t.reject.rule, sizeof t.reject.rule, "%s", WHY[i]);
        json_of(&t, &b);
        assert_non_null(strstr((char *)b.p, "\"state\":\"done_with_errors\""));
        assert_non_null(strstr((char *)b.p, "\"stopped\":{\"code\":\""));
        assert_non_null(strstr((char *)b.p, WHY[i]));
        assert_non_null(strstr((char *)b.p, "\"message_ja\":"));
        assert_non_null(strstr((char *)b.p, "\"who\":\"operator\",\"rows_without_result\":6}}"));
        assert_null(strstr((char *)b.p, "\"reject\""));
        buf_done(&b);
    }
    t.task.count[NZ_REGISTERED] = 10;
    t.task.count[NZ_REFUSED] = t.untold = 0;
    assert_string_equal(nz_file_task_state(&t, 5000), "done_with_errors");
    t.reject.rule[0] = 0;
    assert_string_equal(nz_file_task_state(&t, 5000), "done");
    json_of(&t, &b);
    assert_null(strstr((char *)b.p, "\"stopped\""));
    buf_done(&b);
}

static void words_of_the_door(void **state)
{
    (void)state;
    enum nz_file_mode m;
    enum nz_source s;
    for (int i = 0; i < NZ_MODE__MAX; i++)
        assert_true(nz_file_mode_parse(slice_str(nz_file_mode_name((enum nz_file_mode)i)), &m) && (int)m == i);
    for (int i = 0; i < NZ_SOURCE__MAX; i++)
        assert_true(nz_file_source_parse(slice_str(nz_file_source_name((enum nz_source)i)), &s) && (int)s == i);
    assert_false(nz_file_source_parse(LIT("xml"), &s));
    assert_true(nz_file_layout_ok(LIT("a-1")));
    assert_false(nz_file_layout_ok(LIT("")));
    assert_true(slice_eq(nz_file_queue_name(), LIT("fq")));
    struct store_name q;
    nz_file_queue_of("331007", &q);
    assert_true(slice_eq(store_name_slice(&q), LIT("fq:331007")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_read),
        cmocka_unit_test(a_task_of_a_request_is_no_file),
        cmocka_unit_test(malformed_fields_are_refused),
        cmocka_unit_test(fields_that_do_not_fit_are_refused),
        cmocka_unit_test(states_as_told),
        cmocka_unit_test(told_as_json), cmocka_unit_test(a_file_that_was_stopped_says_so),
        cmocka_unit_test(words_of_the_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
