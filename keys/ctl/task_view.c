#include "keys/ctl/task_view.h"

#include <stdio.h>

#include "keys/ctl/muni_door.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"

static const struct { const char *name, *ja, *dry_ja, *dry_en; } COUNTS[TASK__COUNTS] = {
    [TASK_REGISTERED] = { "registered", "登録", "新規になる", "would be new" },
    [TASK_UPDATED] = { "updated", "更新", "変わる", "would change" },
    [TASK_UNCHANGED] = { "unchanged", "変更なし", "変更なし", "unchanged" },
    [TASK_WAITING] = { "waiting", "待ち", "待ち", "waiting" },
    [TASK_REFUSED] = { "refused", "拒否", "拒否される", "would be refused" },
    [TASK_QUARANTINED] = { "quarantined", "保留", "保留される", "would be held" },
};

static const struct { const char *name, *ja, *en; } STATES[] = {
    { "uploading", "送信中", "uploading" },
    { "accepted", "受付済み", "accepted" },
    { "validating", "検査中", "validating" },
    { "processing", "処理中", "processing" },
    { "stalled", "接続先の待ち", "waiting for a partner" },
    { "done", "完了", "done" },
    { "done_with_errors", "完了(誤りあり)", "done, with errors" },
    { "rejected", "不受理", "rejected" },
};

const char *task_state_ja(const char *state)
{
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        if (strcmp(STATES[i].name, state) == 0)
            return STATES[i].ja;
    return state;
}

const char *task_state_en(const char *state)
{
    for (size_t i = 0; i < sizeof STATES / sizeof *STATES; i++)
        if (strcmp(STATES[i].name, state) == 0)
            return STATES[i].en;
    return state;
}

#define COPY(to, o, name) snprintf((to), sizeof(to), "%s", member_text((o), (name)))

static void reject_read(struct task_view *v, const json_t *r)
{
    v->rejected = json_is_object(r);
    COPY(v->reject.code, r, "code");
    COPY(v->reject.field, r, "field");
    COPY(v->reject.message_ja, r, "message_ja");
    COPY(v->reject.message_en, r, "message_en");
    v->reject.line = member_u64(r, "line");
    v->reject.column = member_u64(r, "column");
}

bool task_view_read(struct task_view *ret_v, const json_t *task)
{
    struct task_view v = { 0 };
    const json_t *counts = json_object_get(task, "counts"), *progress = json_object_get(task, "progress");
    COPY(v.id, task, "task_id");
    COPY(v.operation, task, "operation");
    COPY(v.state, task, "state");
    COPY(v.mode, task, "mode");
    COPY(v.received_at, task, "received_at");
    v.rows = member_u64(counts, "rows");
    for (size_t i = 0; i < TASK__COUNTS; i++)
        v.count[i] = member_u64(counts, COUNTS[i].name);
    v.suspicious = member_u64(task, "suspicious");
    v.bytes = member_u64(progress, "bytes");
    v.bytes_read = member_u64(progress, "bytes_read");
    v.rows_done = member_u64(progress, "rows_done");
    v.rows_per_second = member_u64(progress, "rows_per_second");
    v.remaining_s = member_u64(progress, "remaining_s");
    reject_read(&v, json_object_get(task, "reject"));
    COPY(v.stopped.code, json_object_get(task, "stopped"), "code");
    COPY(v.stopped.message_ja, json_object_get(task, "stopped"), "message_ja");
    COPY(v.stopped.message_en, json_object_get(task, "stopped"), "message_en");
    COPY(v.waits.code, json_object_get(task, "waits_for"), "code");
    COPY(v.waits.message_ja, json_object_get(task, "waits_for"), "message_ja");
    COPY(v.waits.message_en, json_object_get(task, "waits_for"), "message_en");
    if (!v.id[0] || !v.state[0])
        return false;
    *ret_v = v;
    return true;
}

bool task_view_ended(const struct task_view *v)
{
    return strcmp(v->state, "done") == 0 || strcmp(v->state, "done_with_errors") == 0 || strcmp(v->state, "rejected") == 0;
}

int task_view_exit(const struct task_view *v)
{
    if (!task_view_ended(v) || strcmp(v->state, "rejected") == 0)
        return 2;
    return task_view_errors(v) || strcmp(v->state, "done_with_errors") == 0 ? 1 : 0;
}

static struct say_text summary_of(const struct task_view *v, double seconds, bool ja)
{
    struct say_text t = { "" };
    bool dry = strcmp(v->mode, "dry_run") == 0;
    size_t n = 0;
    if (dry)
        n += (size_t)snprintf(t.c + n, sizeof t.c - n, "%s: ", ja ? "試行(何も変えていません)" : "dry run, nothing was changed");
    for (size_t i = 0; i < TASK__COUNTS; i++)
        if (i != TASK_WAITING || v->count[i])
            n += (size_t)snprintf(t.c + n, sizeof t.c - n, "%s %llu   ", ja ? (dry ? COUNTS[i].dry_ja : COUNTS[i].ja) : dry ? COUNTS[i].dry_en : COUNTS[i].name,
                                  (unsigned long long)v->count[i]);
    if (v->suspicious)
        n += (size_t)snprintf(t.c + n, sizeof t.c - n, "%s %llu   ", ja ? "本人の取り違えが疑われる" : "suspicious", (unsigned long long)v->suspicious);
    if (seconds >= 0)
        snprintf(t.c + n, sizeof t.c - n, "(%.1f s, %.0f %s)", seconds, seconds > 0 ? (double)v->rows / seconds : 0.0, ja ? "行/秒" : "rows/s");
    return t;
}

void task_view_put(const struct task_view *v)
{
    json_t *counts = json_object();
    json_object_set_new(counts, "rows", json_integer((json_int_t)v->rows));
    for (size_t i = 0; i < TASK__COUNTS; i++)
        json_object_set_new(counts, COUNTS[i].name, json_integer((json_int_t)v->count[i]));
    out_put_text("task_id", v->id);
    out_put_text("operation", v->operation);
    out_put_text("state", v->state);
    out_put("counts", counts);
    if (v->rejected)
        out_put("reject", json_pack("{s:s, s:I, s:I, s:s, s:s}", "code", v->reject.code, "line", (json_int_t)v->reject.line, "column", (json_int_t)v->reject.column, "message_ja",
                                    v->reject.message_ja, "message_en", v->reject.message_en));
    if (v->waits.code[0])
        out_put("waits_for", json_pack("{s:s, s:s, s:s}", "code", v->waits.code, "message_ja", v->waits.message_ja, "message_en", v->waits.message_en));
}

void task_view_summary(const struct task_view *v, double seconds)
{
    task_view_put(v);
    say_done(summary_of(v, seconds, true).c, summary_of(v, seconds, false).c);
    if (v->stopped.code[0])
        say_plain(say_form("    ! %s [%s]", v->stopped.message_ja, v->stopped.code).c, say_form("    ! %s [%s]", v->stopped.message_en, v->stopped.code).c);
}

void task_view_reject(const struct task_view *v)
{
    unsigned long long line = v->reject.line, column = v->reject.column, applied = v->count[TASK_REGISTERED] + v->count[TASK_UPDATED];
    struct say_text ja = say_form("ファイルは不受理です。何も反映していません"), en = say_form("the file was rejected; nothing of it was applied");
    if (applied) { /* it was accepted, and its key went since */
        ja = say_form("ファイルは途中で打ち切られました。%llu 行は反映済みです", applied);
        en = say_form("the file was cut short; %llu rows of it had been applied", applied);
    }
    if (v->rejected && line) {
        ja = say_form("%.200s。%llu 行 %llu 文字目", ja.c, line, column);
        en = say_form("%.200s. line %llu column %llu", en.c, line, column);
    } else if (v->rejected) {
        ja = say_form("%.200s。", ja.c);
        en = say_form("%.200s.", en.c);
    }
    if (v->rejected) {
        bool spaced = line || v->reject.field[0];
        ja = say_form("%.240s%s%s%s%s: %s", ja.c, v->reject.field[0] ? " " : "", v->reject.field, spaced ? " " : "", v->reject.code, v->reject.message_ja);
        en = say_form("%.240s%s%s %s: %s", en.c, v->reject.field[0] ? " " : "", v->reject.field, v->reject.code, v->reject.message_en);
    }
    task_view_put(v);
    say_wrong(ja.c, en.c);
}
