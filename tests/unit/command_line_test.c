/* The table of commands, how a command line is read by it, and text on a screen of characters. */

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys/ctl/cli.h"
#include "keys/ctl/cli_help.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/screen.h"

/* ---- the table ---- */

static void test_every_row_is_told_in_both_languages(void **state)
{
    const struct cli_row *r;
    size_t n = 0;
    (void)state;
    for (size_t i = 0; (r = cli_row_at(i)); i++, n++) {
        assert_ptr_equal(cli_row_find(r->command), r); /* no command twice */
        if (r->group == CLI_HIDDEN)
            continue;
        if (!*r->ja || !*r->en || !r->more_ja != !r->more_en || !r->one_ja != !r->one_en || strchr(r->en, '\n') || r->min > r->max)
            fail_msg("%s", r->command);
        for (const struct cli_opt *o = r->opts; o->name; o++)
            if (strncmp(o->name, "--", 2) != 0 || !*o->ja || !*o->en || (o->kind == CLI_FLAG) != !o->arg || (o->kind == CLI_NUM && o->min >= o->max) || (o->fill == FILL_WORDS) != (o->words != NULL))
                fail_msg("%s %s", r->command, o->name);
    }
    assert_true(n > 60);
}

/* Options may stand before the word: of one name they have to be of one kind. */
static void test_an_option_is_the_same_kind_for_every_word_of_a_command(void **state)
{
    const struct cli_row *a, *b;
    (void)state;
    for (size_t i = 0; (a = cli_row_at(i)); i++)
        for (size_t k = 0; (b = cli_row_at(k)); k++) {
            size_t n = strcspn(a->command, " ");
            if (strncmp(a->command, b->command, n) != 0 || strcspn(b->command, " ") != n)
                continue;
            for (const struct cli_opt *o = a->opts; o->name; o++)
                for (const struct cli_opt *p = b->opts; p->name; p++)
                    if (strcmp(o->name, p->name) == 0 && o->kind != p->kind)
                        fail_msg("%s, %s: %s", a->command, b->command, o->name);
        }
}

static void test_what_was_probably_meant(void **state)
{
    static const struct { const char *word, *path, *meant; } CASES[] = {
        { "tass", NULL, "tasks" }, { "doctr", NULL, "doctor" }, { "stauts", NULL, "status" }, { "vacc", NULL, "vaccination" }, { "lst", "keys", "list" }, { "undu", "tasks", "undo" },
        { "xyzzy", NULL, NULL }, { "", NULL, NULL }, { "complete-nothing", NULL, NULL }, { "q", NULL, NULL }, { "list", "status", NULL },
    };
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        const char *near = cli_nearest(CASES[i].word, CASES[i].path);
        if ((near != NULL) != (CASES[i].meant != NULL) || (near && strcmp(near, CASES[i].meant) != 0))
            fail_msg("%s: %s", CASES[i].word, near ? near : "nothing");
    }
}

/* ---- a command line ---- */

struct read { const char *state, *rows; bool all, json, no_wait, csv, failed, jsonl; const char *muni, *officer, *verify, *receipt, *out; uint64_t show, timeout; struct opt_list words; enum opts_end end; };

static struct read parse(const char *line)
{
    struct read r = { .timeout = 300 };
    char text[256], *argv[32];
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    r.end = CLI_PARSE(argc, argv, "tasks", &r.words, { "--muni", &r.muni }, { "--rows", &r.rows }, { "--all", &r.all }, { "--officer", &r.officer }, { "--failed", &r.failed },
                      { "--csv", &r.csv }, { "--jsonl", &r.jsonl }, { "--json", &r.json }, { "--verify", &r.verify }, { "--receipt", &r.receipt }, { "--out", &r.out },
                      { "--show", &r.show }, { "--no-wait", &r.no_wait }, { "--timeout", &r.timeout }, { "--state", &r.state });
    return r;
}

static void test_words_and_options_in_any_order(void **state)
{
    (void)state;
    struct read r = parse("tasks --rows 1,5-9 release --officer=sato 0123 --timeout 7");
    assert_int_equal(r.end, OPTS_GO);
    assert_int_equal(r.words.n, 2);
    assert_string_equal(r.words.v[0], "release");
    assert_int_equal(r.timeout, 7);
    r = parse("tasks");
    assert_int_equal(r.end, OPTS_GO); /* the word that is meant when there is none */
    assert_string_equal(r.words.v[0], "list");
    assert_int_equal(parse("tasks --all").end, OPTS_GO);
    r = parse("tasks show -- --all");
    assert_int_equal(r.end, OPTS_GO);
    assert_false(r.all);
}

static void test_wrong_words_are_refused(void **state)
{
    static const char *const BAD[] = {
        "tasks undo", "tasks undo a b", "tasks nothing", "tasks show x --rows 1" /* not of this word */, "tasks show x --none", "tasks list --timeout", "tasks list --timeout x", "tasks list --timeout 0",
        "tasks list --all=yes", "tasks list --timeout 99999999999999999999",
    };
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (parse(BAD[i]).end != OPTS_BAD)
            fail_msg("taken: %s", BAD[i]);
}

/* ---- a screen ---- */

static void test_width_of_characters(void **state)
{
    unsigned w;
    (void)state;
    assert_int_equal(screen_width("abc"), 3);
    assert_int_equal(screen_width("自治体"), 6);
    assert_int_equal(screen_width("ガ"), 2);
    assert_int_equal(screen_width("ガ"), 2); /* a mark that takes no place of its own */
    assert_int_equal(screen_width("\xff\xfe"), 2);
    assert_int_equal(screen_next("体x", &w), 3);
    assert_int_equal(screen_fit("自治体", 5), 6);
    assert_int_equal(screen_fit("自治体", 1), 0);
}

static void test_lines_break_between_characters(void **state)
{
    const char *rest, *text = "連携キーの封かん鍵、を替える。 and then some words";
    char line[256];
    unsigned lines = 0;
    size_t total = 0;
    (void)state;
    for (rest = text; *rest; lines++) {
        const char *from = rest;
        size_t n = screen_line(rest, 12, &rest);
        snprintf(line, sizeof line, "%.*s", (int)n, from);
        assert_true(screen_width(line) <= 14); /* a full stop may hang over */
        assert_true(n > 0 && strncmp(line, "。", 3) != 0 && strncmp(line, "、", 3) != 0);
        total += n;
    }
    assert_true(lines >= 4 && total > strlen(text) - 10);
    assert_int_equal(screen_line("abcdefghij", 4, &rest), 4); /* a word that does not fit */
    assert_string_equal(rest, "efghij");
    assert_int_equal(screen_line("a\nb", 10, &rest), 1);
    assert_string_equal(rest, "b");
}

static void printed(unsigned columns, char out[static 2048])
{
    static const struct grid_col COLS[] = {
        { "id", "番号", "id", GRID_TEXT, false }, { "name", "自治体の名前", "name", GRID_TEXT, true }, { "rows", "行", "rows", GRID_NUMBER, false }, { "state", "状態", "state", GRID_TEXT, false },
    };
    struct grid *g = grid_new(COLS, 4);
    FILE *f = tmpfile();
    assert_true(g && f);
    GRID_ADD(g, "a1", "津山市子ども家庭課医療費助成係", "12", "終了\tdone");
    GRID_ADD(g, "b22", "short", "3456", "");
    grid_print(g, f, columns);
    rewind(f);
    size_t n = fread(out, 1, 2047, f);
    out[n] = '\0';
    fclose(f);
    grid_free(g);
}

static void test_columns_stand_under_each_other(void **state)
{
    char out[2048];
    (void)state;
    printed(0, out); /* no terminal: no titles, nothing cut */
    assert_string_equal(out, "a1   津山市子ども家庭課医療費助成係    12  終了\nb22  short                           3456  \n");
    printed(200, out);
    assert_non_null(strstr(out, "番号") ? strstr(out, "番号") : strstr(out, "id"));
    assert_non_null(strstr(out, "津山市子ども家庭課医療費助成係"));
}

static void test_a_narrow_terminal_cuts_at_whole_characters(void **state)
{
    char out[2048];
    (void)state;
    for (unsigned columns = 26; columns < 60; columns++) {
        printed(columns, out);
        for (char *line = strtok(out, "\n"); line; line = strtok(NULL, "\n")) {
            if (screen_width(line) > columns)
                fail_msg("%u: %s", columns, line);
            for (const char *p = line; *p;) {
                unsigned w;
                size_t n = screen_next(p, &w);
                assert_true(n > 1 || (unsigned char)*p < 0x80); /* no piece of a character */
                p += n;
            }
        }
    }
}

static void test_pages_are_made_of_every_row(void **state)
{
    struct buf page;
    const struct cli_row *r;
    (void)state;
    buf_init(&page, 1 << 20);
    cli_markdown(&page);
    assert_true(err_ok(buf_check(&page)));
    for (size_t i = 0; (r = cli_row_at(i)); i++)
        if (r->group != CLI_HIDDEN && !memmem(page.p, page.n, r->en, strlen(r->en)))
            fail_msg("%s", r->command);
    buf_done(&page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_told_in_both_languages),
        cmocka_unit_test(test_an_option_is_the_same_kind_for_every_word_of_a_command),
        cmocka_unit_test(test_what_was_probably_meant),
        cmocka_unit_test(test_words_and_options_in_any_order),
        cmocka_unit_test(test_wrong_words_are_refused),
        cmocka_unit_test(test_width_of_characters),
        cmocka_unit_test(test_lines_break_between_characters),
        cmocka_unit_test(test_columns_stand_under_each_other),
        cmocka_unit_test(test_a_narrow_terminal_cuts_at_whole_characters),
        cmocka_unit_test(test_pages_are_made_of_every_row),
    };
    setlocale(LC_CTYPE, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
