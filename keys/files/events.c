/* GET /v1/tasks/{id}/events: server-sent events. One timer for all followers: what runs is looked at in memory and told four times a second, and
 * in redis-link once a second, and at once when the engine lets go of it; one that has just begun to follow is told sooner: most files are small.
 * Twice a second a member of staff's session is judged again: the stream ends with it. */

#include <stdlib.h>

#include "keys/files/work.h"
#include "keys/staff/staff.h"

enum { STILL_MS = 400, TICK_MS = 25, TELL_MS = 250, ASK_MS = 1000, QUICK_MS = 3000, COMMENT_MS = 15000, EVENT_MAX = 16 * 1024 };

struct nz_follower {
    LIST_ENTRY(nz_follower) at;
    struct nz_files *f;
    struct req *r;
    char muni[6];
    struct nz_file_task t;      /* as it was read last */
    bool is_file;
    bool asking, judging;       /* hold it in memory until the reply is here */
    bool gone, lost;            /* the client has left; the task is not there any more */
    bool ran;                   /* the engine had it at the last tick */
    uint64_t asked_ms, told_ms, said_ms, began_ms, judged_ms; /* loop_now() */
    struct nz_still who;
    struct buf last;            /* what was told last */
};

static void follower_free(struct nz_follower *w)
{
    if (w->asking || w->judging)
        return; /* the reply frees it */
    buf_done(&w->last);
    free(w);
}

static void unlist(struct nz_follower *w)
{
    LIST_REMOVE(w, at);
    w->f->n_followers--;
    w->gone = true;
}

static void on_gone(void *arg)
{
    struct nz_follower *w = arg;
    unlist(w);
    follower_free(w);
}

/* ---- telling ---- */

static bool is_over(const struct nz_follower *w)
{
    return w->is_file ? nz_file_task_over(&w->t) : !w->t.task.count[NZ_WAITING];
}

static void say(struct nz_follower *w, const char *event, struct slice data)
{
    struct buf b;
    buf_init(&b, EVENT_MAX);
    buf_puts(&b, "event: ");
    buf_puts(&b, event);
    buf_puts(&b, "\ndata: ");
    buf_put(&b, data);
    buf_puts(&b, "\n\n");
    if (err_ok(buf_check(&b)))
        req_stream_put(w->r, buf_slice(&b));
    buf_done(&b);
    w->said_ms = loop_now(w->f->in->loop);
}

/* The answer ends in order. */
static void end(struct nz_follower *w)
{
    struct req *r = w->r;
    unlist(w);
    follower_free(w);
    req_stream_end(r);
}

/* Ends the follower when there is nothing more to follow: false. */
static bool tell(struct nz_follower *w)
{
    struct buf now;
    struct jsonw j;
    bool over = is_over(w) || w->lost;
    buf_init(&now, EVENT_MAX);
    jsonw_init(&j, &now);
    nz_told_open(w->f->in, w->muni, &w->t, w->is_file, &j);
    jsonw_end_object(&j);
    if (over || !slice_eq(buf_slice(&now), buf_slice(&w->last)))
        say(w, over ? "end" : "progress", buf_slice(&now));
    buf_done(&w->last);
    w->last = now; /* given to last */
    if (!over)
        return true;
    end(w);
    return false;
}

/* ---- looking ---- */

static void asked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_follower *w = arg;
    w->asking = false;
    if (w->gone) {
        follower_free(w);
        return;
    }
    if (!err_ok(e) || n != 1)
        return; /* the store is away: again in a second */
    struct nz_file_task t = { .task.id = w->t.task.id };
    bool is_file = false;
    e = nz_read_hash(w->f->in, replies[0], &t, &is_file);
    if (err_ok(e))
        w->t = t;
    w->lost = !err_ok(e);
    tell(w);
}

static void ask(struct nz_follower *w)
{
    struct nz_intake *in = w->f->in;
    struct redis_batch *b = redis_batch_new(256);
    struct store_name t;
    if (!b)
        return;
    nz_name_task("t", w->muni, &w->t.task.id, &t);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    w->asking = true;
    w->asked_ms = loop_now(in->loop);
    redis_send(in->redis, b, w->asked_ms + NZ_READ_MS, asked, w);
}

static void judged(void *arg, bool still)
{
    struct nz_follower *w = arg;
    w->judging = false;
    if (w->gone) {
        follower_free(w);
    } else if (!still) {
        req_stream_put(w->r, LIT(": the session has ended\n\n"));
        end(w);
    }
}

static void judge(struct nz_follower *w, uint64_t now)
{
    if (w->judging || now - w->judged_ms < STILL_MS)
        return;
    w->judged_ms = now;
    w->judging = nz_still_ask(&w->who, judged, w);
}

static void look(struct nz_follower *w, uint64_t now)
{
    judge(w, now);
    struct nz_bulk_progress p;
    struct nz_file_task live = w->t;
    bool running = w->is_file && nz_told_live(w->f->in, w->muni, &live, &p);
    bool soon = !running && (w->ran || (now - w->began_ms < QUICK_MS && now - w->asked_ms >= TELL_MS));
    if (!w->asking && (soon || now - w->asked_ms >= ASK_MS)) {
        w->ran = false;
        ask(w);
    }
    w->ran = w->ran || running;
    if (running && now - w->told_ms >= TELL_MS) {
        w->told_ms = now;
        tell(w); /* cannot be over */
    }
    if (now - w->said_ms >= COMMENT_MS) {
        req_stream_put(w->r, LIT(": still here\n\n"));
        w->said_ms = now;
    }
}

void nz_followers_tick(void *arg)
{
    struct nz_files *f = arg;
    uint64_t now = loop_now(f->in->loop);
    struct nz_follower *w = LIST_FIRST(&f->followers);
    while (w) {
        struct nz_follower *next = LIST_NEXT(w, at);
        look(w, now);
        w = next;
    }
    if (f->n_followers)
        timer_start(f->follow_timer, TICK_MS);
}

/* ---- the beginning ---- */

static bool has_room(const struct nz_files *f, const char muni[static 6])
{
    const struct nz_follower *w;
    unsigned own = 0;
    LIST_FOREACH(w, &f->followers, at)
        own += slice_eq(ARR(w->muni), slice_of(muni, 6));
    return f->n_followers < NZ_FILES_FOLLOWERS_MAX && own < NZ_FILES_FOLLOWERS_OF_ONE;
}

static void begin(void *arg, struct err e)
{
    struct nz_read *rd = arg;
    struct nz_files *f = rd->in->files;
    struct nz_follower *w = NULL;
    if (err_ok(e) && (f->closed || !has_room(f, rd->muni)))
        e = FAIL(E_BUSY);
    if (err_ok(e) && !(w = calloc(1, sizeof *w)))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        req_fail(rd->r, e);
        return;
    }
    *w = (struct nz_follower){ .f = f, .r = rd->r, .t = rd->t, .is_file = rd->is_file };
    w->asked_ms = w->began_ms = loop_now(rd->in->loop);
    nz_still_begin(&w->who, rd->r);
    memcpy(w->muni, rd->muni, sizeof w->muni);
    buf_init(&w->last, EVENT_MAX);
    LIST_INSERT_HEAD(&f->followers, w, at);
    f->n_followers++;
    req_stream(rd->r, "text/event-stream", on_gone, w);
    if (tell(w) && !timer_active(f->follow_timer))
        timer_start(f->follow_timer, TICK_MS);
}

static void events_read(struct nz_read *rd, struct err e)
{
    if (err_ok(e))
        nz_audit_read(rd->r, 0, begin, rd);
    else
        req_fail(rd->r, e);
}

void nz_tasks_events(struct req *r) { nz_read_task(r, events_read, NULL); }
