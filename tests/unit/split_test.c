#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/base/buf.h"
#include "keys/ctl/split.h"

/* Rows joined by '|', then '.' for a good end or '!' for a bad one. */
static void walk(const char *text, size_t n, struct buf *out)
{
    struct nz_split s = nz_split_of(slice_of(text, n));
    struct slice row;
    enum nz_split_step step;
    while ((step = nz_split_next(&s, &row)) == NZ_SPLIT_ROW) {
        buf_put(out, row);
        buf_putc(out, '|');
    }
    buf_putc(out, step == NZ_SPLIT_END ? '.' : '!');
    assert_int_equal(nz_split_next(&s, &row), step); /* it stays there */
}

static void test_cases(void **state)
{
    static const struct { const char *name, *text, *want; } CASES[] = {
        { "empty array", "[]", "." },
        { "blanks", " \t\r\n[ \n ] \n", "." },
        { "one", "[{}]", "{}|." },
        { "three", "[{\"a\":1}, {\"b\":[1,2]} ,3]", "{\"a\":1}|{\"b\":[1,2]}|3|." },
        { "brackets in strings", "[\"],[\",\"}\"]", "\"],[\"|\"}\"|." },
        { "escapes in strings", "[\"\\\"],\",\"\\\\\"]", "\"\\\"],\"|\"\\\\\"|." },
        { "kanji", "[{\"name\":\"愛知花子\"}]", "{\"name\":\"愛知花子\"}|." },
        { "nested", "[[[1],[2]],{\"a\":{\"b\":[{}]}}]", "[[1],[2]]|{\"a\":{\"b\":[{}]}}|." },
        { "nothing", "", "!" },
        { "an object", "{}", "!" },
        { "no end", "[1,2", "1|!" },
        { "no end in a string", "[\"abc", "!" },
        { "no end after an escape", "[\"abc\\", "!" },
        { "comma at the end", "[1,]", "!" },
        { "comma at the start", "[,1]", "!" },
        { "two commas", "[1,,2]", "1|!" },
        { "rest", "[1] x", "!" },
        { "two arrays", "[1][2]", "!" },
        { "wrong bracket", "[1}", "!" },
        { "only open", "[", "!" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf out;
        buf_init(&out, 1024);
        walk(CASES[i].text, strlen(CASES[i].text), &out);
        if (strcmp(buf_cstr(&out), CASES[i].want) != 0)
            fail_msg("%s: got %s", CASES[i].name, buf_cstr(&out));
        buf_done(&out);
    }
}

/* Every beginning of a good text is either bad or gives the same first rows; nothing is read behind its end (ASan). */
static void test_every_cut(void **state)
{
    static const char TEXT[] = "[ {\"a\":\"\\\"]\"} , [1,{\"b\":2}], \"x\\\\\" ]";
    (void)state;
    for (size_t n = 0; n < sizeof TEXT - 1; n++) {
        char *copy = malloc(n ? n : 1);
        struct buf out;
        memcpy(copy, TEXT, n);
        buf_init(&out, 1024);
        walk(copy, n, &out);
        assert_int_equal(out.p[out.n - 1], '!');
        buf_done(&out);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_every_cut) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
