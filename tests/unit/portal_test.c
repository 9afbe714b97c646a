#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "gateway/audit/entry_json.h"
#include "gateway/portal/statement.h"
#include "gateway/portal/words.h"

/* ---- the form of the access log ---- */

static struct field_value digits(const char *s) { return (struct field_value){ .present = s != NULL, .text = slice_str(s) }; }

static void test_cursor_and_limit(void **state)
{
    (void)state;
    static const struct { const char *cursor, *limit, *bad; uint64_t before; unsigned n; } CASES[] = {
        { NULL, NULL, NULL, UINT64_MAX, LOG_LIMIT_DEFAULT }, { "1", "50", NULL, 1, 50 }, { "18446744073709551615", "1", NULL, UINT64_MAX, 1 },
        { "0", NULL, "cursor", 0, 0 }, { "01", NULL, "cursor", 0, 0 }, { "18446744073709551616", NULL, "cursor", 0, 0 }, { "", NULL, "cursor", 0, 0 },
        { "9", "0", "limit", 0, 0 }, { NULL, "51", "limit", 0, 0 }, { NULL, "99", "limit", 0, 0 }, { NULL, "05", "limit", 0, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct log_form f = { .cursor = digits(CASES[i].cursor), .limit = digits(CASES[i].limit) };
        uint64_t before = 7;
        unsigned limit = 7;
        const char *bad = log_form_read(&f, &before, &limit);
        if (CASES[i].bad) {
            assert_string_equal(bad, CASES[i].bad);
            assert_true(before == 7 && limit == 7);
        } else {
            assert_null(bad);
            assert_true(before == CASES[i].before && limit == CASES[i].n);
        }
    }
}

/* ---- words ---- */

static void test_whatever_can_be_about_a_person_has_words(void **state)
{
    (void)state;
    static const enum audit_event ABOUT[] = { AU_CLINIC_LOOKUP, AU_SESSION_READ, AU_SESSION_ENDED, AU_CONSENT_WITHDRAWN, AU_CONSENTS_READ, AU_CITIZEN_LOOKUP,
                                              AU_PSEUDONYM_LINKED, AU_ACCESS_LOG_READ, AU_STATEMENT_ISSUED, AU_RESIDENT_CHANGED, AU_PERSON_ERASED };
    struct slice other = slice_str(words_event((enum audit_event)9999).ja);
    for (size_t i = 0; i < sizeof ABOUT / sizeof ABOUT[0]; i++) {
        assert_false(slice_eq(slice_str(words_event(ABOUT[i]).ja), other));
        assert_true(words_visible(&(struct audit_rec){ .event = ABOUT[i] }));
    }
    assert_false(words_visible(&(struct audit_rec){ .event = AU_FLAGS_SET }));
    assert_false(words_visible(&(struct audit_rec){ .event = AU_FLAGS_READ }));
    for (unsigned r = 0; r <= AR__MAX; r++)
        assert_true(words_result((enum audit_result)r).ja && words_result((enum audit_result)r).en);
    for (unsigned b = 0; b <= AB__MAX; b++)
        assert_true(words_behalf((enum audit_behalf)b).ja && words_behalf((enum audit_behalf)b).en);
    for (unsigned bit = 0; bit < 20; bit++)
        assert_true(!words_item(bit).ja == !audit_item_name(bit) && !words_item(bit).en == !audit_item_name(bit));
}

static struct audit_rec by(const char *actor, const char *muni)
{
    struct audit_rec rec = { .event = AU_CLINIC_LOOKUP, .wall_ms = 1795231248000 };
    memcpy(rec.muni, muni, sizeof rec.muni);
    audit_set_actor(&rec, slice_str(actor));
    return rec;
}

static void test_an_act_is_its_institutions(void **state)
{
    (void)state;
    static const struct { const char *actor, *muni, *want; } CASES[] = {
        { "clinic/3319900019", "331007", "3319900019" }, { "municipality/331007/kodomo", "000000", "331007" }, { "portal/mynaportal", "000000", "mynaportal" },
        { "intake", "331007", "331007" }, { "front", "000000", "pmhgw" }, { "clinic/", "000000", "pmhgw" }, { "clinic//x", "000000", "pmhgw" },
        { "strange/331007", "000000", "pmhgw" }, { "", "000000", "pmhgw" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct audit_rec rec = by(CASES[i].actor, CASES[i].muni);
        assert_true(slice_eq(words_institution(&rec), slice_str(CASES[i].want)));
    }
    struct audit_rec whole = { .event = AU_CLINIC_LOOKUP }; /* no NUL at the end */
    memset(whole.actor, '/', sizeof whole.actor);
    memset(whole.muni, '0', sizeof whole.muni);
    assert_true(slice_eq(words_institution(&whole), LIT("pmhgw")));
}

/* ---- the printed statement ---- */

static bool contains(const struct buf *b, const char *what) { return memmem(b->p, b->n, what, strlen(what)); }

static void test_text_is_escaped(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 1024);
    statement_escape(&out, LIT("<script>&\"'\x1b[31m\r\nあ"));
    assert_true(slice_eq(buf_slice(&out), LIT("&lt;script&gt;&amp;&quot;&#39;[31m\nあ")));
    buf_done(&out);
}

static void test_times_are_those_of_japan(void **state)
{
    (void)state;
    char at[STATEMENT_TIME];
    statement_time(1709218799999, at); /* 2024-02-29 14:59:59 UTC */
    assert_true(slice_eq(ARR(at), LIT("2024-02-29 23:59:59")));
    statement_time(1709218800000, at);
    assert_true(slice_eq(ARR(at), LIT("2024-03-01 00:00:00")));
}

static void test_the_document_is_of_one_piece(void **state)
{
    (void)state;
    struct statement *s = calloc(1, sizeof *s);
    struct lookup_env env = { .log_key = LIT("log+00000000+<key>") };
    struct institutions *names = NULL;
    struct buf out, bad;
    static const char YAML[] = "institutions:\n  - { code: \"3319900019\", ja: \"<b>\\\"病院\", en: \"a & 'b'\" }\n";
    assert_non_null(s);
    buf_init(&bad, 1024);
    assert_int_equal(institutions_parse(&names, "test", slice_str(YAML), &bad).code, E_OK);
    env.institutions = names;
    s->page.c.a.env = &env;
    s->issued_ms = 1709218800000;
    memset(s->request, 'a', sizeof s->request);
    memcpy(s->page.note, "log\n5\n<root>\n", 13);
    s->page.note_n = 13;
    s->page.n = 2;
    s->page.entry[0] = (struct audit_proof){ .seq = 4242, .rec = by("clinic/3319900019", "331007") };
    s->page.entry[0].rec.items = AUDIT_ITEM_ELIGIBILITY;
    s->page.entry[1] = (struct audit_proof){ .seq = 17, .rec = by("clinic/2719900017", "331007") };
    buf_init(&out, 1 << 20);
    statement_html(s, &out);
    assert_int_equal(buf_check(&out).code, E_OK);
    assert_true(contains(&out, "&lt;b&gt;&quot;病院") && contains(&out, "a &amp; &#39;b&#39;") && contains(&out, "&lt;root&gt;") && contains(&out, "+&lt;key&gt;"));
    assert_true(contains(&out, "<td>4242</td><td>2026-11-21") && contains(&out, "<td>17</td>") && contains(&out, "2719900017") && contains(&out, "aaaaaaaa"));
    assert_true(contains(&out, "これより前の記録はありません") && contains(&out, "</body></html>"));
    assert_false(contains(&out, "<script") || contains(&out, "<b>") || contains(&out, "src=") || contains(&out, "http:") || contains(&out, "https:"));
    s->page.next = 17;
    buf_reset(&out);
    statement_html(s, &out);
    assert_true(contains(&out, "これより前の記録もあります"));
    buf_done(&out);
    buf_done(&bad);
    institutions_free(names);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cursor_and_limit),
        cmocka_unit_test(test_whatever_can_be_about_a_person_has_words),
        cmocka_unit_test(test_an_act_is_its_institutions),
        cmocka_unit_test(test_text_is_escaped),
        cmocka_unit_test(test_times_are_those_of_japan),
        cmocka_unit_test(test_the_document_is_of_one_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
