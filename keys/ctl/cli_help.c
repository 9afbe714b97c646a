#include "keys/ctl/cli_help.h"

#include <string.h>

#include "keys/ctl/say.h"
#include "keys/ctl/screen.h"

enum { COLUMNS_MAX = 100, COLUMNS_PLAIN = 80, NAME_COLUMNS = 15, OPTION_COLUMNS = 26, USAGE_MAX = 512 };

static const struct cli_exit EXITS[] = {
    { 0, "終わった。悪いものは見つからなかった", "done, and nothing wrong was found" },
    { 1, "終わったが、見たものに問題がある(何かは命令ごとに書いてある)", "done, but something is wrong with what was looked at (each command says what)" },
    { 2, "できなかった。指定の誤り、接続できない、断られた", "not done: wrong words, nobody answers, refused" },
    { 3, "leaks だけ: 見つからないが、読めないものがあった", "leaks alone: none found, but something could not be read" },
};

static const struct cli_env ENVS[] = {
    { "PMHGW_STATE", "状態フォルダー(--state がないとき)", "state directory, where --state is not given" },
    { "PMHGW_SHARE", "ひな形と台帳のある場所(--share がないとき)", "where templates and registers are, where --share is not given" },
    { "LC_ALL, LC_MESSAGES, LANG", "ja で始まれば日本語、en で始まれば英語、どちらでもなければ両方", "ja…: Japanese, en…: English, anything else: both" },
    { "NO_COLOR", "空でなければ色を付けない", "when not empty: no colour" },
};

const struct cli_exit *cli_exits(size_t *ret_n)
{
    *ret_n = sizeof EXITS / sizeof *EXITS;
    return EXITS;
}

const struct cli_env *cli_envs(size_t *ret_n)
{
    *ret_n = sizeof ENVS / sizeof *ENVS;
    return ENVS;
}

/* ---- lines ---- */

static unsigned columns_of(FILE *to)
{
    unsigned c = screen_columns(to);
    return !c ? COLUMNS_PLAIN : c > COLUMNS_MAX ? COLUMNS_MAX : c < 40 ? 40 : c;
}

/* A text in lines that begin at `indent`; the cursor stands at `at`. */
static void put_lines(FILE *to, const char *text, unsigned at, unsigned indent)
{
    unsigned columns = columns_of(to);
    if (at > indent) {
        fputc('\n', to);
        at = 0;
    }
    while (*text) {
        const char *rest;
        size_t n = screen_line(text, columns - indent, &rest);
        fprintf(to, "%*s%.*s\n", (int)(indent - at), "", (int)n, text);
        text = rest;
        at = 0;
    }
}

static bool english(void) { return say_pick("ja", "en")[0] == 'e'; }

/* Both languages where the user's is not known. */
static void put_both(FILE *to, const char *ja, const char *en, unsigned at, unsigned indent)
{
    if (!say_is_both()) {
        put_lines(to, english() ? en : ja, at, indent);
        return;
    }
    put_lines(to, en, at, indent);
    put_lines(to, ja, 0, indent);
}

/* ---- all of it ---- */

void cli_help_all(FILE *to)
{
    const struct cli_row *r;
    fprintf(to, "pmhgw — %s\n\n", say_text("PMH ゲートウェイの運用コマンド", "the operator's command of the PMH gateway").c);
    fprintf(to, "%spmhgw COMMAND [options]      pmhgw COMMAND --help      man pmhgw\n", say_is_both() ? "usage: " : say_pick("使い方: ", "usage: "));
    for (enum cli_group g = 0; g < CLI_HIDDEN; g++) {
        fprintf(to, "\n%s\n", say_text(cli_group_ja(g), cli_group_en(g)).c);
        for (size_t i = 0; (r = cli_row_at(i)); i++) {
            if (r->group != g || cli_word(r))
                continue;
            fprintf(to, "  %-*s", NAME_COLUMNS - 2, r->command);
            put_both(to, r->ja, r->en, NAME_COLUMNS, NAME_COLUMNS);
        }
    }
    fprintf(to, "\n%s\n", say_text("終了状態", "exit status").c);
    for (size_t i = 0; i < 3; i++) {
        fprintf(to, "  %-*d", NAME_COLUMNS - 2, EXITS[i].status);
        put_both(to, EXITS[i].ja, EXITS[i].en, NAME_COLUMNS, NAME_COLUMNS);
    }
}

/* ---- one command ---- */

void cli_usage(const struct cli_row *r, struct buf *out)
{
    buf_puts(out, "pmhgw ");
    buf_puts(out, r->command);
    if (cli_has_words(r)) {
        const struct cli_row *x;
        const char *mark = " ";
        if (r->otherwise)
            buf_puts(out, " [");
        for (size_t i = 0; (x = cli_row_at(i)); i++) {
            if (!cli_is_word_of(x, r))
                continue;
            buf_puts(out, r->otherwise && *mark == ' ' ? "" : mark);
            buf_puts(out, cli_word(x));
            mark = "|";
        }
        buf_puts(out, r->otherwise ? "] ..." : " ...");
        return;
    }
    if (*r->operands) {
        buf_putc(out, ' ');
        buf_puts(out, r->operands);
    }
    if (cli_opts_n(r))
        buf_puts(out, " [options]");
}

static void put_words(const struct cli_row *r)
{
    const struct cli_row *x;
    printf("\n");
    for (size_t i = 0; (x = cli_row_at(i)); i++) {
        char left[96];
        if (!cli_is_word_of(x, r))
            continue;
        int n = snprintf(left, sizeof left, "  %s%s%s", cli_word(x), *x->operands ? " " : "", x->operands);
        fputs(left, stdout);
        putchar(' ');
        put_both(stdout, x->ja, x->en, (unsigned)n + 1, OPTION_COLUMNS + 2);
    }
    printf("\n%s\n", say_form("%s: pmhgw %s %s --help", say_text("詳しくは", "more").c, r->command, "WORD").c);
}

static void put_options(const struct cli_row *r)
{
    printf("\n%s\n", say_text("オプション", "options").c);
    for (const struct cli_opt *o = r->opts; o->name; o++) {
        char left[64];
        int n = snprintf(left, sizeof left, "  %s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        fputs(left, stdout);
        struct say_text ja = say_form("%s%s", o->ja, o->kind == CLI_LIST ? "(何度でも)" : ""), en = say_form("%s%s", o->en, o->kind == CLI_LIST ? " (may be repeated)" : "");
        putchar(' ');
        put_both(stdout, ja.c, en.c, (unsigned)n + 1, OPTION_COLUMNS + 2);
    }
}

static void put_exits(const struct cli_row *r)
{
    printf("\n%s\n", say_text("終了状態", "exit status").c);
    for (size_t i = 0; i < sizeof EXITS / sizeof *EXITS; i++) {
        if ((EXITS[i].status == 1 && !r->one_en) || (EXITS[i].status == 3 && strcmp(r->command, "leaks") != 0))
            continue;
        printf("  %d", EXITS[i].status);
        put_both(stdout, EXITS[i].status == 1 ? r->one_ja : EXITS[i].ja, EXITS[i].status == 1 ? r->one_en : EXITS[i].en, 3, 5);
    }
}

void cli_help(const struct cli_row *r)
{
    struct buf usage;
    buf_init(&usage, USAGE_MAX);
    cli_usage(r, &usage);
    const struct say_text word = say_text("使い方: ", "usage: ");
    const unsigned indent = say_is_both() ? 7 : screen_width(word.c);
    fputs(say_is_both() ? "usage: " : word.c, stdout);
    put_lines(stdout, buf_cstr(&usage) ? buf_cstr(&usage) : "", indent, indent);
    buf_done(&usage);
    printf("\n");
    put_both(stdout, r->ja, r->en, 0, 0);
    if (r->more_en) {
        printf("\n");
        put_both(stdout, r->more_ja, r->more_en, 0, 0);
    }
    if (cli_has_words(r)) {
        put_words(r);
        return;
    }
    if (cli_opts_n(r))
        put_options(r);
    put_exits(r);
}
