#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/linkage/convert.h"

static void test_dates(void **state)
{
    /* want NULL: refused */
    static const struct { const char *name, *text, *want; } CASES[] = {
        { "ISO", "2024-04-01", "2024-04-01" },
        { "slashes", "2024/4/1", "2024-04-01" },
        { "compact", "20240401", "2024-04-01" },
        { "western in kanji", "2024年4月1日", "2024-04-01" },
        { "full-width digits", "２０２４年０４月０１日", "2024-04-01" },
        { "reiwa", "令和6年4月1日", "2024-04-01" },
        { "reiwa, full-width", "令和６年４月１日", "2024-04-01" },
        { "letter", "R6.4.1", "2024-04-01" },
        { "small letter, zeros", "r06.04.01", "2024-04-01" },
        { "letter, slashes", "R6/4/1", "2024-04-01" },
        { "first year", "令和元年5月1日", "2019-05-01" },
        { "first year as a number", "R1.5.1", "2019-05-01" },
        { "last day of heisei", "平成31年4月30日", "2019-04-30" },
        { "first day of heisei", "H1.1.8", "1989-01-08" },
        { "last day of showa", "昭和64年1月7日", "1989-01-07" },
        { "first day of showa", "昭和元年12月25日", "1926-12-25" },
        { "last day of taisho", "T15.12.24", "1926-12-24" },
        { "first day of taisho", "大正元年7月30日", "1912-07-30" },
        { "last day of meiji", "M45.7.29", "1912-07-29" },
        { "first solar day", "明治6年1月1日", "1873-01-01" },
        { "leap day", "R6.2.29", "2024-02-29" },
        { "before reiwa", "令和元年4月30日", NULL },
        { "after heisei", "平成31年5月1日", NULL },
        { "after showa", "昭和64年1月8日", NULL },
        { "after taisho", "大正15年12月25日", NULL },
        { "after meiji", "明治45年7月30日", NULL },
        { "lunar calendar", "明治5年12月2日", NULL },
        { "year nought", "R0.4.1", NULL },
        { "no leap day", "2023-02-29", NULL },
        { "30 February", "R6.2.30", NULL },
        { "month 13", "2024/13/1", NULL },
        { "day 0", "2024/1/0", NULL },
        { "mixed separators", "2024-4/1", NULL },
        { "half kanji", "令和6年4月1", NULL },
        { "dots without era", "2024.4.1", NULL },
        { "compact with era", "R060401", NULL },
        { "two digits of a year", "24/4/1", NULL },
        { "five digits of a year", "20244/4/1", NULL },
        { "something behind", "2024-04-01 ", NULL },
        { "a time behind", "2024/4/1 0:00", NULL },
        { "seven digits", "2024041", NULL },
        { "nine digits", "202404011", NULL },
        { "no day", "令和6年4月", NULL },
        { "an era alone", "令和", NULL },
        { "unknown era", "光文6年4月1日", NULL },
        { "cut in a character", "令和6\xe5\xb9", NULL },
        { "empty", "", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char out[11] = "untouched!";
        bool good = nz_convert_date(slice_str(CASES[i].text), out);
        if (good != (CASES[i].want != NULL) || strcmp(out, CASES[i].want ? CASES[i].want : "untouched!") != 0)
            fail_msg("%s: %d %s", CASES[i].name, good, out);
    }
}

static void test_kana(void **state)
{
    static const struct { const char *name, *text, *want; } CASES[] = {
        { "plain", "ﾔﾏﾀﾞ ﾊﾅｺ", "ヤマダ ハナコ" },
        { "voiced", "ｶﾞｷﾞｸﾞｹﾞｺﾞｻﾞｼﾞｽﾞｾﾞｿﾞﾀﾞﾁﾞﾂﾞﾃﾞﾄﾞ", "ガギグゲゴザジズゼゾダヂヅデド" },
        { "both marks", "ﾊﾞﾋﾞﾌﾞﾍﾞﾎﾞﾊﾟﾋﾟﾌﾟﾍﾟﾎﾟ", "バビブベボパピプペポ" },
        { "odd ones", "ｳﾞﾜﾞｦﾞ", "ヴヷヺ" },
        { "small and long", "ｧｨｩｪｫｬｭｮｯｰ", "ァィゥェォャュョッー" },
        { "nothing to join", "ｱﾞﾝﾟｯﾞ", "ア゛ン゜ッ゛" },
        { "half-voiced k", "ｶﾟ", "カ゜" },
        { "mark alone", "ﾞ", "゛" },
        { "marks", "｡｢｣､･", "。「」、・" },
        { "full width stays", "ヤマダ　ハナコ", "ヤマダ　ハナコ" },
        { "other text stays", "Ab1 髙𠮷葛\xf3\xa0\x84\x80", "Ab1 髙𠮷葛\xf3\xa0\x84\x80" },
        { "empty", "", "" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf out;
        buf_init(&out, 1024);
        nz_convert_kana(slice_str(CASES[i].text), &out);
        if (!slice_eq(buf_slice(&out), slice_str(CASES[i].want)))
            fail_msg("%s: %s", CASES[i].name, buf_cstr(&out));
        buf_done(&out);
    }
}

static void test_choices(void **state)
{
    static const struct { const char *text; int want; } CASES[] = {
        { "0", 0 }, { "1", 1 }, { "無", 0 }, { "有", 1 }, { "false", 0 }, { "true", 1 },
        { "", -1 }, { "2", -1 }, { "00", -1 }, { "TRUE", -1 }, { "有り", -1 }, { " 1", -1 }, { "１", -1 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        bool yes = false;
        int got = nz_convert_choice(slice_str(CASES[i].text), &yes) ? yes : -1;
        if (got != CASES[i].want)
            fail_msg("\"%s\": %d", CASES[i].text, got);
    }
}

static void test_suspects(void **state)
{
    static const struct { const char *text; enum nz_rule want; } CASES[] = {
        { "4.21E+11", NZ_RULE_SCIENTIFIC }, { "1E+05", NZ_RULE_SCIENTIFIC }, { "1.5E-03", NZ_RULE_SCIENTIFIC }, { "1E-5", NZ_RULE_NONE }, { "4.21E+011", NZ_RULE_SCIENTIFIC },
        { "'0123", NZ_RULE_APOSTROPHE }, { "'", NZ_RULE_APOSTROPHE },
        { "", NZ_RULE_NONE }, { "421", NZ_RULE_NONE }, { "1E5", NZ_RULE_NONE }, { "E+11", NZ_RULE_NONE }, { "4.21E+", NZ_RULE_NONE },
        { "4.21E+11x", NZ_RULE_NONE }, { "42.1E+11", NZ_RULE_NONE }, { "O'Brien", NZ_RULE_NONE }, { "=1+1", NZ_RULE_NONE },
        { "\xef\xbb\xbf" "1", NZ_RULE_BOM }, { "1\xef\xbb\xbf", NZ_RULE_NONE },
        { "+81", NZ_RULE_NONE }, { "-1", NZ_RULE_NONE }, { "@a", NZ_RULE_NONE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        if (nz_convert_suspect(slice_str(CASES[i].text)) != CASES[i].want)
            fail_msg("%s", CASES[i].text);
}

static void test_digits(void **state)
{
    static const struct { const char *in, *want; bool needed; } CASES[] = {
        { "", "", false }, { "0123", "0123", false }, { "０１２", "012", true }, { "1２-ａ", "12-ａ", true }, { "〇一", "〇一", false }, { " １", " 1", true },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct buf out;
        buf_init(&out, 100);
        nz_convert_digits(slice_str(CASES[i].in), &out);
        if (!slice_eq(buf_slice(&out), slice_str(CASES[i].want)) || nz_convert_digits_needed(slice_str(CASES[i].in)) != CASES[i].needed)
            fail_msg("%s", CASES[i].in);
        buf_done(&out);
    }
}

static void test_sex(void **state)
{
    static const struct { const char *in, *want; } CASES[] = {
        { "男", "1" }, { "女", "2" }, { "男性", "1" }, { "女性", "2" }, { "1", "1" }, { "2", "2" }, { "２", "2" }, { "0", "0" }, { "9", "9" },
        { "", NULL }, { "M", NULL }, { "12", NULL }, { "男女", NULL }, { " 1", NULL }, { "1 ", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct slice code;
        bool good = nz_convert_sex(slice_str(CASES[i].in), &code);
        if (good != (CASES[i].want != NULL) || (good && !slice_eq(code, slice_str(CASES[i].want))))
            fail_msg("%s", CASES[i].in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates), cmocka_unit_test(test_kana), cmocka_unit_test(test_choices), cmocka_unit_test(test_suspects),
        cmocka_unit_test(test_digits), cmocka_unit_test(test_sex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
