/* pmhgw help, completion, man, and what the completion scripts ask: pmhgw complete -- WORD... */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/ctl/cli_help.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"

enum { PAGE_MAX = 1 << 20, TASKS_SHOWN = 200 };

static int print_page(struct buf *b)
{
    bool good = err_ok(buf_check(b)) && fwrite(b->p, 1, b->n, stdout) == b->n && fflush(stdout) == 0;
    buf_done(b);
    return good ? 0 : 2;
}

int cmd_help(int argc, char **argv)
{
    struct opt_list words;
    char path[64];
    enum opts_end end = cli_parse(argc, argv, "help", NULL, 0, &words);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!words.n) {
        cli_help_all(stdout);
        return 0;
    }
    snprintf(path, sizeof path, "%s%s%s", words.v[0], words.n > 1 ? " " : "", words.n > 1 ? words.v[1] : "");
    const struct cli_row *r = cli_row_find(path);
    if (!r) {
        say_error("その命令はありません。pmhgw --help を見てください", "no such command; see pmhgw --help");
        return 2;
    }
    cli_help(r);
    return 0;
}

int cmd_man(int argc, char **argv)
{
    struct opt_list words;
    struct buf page;
    const char *lang = NULL;
    bool markdown = false;
    enum opts_end end = CLI_PARSE(argc, argv, "man", &words, { "--lang", &lang }, { "--markdown", &markdown });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (lang && strcmp(lang, "ja") != 0 && strcmp(lang, "en") != 0) {
        say_error("--lang は ja か en です", "--lang is ja or en");
        return 2;
    }
    buf_init(&page, PAGE_MAX);
    if (markdown)
        cli_markdown(&page);
    else
        cli_man(&page, lang ? strcmp(lang, "ja") == 0 : !say_is_both() && say_pick("j", "e")[0] == 'j');
    return print_page(&page);
}

/* ---- completion ---- */

/* The scripts know nothing: they hand on the words so far, and a line "=file" or "=dir" asks the shell for names of files. */
static const char BASH[] =
    "# completion of pmhgw for bash\n"
    "_pmhgw() {\n"
    "    local line\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        =file) compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\") ;;\n"
    "        =dir) compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=(\"$line\"); done < <(compgen -d -- \"${COMP_WORDS[COMP_CWORD]}\") ;;\n"
    "        *) COMPREPLY+=(\"${line%%$'\\t'*}\") ;;\n"
    "        esac\n"
    "    done < <(\"${COMP_WORDS[0]}\" complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _pmhgw pmhgw\n";

static const char ZSH[] =
    "#compdef pmhgw\n"
    "# completion of pmhgw for zsh\n"
    "_pmhgw() {\n"
    "    local line files dirs tab=$'\\t'\n"
    "    local -a found\n"
    "    while IFS= read -r line; do\n"
    "        case $line in\n"
    "        =file) files=1 ;;\n"
    "        =dir) dirs=1 ;;\n"
    "        *) found+=(\"${${line%%$tab*}//:/\\\\:}:${line#*$tab}\") ;;\n"
    "        esac\n"
    "    done < <(\"${words[1]}\" complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    [[ -n $files ]] && _files\n"
    "    [[ -n $dirs ]] && _files -/\n"
    "    (( $#found )) && _describe -V pmhgw found\n"
    "}\n"
    "if [[ $funcstack[1] = _pmhgw ]]; then _pmhgw \"$@\"; else compdef _pmhgw pmhgw; fi\n";

static const char FISH[] =
    "# completion of pmhgw for fish\n"
    "function __pmhgw\n"
    "    set -l words (commandline -opc)\n"
    "    set -l current (commandline -ct)\n"
    "    for line in ($words[1] complete -- $words[2..-1] \"$current\" 2>/dev/null)\n"
    "        switch $line\n"
    "            case '=file'\n"
    "                __fish_complete_path \"$current\"\n"
    "            case '=dir'\n"
    "                __fish_complete_directories \"$current\"\n"
    "            case '*'\n"
    "                echo $line\n"
    "        end\n"
    "    end\n"
    "end\n"
    "complete -c pmhgw -f -a '(__pmhgw)'\n";

int cmd_completion(int argc, char **argv)
{
    static const struct { const char *shell, *script; } SHELLS[] = { { "bash", BASH }, { "zsh", ZSH }, { "fish", FISH } };
    struct opt_list words;
    enum opts_end end = cli_parse(argc, argv, "completion", NULL, 0, &words);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    for (size_t i = 0; i < sizeof SHELLS / sizeof *SHELLS; i++)
        if (strcmp(SHELLS[i].shell, words.v[0]) == 0)
            return fputs(SHELLS[i].script, stdout) >= 0 && fflush(stdout) == 0 ? 0 : 2;
    say_error("bash、zsh、fish のどれかです", "bash, zsh or fish");
    return 2;
}

struct asked { const char *prefix; const char *state; };

static void offer(const struct asked *a, const char *word, const char *about)
{
    if (strncmp(word, a->prefix, strlen(a->prefix)) == 0)
        printf("%s\t%s\n", word, about);
}

/* Names of a folder of the state between what stands before and behind. */
static void offer_names(const struct asked *a, const char *folder, const char *before, const char *behind)
{
    char path[PATH_MAX];
    const char *env = getenv("PMHGW_STATE");
    snprintf(path, sizeof path, "%s/%s", a->state ? a->state : env && *env ? env : ".state", folder);
    DIR *d = opendir(path);
    size_t shown = 0;
    for (struct dirent *e; d && shown < TASKS_SHOWN && (e = readdir(d));) {
        size_t n = strlen(e->d_name), b = strlen(before), k = strlen(behind);
        if (e->d_name[0] == '.' || n <= b + k || strncmp(e->d_name, before, b) != 0 || strcmp(e->d_name + n - k, behind) != 0)
            continue;
        e->d_name[n - k] = '\0';
        const char *dash = *before ? NULL : strchr(e->d_name, '-');
        offer(a, *before ? e->d_name + b : dash ? dash + 1 : e->d_name, "");
        shown++;
    }
    if (d)
        closedir(d);
}

static void offer_value(const struct asked *a, enum cli_fill fill, const char *words)
{
    if (fill == FILL_FILE || fill == FILL_DIR)
        puts(fill == FILL_FILE ? "=file" : "=dir");
    if (fill == FILL_MUNI)
        offer_names(a, "certs", "muni-", ".pem");
    if (fill == FILL_TASK)
        offer_names(a, "spool", "", "");
    struct slice rest = slice_str(words ? words : ""), word;
    for (bool more = fill == FILL_WORDS; more;) {
        char text[64];
        more = slice_cut(rest, ' ', &word, &rest);
        if (!more)
            word = rest;
        snprintf(text, sizeof text, "%.*s", (int)word.n, (const char *)word.p);
        offer(a, text, "");
    }
}

static const struct cli_opt *opt_of(const struct cli_row *r, const char *name)
{
    for (const struct cli_opt *o = r ? r->opts : NULL; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

static void offer_commands(const struct asked *a, const struct cli_row *of)
{
    const struct cli_row *r;
    for (size_t i = 0; (r = cli_row_at(i)); i++)
        if (r->group != CLI_HIDDEN && (of ? cli_is_word_of(r, of) : !cli_word(r)))
            offer(a, of ? cli_word(r) : r->command, say_pick(r->ja, r->en));
}

static void offer_options(const struct asked *a, const struct cli_row *r, int argc, char **argv)
{
    for (const struct cli_opt *o = r->opts; o->name; o++) {
        bool given = false;
        for (int i = 0; i < argc && o->kind != CLI_LIST; i++)
            given |= strcmp(argv[i], o->name) == 0;
        if (!given)
            offer(a, o->name, say_pick(o->ja, o->en));
    }
    offer(a, "--help", say_pick("使い方", "how to use it"));
}

/* argv: the words behind `pmhgw`, the last one is being written. */
static void complete(int argc, char **argv)
{
    struct asked a = { .prefix = argc ? argv[argc - 1] : "" };
    const struct cli_row *row = argc > 1 ? cli_row_find(argv[0]) : NULL;
    const struct cli_opt *waits = NULL;
    const bool words = row && cli_has_words(row);
    bool worded = false;
    if (argc <= 1) {
        offer_commands(&a, NULL);
        return;
    }
    for (int i = 1; row && i < argc - 1; i++) {
        char path[64];
        const struct cli_opt *before = waits;
        waits = NULL;
        if (before) {
            a.state = strcmp(before->name, "--state") == 0 ? argv[i] : a.state;
        } else if (argv[i][0] == '-') {
            const struct cli_opt *o = opt_of(row, argv[i]);
            waits = o && o->kind != CLI_FLAG ? o : NULL;
        } else if (words && !worded) {
            snprintf(path, sizeof path, "%s %s", row->command, argv[i]);
            row = cli_row_find(path);
            worded = true;
        }
    }
    if (!row)
        return;
    if (waits)
        offer_value(&a, waits->fill, waits->words);
    else if (a.prefix[0] == '-')
        offer_options(&a, row, argc, argv);
    else if (words && !worded)
        offer_commands(&a, row);
    else
        offer_value(&a, row->fill, row->words);
}

int cmd_complete(int argc, char **argv)
{
    int from = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    complete(argc - from, argv + from);
    return 0;
}
