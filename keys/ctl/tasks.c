/* pmhgw tasks: what became of files and requests of a municipality, and orders about them. */

#include "keys/ctl/tasks.h"

#include <stdio.h>

#include "keys/ctl/commands.h"
#include "keys/ctl/opts.h"
#include "keys/ctl/say.h"

/* Which options a subcommand takes, besides --muni, --state and --timeout. */
enum {
    T_ROWS = 1, T_OFFICER = 2, T_VERIFY = 4, T_RECEIPT = 8, T_OUT = 16, T_ALL = 32, T_FAILED = 64, T_FORMS = 128, T_JSON = 256, T_NO_WAIT = 512,
    T_SHOW = 1024, T_COMMON = 2048
};

static const struct sub {
    struct usage usage;
    tasks_fn *run;
    unsigned takes;
} SUBS[] = {
    { { "tasks list", "", "The newest tasks of a municipality.", 0, 0 }, tasks_list, T_ALL | T_JSON },
    { { "tasks show", "TASK", "One task.", 1, 1 }, tasks_show, T_JSON | T_SHOW },
    { { "tasks follow", "TASK", "Follows a task to its end. Exit 0: all taken, 1: some rows refused or held, 2: rejected or not ended.", 1, 1 },
      tasks_follow, 0 },
    { { "tasks results", "TASK", "One line a row: CSV on standard output, or to a file. Never a number.", 1, 1 }, tasks_results,
      T_FAILED | T_FORMS | T_OUT },
    { { "tasks receipt", "TASK", "The signed receipt of a file. With --verify: is it good, of this very file, and of the results that the gateway tells? Exit 1: it is not.", 1, 1 },
      tasks_receipt, T_VERIFY | T_RECEIPT | T_OUT },
    { { "tasks undo", "TASK", "Takes a file back; rows that were changed since stay as they are.", 1, 1 }, tasks_undo, T_NO_WAIT },
    { { "tasks cancel", "TASK", "Gives an upload up that is not complete; nothing of it is kept. A file that was accepted is taken back by undo.", 1, 1 }, tasks_cancel, 0 },
    { { "tasks release", "TASK", "Held rows go on, because an officer has looked at them. Exit 1: some stay held.", 1, 1 }, tasks_release,
      T_ROWS | T_ALL | T_OFFICER },
    { { "tasks discard", "TASK", "Held rows are dropped. Exit 1: some stay held.", 1, 1 }, tasks_discard, T_ROWS | T_ALL | T_OFFICER },
    { { "tasks replay", "[TASK]", "Rows that a partner or a fault of ours held back are tried again, of one task or with --all of every task.\n"
      "Exit 1: some stay held.", 0, 1 }, tasks_replay, T_ROWS | T_ALL | T_OFFICER },
};
enum { N_SUBS = sizeof SUBS / sizeof *SUBS };

static const char *sub_word(const struct sub *s) { return s->usage.command + strlen("tasks "); }

static void help(void)
{
    printf("usage: pmhgw tasks [COMMAND] [options]      (pmhgw tasks COMMAND --help)\n\n");
    for (size_t i = 0; i < N_SUBS; i++)
        printf("  %-8s %-7s %.*s\n", sub_word(&SUBS[i]), SUBS[i].usage.operands, (int)strcspn(SUBS[i].usage.about, "\n"), SUBS[i].usage.about);
}

static int run(const struct sub *sub, int argc, char **argv)
{
    struct tasks_opts o = { .timeout_s = MUNI_PATIENCE_S, .show = 20 };
    struct state_dirs dirs = { 0 };
    const char *muni = NULL;
    struct opt_list operands;
    const struct { unsigned when; struct opt opt; } all[] = {
        { T_COMMON, { "--muni", OPT_TEXT, &muni, "CODE", "municipality (6 digits)", 0, 0 } },
        { T_ROWS, { "--rows", OPT_TEXT, &o.rows, "1,5-9", "these rows", 0, 0 } },
        { T_ALL, { "--all", OPT_FLAG, &o.all, NULL, "all of them", 0, 0 } },
        { T_OFFICER, { "--officer", OPT_TEXT, &o.officer, "NAME", "who has decided it; goes into the audit log", 0, 0 } },
        { T_FAILED, { "--failed", OPT_FLAG, &o.failed, NULL, "refused and held rows only", 0, 0 } },
        { T_FORMS, { "--csv", OPT_FLAG, &o.csv, NULL, "CSV (default)", 0, 0 } },
        { T_FORMS, { "--jsonl", OPT_FLAG, &o.jsonl, NULL, "JSON lines", 0, 0 } },
        { T_JSON, { "--json", OPT_FLAG, &o.json, NULL, "the answer as it came", 0, 0 } },
        { T_VERIFY, { "--verify", OPT_TEXT, &o.verify, "FILE", "check signature, chain, the sum of this file, and the sum of the results", 0, 0 } },
        { T_RECEIPT, { "--receipt", OPT_TEXT, &o.receipt, "JWS", "a receipt that was kept, instead of asking for one", 0, 0 } },
        { T_OUT, { "--out", OPT_TEXT, &o.out, "OUT", "write to this file", 0, 0 } },
        { T_SHOW, { "--show", OPT_NUM, &o.show, "N", "refused and held rows that are listed (20)", 0, 1000 } },
        { T_NO_WAIT, { "--no-wait", OPT_FLAG, &o.no_wait, NULL, "do not follow it", 0, 0 } },
        { T_COMMON, { "--timeout", OPT_NUM, &o.timeout_s, "SECONDS", "give up after so long without progress (300)", 1, 86400 } },
        { T_COMMON, { "--state", OPT_TEXT, &dirs.state, "DIR", "state directory (PMHGW_STATE, else .state)", 0, 0 } },
    };
    struct opt table[sizeof all / sizeof *all];
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].when & (sub->takes | T_COMMON))
            table[n++] = all[i].opt;
    enum opts_end end = opts_parse(argc, argv, &sub->usage, table, n, &operands);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    o.task = operands.n ? operands.v[0] : NULL;
    struct muni_door d = { 0 };
    struct err e = web_setup();
    int status = 2;
    web_hold_stop();
    if (!err_ok(e))
        say_err("開始できません", "cannot start", e);
    else if ((!o.task || task_id_good(o.task)) && muni_door_open(&d, &dirs, muni, o.timeout_s))
        status = sub->run(&d, &o);
    muni_door_close(&d);
    return status;
}

static const struct sub *sub_find(const char *word)
{
    for (size_t i = 0; i < N_SUBS; i++)
        if (strcmp(sub_word(&SUBS[i]), word) == 0)
            return &SUBS[i];
    return NULL;
}

int cmd_tasks(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        help();
        return 0;
    }
    if (argc < 2 || argv[1][0] == '-')
        return run(&SUBS[0], argc, argv);
    const struct sub *sub = sub_find(argv[1]);
    if (sub)
        return run(sub, argc - 1, argv + 1);
    say_error("その命令はありません。pmhgw tasks --help を見てください", "no such command; see pmhgw tasks --help");
    return 2;
}

int cmd_replay(int argc, char **argv) { return run(sub_find("replay"), argc, argv); }
