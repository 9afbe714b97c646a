/* pmhgw vaccination: ledger, due lists and statistics of a municipality, out of its door into a file. */

#include <stdio.h>
#include <string.h>

#include "keys/ctl/commands.h"
#include "keys/ctl/muni_file.h"
#include "keys/ctl/opts.h"
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
    static const struct usage USAGE = { "vaccination", "ledger|due|statistics",
        "Writes what a municipality has of vaccinations as CSV: the VRS ledger (17 columns), who is due, or counts. No file holds an individual number.\n"
        "予防接種台帳(VRS の 17 列)、対象者の抽出、統計を CSV に書き出します。個人番号は含みません。", 1, 1 };
    struct wish w = { 0 };
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    const struct opt table[] = {
        { "--muni", OPT_TEXT, &w.muni, "CODE", "municipality code, 6 digits", 0, 0 },
        { "--out", OPT_TEXT, &w.out, "FILE", "made whole or not at all", 0, 0 },
        { "--program", OPT_TEXT, &w.program, "ID", "ledger, due: the program", 0, 0 },
        { "--first", OPT_NUM, &w.first, "N", "ledger: the dose in the first columns (1)", 1, 98 },
        { "--header", OPT_FLAG, &w.header, NULL, "ledger: a line with the titles", 0, 0 },
        { "--aligned", OPT_FLAG, &w.aligned, NULL, "ledger: texts padded with blanks to the published lengths", 0, 0 },
        { "--on", OPT_TEXT, &w.on, "DAY", "due: on that day, YYYY-MM-DD (today)", 0, 0 },
        { "--list", OPT_TEXT, &w.list, "LIST", "due: recall or reduction only", 0, 0 },
        { "--from", OPT_TEXT, &w.from, "MONTH", "statistics: YYYY-MM", 0, 0 },
        { "--to", OPT_TEXT, &w.to, "MONTH", "statistics: YYYY-MM", 0, 0 },
        { "--exact", OPT_FLAG, &w.exact, NULL, "statistics: counts below 5 too; not for publication", 0, 0 },
        { "--state", OPT_TEXT, &dirs.state, "DIR", "state directory (PMHGW_STATE, else .state)", 0, 0 },
    };
    enum opts_end end = opts_parse(argc, argv, &USAGE, table, sizeof table / sizeof *table, &operands);
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
