/* pmhgw tasks list, show, follow, results, undo, cancel */

#include <stdio.h>

#include "keys/ctl/follow.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/results.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/tasks.h"

enum { CURSOR_MAX = 256 };

static void print_json(const json_t *v)
{
    out_written();
    json_dumpf(v, stdout, JSON_COMPACT);
    putchar('\n');
}

static const struct grid_col COLS[] = {
    { "task_id", "受付番号", "task", GRID_TEXT, false }, { "received_at", "受信", "received", GRID_TEXT, false }, { "state", "状態", "state", GRID_TEXT, true },
    { "rows", "行", "rows", GRID_NUMBER, false }, { "errors", "誤り", "errors", GRID_NUMBER, false }, { "operation", "操作", "operation", GRID_TEXT, true },
    { "mode", "方法", "mode", GRID_TEXT, false }, { "waits_for", "待っているもの", "waits for", GRID_TEXT, true },
};

static void list_add(struct grid *g, const struct task_view *v)
{
    GRID_ADD(g, v->id, say_form("%.19s", v->received_at).c, say_pick(task_state_ja(v->state), task_state_en(v->state)), say_form("%llu", (unsigned long long)v->rows).c,
             say_form("%llu", (unsigned long long)task_view_errors(v)).c, v->operation, strcmp(v->mode, "apply") != 0 ? v->mode : "",
             v->waits.code[0] ? say_form("! %s [%s]", say_pick(v->waits.message_ja, v->waits.message_en), v->waits.code).c : "");
}

static bool list_page(struct muni_door *d, const struct tasks_opts *o, char cursor[static CURSOR_MAX])
{
    char path[512];
    int status;
    struct task_view v;
    snprintf(path, sizeof path, "/v1/tasks%s%s", *cursor ? "?cursor=" : "", cursor);
    json_t *page = muni_door_json(d, "GET", path, SLICE_NONE, 200, &status);
    const json_t *tasks = json_object_get(page, "tasks");
    if (page && o->json)
        print_json(page);
    struct grid *g = o->json ? NULL : grid_new(COLS, sizeof COLS / sizeof *COLS);
    for (size_t i = 0; g && i < json_array_size(tasks); i++)
        if (task_view_read(&v, json_array_get(tasks, i)))
            list_add(g, &v);
    if (g)
        grid_show(g, "tasks");
    const char *next = member_text(page, "next");
    bool goes_on = strlen(next) < CURSOR_MAX && next[strspn(next, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.~")] == '\0';
    bool again = strcmp(next, cursor) == 0;
    snprintf(cursor, CURSOR_MAX, "%s", goes_on && !again ? next : "");
    if (page && !*cursor && !o->json && !json_array_size(tasks))
        say("  まだ一つもありません", "  there is none yet");
    json_decref(page);
    return page != NULL;
}

int tasks_list(struct muni_door *d, const struct tasks_opts *o)
{
    char cursor[CURSOR_MAX] = "";
    do {
        if (!list_page(d, o, cursor))
            return 2;
    } while (o->all && *cursor && !web_stop_asked());
    if (*cursor && !o->all && !o->json)
        say("  … 続きは --all で", "  … older ones with --all");
    return 0;
}

static json_t *task_get(struct muni_door *d, const char *id, struct task_view *ret_v)
{
    char path[128];
    int status;
    snprintf(path, sizeof path, "/v1/tasks/%s", id);
    json_t *task = muni_door_json(d, "GET", path, SLICE_NONE, 200, &status);
    if (task && task_view_read(ret_v, task))
        return task;
    json_decref(task);
    return NULL;
}

static void show_member(const json_t *task, const char *name, const char *ja, const char *en)
{
    const char *text = member_text(task, name);
    if (*text)
        say_plain(say_form("%s: %s", ja, text).c, say_form("%s: %s", en, text).c);
}

int tasks_show(struct muni_door *d, const struct tasks_opts *o)
{
    struct task_view v;
    json_t *task = task_get(d, o->task, &v);
    if (!task)
        return 2;
    if (o->json) {
        print_json(task);
        json_decref(task);
        return 0;
    }
    say_plain(say_form("状態: %s", task_state_ja(v.state)).c, say_form("state: %s", task_state_en(v.state)).c);
    show_member(task, "operation", "操作", "operation");
    show_member(task, "received_at", "受信", "received");
    show_member(task, "accepted_at", "受付", "accepted");
    show_member(task, "ended_at", "終了", "ended");
    if (v.waits.code[0])
        say_plain(say_form("待っています: %s [%s]", v.waits.message_ja, v.waits.code).c,
                  say_form("waits: %s [%s]", v.waits.message_en, v.waits.code).c);
    if (v.rejected)
        task_view_reject(&v);
    else
        task_view_summary(&v, -1);
    if (!v.rejected && task_view_ended(&v) && v.mode[0])
        results_show_failed(d, o->task, o->show, task_view_errors(&v));
    json_decref(task);
    return 0;
}

int tasks_follow(struct muni_door *d, const struct tasks_opts *o)
{
    struct task_view v;
    if (follow_task(d, o->task, o->timeout_s, &v) != FOLLOW_ENDED)
        return 2;
    if (strcmp(v.state, "rejected") == 0)
        task_view_reject(&v);
    else
        task_view_summary(&v, -1);
    return task_view_exit(&v);
}

int tasks_results(struct muni_door *d, const struct tasks_opts *o)
{
    uint64_t rows;
    out_written();
    enum results_form form = o->jsonl || o->json ? RESULTS_JSON_LINES : RESULTS_CSV;
    if (!o->out)
        return results_write(d, o->task, o->failed, form, stdout, &rows) ? 0 : 2;
    if (!results_save(d, o->task, o->failed, o->csv ? RESULTS_CSV : o->jsonl || o->json ? form : results_form_of(o->out), o->out, &rows))
        return 2;
    say_ok("結果 %llu 行を %s に書きました", "%llu results written to %s", (unsigned long long)rows, o->out);
    return 0;
}

int tasks_undo(struct muni_door *d, const struct tasks_opts *o)
{
    char path[128];
    int status;
    struct task_view v;
    struct tasks_opts after = *o;
    snprintf(path, sizeof path, "/v1/tasks/%s/undo", o->task);
    json_t *task = muni_door_json(d, "POST", path, SLICE_NONE, 202, &status);
    bool good = task && task_view_read(&v, task) && task_id_good(v.id);
    json_decref(task);
    if (!good)
        return 2;
    out_put_text("undo_task", v.id);
    say_plain(say_form("取り消しの受付番号 %s", v.id).c, say_form("the undo is task %s", v.id).c);
    after.task = v.id;
    return o->no_wait ? 0 : tasks_follow(d, &after);
}

int tasks_cancel(struct muni_door *d, const struct tasks_opts *o)
{
    char path[128];
    struct web_answer a;
    snprintf(path, sizeof path, "/v1/files/%s", o->task);
    struct web_call c = { .method = "DELETE", .path = path, .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_call(d, &c, &a);
    const bool good = err_ok(e) && a.status == 204;
    if (good)
        say_ok("送信を取りやめました", "the upload was given up");
    else
        muni_door_problem("取りやめられません", "it cannot be given up", e, &a);
    web_answer_done(&a);
    return good ? 0 : 2;
}
