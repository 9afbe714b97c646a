/* Templates and answers: what is taken, what is refused and how it is named, and that what is written is read back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/questionnaire/sheet.h"
#include "gateway/questionnaire/template_int.h"

#define HEAD "\"id\":\"flu\",\"version\":\"1\",\"title_ja\":\"インフルエンザ予診票\",\"programs\":[{\"vaccinationProgramId\":\"INF\"}]"
#define YN(id, more) "{\"id\":\"" id "\",\"text_ja\":\"問い\",\"type\":\"yes_no\",\"required\":true" more "}"
#define WHOLE(items) "{" HEAD ",\"items\":[" items "]}"
#define SHOWN(on, is) ",\"show_if\":{\"item\":\"" on "\",\"equals\":\"" is "\"}"

#define FULL                                                                                                                        \
    "{\"id\":\"flu\",\"version\":\"12\",\"title_ja\":\"予診票\",\"title_en\":\"Flu\",\"consent_ja\":\"説明を受け、同意します。\","   \
    "\"validFrom\":\"2026-10-01\",\"validTo\":\"2027-01-31\",\"programs\":[{\"vaccinationProgramId\":\"INF\"},{\"vaccinationProgramId\":\"INF-2\"}]," \
    "\"items\":["                                                                                                                    \
    "{\"id\":\"temp\",\"text_ja\":\"体温\",\"type\":\"number\",\"required\":true,\"unfit_if\":{\"at_least\":\"37.5\"}},"              \
    YN("ill", ",\"unfit_if\":{\"equals\":\"yes\"}") ","                                                                               \
    "{\"id\":\"what\",\"text_ja\":\"病名\",\"text_en\":\"What\",\"type\":\"text\",\"required\":true" SHOWN("ill", "yes") "},"          \
    "{\"id\":\"since\",\"text_ja\":\"いつから\",\"type\":\"date\",\"required\":false" SHOWN("ill", "yes") "},"                        \
    "{\"id\":\"egg\",\"text_ja\":\"卵\",\"type\":\"choice\",\"required\":true,\"choices\":[{\"id\":\"none\",\"ja\":\"ない\"},{\"id\":\"mild\",\"ja\":\"軽い\"}]}," \
    "{\"id\":\"seen\",\"text_ja\":\"診察\",\"type\":\"yes_no\",\"required\":true,\"doctor_only\":true}]}"

struct world { struct arena *a; struct qtemplate t; struct qt_report report; };

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    w->a = arena_new(8 << 20);
    *state = w;
    return w->a ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    arena_free(w->a);
    free(w);
    return 0;
}

static enum err_code take(struct world *w, const char *json) { return template_read(slice_str(json), w->a, &w->t, &w->report).code; }

static void expect_fault(struct world *w, const char *json, int item, const char *field, enum field_rule rule)
{
    assert_int_equal(take(w, json), E_FIELD);
    for (unsigned i = 0; i < w->report.n; i++)
        if (w->report.faults[i].item == item && strcmp(w->report.faults[i].field, field) == 0 && w->report.faults[i].rule == rule)
            return;
    fail_msg("no fault %d %s %s; the first: %d %s %s", item, field, field_rule_slug(rule), w->report.faults[0].item, w->report.faults[0].field,
             field_rule_slug(w->report.faults[0].rule));
}

static void a_template_is_written_as_it_was_read(void **state)
{
    struct world *w = *state;
    struct buf one, two;
    struct jsonw j;
    assert_int_equal(take(w, FULL), E_OK);
    assert_int_equal(w->t.version, 12);
    assert_int_equal(w->t.n_items, 6);
    assert_int_equal(w->t.items[2].show_item, 1);
    assert_true(w->t.items[5].doctor_only);
    assert_true(template_is_for(&w->t, LIT("INF-2")) && !template_is_for(&w->t, LIT("INF-3")));
    assert_true(template_open_on(&w->t, 20261001) && template_open_on(&w->t, 20270131));
    assert_false(template_open_on(&w->t, 20260930) || template_open_on(&w->t, 20270201));
    buf_init(&one, 1 << 16), buf_init(&two, 1 << 16);
    jsonw_init(&j, &one);
    template_write(&w->t, QT_VIEW_WHOLE, NULL, &j);
    assert_int_equal(template_read(buf_slice(&one), w->a, &w->t, &w->report).code, E_OK);
    jsonw_init(&j, &two);
    template_write(&w->t, QT_VIEW_WHOLE, NULL, &j);
    assert_true(slice_eq(buf_slice(&one), buf_slice(&two)));
    buf_done(&one), buf_done(&two);
}

static bool holds(const struct buf *b, const char *word) { return memmem(b->p, b->n, word, strlen(word)) != NULL; }

static void the_citizen_sees_neither_the_doctors_items_nor_what_an_answer_means(void **state)
{
    struct world *w = *state;
    struct buf out;
    struct jsonw j;
    assert_int_equal(take(w, FULL), E_OK);
    buf_init(&out, 1 << 16);
    jsonw_init(&j, &out);
    template_write(&w->t, QT_VIEW_CITIZEN, NULL, &j);
    assert_true(holds(&out, "\"temp\"") && holds(&out, "show_if"));
    assert_false(holds(&out, "unfit_if") || holds(&out, "\"seen\""));
    buf_done(&out);
}

static void faults_are_named(void **state)
{
    struct world *w = *state;
    static const struct { const char *json; int item; const char *field; enum field_rule rule; } CASES[] = {
        { "{" HEAD "}", QT_NO_ITEM, "items", FR_MISSING },
        { "{" HEAD ",\"items\":[]}", QT_NO_ITEM, "items", FR_LENGTH },
        { "{" HEAD ",\"items\":[" YN("a", "") "],\"colour\":\"red\"}", QT_NO_ITEM, "", FR_UNKNOWN },
        { WHOLE(YN("a", "") "," YN("a", "")), 1, "id", FR_TWICE },
        { WHOLE(YN("a b", "")), 0, "id", FR_CLASS },
        { WHOLE(YN("a", SHOWN("b", "yes")) "," YN("b", SHOWN("a", "yes"))), 0, "show_if", FR_RANGE }, /* a circle */
        { WHOLE(YN("a", SHOWN("a", "yes"))), 0, "show_if", FR_RANGE },
        { WHOLE(YN("a", "") "," YN("b", SHOWN("a", "maybe"))), 1, "show_if", FR_CODE },
        { WHOLE(YN("a", ",\"doctor_only\":true") "," YN("b", SHOWN("a", "yes"))), 1, "show_if", FR_RANGE },
        { WHOLE(YN("a", ",\"show_if\":{\"item\":\"a\"}")), 0, "equals", FR_MISSING },
        { WHOLE(YN("a", ",\"unfit_if\":{\"at_least\":\"1\"}")), 0, "unfit_if", FR_RANGE },
        { WHOLE(YN("a", ",\"choices\":[{\"id\":\"x\",\"ja\":\"x\"}]")), 0, "choices", FR_RANGE },
        { WHOLE("{\"id\":\"a\",\"text_ja\":\"x\",\"type\":\"choice\",\"required\":true}"), 0, "choices", FR_MISSING },
        { WHOLE("{\"id\":\"a\",\"text_ja\":\"x\",\"type\":\"choice\",\"required\":true,\"choices\":[{\"id\":\"x\",\"ja\":\"x\"},{\"id\":\"x\",\"ja\":\"y\"}]}"), 0, "choices", FR_TWICE },
        { WHOLE("{\"id\":\"a\",\"text_ja\":\"x\",\"type\":\"colour\",\"required\":true}"), 0, "type", FR_CODE },
        { WHOLE("{\"id\":\"a\",\"text_ja\":\"\x1b[31mred\",\"type\":\"text\",\"required\":true}"), 0, "text_ja", FR_CLASS },
        { WHOLE("{\"id\":\"a\",\"text_ja\":\"\\u001b[31m\",\"type\":\"text\",\"required\":true}"), 0, "text_ja", FR_CLASS },
        { WHOLE("{\"id\":\"a\",\"text_ja\":\"1234-5678-9012 の方\",\"type\":\"text\",\"required\":true}"), 0, "text_ja", FR_NUMBER_INSIDE },
        { "{\"id\":\"flu\",\"version\":\"0\",\"title_ja\":\"t\",\"programs\":[{\"vaccinationProgramId\":\"P\"}],\"items\":[" YN("a", "") "]}", QT_NO_ITEM, "version", FR_CLASS },
        { "{\"id\":\"flu\",\"version\":\"1\",\"title_ja\":\"t\",\"programs\":[{\"vaccinationProgramId\":\"P\"},{\"vaccinationProgramId\":\"P\"}],\"items\":[" YN("a", "") "]}", QT_NO_ITEM, "programs", FR_TWICE },
        { "{" HEAD ",\"validFrom\":\"2026-12-01\",\"validTo\":\"2026-11-30\",\"items\":[" YN("a", "") "]}", QT_NO_ITEM, "validTo", FR_RANGE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        if (strchr(CASES[i].json, 0x1b)) { /* a raw control character is no JSON */
            assert_int_equal(take(w, CASES[i].json), E_BAD_JSON);
            continue;
        }
        expect_fault(w, CASES[i].json, CASES[i].item, CASES[i].field, CASES[i].rule);
    }
    assert_int_equal(take(w, "[]"), E_JSON_SHAPE);
    assert_int_equal(take(w, "{\"id\":\"a\",\"id\":\"b\"}"), E_JSON_DUPLICATE);
}

static void too_much_is_refused(void **state)
{
    struct world *w = *state;
    struct buf b;
    char item[128];
    buf_init(&b, 1 << 20);
    buf_puts(&b, "{" HEAD ",\"items\":[");
    for (int i = 0; i <= QT_ITEMS_MAX; i++) {
        snprintf(item, sizeof item, "%s{\"id\":\"q%d\",\"text_ja\":\"x\",\"type\":\"text\",\"required\":true}", i ? "," : "", i);
        buf_puts(&b, item);
    }
    buf_puts(&b, "]}");
    expect_fault(w, buf_cstr(&b), QT_NO_ITEM, "items", FR_LENGTH);
    buf_reset(&b);
    for (int i = 0; i < 2 * QT_JSON_MAX / 64; i++)
        buf_puts(&b, "                                                                ");
    assert_int_equal(template_read(buf_slice(&b), w->a, &w->t, &w->report).code, E_BODY_TOO_LARGE);
    buf_done(&b);
}

static void twelve_digits_are_found_in_every_dress(void **state)
{
    (void)state;
    static const struct { const char *text; bool found; } CASES[] = {
        { "123456789012", true }, { "1234 5678 9012", true }, { "1234-5678-9012", true }, { "１２３４５６７８９０１２", true }, { "1234　5678－9012", true },
        { "x123456789012y", true }, { "1234567890123", true }, { "12345678901", false }, { "03-1234-5678", false }, { "1234  56789012", false },
        { "2026年11月21日 10時00分", false }, { "", false }, { "1\xe2\x80\x8b" "2345678901" "2", true },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++)
        assert_int_equal(qt_twelve_digits(slice_str(CASES[i].text)), CASES[i].found);
}

static void decimals_have_one_form(void **state)
{
    (void)state;
    static const struct { const char *text; bool good; int64_t v; } CASES[] = {
        { "36.5", true, 36500 }, { "0", true, 0 }, { "-3.25", true, -3250 }, { "999999.999", true, 999999999 }, { "01", false, 0 }, { "1.", false, 0 }, { ".5", false, 0 },
        { "-0", false, 0 }, { "+1", false, 0 }, { "1e3", false, 0 }, { "", false, 0 }, { "-", false, 0 }, { "1.2345", false, 0 }, { "1234567", false, 0 }, { "1.2.3", false, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        int64_t v = 0;
        assert_int_equal(qt__decimal(slice_str(CASES[i].text), &v), CASES[i].good);
        assert_int_equal(v, CASES[i].v);
    }
}

/* ---- answers ---- */

static enum err_code answer(struct world *w, const char *json, enum sheet_by by, bool whole, const struct answers *with, struct answers *ret_a)
{
    json_t *array;
    assert_int_equal(json_in_array(&array, w->a, slice_str(json)).code, E_OK);
    return answers_read(array, &w->t, by, whole, with, ret_a, &w->report).code;
}

#define A(item, value) "{\"item\":\"" item "\",\"value\":\"" value "\"}"
#define GOOD A("egg", "none") "," A("temp", "36.5") "," A("ill", "no")

static void answers_stand_in_the_order_of_the_template(void **state)
{
    struct world *w = *state;
    struct answers a, all;
    size_t look[QT_ITEMS_MAX];
    assert_int_equal(take(w, FULL), E_OK);
    assert_int_equal(answer(w, "[" GOOD "]", SHEET_BY_CITIZEN, true, NULL, &a), E_OK);
    assert_int_equal(a.n, 3);
    assert_true(slice_eq(a.a[0].item, LIT("temp")) && slice_eq(a.a[2].item, LIT("egg")));
    assert_int_equal(answers_unfit(&w->t, &a, look), 0);
    assert_int_equal(answer(w, "[" A("seen", "yes") "]", SHEET_BY_DOCTOR, true, &a, &all), E_OK);
    assert_int_equal(all.n, 4);
    assert_int_equal(answer(w, "[" A("temp", "37.5") "," A("ill", "yes") "," A("what", "喘息") "," A("egg", "mild") "]", SHEET_BY_CITIZEN, true, NULL, &a), E_OK);
    assert_int_equal(answers_unfit(&w->t, &a, look), 2);
}

static void bad_answers_are_named(void **state)
{
    struct world *w = *state;
    struct answers a;
    static const struct { const char *json; bool whole; enum sheet_by by; int item; enum field_rule rule; } CASES[] = {
        { "[" A("temp", "36.5") "]", true, SHEET_BY_CITIZEN, 1, FR_MISSING },
        { "[" GOOD "," A("what", "x") "]", false, SHEET_BY_CITIZEN, 2, FR_HIDDEN },
        { "[" A("what", "x") "]", false, SHEET_BY_CITIZEN, 2, FR_HIDDEN },
        { "[" GOOD "," A("temp", "36.6") "]", false, SHEET_BY_CITIZEN, 0, FR_TWICE },
        { "[" A("temp", "warm") "]", false, SHEET_BY_CITIZEN, 0, FR_CLASS },
        { "[" A("ill", "maybe") "]", false, SHEET_BY_CITIZEN, 1, FR_CODE },
        { "[" A("egg", "much") "]", false, SHEET_BY_CITIZEN, 4, FR_CODE },
        { "[" A("seen", "yes") "]", false, SHEET_BY_CITIZEN, QT_NO_ITEM, FR_UNKNOWN },
        { "[" A("nobody", "yes") "]", false, SHEET_BY_CITIZEN, QT_NO_ITEM, FR_UNKNOWN },
        { "[" GOOD "]", false, SHEET_BY_DOCTOR, QT_NO_ITEM, FR_UNKNOWN },
        { "[" A("ill", "yes") "," A("since", "2026-02-30") "]", false, SHEET_BY_CITIZEN, 3, FR_DATE },
        { "[" A("ill", "yes") "," A("what", "\\u0000") "]", false, SHEET_BY_CITIZEN, QT_NO_ITEM, FR_CLASS },
        { "[" A("ill", "yes") "," A("what", "\\u001b]0;x\\u0007") "]", false, SHEET_BY_CITIZEN, QT_NO_ITEM, FR_CLASS },
        { "[" A("ill", "yes") "," A("what", "私の番号は 123456789018") "]", false, SHEET_BY_CITIZEN, 2, FR_NUMBER_INSIDE },
        { "[{\"item\":\"temp\"}]", false, SHEET_BY_CITIZEN, QT_NO_ITEM, FR_MISSING },
        { "[{\"item\":\"temp\",\"value\":36.5}]", false, SHEET_BY_CITIZEN, QT_NO_ITEM, FR_TYPE },
    };
    assert_int_equal(take(w, FULL), E_OK);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        bool found = false;
        struct slice json = slice_str(CASES[i].json);
        if (memmem(json.p, json.n, "\\u0000", 6)) { /* jansson itself refuses it */
            json_t *array;
            assert_int_equal(json_in_array(&array, w->a, json).code, E_BAD_JSON);
            continue;
        }
        assert_int_equal(answer(w, CASES[i].json, CASES[i].by, CASES[i].whole, NULL, &a), E_FIELD);
        for (unsigned k = 0; k < w->report.n; k++)
            found |= w->report.faults[k].item == CASES[i].item && w->report.faults[k].rule == CASES[i].rule;
        if (!found)
            fail_msg("case %zu: item %d rule %s", i, w->report.faults[0].item, field_rule_slug(w->report.faults[0].rule));
    }
}

static void a_draft_may_lack_answers_but_not_have_hidden_ones(void **state)
{
    struct world *w = *state;
    struct answers a;
    assert_int_equal(take(w, FULL), E_OK);
    assert_int_equal(answer(w, "[]", SHEET_BY_CITIZEN, false, NULL, &a), E_OK);
    assert_int_equal(a.n, 0);
    assert_int_equal(answer(w, "[" A("ill", "yes") "," A("what", "x") "]", SHEET_BY_CITIZEN, false, NULL, &a), E_OK);
}

/* ---- index ---- */

static void versions_of_a_template_follow_one_another(void **state)
{
    struct world *w = *state;
    struct qt_index *x = arena_get(w->a, sizeof *x), *y = arena_get(w->a, sizeof *y);
    struct buf plain;
    assert_int_equal(take(w, WHOLE(YN("a", ""))), E_OK);
    w->t.version = 2;
    assert_int_equal(qt_index_put(x, &w->t).code, E_VERSION);
    w->t.version = 1;
    assert_int_equal(qt_index_put(x, &w->t).code, E_OK);
    assert_int_equal(qt_index_put(x, &w->t).code, E_VERSION);
    w->t.version = 2;
    assert_int_equal(qt_index_put(x, &w->t).code, E_OK);
    assert_int_equal(x->n, 1);
    buf_init(&plain, QT_INDEX_MAX);
    assert_int_equal(qt_index_encode(x, &plain).code, E_OK);
    assert_int_equal(qt_index_decode(buf_slice(&plain), y).code, E_OK);
    assert_int_equal(y->n, 1);
    assert_int_equal(qt_index_find(y, LIT("flu"))->version, 2);
    assert_null(qt_index_find(y, LIT("fl")));
    for (size_t n = 0; n < plain.n; n++)
        assert_int_equal(qt_index_decode(slice_of(plain.p, n), y).code, E_SEAL);
    buf_done(&plain);
    for (int i = 1; i < QT_TEMPLATES_MAX; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        w->t.id = arena_dup(w->a, slice_str(id));
        w->t.version = 1;
        assert_int_equal(qt_index_put(x, &w->t).code, E_OK);
    }
    w->t.id = LIT("more");
    assert_int_equal(qt_index_put(x, &w->t).code, E_FULL);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_template_is_written_as_it_was_read), T(the_citizen_sees_neither_the_doctors_items_nor_what_an_answer_means), T(faults_are_named),
        T(too_much_is_refused), T(twelve_digits_are_found_in_every_dress), T(decimals_have_one_form), T(answers_stand_in_the_order_of_the_template),
        T(bad_answers_are_named), T(a_draft_may_lack_answers_but_not_have_hidden_ones), T(versions_of_a_template_follow_one_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
