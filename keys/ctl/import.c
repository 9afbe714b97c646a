/* pmhgw import FILE: a JSON file of a municipality to the municipal door. No number is ever printed. */

#include "keys/ctl/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/opts.h"
#include "keys/ctl/split.h"

enum { PIECE_MAX = 15 * 1024 * 1024, ROWS_DEFAULT = 500 };

struct file { struct slice text; };

/* Mapped, not read: of a file of any size only the piece on its way is copied, and that copy is wiped. */
static bool file_open(struct file *f, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *f = (struct file){ SLICE_NONE };
    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        say_error("ファイルを開けません: %s", "cannot open the file: %s", strerror(fd < 0 ? errno : EINVAL));
        if (fd >= 0)
            close(fd);
        return false;
    }
    void *p = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    if (p == MAP_FAILED) {
        say_error("ファイルを読めません: %s", "cannot read the file: %s", strerror(errno));
        return false;
    }
    if (p)
        madvise(p, (size_t)st.st_size, MADV_DONTDUMP);
    f->text = slice_of(p, (size_t)st.st_size);
    return true;
}

static void file_close(struct file *f)
{
    if (f->text.p)
        munmap((void *)(uintptr_t)f->text.p, f->text.n);
}

/* Rows of the file; -1 when it is not one JSON array. */
static int64_t count_rows(struct slice text)
{
    struct nz_split r = nz_split_of(text);
    struct slice row;
    int64_t n = 0;
    for (;;) {
        switch (nz_split_next(&r, &row)) {
        case NZ_SPLIT_ROW: n++; break;
        case NZ_SPLIT_END: return n;
        case NZ_SPLIT_BAD: return -1;
        }
    }
}

static bool send_all(struct nz_import *im, struct slice text, uint64_t rows_a_piece)
{
    struct nz_split r = nz_split_of(text);
    struct slice row;
    struct buf piece;
    uint64_t first = 1, n = 0;
    bool good = true;
    buf_init(&piece, PIECE_MAX);
    enum nz_split_step step = nz_split_next(&r, &row);
    while (good && step == NZ_SPLIT_ROW) {
        buf_putc(&piece, n ? ',' : '[');
        buf_put(&piece, row);
        n++;
        step = nz_split_next(&r, &row);
        bool fits = step == NZ_SPLIT_ROW && piece.n + row.n + 2 < PIECE_MAX;
        if (n < rows_a_piece && fits)
            continue;
        buf_putc(&piece, ']');
        good = !piece.failed && nz_import_send(im, buf_slice(&piece), first, n);
        first += n;
        n = 0;
        buf_reset(&piece);
    }
    buf_done(&piece);
    return good && nz_import_follow(im, 0);
}

static void print_faults(const struct nz_import *im, uint64_t shown)
{
    for (size_t i = 0; i < im->n_faults && i < shown; i++) {
        const struct nz_fault *f = &im->faults[i];
        printf("    %s %llu  %s%s%s%s%s\n", say_pick("行", "row"), (unsigned long long)f->row, f->code, f->field[0] ? "  " : "", f->field,
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
    const char *muni, *form;
    uint64_t rows, timeout_s, show;
};

static int import_run(const struct import_opts *o, const char *path)
{
    struct state s;
    struct file f;
    char cert[32];
    struct clock clk = clock_system();
    struct nz_import im = { .timeout_ms = o->timeout_s * 1000, .progress_ms = clock_mono(&clk) };
    bool history = o->form && strcmp(o->form, "history") == 0;
    im.path = history ? "/v1/medical-subsidy/history-registration-tasks" : "/v1/medical-subsidy/registration-tasks";
    if (!state_open(&s, &o->dirs, false) || !file_open(&f, path))
        return 2;
    int64_t rows = count_rows(f.text);
    im.port = state_base_port(&s) + PORT_MUNICIPAL;
    snprintf(cert, sizeof cert, "muni-%.6s", o->muni);
    im.faults = calloc(IMPORT_FAULTS_MAX, sizeof *im.faults);
    int status = 2;
    if (rows < 0)
        say_error("ファイルは一つの JSON 配列ではありません", "the file is not one JSON array");
    else if (!file_exists(state_at(&s, "certs/%s.pem", cert).c))
        say_error("この自治体の証明書がありません", "there is no certificate for this municipality");
    else if (im.faults && err_ok(web_new(&im.web, &s, cert))) {
        say_bar_start(&im.bar, "登録", "import", (uint64_t)rows);
        bool good = send_all(&im, f.text, o->rows);
        say_bar_end(&im.bar, im.rows_done, im.done[NZ_REFUSED] + im.done[NZ_QUARANTINED]);
        print_summary(&im, clock_mono(&clk) - im.bar.started_ms);
        print_faults(&im, o->show);
        status = !good ? 2 : im.done[NZ_REFUSED] + im.done[NZ_QUARANTINED] ? 1 : 0;
    }
    explicit_bzero(im.token, sizeof im.token);
    web_free(im.web);
    free(im.faults);
    file_close(&f);
    return status;
}

int cmd_import(int argc, char **argv)
{
    static const struct usage USAGE = { "import", "FILE",
        "Registers the rows of a JSON array at the municipal door, in pieces, and follows them until they are done.\n"
        "Sending the same file again changes nothing. Exit 0: all taken, 1: some rows refused or held, 2: not done.", 1, 1 };
    struct import_opts o = { .rows = ROWS_DEFAULT, .timeout_s = 300, .show = 20 };
    struct opt_list operands;
    const struct opt table[] = {
        { "--muni", OPT_TEXT, &o.muni, "CODE", "municipality (6 digits)", 0, 0 },
        { "--form", OPT_TEXT, &o.form, "FORM", "full (default) or history (差分履歴)", 0, 0 },
        { "--rows", OPT_NUM, &o.rows, "N", "rows of one request (500)", 1, 10000 },
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
