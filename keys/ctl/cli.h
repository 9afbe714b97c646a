#ifndef KEYS_CTL_CLI_H
#define KEYS_CTL_CLI_H

/* The command line of `pmhgw`, as one table: commands, their words, options, and what the exit status means. Help, completion, the man pages and docs/cli.md
 * are made from its rows, and a command line is read by them: a command only says where the values go. Rows: cli_*_rows.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_kind {
    CLI_FLAG, /* bool *: set to true */
    CLI_TEXT, /* const char **: borrowed from argv */
    CLI_NUM,  /* uint64_t *: within min..max */
    CLI_LIST  /* struct opt_list *: may be given again and again */
};

/* What a shell can offer for a value. */
enum cli_fill { FILL_NONE, FILL_FILE, FILL_DIR, FILL_WORDS, FILL_MUNI, FILL_TASK };

struct cli_opt {
    const char *name;         /* "--state" */
    enum cli_kind kind;
    const char *arg;          /* name of the value, NULL for a flag */
    const char *ja, *en;
    uint64_t min, max;        /* CLI_NUM */
    enum cli_fill fill;
    const char *words;        /* FILL_WORDS: with blanks between them */
};

/* Who needs it. */
enum cli_group { CLI_START, CLI_MUNICIPAL, CLI_PEOPLE, CLI_OPERATE, CLI_SECURE, CLI_EVIDENCE, CLI_SHELL, CLI_HIDDEN, CLI_GROUP__MAX };

struct cli_row {
    const char *command;      /* "import"; "tasks undo" is a word of "tasks", which has a row of its own */
    const char *operands;     /* "FILE", "" for none; words of a command not counted */
    size_t min, max;          /* how many operands */
    enum cli_fill fill;       /* of the operands */
    const char *words;
    enum cli_group group;
    const char *ja, *en;      /* one line */
    const char *more_ja, *more_en; /* further lines; NULL: none */
    const char *one_ja, *one_en;   /* what exit status 1 means here; NULL: does not happen */
    const char *otherwise;    /* the word that is meant when none is given; NULL: one is needed */
    const struct cli_opt *opts; /* ends with a row without name */
};

enum { OPT_LIST_MAX = 64 };
struct opt_list { const char *v[OPT_LIST_MAX]; size_t n; };

/* Where the value of an option goes. */
struct cli_bind { const char *name; void *to; };

enum opts_end { OPTS_GO, OPTS_HELP /* shown; exit 0 */, OPTS_BAD /* said why; exit 2 */ };

/* argv[0] is skipped. path: "import", "audit verify", or a command with words ("keys"): then ret_words->v[0] is the word. Operands are collected in order;
 * "--name value", "--name=value"; "--" ends the options. Every option of a row has a bind, else it is our fault and the command aborts; --json may be left
 * out of them: then the command's result is told by keys/ctl/out.h. */
enum opts_end cli_parse(int argc, char **argv, const char *path, const struct cli_bind *binds, size_t n, struct opt_list *ret_words);
#define CLI_PARSE(argc, argv, path, words, ...) \
    cli_parse(argc, argv, path, (const struct cli_bind[]){ __VA_ARGS__ }, sizeof((const struct cli_bind[]){ __VA_ARGS__ }) / sizeof(struct cli_bind), words)

/* ---- the table ---- */

/* All rows one after the other, each command before its words. NULL after the last. */
const struct cli_row *cli_row_at(size_t i);
const struct cli_row *cli_row_find(const char *command);
/* The word behind the command's name: "undo" of "tasks undo"; NULL for a row that is no word of another. */
const char *cli_word(const struct cli_row *r);
/* "tasks undo" is a word of "tasks". */
bool cli_is_word_of(const struct cli_row *r, const struct cli_row *of);
bool cli_has_words(const struct cli_row *r);
size_t cli_opts_n(const struct cli_row *r);
const char *cli_group_ja(enum cli_group g);
const char *cli_group_en(enum cli_group g);

/* What a shell could complete `word` to: begins like it, or is one letter off. NULL: nothing that near. path NULL: commands, else words of that command. */
const char *cli_nearest(const char *word, const char *path);

#endif
