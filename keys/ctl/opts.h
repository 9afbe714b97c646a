#ifndef KEYS_CTL_OPTS_H
#define KEYS_CTL_OPTS_H

/* Command lines of `pmhgw`: a table of options per subcommand, --help made from it, one line for every mistake. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {
    OPT_FLAG, /* bool *: set to true */
    OPT_TEXT, /* const char **: borrowed from argv */
    OPT_NUM,  /* uint64_t *: within min..max */
    OPT_LIST  /* struct opt_list *: may be given again and again */
};

enum { OPT_LIST_MAX = 64 };
struct opt_list { const char *v[OPT_LIST_MAX]; size_t n; };

struct opt {
    const char *name; /* "--state" */
    enum opt_kind kind;
    void *to;
    const char *arg;  /* name of the value in --help, NULL for a flag */
    const char *help;
    uint64_t min, max; /* OPT_NUM */
};

struct usage {
    const char *command;  /* "import" */
    const char *operands; /* "FILE", "" for none */
    const char *about;    /* one or two lines */
    size_t operands_min, operands_max;
};

enum opts_end { OPTS_GO, OPTS_HELP /* shown; exit 0 */, OPTS_BAD /* said why; exit 2 */ };

/* argv[0] is the subcommand. Operands are collected in order. "--name value", "--name=value"; "--" ends the options. */
enum opts_end opts_parse(int argc, char **argv, const struct usage *u, const struct opt *table, size_t n, struct opt_list *ret_operands);

#endif
