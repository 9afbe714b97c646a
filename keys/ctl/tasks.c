/* pmhgw tasks: what became of files and requests of a municipality, and orders about them. */

#include "keys/ctl/tasks.h"

#include <string.h>

#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

static const struct { const char *word; tasks_fn *run; } WORDS[] = {
    { "list", tasks_list }, { "show", tasks_show }, { "follow", tasks_follow }, { "results", tasks_results }, { "receipt", tasks_receipt }, { "undo", tasks_undo },
    { "cancel", tasks_cancel }, { "release", tasks_release }, { "discard", tasks_discard }, { "replay", tasks_replay },
};

static tasks_fn *run_of(const char *word)
{
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcmp(WORDS[i].word, word) == 0)
            return WORDS[i].run;
    return NULL;
}

static int go(struct tasks_opts *o, const struct state_dirs *dirs, const char *muni, tasks_fn *fn)
{
    struct muni_door d = { 0 };
    struct err e = web_setup();
    int status = 2;
    web_hold_stop();
    if (!err_ok(e))
        say_err("開始できません", "cannot start", e);
    else if ((!o->task || task_id_good(o->task)) && muni_door_open(&d, dirs, muni, o->timeout_s))
        status = fn(&d, o);
    muni_door_close(&d);
    return status;
}

int cmd_tasks(int argc, char **argv)
{
    struct tasks_opts o = { .timeout_s = MUNI_PATIENCE_S, .show = 20 };
    struct state_dirs dirs = { 0 };
    const char *muni = NULL;
    struct opt_list words;
    enum opts_end end = CLI_PARSE(argc, argv, "tasks", &words, { "--muni", &muni }, { "--rows", &o.rows }, { "--all", &o.all }, { "--officer", &o.officer }, { "--failed", &o.failed },
                                  { "--csv", &o.csv }, { "--jsonl", &o.jsonl }, { "--json", &o.json }, { "--verify", &o.verify }, { "--receipt", &o.receipt }, { "--out", &o.out },
                                  { "--show", &o.show }, { "--no-wait", &o.no_wait }, { "--timeout", &o.timeout_s }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    o.task = words.n > 1 ? words.v[1] : NULL;
    tasks_fn *fn = run_of(words.v[0]);
    if (o.json && fn != tasks_list && fn != tasks_show && fn != tasks_results)
        out_begin();
    return go(&o, &dirs, muni, fn);
}

int cmd_replay(int argc, char **argv)
{
    struct tasks_opts o = { .timeout_s = MUNI_PATIENCE_S };
    struct state_dirs dirs = { 0 };
    const char *muni = NULL;
    struct opt_list words;
    enum opts_end end = CLI_PARSE(argc, argv, "replay", &words, { "--muni", &muni }, { "--rows", &o.rows }, { "--all", &o.all }, { "--officer", &o.officer },
                                  { "--timeout", &o.timeout_s }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    o.task = words.n ? words.v[0] : NULL;
    return go(&o, &dirs, muni, tasks_replay);
}
