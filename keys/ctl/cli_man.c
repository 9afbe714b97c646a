#include <string.h>

#include "keys/ctl/cli_help.h"
#include "keys/ctl/screen.h"

/* ---- roff ---- */

/* A line may not begin with a dot or a quote; a dash is a dash that can be copied; wide characters have no blanks to break lines at. */
static void roff(struct buf *out, const char *text)
{
    bool first = true, wide = false;
    unsigned columns;
    for (size_t n = 1; *text; text += n) {
        n = screen_next(text, &columns);
        if (n > 1) {
            if (!first && (columns == 2 || wide) && screen_may_begin(text))
                buf_puts(out, "\\:");
            buf_put(out, slice_of(text, n));
            first = false;
            wide = columns == 2;
            continue;
        }
        if (first && (*text == '.' || *text == '\''))
            buf_puts(out, "\\&");
        if (!first && wide && *text != ' ' && screen_may_begin(text))
            buf_puts(out, "\\:");
        first = *text == '\n';
        wide = false;
        if (*text == '\\')
            buf_puts(out, "\\e");
        else if (*text == '-')
            buf_puts(out, "\\-");
        else if (*text == '`')
            buf_puts(out, "\\(ga");
        else
            buf_putc(out, (uint8_t)*text);
    }
}

static void roff_line(struct buf *out, const char *macro, const char *text)
{
    buf_puts(out, macro);
    roff(out, text);
    buf_putc(out, '\n');
}

static void roff_command(struct buf *out, const struct cli_row *r)
{
    struct buf usage;
    buf_init(&usage, 512);
    cli_usage(r, &usage);
    buf_puts(out, ".TP\n.B ");
    roff(out, buf_cstr(&usage) ? buf_cstr(&usage) : "");
    buf_putc(out, '\n');
    buf_done(&usage);
}

static void roff_options(struct buf *out, const struct cli_row *r, bool ja)
{
    if (cli_has_words(r) || !cli_opts_n(r))
        return;
    buf_puts(out, ".RS\n");
    for (const struct cli_opt *o = r->opts; o->name; o++) {
        buf_puts(out, ".TP\n\\fB");
        roff(out, o->name);
        buf_puts(out, "\\fR");
        if (o->arg) {
            buf_puts(out, " \\fI");
            roff(out, o->arg);
            buf_puts(out, "\\fR");
        }
        buf_putc(out, '\n');
        roff_line(out, "", ja ? o->ja : o->en);
    }
    if (r->one_en) {
        roff_line(out, ".TP\n", ja ? "終了状態 1" : "Exit status 1");
        roff_line(out, "", ja ? r->one_ja : r->one_en);
    }
    buf_puts(out, ".RE\n");
}

static void roff_groups(struct buf *out, bool ja)
{
    const struct cli_row *r;
    for (enum cli_group g = 0; g < CLI_HIDDEN; g++) {
        roff_line(out, ".SS ", ja ? cli_group_ja(g) : cli_group_en(g));
        for (size_t i = 0; (r = cli_row_at(i)); i++) {
            if (r->group != g)
                continue;
            roff_command(out, r);
            roff_line(out, "", ja ? r->ja : r->en);
            if (r->more_en)
                roff_line(out, ".br\n", ja ? r->more_ja : r->more_en);
            roff_options(out, r, ja);
        }
    }
}

static void roff_ends(struct buf *out, bool ja)
{
    size_t n;
    const struct cli_exit *e = cli_exits(&n);
    roff_line(out, ".SH ", ja ? "終了状態" : "EXIT STATUS");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, ".TP\n.B ");
        buf_u64(out, (uint64_t)e[i].status);
        buf_putc(out, '\n');
        roff_line(out, "", ja ? e[i].ja : e[i].en);
    }
    const struct cli_env *v = cli_envs(&n);
    roff_line(out, ".SH ", ja ? "環境変数" : "ENVIRONMENT");
    for (size_t i = 0; i < n; i++) {
        roff_line(out, ".TP\n.B ", v[i].name);
        roff_line(out, "", ja ? v[i].ja : v[i].en);
    }
}

void cli_man(struct buf *out, bool ja)
{
    buf_puts(out, ".TH PMHGW 1 \"\" pmhgw\n");
    if (ja)
        buf_puts(out, ".ad l\n.nh\n");
    roff_line(out, ".SH ", ja ? "名前" : "NAME");
    buf_puts(out, ja ? "pmhgw \\- PMH ゲートウェイの運用コマンド\n" : "pmhgw \\- operate a gateway for the Public Medical Hub\n");
    roff_line(out, ".SH ", ja ? "書式" : "SYNOPSIS");
    buf_puts(out, ".B pmhgw\n.I COMMAND\n[\\fIWORD\\fR] [\\fIoptions\\fR]\n");
    roff_line(out, ".SH ", ja ? "説明" : "DESCRIPTION");
    roff_line(out, "", ja ? "自治体システム、医療機関、ポータルを国の Public Medical Hub につなぐゲートウェイを、動かし、調べ、直すためのコマンドです。"
                            "JSON を出せる命令は --json で標準出力に一つのオブジェクト(または JSON Lines)だけを書き、人への文は標準エラー出力に書きます。実行できなかったときは問題の文書(RFC 9457)です。"
                          : "Runs, looks at and mends a gateway between municipal systems, clinics and portals and Japan's Public Medical Hub. With --json a command writes one object "
                            "(or JSON lines) and nothing else on standard output, and what is meant for people on standard error; when nothing could be done it is a problem document (RFC 9457).");
    roff_line(out, ".SH ", ja ? "命令" : "COMMANDS");
    roff_groups(out, ja);
    roff_ends(out, ja);
    roff_line(out, ".SH ", ja ? "ファイル" : "FILES");
    buf_puts(out, ".TP\n.I .state\n");
    roff_line(out, "", ja ? "状態フォルダー。証明書、鍵、設定、監査記録、Redis" : "the state directory: certificates, keys, configuration, audit log, Redis");
}

/* ---- Markdown ---- */

static void cell(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            buf_putc(out, '\\');
        buf_putc(out, (uint8_t)*text);
    }
}

static void md_row(struct buf *out, const char *a, const char *arg, const char *en, const char *ja)
{
    buf_puts(out, "| `");
    cell(out, a);
    if (arg) {
        buf_putc(out, ' ');
        cell(out, arg);
    }
    buf_puts(out, "` | ");
    cell(out, en);
    buf_puts(out, " | ");
    cell(out, ja);
    buf_puts(out, " |\n");
}

static void md_command(struct buf *out, const struct cli_row *r)
{
    buf_puts(out, cli_word(r) ? "#### " : "### ");
    buf_puts(out, r->command);
    buf_puts(out, "\n\n`");
    cli_usage(r, out);
    buf_puts(out, "`\n\n");
    buf_puts(out, r->en);
    if (r->more_en) {
        buf_puts(out, ". ");
        buf_puts(out, r->more_en);
    }
    buf_puts(out, "  \n");
    buf_puts(out, r->ja);
    if (r->more_ja) {
        buf_puts(out, "。");
        buf_puts(out, r->more_ja);
    }
    buf_puts(out, "\n\n");
    if (cli_has_words(r) || (!cli_opts_n(r) && !r->one_en))
        return;
    buf_puts(out, "| option | | |\n|---|---|---|\n");
    for (const struct cli_opt *o = r->opts; o->name; o++)
        md_row(out, o->name, o->arg, o->en, o->ja);
    if (r->one_en)
        md_row(out, "exit status 1", NULL, r->one_en, r->one_ja);
    buf_putc(out, '\n');
}

void cli_markdown(struct buf *out)
{
    const struct cli_row *r;
    size_t n;
    const struct cli_exit *e = cli_exits(&n);
    buf_puts(out, "# The command `pmhgw`\n\n<!-- Made by `pmhgw man --markdown` from the table of commands (keys/ctl/cli_*_rows.c); a test compares it. -->\n\n"
                  "Help in one language by `LANG` (`pmhgw --help`, `pmhgw COMMAND --help`), the man page `pmhgw(1)` in English and Japanese (`pmhgw man`), completion for bash, zsh and fish "
                  "(`pmhgw completion SHELL`), and this page come from one table.\n\n"
                  "`--json`: one object (or JSON lines) and nothing else on standard output; what is meant for people goes to standard error. Where a command has no answer of its own to hand on, the object "
                  "has `command`, `exit`, its members, and `messages` (`level`, `ja`, `en`). When it could not be done it is a problem document (RFC 9457) with `code`, `title`, `title_en`, `exit`, as the doors write them.\n\n"
                  "| exit status | | |\n|---|---|---|\n");
    for (size_t i = 0; i < n; i++) {
        char status[2] = { (char)('0' + e[i].status), 0 };
        md_row(out, status, NULL, e[i].en, e[i].ja);
    }
    buf_puts(out, "\n| environment | | |\n|---|---|---|\n");
    const struct cli_env *v = cli_envs(&n);
    for (size_t i = 0; i < n; i++)
        md_row(out, v[i].name, NULL, v[i].en, v[i].ja);
    for (enum cli_group g = 0; g < CLI_HIDDEN; g++) {
        buf_puts(out, "\n## ");
        buf_puts(out, cli_group_en(g));
        buf_puts(out, " / ");
        buf_puts(out, cli_group_ja(g));
        buf_puts(out, "\n\n");
        for (size_t i = 0; (r = cli_row_at(i)); i++)
            if (r->group == g)
                md_command(out, r);
    }
}
