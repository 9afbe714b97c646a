/* pmhgw: the operator's command. */

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "gateway/base/log.h"
#include "gateway/base/slice.h"
#include "keys/ctl/children.h"
#include "keys/ctl/cli_help.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

/* What is told of them: keys/ctl/cli_*_rows.c */
static const struct { const char *name; int (*run)(int argc, char **argv); } COMMANDS[] = {
    { "up", cmd_up }, { "status", cmd_status }, { "import", cmd_import }, { "tasks", cmd_tasks }, { "replay", cmd_replay }, { "vaccination", cmd_vaccination },
    { "claims", cmd_claims }, { "lookup", cmd_lookup }, { "citizen", cmd_citizen }, { "audit", cmd_audit }, { "keys", cmd_keys }, { "certs", cmd_certs },
    { "certificate", cmd_certificate }, { "staff", cmd_staff }, { "inquire", cmd_inquire }, { "erase", cmd_erase }, { "vrs", cmd_vrs }, { "notices", cmd_notices },
    { "why", cmd_why }, { "basis", cmd_basis }, { "reload", cmd_reload }, { "upgrade", cmd_upgrade }, { "reconcile", cmd_reconcile }, { "leaks", cmd_leaks },
    { "config", cmd_config }, { "metrics", cmd_metrics }, { "top", cmd_top }, { "doctor", cmd_doctor }, { "bench", cmd_bench }, { "init", cmd_init }, { "backup", cmd_backup }, { "backup-key", cmd_backup_key }, { "restore", cmd_restore }, { "help", cmd_help }, { "completion", cmd_completion }, { "man", cmd_man },
    { "complete", cmd_complete }, { "launch", children_launch },
};

/* Rows with numbers, keys, passphrases: what a command reads is in no core, and no other process of its user looks into it. Those that are left open: `up` and what it
 * launches read none of that, and start programs by descriptors of `up`; `leaks` looks into a process of its own. */
static bool closed(struct slice command)
{
    static const struct rlimit NONE = { 0, 0 };
    const bool open = slice_eq(command, LIT("up")) || slice_eq(command, LIT("launch")) || slice_eq(command, LIT("leaks"));
    return setrlimit(RLIMIT_CORE, &NONE) == 0 && (open || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0);
}

static int unknown(const char *word)
{
    const char *near = cli_nearest(word, NULL);
    if (near)
        say_error("その命令はありません。pmhgw %s ですか", "no such command; did you mean pmhgw %s?", near);
    else
        say_error("その命令はありません。pmhgw --help を見てください", "no such command; see pmhgw --help");
    return 2;
}

int main(int argc, char **argv)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    log_open(LITERAL("pmhgw"), LOG_ERROR); /* that a command has connected is no news */
    struct slice word = argc > 1 ? slice_str(argv[1]) : SLICE_NONE;
    if (!closed(word))
        return 2;
    if (argc < 2) {
        cli_help_all(stderr);
        return 2;
    }
    if (slice_eq(word, LIT("--help")) || slice_eq(word, LIT("-h"))) {
        cli_help_all(stdout);
        return 0;
    }
    if (slice_eq(word, LIT("--version"))) {
        puts("pmhgw " PMHGW_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
        if (slice_eq(slice_str(COMMANDS[i].name), word))
            return out_finish(COMMANDS[i].run(argc - 1, argv + 1));
    return unknown(argv[1]);
}
