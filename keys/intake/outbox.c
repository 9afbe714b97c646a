#include "keys/intake/work.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/intake/apply_row.h"
#include "keys/intake/locks.h"

enum { HOUR_MS = 3600 * 1000, ROOM_MIN = 128 /* fetch only when so many jobs fit, or all is idle */, SWEEP_MS = 1000, NAMES_MS = 30 };

/* ---- when ---- */

static void tick(void *arg);

static void run_soon(void *arg)
{
    struct nz_outbox *o = arg;
    o->tick_waits = false;
    tick(o);
}

void nz_outbox_tick(struct nz_outbox *o)
{
    if (o->closed || o->tick_waits)
        return;
    o->tick_waits = err_ok(loop_defer(o->in->loop, run_soon, o));
    if (!o->tick_waits)
        timer_start(o->timer, NZ_PAUSE_MIN_MS);
}

void nz_outbox_dirty(struct nz_outbox *o)
{
    for (int q = 0; q < NZ_QUEUE__MAX; q++)
        o->dirty[q] = true;
}

void nz_outbox_wake(struct nz_outbox *o)
{
    nz_outbox_dirty(o);
    nz_outbox_tick(o);
}

uint64_t nz_outbox_deadline(const struct nz_outbox *o) { return loop_now(o->in->loop) + NZ_STEP_MS; }

void nz_outbox_trouble(struct nz_outbox *o, struct err e)
{
    uint64_t now = loop_now(o->in->loop);
    nz_outbox_dirty(o);
    if (o->closed || o->pause_until > now)
        return;
    o->pause_ms = o->pause_ms ? 2 * o->pause_ms : NZ_PAUSE_MIN_MS;
    if (o->pause_ms > NZ_PAUSE_MAX_MS)
        o->pause_ms = NZ_PAUSE_MAX_MS;
    o->pause_until = now + o->pause_ms;
    LOG(WARN, "outbox_pauses", LF("ms", o->pause_ms), LF("error", e));
    nz_outbox_tick(o);
}

void nz_outbox_fine(struct nz_outbox *o) { o->pause_ms = 0; }

static uint64_t wall(const struct nz_outbox *o) { return clock_wall(loop_clock(o->in->loop)); }

/* Until there may be something to do that no callback announces. */
static uint64_t sleep_ms(const struct nz_outbox *o)
{
    uint64_t now = loop_now(o->in->loop), ms = NZ_POLL_MS, wall_ms = wall(o);
    if (o->next_due) {
        uint64_t due = o->next_due > wall_ms ? o->next_due - wall_ms : 1;
        ms = due < ms ? due : ms;
    }
    if (o->pmh.state == NZ_BREAKER_OPEN && o->pmh.due > now && o->pmh.due - now < ms)
        ms = o->pmh.due - now;
    if (!TAILQ_EMPTY(&o->ready) && !o->applies && ms > NAMES_MS) /* a file or a resident change holds their names, and tells nobody when it is done */
        ms = NAMES_MS;
    if (o->pause_until > now && (o->pause_until - now < ms || o->dirty[NZ_QUEUE_READY]))
        ms = o->pause_until - now;
    return ms;
}

/* ---- fetch: rows that are due ---- */

struct fetch {
    struct nz_outbox *o;
    size_t room[NZ_QUEUE__MAX];
    bool sweep; /* of the numbering queue: rows that have waited too long, while the upstream is away */
};

static size_t room_of(const struct nz_outbox *o, enum nz_queue q)
{
    size_t cap = NZ_WINDOW, used = o->in_window[q];
    if (q == NZ_QUEUE_NUMBERING && o->pmh.state != NZ_BREAKER_CLOSED)
        cap = used == 0 && nz_breaker_room(&o->pmh, loop_now(o->in->loop), 1) ? NZ_PROBE_ROWS : 0;
    size_t room = cap > used ? cap - used : 0;
    return room >= ROOM_MIN || used == 0 ? room : 0;
}

static size_t take_members(struct nz_outbox *o, const struct redis_reply *members, enum nz_queue q, size_t room, struct nz_jobs *fresh)
{
    size_t taken = 0;
    for (size_t i = 0; i < redis_reply_len(members) && taken < room; i++) {
        struct nz_row_ref ref;
        if (!nz_member_parse(redis_reply_str(redis_reply_at(members, i)), &ref)) {
            LOG(ERROR, "outbox_member_malformed");
            continue;
        }
        if (nz_window_find(o, &ref))
            continue;
        struct nz_job *j = nz_window_add(o, &ref, q);
        if (!j)
            break;
        TAILQ_INSERT_TAIL(fresh, j, at);
        taken++;
    }
    return taken;
}

static void note_next_due(struct nz_outbox *o, const struct redis_reply *member_and_score)
{
    struct slice score = redis_reply_str(redis_reply_at(member_and_score, 1));
    uint64_t due;
    if (score.n && u64_parse(score, &due) && (!o->next_due || due < o->next_due))
        o->next_due = due;
}

/* Nothing is ever put off so long: the clock was set back, and what waits goes by the time before that. */
static bool clock_was_set_back(const struct nz_outbox *o) { return o->next_due > wall(o) + 2 * o->in->conf.retry_max_ms + NZ_POLL_MS; }

static void fetched(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct fetch f = *(struct fetch *)arg;
    struct nz_outbox *o = f.o;
    struct nz_jobs fresh = TAILQ_HEAD_INITIALIZER(fresh);
    free(arg);
    o->fetching = false;
    if (!err_ok(e)) {
        nz_outbox_trouble(o, e);
        return;
    }
    o->next_due = 0;
    size_t at = 0;
    for (int q = 0; q < NZ_QUEUE__MAX; q++) {
        if (!f.room[q] || at + 1 >= n)
            continue;
        bool all = take_members(o, replies[at], (enum nz_queue)q, f.room[q], &fresh) < f.room[q];
        if (!all)
            o->dirty[q] = true;
        else if (q == NZ_QUEUE_NUMBERING)
            o->hurry = false;
        note_next_due(o, replies[at + 1]);
        if (q == NZ_QUEUE_NUMBERING && f.sweep)
            o->sweep_due = loop_now(o->in->loop) + (all ? NZ_SWEEP_MS : NZ_SWEEP_MS / 40);
        at += 2;
    }
    if (clock_was_set_back(o) && loop_now(o->in->loop) >= o->back_due) {
        o->back_due = loop_now(o->in->loop) + NZ_POLL_MS; /* rows keep their place until they are finished */
        o->hurry = true;
        nz_outbox_dirty(o);
    }
    nz_load_jobs(o, &fresh);
    nz_outbox_tick(o);
}

/* Rows in the window stay in their queue until they are finished, and may be its first ones: so many more are asked for. */
static void ask_queue(struct redis_batch *b, const struct nz_outbox *o, enum nz_queue q, size_t room, uint64_t older_ms)
{
    uint64_t now = wall(o);
    struct buf after;
    buf_init(&after, 32);
    buf_putc(&after, '(');
    buf_u64(&after, now);
    redis_begin(b, 7);
    redis_arg(b, LIT("ZRANGEBYSCORE"));
    redis_arg(b, nz_queue_name(q));
    redis_arg(b, LIT("-inf"));
    if (o->hurry)
        redis_arg(b, LIT("+inf"));
    else
        redis_arg_u64(b, now > older_ms ? now - older_ms : 0);
    redis_arg(b, LIT("LIMIT"));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, o->in_window[q] + room);
    REDIS_ADD(b, LIT("ZRANGEBYSCORE"), nz_queue_name(q), buf_slice(&after), LIT("+inf"), LIT("WITHSCORES"), LIT("LIMIT"), LIT("0"), LIT("1"));
    buf_done(&after);
}

/* A row's place in the queue is never before the time from which it waits: those that are due for give_up_hours have waited so long. One that was
 * tried meanwhile has a later place, and is looked at when it is tried again, or when its new place is old enough. */
static bool sweep_wanted(const struct nz_outbox *o)
{
    return o->pmh.state == NZ_BREAKER_OPEN && loop_now(o->in->loop) >= o->sweep_due && o->in_window[NZ_QUEUE_NUMBERING] == 0;
}

static void fetch(struct nz_outbox *o)
{
    struct fetch *f = calloc(1, sizeof *f);
    struct redis_batch *b = f ? redis_batch_new(4096) : NULL;
    if (!b) {
        free(f);
        nz_outbox_trouble(o, FAIL(E_NOMEM));
        return;
    }
    f->o = o;
    f->sweep = sweep_wanted(o);
    for (int q = 0; q < NZ_QUEUE__MAX; q++) {
        bool sweep = f->sweep && q == NZ_QUEUE_NUMBERING;
        f->room[q] = sweep ? NZ_SWEEP_ROWS : o->dirty[q] ? room_of(o, (enum nz_queue)q) : 0;
        if (!f->room[q])
            continue;
        o->dirty[q] = sweep;
        ask_queue(b, o, (enum nz_queue)q, f->room[q], sweep ? o->in->conf.give_up_hours * HOUR_MS : 0);
    }
    if (!redis_batch_count(b)) {
        redis_batch_free(b);
        free(f);
        return;
    }
    o->fetching = true;
    redis_send(o->in->redis, b, nz_outbox_deadline(o), fetched, f);
}


/* ---- the turn ---- */

static void sweep_numbers(struct nz_outbox *o)
{
    uint64_t now = loop_now(o->in->loop);
    if (now - o->swept < SWEEP_MS)
        return;
    o->swept = now;
    nz_hot_sweep(o->in->hot, now);
}

static void tick(void *arg)
{
    struct nz_outbox *o = arg;
    if (o->closed)
        return;
    sweep_numbers(o);
    if (loop_now(o->in->loop) >= o->pause_until) {
        if (o->next_due && o->next_due <= wall(o)) {
            nz_outbox_dirty(o);
            o->next_due = 0; /* or it would wake us again and again while there is no room for the row */
        }
        if (!o->fetching && !o->loads)
            fetch(o);
        nz_numbering_pump(o);
        nz_apply_pump(o);
    }
    timer_start(o->timer, sleep_ms(o));
}

static void timer_fired(void *arg)
{
    struct nz_outbox *o = arg;
    nz_outbox_dirty(o);
    tick(o);
}

/* ---- life ---- */

ERR nz_outbox_new(struct nz_outbox **ret_o, struct nz_intake *in)
{
    struct nz_outbox *o = calloc(1, sizeof *o);
    if (!o)
        return FAIL(E_NOMEM);
    o->in = in;
    TAILQ_INIT(&o->ready);
    TAILQ_INIT(&o->need);
    nz_breaker_init(&o->pmh, in->conf.retry_min_ms, in->conf.retry_max_ms);
    struct err e = nz_locks_new(&o->locks, NZ_APPLY_LOCKS * NZ_APPLY_ROWS * NZ_APPLY_BATCHES + NZ_OTHER_NAMES);
    if (err_ok(e))
        e = timer_new(&o->timer, in->loop, timer_fired, o);
    if (!err_ok(e)) {
        nz_locks_free(o->locks);
        free(o);
        return e;
    }
    nz_outbox_dirty(o);
    o->hurry = true; /* who died while the upstream was away did not hear that it is back */
    timer_start(o->timer, 1);
    *ret_o = o;
    return OK;
}

void nz_outbox_close(struct nz_outbox *o)
{
    if (!o || o->closed)
        return;
    o->closed = true;
    timer_free(o->timer);
    o->timer = NULL;
}

struct nz_locks *nz_outbox_locks(struct nz_outbox *o) { return o->locks; }

bool nz_outbox_upstream_down(const struct nz_outbox *o) { return o->pmh.state != NZ_BREAKER_CLOSED; }

bool nz_outbox_idle(const struct nz_outbox *o) { return !o->fetching && !o->loads && !o->numberings && !o->applies; }

void nz_outbox_free(struct nz_outbox *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < NZ_WINDOW_BUCKETS; i++) {
        struct nz_job *j;
        while ((j = LIST_FIRST(&o->jobs[i])))
            nz_window_drop(o, j);
    }
    nz_locks_free(o->locks);
    free(o);
}
