/* What is asked of the routes of files: bodies, queries, cursors. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "keys/files/ask.h"

struct bench { struct arena *a; struct nz_pool *pool; };

static int bench_begin(void **state)
{
    static struct bench b;
    b.a = arena_new(1 << 20);
    assert_non_null(b.a);
    assert_true(err_ok(nz_pool_new(&b.pool, 4)));
    *state = &b;
    return 0;
}

static int bench_end(void **state)
{
    struct bench *b = *state;
    arena_free(b->a);
    assert_int_equal(nz_pool_used(b->pool), 0);
    nz_pool_free(b->pool);
    return 0;
}

static struct err ask(struct bench *b, const char *body, struct nz_file_ask *ret_ask, struct field_report *ret_report)
{
    *ret_report = (struct field_report){ 0 };
    arena_reset(b->a);
    return nz_file_ask_read(slice_str(body), b->a, b->pool, ret_ask, ret_report);
}

#define OP "\"operation\":\"postRegistrationTasks\""
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void little_is_needed(void **state)
{
    struct nz_file_ask a;
    struct field_report r;
    assert_true(err_ok(ask(*state, "{" OP ",\"bytes\":7}", &a, &r)));
    assert_int_equal(a.form, NZ_FORM_SUBJECT);
    assert_int_equal(a.mode, NZ_MODE_APPLY);
    assert_int_equal(a.source, NZ_SOURCE_CSV);
    assert_string_equal(a.layout, nz_form_info(NZ_FORM_SUBJECT)->layout);
    assert_string_equal(a.encoding, "auto");
    assert_int_equal(a.meta.bytes, 7);
    assert_false(a.meta.has_sha256 || a.has_of);
    assert_string_equal(a.meta.name, "");
}

static void everything_is_read(void **state)
{
    struct nz_file_ask a;
    struct field_report r;
    assert_true(err_ok(ask(*state, "{" OP ",\"bytes\":1099511627776,\"sha256\":\"" SHA "\",\"name\":\"子ども 令和7年.csv\",\"source\":\"csv\",\"layout\":\"my-own\","
                                   "\"encoding\":\"cp932\",\"mode\":\"dry_run\",\"only_failed_of\":\"000102030405060708090a0b0c0d0e0f\"}", &a, &r)));
    assert_int_equal(a.mode, NZ_MODE_DRY_RUN);
    assert_string_equal(a.layout, "my-own");
    assert_string_equal(a.encoding, "cp932");
    assert_true(a.meta.has_sha256 && a.meta.sha256[0] == 1 && a.meta.sha256[31] == 0xef);
    assert_true(a.has_of && a.of.b[15] == 15);
    assert_string_equal(a.meta.name, "子ども 令和7年.csv");
    assert_true(err_ok(ask(*state, "{" OP ",\"bytes\":1,\"source\":\"json_lines\"}", &a, &r)));
    assert_string_equal(a.layout, "");
}

static void what_is_wrong_is_named(void **state)
{
    static const struct { const char *body, *field; enum field_rule rule; } BAD[] = {
        { "{\"bytes\":1}", "operation", FR_MISSING },
        { "{" OP "}", "bytes", FR_MISSING },
        { "{" OP ",\"bytes\":\"1\"}", "bytes", FR_TYPE },
        { "{" OP ",\"bytes\":1.5}", "bytes", FR_TYPE },
        { "{" OP ",\"bytes\":0}", "bytes", FR_LENGTH },
        { "{" OP ",\"bytes\":-1}", "bytes", FR_LENGTH },
        { "{" OP ",\"bytes\":1099511627777}", "bytes", FR_LENGTH },
        { "{\"operation\":\"dropTables\",\"bytes\":1}", "operation", FR_CODE },
        { "{" OP ",\"bytes\":1,\"sha256\":\"01\"}", "sha256", FR_LENGTH },
        { "{" OP ",\"bytes\":1,\"sha256\":\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"}", "sha256", FR_CLASS },
        { "{" OP ",\"bytes\":1,\"source\":\"xml\"}", "source", FR_CODE },
        { "{" OP ",\"bytes\":1,\"mode\":\"undo\"}", "mode", FR_CODE },
        { "{" OP ",\"bytes\":1,\"encoding\":\"utf-16\"}", "encoding", FR_CODE },
        { "{" OP ",\"bytes\":1,\"layout\":\"UPPER\"}", "layout", FR_CLASS },
        { "{" OP ",\"bytes\":1,\"source\":\"json\",\"layout\":\"my-own\"}", "layout", FR_RANGE },
        { "{" OP ",\"bytes\":1,\"only_failed_of\":\"zz0102030405060708090a0b0c0d0e0f\"}", "only_failed_of", FR_CLASS },
        { "{" OP ",\"bytes\":1,\"more\":1}", "", FR_UNKNOWN },
        { "{" OP ",\"bytes\":1,\"name\":\"list of 123456789018.csv\"}", "name", FR_NUMBER_INSIDE },
        { "{" OP ",\"bytes\":1,\"name\":\"１２３４５６７８９０１８\"}", "name", FR_NUMBER_INSIDE },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct nz_file_ask a;
        struct field_report r;
        struct err e = ask(*state, BAD[i].body, &a, &r);
        if (!err_is(e, E_FIELD) || r.n_faults == 0 || strcmp(r.faults[0].field, BAD[i].field) != 0 || r.faults[0].rule != BAD[i].rule)
            fail_msg("%s: %s %s", BAD[i].body, err_slug(e.code), r.n_faults ? r.faults[0].field : "-");
    }
    struct nz_file_ask a;
    struct field_report r;
    assert_int_equal(ask(*state, "[]", &a, &r).code, E_JSON_SHAPE);
    assert_int_equal(ask(*state, "{", &a, &r).code, E_BAD_JSON);
    assert_int_equal(ask(*state, "{\"bytes\":1,\"bytes\":2}", &a, &r).code, E_JSON_DUPLICATE);
    /* 40 characters of three bytes are as long as a name may be */
    char body[1024], name[3 * 41 + 1] = "";
    for (int i = 0; i < 40; i++)
        strcat(name, "あ");
    snprintf(body, sizeof body, "{" OP ",\"bytes\":1,\"name\":\"%s\"}", name);
    assert_true(err_ok(ask(*state, body, &a, &r)));
    strcat(name, "あ");
    snprintf(body, sizeof body, "{" OP ",\"bytes\":1,\"name\":\"%s\"}", name);
    assert_true(err_is(ask(*state, body, &a, &r), E_FIELD));
}

static void cursors(void **state)
{
    (void)state;
    struct nz_results_at at = { { 65536, 3 }, 17, 1000 }, out;
    char text[96];
    size_t n = nz_results_at_format(&at, text);
    assert_true(nz_results_at_parse(slice_of(text, n), &out));
    assert_memory_equal(&at, &out, sizeof at);
    static const char *const BAD[] = { "", "1-2-3", "1-2-3-4-5", "1-2-3-", "-1-2-3", "01-2-3-4", "1-2-65537-4", "1-2-3-4294967296",
                                       "99999999999999999999-2-3-4", "18446744073709551615-2-3-4", "a-b-c-d" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(nz_results_at_parse(slice_str(BAD[i]), &out));
}

static void queries(void **state)
{
    (void)state;
    struct nz_results_query q;
    uint64_t before;
    assert_true(err_ok(nz_results_query_read(SLICE_NONE, &q)));
    assert_true(q.limit == NZ_RESULTS_PAGE_MAX && !q.only_failed && !q.has_cursor);
    assert_true(err_ok(nz_results_query_read(LIT("only=failed&limit=5&cursor=1-2-3-4"), &q)));
    assert_true(q.limit == 5 && q.only_failed && q.has_cursor && q.at.rows == 4);
    static const char *const BAD[] = { "limit=0", "limit=1001", "limit=05", "limit=5&limit=5", "only=good", "only=failed&only=failed", "cursor=x", "x=1", "limit",
                                       "&limit=1", "limit=1&", "cursor=1-2-3-4&cursor=1-2-3-4" };
    for (size_t i = 0; i + 1 < sizeof BAD / sizeof BAD[0]; i++) {
        bool trailing = strcmp(BAD[i], "limit=1&") == 0; /* reads as limit=1 */
        assert_true(trailing || err_is(nz_results_query_read(slice_str(BAD[i]), &q), E_BAD_URL));
    }
    assert_true(err_ok(nz_list_query_read(SLICE_NONE, &before)) && before == UINT64_MAX);
    assert_true(err_ok(nz_list_query_read(LIT("cursor=1795231270438"), &before)) && before == 1795231270438);
    assert_true(err_is(nz_list_query_read(LIT("cursor=-1"), &before), E_BAD_URL));
    assert_true(err_is(nz_list_query_read(LIT("page=1"), &before), E_BAD_URL));
}

int main(void)
{
    json_in_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(little_is_needed, bench_begin, bench_end),
        cmocka_unit_test_setup_teardown(everything_is_read, bench_begin, bench_end),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_named, bench_begin, bench_end),
        cmocka_unit_test(cursors),
        cmocka_unit_test(queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
