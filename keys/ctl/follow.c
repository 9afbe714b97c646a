#include "keys/ctl/follow.h"

#include <stdio.h>

#include "gateway/base/clock.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/say.h"
#include "keys/ctl/sse.h"

enum { STREAM_MS = 24 * 3600 * 1000, STALL_S = 40 /* a comment comes every 15 s */, POLL_MIN_MS = 50, POLL_MAX_MS = 2000,
       QUICK_POLLS = 4 /* a small file is over before a stream would tell */ };

struct follow {
    struct muni_door *door;
    const char *id;
    struct task_view view;
    struct progress bar;
    uint64_t idle_ms, moved_ms;
    bool heard, ended, waiting;
    bool bytes; /* the bar counts bytes: the file is being read for the first time */
};

static uint64_t now_ms(void)
{
    struct clock c = clock_system();
    return clock_mono(&c);
}

static bool is_idle(const struct follow *f) { return now_ms() - f->moved_ms > f->idle_ms; }

/* ---- drawing ---- */

static uint64_t rows_done(const struct task_view *v)
{
    uint64_t done = v->rows > v->count[TASK_WAITING] ? v->rows - v->count[TASK_WAITING] : 0;
    return v->rows_done > done ? v->rows_done : done;
}

/* The file has been read to its end, and rows of it wait. */
static bool left_to_the_outbox(const struct task_view *v) { return v->rows && v->count[TASK_WAITING] && !v->bytes_read && !task_view_ended(v); }

static struct progress_at at_of(const struct follow *f)
{
    const struct task_view *v = &f->view;
    struct progress_at at = { .errors = task_view_errors(v), .rate = v->rows_per_second, .left_s = v->remaining_s };
    at.done = f->bytes ? v->bytes_read : rows_done(v);
    at.total = f->bytes ? v->bytes : v->rows;
    if (f->bytes)
        at.rate = at.left_s = 0;
    if (f->waiting) {
        at.note_ja = "(再接続中)";
        at.note_en = "(reconnecting)";
    } else if (v->waits.code[0]) {
        at.note_ja = v->waits.message_ja;
        at.note_en = v->waits.message_en;
    } else if (strcmp(v->state, "stalled") == 0 || left_to_the_outbox(v)) {
        at.note_ja = "(接続先を待っています。ゲートウェイが自動で続けます)";
        at.note_en = "(waiting for a partner; the gateway goes on by itself)";
    }
    return at;
}

static void draw(struct follow *f)
{
    bool bytes = strcmp(f->view.state, "validating") == 0 || strcmp(f->view.state, "accepted") == 0;
    if (!f->heard)
        return;
    if (bytes != f->bytes || !f->bar.ja) {
        progress_break(&f->bar);
        f->bytes = bytes;
        if (bytes)
            progress_start(&f->bar, "検査", "validating", PROGRESS_BYTES, f->view.bytes_read);
        else
            progress_start(&f->bar, "処理", "processing", PROGRESS_ROWS, rows_done(&f->view));
    }
    struct progress_at at = at_of(f);
    progress_show(&f->bar, &at);
}

static void on_wait(void *ctx)
{
    struct follow *f = ctx;
    f->waiting = true;
    draw(f);
}

/* ---- what is heard ---- */

static bool view_take(struct follow *f, const json_t *task)
{
    struct task_view v;
    if (!task_view_read(&v, task))
        return false;
    bool moved = !f->heard || strcmp(v.state, f->view.state) != 0 || v.bytes_read != f->view.bytes_read || rows_done(&v) != rows_done(&f->view);
    if (moved)
        f->moved_ms = now_ms();
    f->view = v;
    f->heard = true;
    f->waiting = false;
    f->ended = task_view_ended(&v);
    draw(f);
    return true;
}

static bool on_event(void *ctx, struct slice name, struct slice data)
{
    struct follow *f = ctx;
    if (!slice_eq(name, LIT("progress")) && !slice_eq(name, LIT("end")))
        return true;
    json_t *v = json_loadb((const char *)data.p, data.n, 0, NULL);
    bool good = view_take(f, v);
    json_decref(v);
    return good && !f->ended && !is_idle(f);
}

static bool on_data(void *ctx, struct slice bytes) { return sse_feed(ctx, bytes); }

/* false: this door has no events for us; ask instead. */
static bool stream(struct follow *f)
{
    char path[128];
    struct sse s;
    struct web_answer a;
    snprintf(path, sizeof path, "/v1/tasks/%s/events", f->id);
    sse_init(&s, on_event, f);
    uint64_t left = f->idle_ms > STREAM_MS ? STREAM_MS : f->idle_ms;
    struct web_call c = { .method = "GET", .path = path, .timeout_ms = STREAM_MS, .stall_s = left / 1000 < STALL_S ? (unsigned)(left / 1000) + 1 : STALL_S,
                          .on_data = on_data, .ctx = &s };
    struct err e = muni_door_try(f->door, &c, &a);
    bool good = err_ok(e) ? a.status == 200 : f->heard;
    web_answer_done(&a);
    sse_done(&s);
    return good;
}

/* One question; false when there is no such task or nobody answers: said why. */
static bool poll_once(struct follow *f)
{
    char path[128];
    struct web_answer a;
    snprintf(path, sizeof path, "/v1/tasks/%s", f->id);
    struct web_call c = { .method = "GET", .path = path, .timeout_ms = MUNI_CALL_MS };
    struct err e = muni_door_call(f->door, &c, &a);
    json_t *v = err_ok(e) && a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    bool good = view_take(f, v) || err_is(e, E_CANCELED);
    if (!good) {
        progress_break(&f->bar);
        muni_door_problem("処理状況を読めません", "the task cannot be read", e, &a);
    }
    json_decref(v);
    web_answer_done(&a);
    return good;
}

static enum follow_end stopped(struct follow *f)
{
    const char *id = f->id, *muni = f->door->muni, *dir = f->door->state.dir;
    progress_break(&f->bar);
    if (is_idle(f))
        say_warn("時間切れです。受け付けたファイルは保存されていて、ゲートウェイが自動で続けます",
                 "gave up waiting; the accepted file is stored and the gateway goes on by itself");
    else
        say_warn("見るのをやめました。処理はゲートウェイで続きます", "no longer watching; the gateway goes on");
    say_command("続きを見る", "to follow it", say_form("tasks follow %s --muni %s --state %s", id, muni, dir));
    return FOLLOW_STOPPED;
}

enum follow_end follow_task(struct muni_door *d, const char *id, uint64_t idle_s, struct task_view *ret_v)
{
    struct follow f = { .door = d, .id = id, .idle_ms = idle_s * 1000, .moved_ms = now_ms() };
    uint64_t wait = POLL_MIN_MS;
    unsigned polls = 0;
    bool streams = true;
    d->on_wait = on_wait;
    d->ctx = &f;
    bool good = poll_once(&f);
    while (good && !f.ended && !web_stop_asked() && !is_idle(&f)) {
        if (polls++ >= QUICK_POLLS && streams)
            streams = stream(&f);
        if (f.ended || web_stop_asked())
            break;
        web_wait(wait);
        wait = wait * 2 < POLL_MAX_MS ? wait * 2 : POLL_MAX_MS;
        good = poll_once(&f);
    }
    d->on_wait = NULL;
    *ret_v = f.view;
    if (!good)
        return FOLLOW_FAILED;
    if (!f.ended)
        return stopped(&f);
    struct progress_at at = at_of(&f);
    if (f.view.rejected)
        progress_break(&f.bar);
    else
        progress_end(&f.bar, &at);
    return FOLLOW_ENDED;
}
