#ifndef KEYS_CTL_CLI_HELP_H
#define KEYS_CTL_CLI_HELP_H

/* What the table is made into, for people: help on the terminal, the man page, the reference. */

#include <stdio.h>

#include "gateway/base/buf.h"
#include "keys/ctl/cli.h"

/* All commands, by who needs them. */
void cli_help_all(FILE *to);
/* One command or word, to standard output. */
void cli_help(const struct cli_row *r);

/* pmhgw.1 in one language, for groff -man. */
void cli_man(struct buf *out, bool ja);
/* docs/cli.md */
void cli_markdown(struct buf *out);

/* "FILE", "[options]" and so on behind the command's name. */
void cli_usage(const struct cli_row *r, struct buf *out);
/* What exit statuses mean everywhere. */
struct cli_exit { int status; const char *ja, *en; };
const struct cli_exit *cli_exits(size_t *ret_n);
/* Environment variables. */
struct cli_env { const char *name, *ja, *en; };
const struct cli_env *cli_envs(size_t *ret_n);

#endif
