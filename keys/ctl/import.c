/* pmhgw import FILE: a JSON or CSV file of a municipality to the municipal door. No number is ever printed. */

#include "keys/ctl/import_file.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/opts.h"

enum { ROWS_DEFAULT = 500 };

static void print_faults(const struct nz_import *im, uint64_t shown)
{
    for (size_t i = 0; i < im->n_faults && i < shown; i++) {
        const struct nz_fault *f = &im->faults[i];
        char place[64] = "";
        if (f->line && f->column)
            snprintf(place, sizeof place, " (%llu:%llu)", (unsigned long long)f->line, (unsigned long long)f->column);
        else if (f->line)
            snprintf(place, sizeof place, " (%llu)", (unsigned long long)f->line);
        printf("    %s %llu%s  %s%s%s%s%s\n", say_pick("行", "row"), (unsigned long long)f->row, place, f->code, f->field[0] ? "  " : "", f->field,
               f->rule[0] ? "  " : "", f->rule);
    }
    if (im->n_faults > shown)
        say("    … ほか %zu 件(--show で増やせます)", "    … %zu more (--show N)", im->n_faults - (size_t)shown);
}

/* One line of plain text with the counts, in one language. */
static void summary_write(const struct nz_import *im, uint64_t ms, bool ja, struct say_text *ret_text)
{
    static const char *const JA[NZ__RESULTS] = { "登録", "更新", "変更なし", "待ち", "拒否", "保留" };
    size_t n = 0;
    for (int r = 0; r < NZ__RESULTS; r++)
        if (r != NZ_WAITING || im->done[r])
            n += (size_t)snprintf(ret_text->c + n, sizeof ret_text->c - n, "%s %llu   ", ja ? JA[r] : nz_result_name((enum nz_result)r),
                                  (unsigned long long)im->done[r]);
    if (im->warnings)
        n += (size_t)snprintf(ret_text->c + n, sizeof ret_text->c - n, "%s %llu   ", ja ? "警告のある行" : "rows with warnings",
                              (unsigned long long)im->warnings);
    snprintf(ret_text->c + n, sizeof ret_text->c - n, "(%.1f s, %llu %s)", (double)ms / 1000,
             (unsigned long long)(ms ? im->rows_done * 1000 / ms : im->rows_done), ja ? "行/秒" : "rows/s");
}

static void print_summary(const struct nz_import *im, uint64_t ms)
{
    struct say_text ja, en;
    summary_write(im, ms, true, &ja);
    summary_write(im, ms, false, &en);
    say_done(ja.c, en.c);
}

struct import_opts {
    struct state_dirs dirs;
    const char *muni, *form, *layout, *encoding;
    uint64_t rows, timeout_s, show;
};

static int import_run(const struct import_opts *o, const char *path)
{
    struct state s;
    char cert[32];
    struct clock clk = clock_system();
    struct nz_import im = { .timeout_ms = o->timeout_s * 1000, .progress_ms = clock_mono(&clk) };
    struct nz_import_file *f = NULL;
    bool history = o->form && strcmp(o->form, "history") == 0;
    int status = 2;
    im.path = history ? "/v1/medical-subsidy/history-registration-tasks" : "/v1/medical-subsidy/registration-tasks";
    if (!state_open(&s, &o->dirs, false) || !nz_import_file_open(&f, &s, path, o->layout, o->encoding))
        return 2;
    int64_t rows = nz_import_file_count(f);
    im.port = state_base_port(&s) + PORT_MUNICIPAL;
    snprintf(cert, sizeof cert, "muni-%.6s", o->muni);
    im.faults = calloc(IMPORT_FAULTS_MAX, sizeof *im.faults);
    if (rows >= 0 && !file_exists(state_at(&s, "certs/%s.pem", cert).c))
        say_error("この自治体の証明書がありません", "there is no certificate for this municipality");
    else if (rows >= 0 && im.faults && err_ok(web_new(&im.web, &s, cert))) {
        say_bar_start(&im.bar, "登録", "import", (uint64_t)rows);
        bool good = nz_import_file_send(f, &im, o->rows);
        say_bar_end(&im.bar, im.rows_done, im.done[NZ_REFUSED] + im.done[NZ_QUARANTINED]);
        print_summary(&im, clock_mono(&clk) - im.bar.started_ms);
        print_faults(&im, o->show);
        status = !good ? 2 : im.done[NZ_REFUSED] + im.done[NZ_QUARANTINED] ? 1 : 0;
    }
    explicit_bzero(im.token, sizeof im.token);
    nz_import_drop(&im);
    web_free(im.web);
    free(im.faults);
    nz_import_file_close(f);
    return status;
}

int cmd_import(int argc, char **argv)
{
    static const struct usage USAGE = { "import", "FILE",
        "Registers the rows of a JSON array or of a CSV linkage file (docs/linkage-files.md) at the municipal door, in pieces, and follows them until they are done.\n"
        "Sending the same file again changes nothing. Exit 0: all taken, 1: some rows refused or held, 2: not done.", 1, 1 };
    struct import_opts o = { .rows = ROWS_DEFAULT, .timeout_s = 300, .show = 20 };
    struct opt_list operands;
    const struct opt table[] = {
        { "--muni", OPT_TEXT, &o.muni, "CODE", "municipality (6 digits)", 0, 0 },
        { "--form", OPT_TEXT, &o.form, "FORM", "full (default) or history (差分履歴)", 0, 0 },
        { "--layout", OPT_TEXT, &o.layout, "NAME", "CSV: a layout of config/layouts or a .yaml file (child-medical-subsidy)", 0, 0 },
        { "--encoding", OPT_TEXT, &o.encoding, "NAME", "CSV: auto (default), utf-8 or cp932", 0, 0 },
        { "--rows", OPT_NUM, &o.rows, "N", "rows of one request (500)", 1, NZ_IMPORT_ROWS_MAX },
        { "--timeout", OPT_NUM, &o.timeout_s, "SECONDS", "give up after so long without progress (300)", 1, 86400 },
        { "--show", OPT_NUM, &o.show, "N", "refused rows that are listed (20)", 0, IMPORT_FAULTS_MAX },
        { "--state", OPT_TEXT, &o.dirs.state, "DIR", "state directory (PMHGW_STATE, else .state)", 0, 0 },
    };
    enum opts_end end = opts_parse(argc, argv, &USAGE, table, sizeof table / sizeof *table, &operands);
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!o.muni || strlen(o.muni) != 6 || !all_digits(slice_str(o.muni))) {
        say_error("--muni に 6 桁の自治体コードを指定してください", "--muni CODE of 6 digits is needed");
        return 2;
    }
    if (o.form && strcmp(o.form, "history") != 0 && strcmp(o.form, "full") != 0) {
        say_error("--form は full か history です", "--form is full or history");
        return 2;
    }
    struct err e = web_setup();
    if (!err_ok(e)) {
        say_err("開始できません", "cannot start", e);
        return 2;
    }
    return import_run(&o, operands.v[0]);
}
