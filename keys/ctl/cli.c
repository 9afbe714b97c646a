#include "keys/ctl/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/text.h"
#include "keys/ctl/cli_help.h"
#include "keys/ctl/cli_rows.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

enum { NEAR_MAX = 32, NEAR_STEPS = 2 };

/* ---- the table ---- */

static const struct cli_row *const PARTS[] = {
    CLI_START_ROWS, CLI_MUNICIPAL_ROWS, CLI_PEOPLE_ROWS, CLI_OPERATE_ROWS, CLI_SECURE_ROWS, CLI_EVIDENCE_ROWS, CLI_SHELL_ROWS,
};

static const struct { const char *ja, *en; } GROUPS[CLI_GROUP__MAX] = {
    [CLI_START] = { "組み込む人・試す人", "to set up and to try" },
    [CLI_MUNICIPAL] = { "自治体の業務", "the work of a municipality" },
    [CLI_PEOPLE] = { "利用者、住民、機関とのやりとり", "users, residents, partners" },
    [CLI_OPERATE] = { "運用", "to operate" },
    [CLI_SECURE] = { "鍵と証明書", "keys and certificates" },
    [CLI_EVIDENCE] = { "監査と説明", "audit and explanation" },
    [CLI_SHELL] = { "この命令について", "about this command" },
    [CLI_HIDDEN] = { "", "" },
};

const char *cli_group_ja(enum cli_group g) { return GROUPS[g].ja; }
const char *cli_group_en(enum cli_group g) { return GROUPS[g].en; }

const struct cli_row *cli_row_at(size_t i)
{
    for (size_t p = 0; p < sizeof PARTS / sizeof *PARTS; p++)
        for (const struct cli_row *r = PARTS[p]; r->command; r++)
            if (i-- == 0)
                return r;
    return NULL;
}

const struct cli_row *cli_row_find(const char *command)
{
    const struct cli_row *r;
    for (size_t i = 0; (r = cli_row_at(i)); i++)
        if (strcmp(r->command, command) == 0)
            return r;
    return NULL;
}

const char *cli_word(const struct cli_row *r)
{
    const char *blank = strchr(r->command, ' ');
    return blank ? blank + 1 : NULL;
}

bool cli_is_word_of(const struct cli_row *r, const struct cli_row *of)
{
    size_t n = strlen(of->command);
    return strncmp(r->command, of->command, n) == 0 && r->command[n] == ' ';
}

bool cli_has_words(const struct cli_row *r)
{
    const struct cli_row *x;
    for (size_t i = 0; (x = cli_row_at(i)); i++)
        if (cli_is_word_of(x, r))
            return true;
    return false;
}

size_t cli_opts_n(const struct cli_row *r)
{
    size_t n = 0;
    while (r->opts[n].name)
        n++;
    return n;
}

/* ---- what was probably meant ---- */

/* Letters that have to be put in, left out or exchanged; NEAR_STEPS + 1 for anything further. */
static unsigned steps(const char *a, const char *b)
{
    unsigned row[NEAR_MAX + 1];
    size_t n = strlen(a), m = strlen(b);
    if (n > NEAR_MAX || m > NEAR_MAX)
        return NEAR_STEPS + 1;
    for (size_t j = 0; j <= m; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned corner = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned above = row[j], best = corner + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            corner = above;
        }
    }
    return row[m];
}

const char *cli_nearest(const char *word, const char *path)
{
    const struct cli_row *of = path ? cli_row_find(path) : NULL, *r;
    const char *near = NULL;
    unsigned best = NEAR_STEPS + 1;
    for (size_t i = 0; *word && (r = cli_row_at(i)); i++) {
        bool in = path ? of && cli_is_word_of(r, of) : !cli_word(r) && r->group != CLI_HIDDEN;
        const char *name = !in ? NULL : path ? cli_word(r) : r->command;
        unsigned d = !name ? best : strlen(word) > 1 && strncmp(name, word, strlen(word)) == 0 ? 1 : steps(word, name);
        if (name && d < best && d < strlen(name)) {
            best = d;
            near = name;
        }
    }
    return near;
}

/* ---- a command line ---- */

struct parse {
    const struct cli_row *row, *word; /* word: NULL as long as it is not known */
    const struct cli_bind *binds;
    size_t n;
};

static const struct cli_row *used(const struct parse *p) { return p->word ? p->word : p->row; }

static const struct cli_opt *row_opt(const struct cli_row *r, struct slice name)
{
    for (const struct cli_opt *o = r->opts; o->name; o++)
        if (slice_eq(slice_str(o->name), name))
            return o;
    return NULL;
}

/* Of the row, or of any word of the command. */
static const struct cli_opt *any_opt(const struct cli_row *row, struct slice name)
{
    const struct cli_opt *o = row_opt(row, name);
    const struct cli_row *r;
    for (size_t i = 0; !o && (r = cli_row_at(i)); i++)
        if (cli_is_word_of(r, row))
            o = row_opt(r, name);
    return o;
}

static void *bind_of(const struct parse *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->binds[i].name, name) == 0)
            return p->binds[i].to;
    return NULL;
}

/* A row and its command have to agree: found by whoever asks for its help. */
static void bound_or_abort(const struct parse *p)
{
    for (const struct cli_opt *o = used(p)->opts; o->name; o++)
        if (!bind_of(p, o->name) && strcmp(o->name, "--json") != 0) {
            fprintf(stderr, "pmhgw %s: %s leads nowhere\n", used(p)->command, o->name);
            abort();
        }
    for (size_t i = 0; i < p->n; i++)
        if (!any_opt(p->row, slice_str(p->binds[i].name))) {
            fprintf(stderr, "pmhgw %s: %s is no option\n", p->row->command, p->binds[i].name);
            abort();
        }
}

static bool list_add(struct opt_list *l, const char *v)
{
    if (l->n == OPT_LIST_MAX)
        return false;
    l->v[l->n++] = v;
    return true;
}

static enum opts_end num_set(const struct cli_opt *o, uint64_t *to, const char *value)
{
    uint64_t num;
    if (u64_parse(slice_str(value), &num) && num >= o->min && num <= o->max) {
        *to = num;
        return OPTS_GO;
    }
    say_error("%s は %llu から %llu までの数です", "%s takes a number from %llu to %llu", o->name, (unsigned long long)o->min, (unsigned long long)o->max);
    return OPTS_BAD;
}

static enum opts_end opt_set(const struct parse *p, const struct cli_opt *o, const char *value)
{
    void *to = bind_of(p, o->name);
    if (!to) {
        out_begin();
        return OPTS_GO;
    }
    if (o->kind == CLI_FLAG) {
        *(bool *)to = true;
        if (strcmp(o->name, "--json") == 0)
            out_own();
        return OPTS_GO;
    }
    if (o->kind == CLI_TEXT) {
        *(const char **)to = value;
        return OPTS_GO;
    }
    if (o->kind == CLI_NUM)
        return num_set(o, to, value);
    if (list_add(to, value))
        return OPTS_GO;
    say_error("%s は多すぎます", "%s is given too often", o->name);
    return OPTS_BAD;
}

static bool is_option(const char *word) { return word[0] == '-' && word[1] != '\0'; }
static bool is_help(struct slice name) { return slice_eq(name, LIT("--help")) || slice_eq(name, LIT("-h")); }

/* The first operand, passing over options and their values; NULL: there is none. */
static const char *first_operand(const struct cli_row *row, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct slice name = slice_str(argv[i]), value;
        if (strcmp(argv[i], "--") == 0)
            return i + 1 < argc ? argv[i + 1] : NULL;
        if (!is_option(argv[i]))
            return argv[i];
        bool joined = slice_cut(name, '=', &name, &value);
        const struct cli_opt *o = any_opt(row, name);
        i += o && o->kind != CLI_FLAG && !joined;
    }
    return NULL;
}

static enum opts_end no_word(const struct cli_row *row, const char *given)
{
    const char *near = given ? cli_nearest(given, row->command) : NULL;
    if (near)
        say_error("その命令はありません。pmhgw %s %s ですか", "no such command; did you mean pmhgw %s %s?", row->command, near);
    else
        say_error("その命令はありません。pmhgw %s --help を見てください", "no such command; see pmhgw %s --help", row->command);
    return OPTS_BAD;
}

/* Which word of the command is meant. */
static enum opts_end word_find(struct parse *p, int argc, char **argv)
{
    const char *given = first_operand(p->row, argc, argv);
    const struct cli_row *r;
    for (size_t i = 0; (given || p->row->otherwise) && (r = cli_row_at(i)); i++)
        if (cli_is_word_of(r, p->row) && strcmp(cli_word(r), given ? given : p->row->otherwise) == 0)
            p->word = r;
    for (int i = 1; i < argc && (!p->word || !given); i++)
        if (is_help(slice_str(argv[i]))) {
            cli_help(p->row);
            return OPTS_HELP;
        }
    return p->word ? OPTS_GO : no_word(p->row, given);
}

/* One option at argv[*at]; moves *at to the last word that was used. */
static enum opts_end opt_take(int argc, char **argv, int *at, const struct parse *p)
{
    struct slice name = slice_str(argv[*at]), value = SLICE_NONE;
    bool joined = slice_cut(name, '=', &name, &value);
    if (is_help(name)) {
        cli_help(used(p));
        return OPTS_HELP;
    }
    const struct cli_opt *o = row_opt(used(p), name);
    if (!o) {
        /* The word is not repeated: somebody may have typed a number where an option belongs. */
        say_error("その指定はありません。pmhgw %s --help を見てください", "unknown option; see pmhgw %s --help", used(p)->command);
        return OPTS_BAD;
    }
    if (o->kind == CLI_FLAG && !joined)
        return opt_set(p, o, NULL);
    if (o->kind == CLI_FLAG || (!joined && *at + 1 >= argc)) {
        say_error(o->kind == CLI_FLAG ? "%s は値を取りません" : "%s には値が必要です", o->kind == CLI_FLAG ? "%s takes no value" : "%s needs a value", o->name);
        return OPTS_BAD;
    }
    return opt_set(p, o, joined ? (const char *)value.p : argv[++*at]);
}

static enum opts_end words_check(const struct parse *p, const struct opt_list *words)
{
    const struct cli_row *r = used(p);
    size_t n = words->n - (p->word ? 1 : 0);
    if (n >= r->min && n <= r->max)
        return OPTS_GO;
    say_error("使い方: pmhgw %s%s%s(詳しくは --help)", "usage: pmhgw %s%s%s (more with --help)", r->command, *r->operands ? " " : "", r->operands);
    return OPTS_BAD;
}

enum opts_end cli_parse(int argc, char **argv, const char *path, const struct cli_bind *binds, size_t n, struct opt_list *ret_words)
{
    struct parse p = { .row = cli_row_find(path), .binds = binds, .n = n };
    bool only_operands = false;
    ret_words->n = 0;
    if (!p.row)
        abort();
    out_command(path);
    if (cli_has_words(p.row)) {
        enum opts_end end = word_find(&p, argc, argv);
        if (end != OPTS_GO)
            return end;
        out_command(p.word->command);
        if (!first_operand(p.row, argc, argv))
            list_add(ret_words, p.row->otherwise);
    }
    bound_or_abort(&p);
    for (int i = 1; i < argc; i++) {
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
            continue;
        }
        enum opts_end end = OPTS_GO;
        if (!only_operands && is_option(argv[i])) {
            end = opt_take(argc, argv, &i, &p);
        } else if (!list_add(ret_words, argv[i])) {
            say_error("引数が多すぎます", "too many arguments");
            end = OPTS_BAD;
        }
        if (end != OPTS_GO)
            return end;
    }
    return words_check(&p, ret_words);
}
