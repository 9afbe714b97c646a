/* pmhgw tasks release, discard, replay: what an officer says of rows that are held. */

#include <stdio.h>

#include "gateway/base/json_write.h"
#include "keys/ctl/rows.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/task_view.h"
#include "keys/ctl/tasks.h"

enum { BODY_MAX = 32 * 1024, CURSOR_MAX = 256, ROUNDS_MAX = 10000 };

/* An order, and what became of it over all its requests. */
struct order {
    const char *path, *done;   /* of the door; the member with the count */
    const char *ja, *en;
};
static const struct order RELEASE = { "release", "released", "反映に進めた", "released" };
static const struct order DISCARD = { "discard", "discarded", "反映しないことにした", "discarded" };
static const struct order REPLAY = { "replay", "replayed", "もう一度送る", "replayed" };

struct tally { uint64_t done, not_held, left; };

static bool officer_good(const char *s)
{
    size_t n = s ? strlen(s) : 0;
    bool good = n >= 1 && n <= 32 && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
    if (!good)
        say_error("--officer に職員の名前を指定してください(半角の小文字、数字、_ -、32 文字まで。監査記録に残ります)",
                  "--officer NAME is needed: [a-z0-9_-], at most 32 characters; it goes into the audit log");
    return good;
}

static bool body_write(const struct tasks_opts *o, const struct rows *rows, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    if (rows) {
        jsonw_array(&w, "rows");
        for (size_t i = 0; i < rows->n; i++)
            jsonw_u64(&w, NULL, rows->v[i]);
        jsonw_end_array(&w);
    } else {
        jsonw_bool(&w, "all", true);
    }
    jsonw_cstr(&w, "officer", o->officer);
    jsonw_end_object(&w);
    return !out->failed;
}

/* Rows that the order does not move keep their reason: it is told. */
static void show_kept(const json_t *answer)
{
    const json_t *rows = json_object_get(answer, "rows");
    enum { SHOWN = 20 };
    size_t shown = 0;
    for (size_t i = 0; i < json_array_size(rows) && shown < SHOWN; i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(member_text(row, "result"), "quarantined") != 0)
            continue;
        printf("    %s %llu  %s  %s\n", say_text("行", "row").c, (unsigned long long)member_u64(row, "row"), member_text(row, "code"),
               say_text(member_text(row, "message_ja"), member_text(row, "message_en")).c);
        shown++;
    }
}

/* One task. Of a large one the door takes a part at a time: again while that moves something. */
static bool order_send(struct muni_door *d, const char *task, const struct order *order, struct slice body, bool all, struct tally *t)
{
    char path[128];
    snprintf(path, sizeof path, "/v1/tasks/%s/%s", task, order->path);
    for (unsigned round = 0; round < ROUNDS_MAX; round++) {
        int status;
        json_t *v = muni_door_json(d, "POST", path, body, 200, &status);
        uint64_t done = member_u64(v, order->done), left = member_u64(v, "left");
        bool good = v != NULL, more = good && all && done && left;
        t->done += done;
        t->not_held += member_u64(v, "not_held");
        if (good && !more) {
            t->left += left;
            show_kept(v);
        }
        json_decref(v);
        if (!more)
            return good;
    }
    return false;
}

static int tally_tell(const struct tally *t, const struct order *order)
{
    out_put_u64(order->done, t->done);
    out_put_u64("not_held", t->not_held);
    out_put_u64("still_held", t->left);
    say_done(say_form("%s %llu 行   保留でなかった %llu   まだ保留 %llu", order->ja, (unsigned long long)t->done, (unsigned long long)t->not_held,
                      (unsigned long long)t->left).c,
             say_form("%s %llu rows   were not held %llu   still held %llu", order->en, (unsigned long long)t->done, (unsigned long long)t->not_held,
                      (unsigned long long)t->left).c);
    return t->left || t->not_held ? 1 : 0;
}

static int order_run(struct muni_door *d, const struct tasks_opts *o, const struct order *order)
{
    struct rows rows;
    struct buf body;
    struct tally t = { 0 };
    if (!officer_good(o->officer))
        return 2;
    if ((o->rows != NULL) == o->all || (o->rows && !rows_parse(slice_str(o->rows), &rows))) {
        say_error("--rows 1,5-9(小さい順、%d 行まで)か --all を指定してください", "--rows 1,5-9 (ascending, at most %d rows) or --all is needed", ROWS_MAX);
        return 2;
    }
    buf_init(&body, BODY_MAX);
    bool good = body_write(o, o->rows ? &rows : NULL, &body) && order_send(d, o->task, order, buf_slice(&body), o->all, &t);
    buf_done(&body);
    return good ? tally_tell(&t, order) : 2;
}

int tasks_release(struct muni_door *d, const struct tasks_opts *o) { return order_run(d, o, &RELEASE); }
int tasks_discard(struct muni_door *d, const struct tasks_opts *o) { return order_run(d, o, &DISCARD); }

/* ---- replay of everything that is held ---- */

static bool page_replay(struct muni_door *d, const json_t *tasks, struct slice body, struct tally *t)
{
    struct task_view v;
    for (size_t i = 0; i < json_array_size(tasks); i++)
        if (task_view_read(&v, json_array_get(tasks, i)) && v.count[TASK_QUARANTINED] && task_id_good(v.id) &&
            !order_send(d, v.id, &REPLAY, body, true, t))
            return false;
    return true;
}

static bool every_task(struct muni_door *d, struct slice body, struct tally *t)
{
    char path[512], cursor[CURSOR_MAX] = "";
    bool good = true, more = true;
    while (good && more && !web_stop_asked()) {
        int status;
        snprintf(path, sizeof path, "/v1/tasks%s%s", *cursor ? "?cursor=" : "", cursor);
        json_t *page = muni_door_json(d, "GET", path, SLICE_NONE, 200, &status);
        const char *next = member_text(page, "next");
        good = page && page_replay(d, json_object_get(page, "tasks"), body, t);
        more = *next && strlen(next) < CURSOR_MAX && strcmp(next, cursor) != 0;
        snprintf(cursor, sizeof cursor, "%s", more ? next : "");
        json_decref(page);
    }
    return good;
}

int tasks_replay(struct muni_door *d, const struct tasks_opts *o)
{
    struct buf body;
    struct tally t = { 0 };
    struct tasks_opts one = *o;
    one.all = o->all || !o->rows;
    if (o->task)
        return order_run(d, &one, &REPLAY);
    if (!officer_good(o->officer))
        return 2;
    if (!o->all) {
        say_error("受付番号か --all を指定してください", "the id of a task or --all is needed");
        return 2;
    }
    buf_init(&body, BODY_MAX);
    bool good = body_write(o, NULL, &body) && every_task(d, buf_slice(&body), &t);
    buf_done(&body);
    return good ? tally_tell(&t, &REPLAY) : 2;
}
