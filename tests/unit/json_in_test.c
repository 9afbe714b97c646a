#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "gateway/base/wipe.h"
#include "gateway/check/json_in.h"

struct json_case {
    const char *name;
    struct slice text;
    enum err_code want;
};

static enum err_code read_any(struct slice text)
{
    struct arena *a = arena_new(4096);
    json_t *v = NULL;
    struct err e = json_in(&v, a, text);
    assert_true(err_ok(e) == (v != NULL));
    arena_free(a);
    return e.code;
}

static void test_cases(void **state)
{
    static const struct json_case CASES[] = {
        { "empty array", { (const uint8_t *)"[]", 2 }, E_OK },
        { "empty", { NULL, 0 }, E_BAD_JSON },
        { "blank", { (const uint8_t *)"  ", 2 }, E_BAD_JSON },
        { "two values", { (const uint8_t *)"[] []", 5 }, E_BAD_JSON },
        { "trailing garbage", { (const uint8_t *)"{}x", 3 }, E_BAD_JSON },
        { "trailing NUL", { (const uint8_t *)"[]\0", 3 }, E_BAD_JSON },
        { "NUL in a string", { (const uint8_t *)"[\"a\0b\"]", 7 }, E_BAD_JSON },
        { "escaped NUL", { (const uint8_t *)"[\"\\u0000\"]", 10 }, E_BAD_JSON },
        { "lone high surrogate", { (const uint8_t *)"[\"\\uD800\"]", 10 }, E_BAD_JSON },
        { "lone low surrogate", { (const uint8_t *)"[\"\\uDC00\"]", 10 }, E_BAD_JSON },
        { "surrogate pair", { (const uint8_t *)"[\"\\uD867\\uDE3D\"]", 16 }, E_OK },
        { "byte order mark", { (const uint8_t *)"\xEF\xBB\xBF[]", 5 }, E_BAD_JSON },
        { "broken UTF-8", { (const uint8_t *)"[\"\xC0\x80\"]", 6 }, E_BAD_UTF8 },
        { "surrogate in UTF-8", { (const uint8_t *)"[\"\xED\xA0\x80\"]", 7 }, E_BAD_UTF8 },
        { "duplicate", { (const uint8_t *)"{\"a\":1,\"a\":1}", 13 }, E_JSON_DUPLICATE },
        { "duplicate by escape", { (const uint8_t *)"{\"a\":1,\"\\u0061\":1}", 18 }, E_JSON_DUPLICATE },
        { "inner duplicate", { (const uint8_t *)"[{\"b\":{\"a\":1,\"a\":2}}]", 21 }, E_JSON_DUPLICATE },
        { "scalar string", { (const uint8_t *)"\"x\"", 3 }, E_BAD_JSON },
        { "scalar number", { (const uint8_t *)"1", 1 }, E_BAD_JSON },
        { "null", { (const uint8_t *)"null", 4 }, E_BAD_JSON },
        { "comment", { (const uint8_t *)"[/**/]", 6 }, E_BAD_JSON },
        { "single quotes", { (const uint8_t *)"['a']", 5 }, E_BAD_JSON },
        { "trailing comma", { (const uint8_t *)"[1,]", 4 }, E_BAD_JSON },
        { "huge integer", { (const uint8_t *)"[99999999999999999999]", 22 }, E_BAD_JSON },
        { "huge real", { (const uint8_t *)"[1e999]", 7 }, E_BAD_JSON },
        { "NaN", { (const uint8_t *)"[NaN]", 5 }, E_BAD_JSON },
        { "raw newline in a string", { (const uint8_t *)"[\"a\nb\"]", 7 }, E_BAD_JSON },
        { "unclosed", { (const uint8_t *)"[[]", 3 }, E_BAD_JSON },
        { "bracket inside a string", { (const uint8_t *)"[\"[[[[[[[[[[[[[[[[[[[[\"]", 24 }, E_OK },
        { "escaped quote, then brackets", { (const uint8_t *)"[\"\\\"[[[[[[[[[[[[[[[[[[[[\"]", 26 }, E_OK },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        enum err_code got = read_any(CASES[i].text);
        if (got != CASES[i].want)
            fail_msg("%s: %s, want %s", CASES[i].name, err_slug(got), err_slug(CASES[i].want));
    }
}

static size_t nest(char *p, unsigned depth)
{
    size_t n = 0;
    for (unsigned i = 0; i < depth; i++)
        p[n++] = '[';
    for (unsigned i = 0; i < depth; i++)
        p[n++] = ']';
    return n;
}

static void test_depth(void **state)
{
    static char deep[2000000];
    (void)state;
    assert_int_equal(read_any(slice_of(deep, nest(deep, JSON_DEPTH_LIMIT))), E_OK);
    assert_int_equal(read_any(slice_of(deep, nest(deep, JSON_DEPTH_LIMIT + 1))), E_JSON_DEPTH);
    assert_int_equal(read_any(slice_of(deep, nest(deep, 1000000))), E_JSON_DEPTH);
    assert_true(json_depth_ok(SLICE_NONE));
    assert_true(json_depth_ok(LIT("]]]]")));
    assert_true(json_depth_ok(LIT("\"\\")));
}

static enum err_code read_repeated(const char *item, size_t times)
{
    struct buf b;
    buf_init(&b, 32 << 20);
    buf_puts(&b, "[0");
    for (size_t i = 0; i < times; i++)
        buf_puts(&b, item);
    buf_puts(&b, "]");
    assert_true(err_ok(buf_check(&b)));
    enum err_code code = read_any(buf_slice(&b));
    buf_done(&b);
    return code;
}

/* Text that would grow to many times its size is refused before it is read. */
static void test_memory(void **state)
{
    (void)state;
    assert_int_equal(read_repeated(",{}", 30), E_OK);
    assert_int_equal(read_repeated(",{}", 1000000), E_JSON_SHAPE);
    assert_int_equal(read_repeated(",[]", 1000000), E_JSON_SHAPE);
    assert_int_equal(read_repeated(",1", 1000000), E_JSON_SHAPE);
    assert_int_equal(read_repeated(",{\"label\":\"a\",\"value\":\"b\"}", 100000), E_OK);
    assert_int_equal(read_repeated(",{\"myNumber\":\"210987654321\"}", 100000), E_OK);
    assert_int_equal(read_repeated(",\"[,[,[,[,[,[,[,[,[,[,[\"", 1000), E_OK);
}

static enum err_code read_members(const char *open, const char *close, bool object, size_t n)
{
    char item[64];
    struct buf b;
    buf_init(&b, 32 << 20);
    buf_puts(&b, open);
    for (size_t i = 0; i < n; i++) {
        snprintf(item, sizeof item, object ? "%s\"k%06zu\":\"value\"" : "%s\"v%06zu\"", i ? "," : "", i);
        buf_puts(&b, item);
    }
    buf_puts(&b, close);
    assert_true(err_ok(buf_check(&b)));
    enum err_code code = read_any(buf_slice(&b));
    buf_done(&b);
    return code;
}

/* One object with hundreds of thousands of members holds everybody else up; many rows are the caller's business. */
static void test_members(void **state)
{
    static const struct { const char *open, *close; bool object; } IN[] = {
        { "{", "}", true }, { "[{", "}]", true }, { "{\"a\":[", "]}", false }, { "[{},[", "]]", false }, { "[1,{\"a\":{},\"b\":{", "}}]", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof IN / sizeof IN[0]; i++) {
        assert_int_equal(read_members(IN[i].open, IN[i].close, IN[i].object, JSON_MEMBERS_LIMIT), E_OK);
        assert_int_equal(read_members(IN[i].open, IN[i].close, IN[i].object, JSON_MEMBERS_LIMIT + 1), E_JSON_SHAPE);
        assert_int_equal(read_members(IN[i].open, IN[i].close, IN[i].object, 300000), E_JSON_SHAPE);
    }
    assert_int_equal(read_members("[", "]", false, 100000), E_OK);
    assert_int_equal(read_repeated(",{\"a\":\"aaaaaaaa\",\"b\":\"bbbbbbbb\"}", 3 * JSON_MEMBERS_LIMIT), E_OK);
}

static void test_shape(void **state)
{
    struct arena *a = arena_new(4096);
    json_t *v = NULL;
    (void)state;
    assert_int_equal(json_in_array(&v, a, LIT("{}")).code, E_JSON_SHAPE);
    assert_int_equal(json_in_object(&v, a, LIT("[]")).code, E_JSON_SHAPE);
    assert_null(v);
    assert_int_equal(json_in_array(&v, a, LIT("\"x\"")).code, E_BAD_JSON);
    assert_true(err_ok(json_in_array(&v, a, LIT("[1]"))));
    assert_int_equal(json_array_size(v), 1);
    assert_true(err_ok(json_in_object(&v, a, LIT("{\"a\":1}"))));
    assert_int_equal(json_object_size(v), 1);
    arena_free(a);
}

static void test_full_arena(void **state)
{
    struct arena *a = arena_new(1);
    json_t *v = NULL;
    (void)state;
    assert_int_equal(json_in(&v, a, LIT("[]")).code, E_NOMEM);
    assert_null(v);
    arena_free(a);
}

static void test_setup_wipes(void **state)
{
    json_malloc_t got_malloc;
    json_free_t got_free;
    (void)state;
    json_get_alloc_funcs(&got_malloc, &got_free);
    assert_ptr_equal(got_malloc, wipe_malloc);
    assert_ptr_equal(got_free, wipe_free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases), cmocka_unit_test(test_depth), cmocka_unit_test(test_shape), cmocka_unit_test(test_memory), cmocka_unit_test(test_members),
        cmocka_unit_test(test_full_arena), cmocka_unit_test(test_setup_wipes),
    };
    json_in_setup();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
