/* pmhgw import FILE: a file of a municipality, as it is, to the municipal door, and what became of it. No number is ever printed. */

#include <stdio.h>

#include "gateway/base/clock.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/follow.h"
#include "keys/ctl/operations.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/results.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/upload.h"

enum { SHOW_MAX = 1000, LAYOUT_MAX = 64 };

struct import_opts {
    struct state_dirs dirs;
    const char *path, *muni, *form, *operation, *layout, *encoding, *source, *only_failed_of, *resume, *results;
    bool dry_run, no_wait, source_given;
    uint64_t part_bytes, timeout_s, show;
};

/* ---- what the options mean ---- */

static bool one_of(const char *option, const char *value, const char *const *words, size_t n)
{
    char list[80] = "";
    for (size_t i = 0; i < n; i++) {
        if (!value || strcmp(value, words[i]) == 0)
            return true;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", words[i]);
    }
    say_error("%s は次のどれかです: %s", "%s is one of: %s", option, list);
    return false;
}

static const char *source_by_name(const char *path)
{
    static const struct { const char *end, *source; } ENDS[] = { { ".csv", "csv" }, { ".json", "json" }, { ".jsonl", "json_lines" } };
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof ENDS / sizeof *ENDS; i++)
        if (strcmp(dot, ENDS[i].end) == 0)
            return ENDS[i].source;
    say_error("拡張子(.csv .json .jsonl)から形式がわかりません。--source を指定してください", "the name does not end in .csv, .json or .jsonl; give --source");
    return NULL;
}

static bool layout_good(const char *layout)
{
    size_t n = layout ? strlen(layout) : 0;
    if (!layout || (n && n <= LAYOUT_MAX && layout[strspn(layout, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0'))
        return true;
    say_error("--layout はゲートウェイの config/layouts にある名前です(拡張子なし)。ファイルは指定できません",
              "--layout is the name of a layout in the gateway's config/layouts, without .yaml; a file cannot be given");
    return false;
}

/* Told, or of the layout, or the first of all. */
static bool operation_of(const struct import_opts *o, const struct state *s, const char **ret_operation)
{
    enum nz_form form = NZ_FORM_SUBJECT;
    const char *word = o->operation ? o->operation : o->form;
    struct state_path p;
    struct buf yaml;
    if (word && !nz_operation_find(strcmp(word, "full") == 0 ? "subject" : word, &form)) {
        say_error("--form は %s のどれか、--operation は操作の名前です", "--form is one of %s; --operation is the id of an operation", nz_operation_words());
        return false;
    }
    buf_init(&yaml, 64 * 1024);
    if (!word && o->layout && !nz_operation_of_layout(o->layout, &form) &&
        snprintf(p.c, sizeof p.c, "%s/layouts/%s.yaml", s->share, o->layout) < (int)sizeof p.c && err_ok(file_read(p.c, &yaml)))
        nz_operation_in_layout(buf_slice(&yaml), &form);
    buf_done(&yaml);
    *ret_operation = nz_operation_name(form);
    return true;
}

static bool how_of(struct import_opts *o, const struct state *s, struct nz_upload_how *ret_how)
{
    static const char *const SOURCES[] = { "csv", "json", "json_lines" }, *const ENCODINGS[] = { "auto", "utf-8", "cp932" };
    const char *operation;
    o->source_given = o->source != NULL;
    if (!o->source)
        o->source = source_by_name(o->path);
    if (!o->source || !one_of("--source", o->source, SOURCES, 3) || !one_of("--encoding", o->encoding, ENCODINGS, 3) || !layout_good(o->layout) ||
        (o->only_failed_of && !task_id_good(o->only_failed_of)) || !operation_of(o, s, &operation))
        return false;
    *ret_how = (struct nz_upload_how){ .operation = operation, .source = o->source, .layout = o->layout, .encoding = o->encoding,
                                       .mode = o->dry_run ? "dry_run" : NULL, .only_failed_of = o->only_failed_of };
    return true;
}

/* ---- what to do next ---- */

/* The file and the options that say what it is, as for the same file again. */
static struct say_text same_file(const struct import_opts *o)
{
    const struct { const char *name, *value; } with[] = {
        { "--form", o->form }, { "--operation", o->operation }, { "--layout", o->layout }, { "--encoding", o->encoding },
        { "--source", o->source_given ? o->source : NULL },
    };
    bool plain = o->path[strcspn(o->path, " \t\"$&'()*;<>?[\\]`{|}~!#")] == '\0';
    struct say_text t = say_form(plain ? "%s" : "'%s'", o->path);
    for (size_t i = 0; i < sizeof with / sizeof *with; i++)
        if (with[i].value)
            t = say_form("%.300s %s %.100s", t.c, with[i].name, with[i].value);
    return t;
}

static void say_resume(const struct import_opts *o, const struct muni_door *d, const char *id)
{
    say_warn("送信は途中です。送った分はゲートウェイに残っています(72 時間)", "the upload is not complete; what was sent is kept there (72 hours)");
    say_command("続きを送る", "to go on", say_form("import %s --muni %s --resume %s --state %s", same_file(o).c, d->muni, id, d->state.dir));
}

static void say_form_hint(void)
{
    say_hint(say_form("様式は正しいですか: --form %s", nz_operation_words()).c, say_form("is it the right form? --form is one of %s", nz_operation_words()).c);
}

/* Something of it was applied, and is not of the kind that has its own rows for that. */
static bool taken_back(const struct task_view *v)
{
    return v->count[TASK_REGISTERED] + v->count[TASK_UPDATED] && strcmp(v->operation, nz_operation_name(NZ_FORM_CHANGE)) != 0;
}

static void say_next(const struct import_opts *o, const struct muni_door *d, const struct task_view *v)
{
    const char *muni = d->muni, *dir = d->state.dir;
    if (v->rows && v->count[TASK_REFUSED] == v->rows)
        say_form_hint();
    if (o->dry_run) {
        say_command("本番の登録", "to apply it", say_form("import %s --muni %s --state %s", same_file(o).c, muni, dir));
        return;
    }
    if (v->count[TASK_REFUSED])
        say_command("直した後、失敗した行だけを送る", "once corrected, to send the failed rows alone",
                    say_form("import %s --muni %s --only-failed-of %s --state %s", same_file(o).c, muni, v->id, dir));
    if (v->count[TASK_QUARANTINED]) {
        say_command("保留の行を確認した後、反映する", "held rows, once looked at, to let them go on",
                    say_form("tasks release %s --all --officer NAME --muni %s --state %s", v->id, muni, dir));
        say_command("接続先の事情で保留になった行をもう一度送る", "rows held because of a partner, to try them again",
                    say_form("replay %s --officer NAME --muni %s --state %s", v->id, muni, dir));
    }
    if (task_view_errors(v))
        say_command("すべての誤り", "all faults", say_form("tasks results %s --failed --muni %s --state %s", v->id, muni, dir));
    if (taken_back(v))
        say_command("取り消す(72 時間以内)", "to take it back (within 72 hours)", say_form("tasks undo %s --muni %s --state %s", v->id, muni, dir));
}

/* ---- the run ---- */

static bool results_kept(const struct import_opts *o, struct muni_door *d, const char *id)
{
    uint64_t rows;
    if (!o->results)
        return true;
    if (!results_save(d, id, false, results_form_of(o->results), o->results, &rows))
        return false;
    say_ok("結果 %llu 行を %s に書きました", "%llu results written to %s", (unsigned long long)rows, o->results);
    return true;
}

static int import_follow(const struct import_opts *o, struct muni_door *d, const char *id)
{
    struct task_view v;
    struct clock clk = clock_system();
    uint64_t from = clock_mono(&clk);
    if (follow_task(d, id, o->timeout_s, &v) != FOLLOW_ENDED)
        return 2;
    if (strcmp(v.state, "rejected") == 0) {
        task_view_reject(&v);
        if (strncmp(v.reject.code, "header_", strlen("header_")) == 0)
            say_form_hint();
        return 2;
    }
    task_view_summary(&v, (double)(clock_mono(&clk) - from) / 1000);
    results_show_failed(d, id, o->show, task_view_errors(&v));
    bool kept = results_kept(o, d, id);
    say_next(o, d, &v);
    return kept ? task_view_exit(&v) : 2;
}

static int import_send(struct import_opts *o, struct muni_door *d, const struct nz_upload_file *f, const char *id)
{
    if (!o->no_wait) {
        printf("  %s: %s\n", say_text("受付番号", "file id").c, id);
        fflush(stdout);
    }
    enum nz_upload_end end = nz_upload_send(d, f, id, o->part_bytes);
    if (end == NZ_UPLOAD_STOPPED)
        say_resume(o, d, id);
    if (end != NZ_UPLOAD_DONE)
        return 2;
    if (!o->no_wait)
        return import_follow(o, d, id);
    puts(id);
    out_put_text("task_id", id);
    return 0;
}

static int import_run(struct import_opts *o)
{
    struct muni_door d = { 0 };
    struct nz_upload_file f = { .fd = -1 };
    struct nz_upload_how how;
    char id[64];
    int status = 2;
    web_hold_stop();
    if ((!o->results || results_can_be_kept(o->results)) && muni_door_open(&d, &o->dirs, o->muni, o->timeout_s) && how_of(o, &d.state, &how) && nz_upload_open(&f, o->path)) {
        if (o->resume && task_id_good(o->resume)) {
            snprintf(id, sizeof id, "%s", o->resume);
            status = import_send(o, &d, &f, id);
        } else if (!o->resume && nz_upload_sum(&f) && nz_upload_create(&d, &f, &how, id)) {
            status = import_send(o, &d, &f, id);
        } else if (!o->resume && web_stop_asked()) {
            say_warn("中止しました。まだ何も送っていません", "stopped; nothing has been sent");
        }
    }
    nz_upload_close(&f);
    muni_door_close(&d);
    return status;
}

int cmd_import(int argc, char **argv)
{
    struct import_opts o = { .part_bytes = NZ_PART_MAX, .timeout_s = MUNI_PATIENCE_S, .show = 20 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "import", &operands, { "--muni", &o.muni }, { "--form", &o.form }, { "--operation", &o.operation }, { "--source", &o.source }, { "--layout", &o.layout }, { "--encoding", &o.encoding }, { "--dry-run", &o.dry_run }, { "--only-failed-of", &o.only_failed_of }, { "--resume", &o.resume }, { "--results", &o.results }, { "--no-wait", &o.no_wait }, { "--show", &o.show }, { "--timeout", &o.timeout_s }, { "--part-bytes", &o.part_bytes }, { "--state", &o.dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    struct err e = web_setup();
    if (!err_ok(e)) {
        say_err("開始できません", "cannot start", e);
        return 2;
    }
    o.path = operands.v[0];
    return import_run(&o);
}
