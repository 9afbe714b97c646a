/* pmhgw vaccination: ledger, due lists and statistics of a municipality, out of its door into a file. */

#include <stdio.h>
#include <string.h>

#include "keys/ctl/commands.h"
#include "keys/ctl/muni_file.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/say.h"

enum { PATH_BYTES = 512, PATIENCE_S = 60 };

struct wish {
    const char *muni, *out, *program, *on, *list, *from, *to;
    uint64_t first;
    bool header, aligned, exact;
};

/* Only what the door's queries know goes into a path: anything else is refused there, and here already. */
static bool add(char path[static PATH_BYTES], const char *name, const char *value)
{
    size_t n = strlen(path);
    if (!value)
        return true;
    if (value[strspn(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] != '\0') {
        say_error("--%s の値に使えない文字があります", "the value of --%s has a character that is not allowed", name);
        return false;
    }
    return snprintf(path + n, PATH_BYTES - n, "%c%s=%s", strchr(path, '?') ? '&' : '?', name, value) < (int)(PATH_BYTES - n);
}

static bool path_of(const char *what, const struct wish *w, char path[static PATH_BYTES])
{
    char first[8];
    snprintf(path, PATH_BYTES, "/v1/vaccination/%s", what);
    snprintf(first, sizeof first, "%u", (unsigned)w->first);
    return add(path, "program", w->program) && add(path, "first", w->first ? first : NULL) && add(path, "header", w->header ? "yes" : NULL) &&
           add(path, "aligned", w->aligned ? "yes" : NULL) && add(path, "on", w->on) && add(path, "list", w->list) && add(path, "from", w->from) &&
           add(path, "to", w->to) && add(path, "small", w->exact ? "exact" : NULL);
}

static int run(const char *what, const struct wish *w, const struct state_dirs *dirs)
{
    char path[PATH_BYTES];
    struct muni_door d;
    if (!w->muni || !muni_code_good(w->muni) || !path_of(what, w, path))
        return 2;
    int status = muni_door_open(&d, dirs, w->muni, PATIENCE_S) ? muni_file_save(&d, path, w->out) : 2;
    muni_door_close(&d);
    return status;
}

static bool is_one_of(const char *word, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

int cmd_vaccination(int argc, char **argv)
{
    static const char *const WHAT[] = { "ledger", "due", "statistics" };
    struct wish w = { 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "vaccination", &operands, { "--muni", &w.muni }, { "--out", &w.out }, { "--program", &w.program }, { "--first", &w.first }, { "--header", &w.header }, { "--aligned", &w.aligned }, { "--on", &w.on }, { "--list", &w.list }, { "--from", &w.from }, { "--to", &w.to }, { "--exact", &w.exact }, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!is_one_of(operands.v[0], WHAT, sizeof WHAT / sizeof *WHAT)) {
        say_error("ledger、due、statistics のどれかを指定してください", "say ledger, due or statistics");
        return 2;
    }
    if (!w.out) {
        say_error("--out にファイルを指定してください", "--out needs a file");
        return 2;
    }
    return run(operands.v[0], &w, &dirs);
}
