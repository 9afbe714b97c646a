/* The runs: which file is worked on, and the pump that moves its parts. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "keys/intake/outbox.h"

enum { POLL_MS = 2000, LOOK_MS = 300 };

/* ---- time ---- */

uint64_t bulk__deadline(const struct nz_run *r) { return loop_now(r->in->loop) + NZ_BULK_STEP_MS; }
uint64_t bulk__wall(const struct nz_run *r) { return clock_wall(loop_clock(r->in->loop)); }

void bulk__run_pause(struct nz_run *r, struct err e, const char *what)
{
    uint64_t now = loop_now(r->in->loop);
    (void)what;
    if (err_is(e, E_IO)) { /* a part of the spool: what could not be synced is not there, and only a new run finds out what is */
        bulk__run_hurt(r, e);
        return;
    }
    bulk__trouble(r, e);
    if (r->not_before > now)
        return;
    r->pause_ms = r->pause_ms ? 2 * r->pause_ms : NZ_BULK_PAUSE_MIN_MS;
    if (r->pause_ms > NZ_BULK_PAUSE_MAX_MS)
        r->pause_ms = NZ_BULK_PAUSE_MAX_MS;
    r->not_before = now + r->pause_ms;
    LOG(WARN, "file_pauses", LF("ms", (uint64_t)r->pause_ms), LF("error", e));
}

void bulk__run_fine(struct nz_run *r)
{
    r->pause_ms = 0;
    if (r->step >= NZ_RUN_SUM)
        bulk__trouble_over(r);
}

struct audit_rec bulk__audit(const struct nz_run *r, enum audit_event event, uint64_t count)
{
    struct audit_rec rec = { .event = event, .result = event == AU_ROW_QUARANTINED ? AR_FAILED : AR_OK, .count = (uint32_t)count };
    audit_set_actor(&rec, LIT("intake"));
    memcpy(rec.muni, r->muni, sizeof rec.muni);
    /* The file was judged when it was announced: its rows have the basis of their operation. */
    basis_note(&rec, basis_judge(r->in->basis, CALLER_MUNICIPALITY, SLICE_NONE, slice_str(nz_form_info(r->t.task.form)->operation), SLICE_NONE, 0));
    return rec;
}

/* ---- the pump of a run ---- */

static uint64_t sleep_ms(const struct nz_run *r, uint64_t now)
{
    uint64_t ms = POLL_MS;
    const struct nz_batch *b;
    if (r->not_before > now && r->not_before - now < ms)
        ms = r->not_before - now;
    TAILQ_FOREACH(b, &r->batches, at) {
        if (!b->busy && b->not_before > now && b->not_before - now < ms)
            ms = b->not_before - now;
    }
    uint64_t ck = r->ck_at + NZ_BULK_CK_MS;
    if (r->step >= NZ_RUN_READ && !r->checkpointing && ck > now && ck - now < ms)
        ms = ck - now;
    return ms;
}

static void pump_batches(struct nz_run *r)
{
    struct nz_batch *b, *next;
    if (r->b->closed && r->filling)
        bulk__batch_end(r->filling); /* nothing of it has begun: the next run reads its rows again */
    for (bool moved = true; moved;) {
        moved = false;
        for (b = TAILQ_FIRST(&r->batches); b; b = next) {
            next = TAILQ_NEXT(b, at);
            while (bulk__batch_pump(b)) {
                moved = true;
                if (b->step == NZ_STEP__MAX)
                    break;
            }
            if (b->step == NZ_STEP__MAX)
                bulk__batch_end(b);
        }
        bulk__ask_pump(r);
        if (r->step == NZ_RUN_READ && !r->b->closed && !r->leaving)
            moved = bulk__feed(r) || moved;
    }
}

static bool nothing_under_way(const struct nz_run *r)
{
    return !r->busy && !bulk__undo_busy(r) && !r->checkpointing && !r->fencing && !r->asks && !r->results.syncing && !r->undo.syncing;
}

/* A run that ends without ending its file waits for what is under way, and for no more. */
static bool may_leave(const struct nz_run *r)
{
    const struct nz_batch *b;
    if (!nothing_under_way(r))
        return false;
    TAILQ_FOREACH(b, &r->batches, at) {
        if (b->busy || b->under_way)
            return false;
    }
    return true;
}

static void pump(struct nz_run *r)
{
    uint64_t now = loop_now(r->in->loop);
    if (r->leaving) {
        if (may_leave(r))
            bulk__run_free(r);
        return;
    }
    if (!r->busy && now >= r->not_before) {
        if (r->step == NZ_RUN_OPEN)
            bulk__open(r);
        else if (r->step == NZ_RUN_SUM)
            bulk__sum(r);
        else if (r->step == NZ_RUN_END)
            bulk__end(r);
        else if (r->step == NZ_RUN_REJECT)
            bulk__reject_store(r);
        else if (r->step == NZ_RUN_STOP)
            bulk__stop_store(r);
    }
    if (r->fence_lost && !r->fencing && now >= r->not_before)
        bulk__fence_raise(r);
    if (r->step == NZ_RUN_READ || r->step == NZ_RUN_DRAIN) {
        if (now >= r->not_before) {
            bulk__part_retry(&r->undo);
            bulk__part_retry(&r->results);
        }
        if (r->t.mode != NZ_MODE_UNDO)
            pump_batches(r);
        else if (r->step == NZ_RUN_READ)
            bulk__undo_pump(r);
        bulk__checkpoint(r);
    }
    if (!r->leaving)
        timer_start(r->timer, sleep_ms(r, now));
}

static void on_timer(void *arg) { pump(arg); }

static void pump_deferred(void *arg)
{
    struct nz_run *r = arg;
    r->pump_waits = false;
    if (r->step == NZ_RUN_GONE)
        free(r);
    else if (!r->b->stopped)
        pump(r);
}

void bulk__run_soon(struct nz_run *r)
{
    if (r->pump_waits || r->step == NZ_RUN_GONE || r->b->stopped)
        return;
    r->pump_waits = err_ok(loop_defer(r->in->loop, pump_deferred, r));
    if (!r->pump_waits)
        timer_start(r->timer, 1);
}

/* ---- life of a run ---- */

void bulk__run_leave(struct nz_run *r)
{
    r->leaving = true;
    bulk__run_soon(r);
}

static void part_close(struct nz_part *p)
{
    nz_frames_close(p->f);
    p->f = NULL;
}

void bulk__run_free(struct nz_run *r)
{
    struct nz_batch *b;
    while ((b = TAILQ_FIRST(&r->batches)))
        bulk__batch_end(b);
    bulk__feed_close(r);
    bulk__sum_free(r->sum);
    bulk__undo_free(r);
    bulk__failed_of_free(r);
    part_close(&r->results);
    part_close(&r->undo);
    nz_spool_close(r->of_entry);
    nz_spool_close(r->entry);
    timer_free(r->timer);
    free(r->redo);
    free(r->left_rows);
    nz_layout_free(r->layout);
    buf_done(&r->frame);
    buf_done(&r->work);
    buf_done(&r->work2);
    bulk__trouble_drop(r);
    LIST_REMOVE(r, all);
    r->b->n_runs--;
    r->b->dirty = true;
    if (!r->b->closed)
        timer_start(r->b->timer, 1);
    r->step = NZ_RUN_GONE;
    if (!r->pump_waits)
        free(r);
}

static bool run_new(struct nz_bulk *b, const struct nz_row_ref *ref)
{
    struct nz_run *r = calloc(1, sizeof *r);
    if (!r)
        return false;
    r->b = b;
    r->in = b->in;
    memcpy(r->muni, ref->muni, sizeof r->muni);
    r->t.task.id = ref->task;
    if (!bulk__trouble_take(r) || !err_ok(timer_new(&r->timer, b->in->loop, on_timer, r))) {
        free(r);
        return false;
    }
    nz_name_task("t", r->muni, &ref->task, &r->name_t);
    nz_name_task("tr", r->muni, &ref->task, &r->name_tr);
    nz_name_task("o", r->muni, &ref->task, &r->name_o);
    memcpy(r->field_s.c, "s:", 2);
    memcpy(r->field_s.c + 2, r->muni, 6);
    r->field_s.n = 8;
    r->results.run = r->undo.run = r;
    TAILQ_INIT(&r->batches);
    buf_init(&r->frame, 2 * NZ_FRAME_PLAIN);
    buf_init(&r->work, (size_t)NZ_BULK_ROWS * NZ_ENTRY_MAX); /* the results of a batch */
    buf_init(&r->work2, NZ_PAYLOAD_MAX);
    r->started_ms = bulk__wall(r);
    LIST_INSERT_HEAD(&b->runs, r, all);
    b->n_runs++;
    bulk__run_soon(r);
    return true;
}

static struct nz_run *run_of(const struct nz_bulk *b, const char *muni)
{
    struct nz_run *r;
    LIST_FOREACH(r, &b->runs, all) {
        if (slice_eq(ARR(r->muni), slice_of(muni, 6)))
            return r;
    }
    return NULL;
}

/* ---- the queue of files ---- */

static bool may_begin(const struct nz_bulk *b, const char *muni) { return !run_of(b, muni) && !bulk__trouble_waits(b, muni); }

/* The oldest file of each municipality, and of those the one that waits the longest. */
static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_bulk *b = arg;
    struct nz_row_ref ref;
    b->looking = false;
    if (b->closed)
        return;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (err_is(e, E_STORE_REFUSED)) /* one that is down is told of by others */
        LOG(ERROR, "file_queue_not_read", LF("error", e));
    while (err_ok(e) && b->n_runs < NZ_BULK_MUNIS && bulk__queue_first(b, replies[0], may_begin, &ref) && run_new(b, &ref))
        ;
    timer_start(b->timer, b->dirty && err_ok(e) ? 1 : LOOK_MS);
}

static void look(void *arg)
{
    struct nz_bulk *b = arg;
    if (b->closed || b->looking)
        return;
    b->dirty = false;
    if (b->n_runs >= NZ_BULK_MUNIS) {
        timer_start(b->timer, LOOK_MS);
        return;
    }
    b->looking = true;
    bulk__queue_look(b, looked);
}

void nz_bulk_wake(struct nz_bulk *b)
{
    if (!b || b->closed)
        return;
    b->dirty = true;
    if (!b->looking)
        timer_start(b->timer, 0);
}

/* ---- life ---- */

ERR nz_bulk_new(struct nz_bulk **ret_b, struct nz_intake *in)
{
    struct nz_bulk *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL(E_NOMEM);
    b->in = in;
    LIST_INIT(&b->runs);
    LIST_INIT(&b->troubles);
    TAILQ_INIT(&b->spare);
    struct err e = timer_new(&b->timer, in->loop, look, b);
    if (err_ok(e))
        e = bulk__janitor_new(&b->janitor, b);
    if (!err_ok(e)) {
        timer_free(b->timer);
        free(b);
        return e;
    }
    timer_start(b->timer, 1);
    *ret_b = b;
    return OK;
}

void nz_bulk_close(struct nz_bulk *b)
{
    struct nz_run *r;
    if (!b || b->closed)
        return;
    b->closed = true;
    timer_stop(b->timer);
    bulk__janitor_close(b->janitor);
    LIST_FOREACH(r, &b->runs, all) {
        bulk__run_soon(r);
    }
}

void nz_bulk_stop(struct nz_bulk *b)
{
    struct nz_run *r;
    if (!b || b->stopped)
        return;
    nz_bulk_close(b);
    b->stopped = true;
    timer_free(b->timer);
    b->timer = NULL;
    bulk__janitor_stop(b->janitor);
    LIST_FOREACH(r, &b->runs, all) {
        timer_free(r->timer);
        r->timer = NULL;
    }
}

bool nz_bulk_idle(const struct nz_bulk *b)
{
    struct nz_run *r;
    if (!b)
        return true;
    if (b->looking || !bulk__janitor_idle(b->janitor))
        return false;
    LIST_FOREACH(r, &b->runs, all) {
        /* Batches that can go on do; those of a part that is away are done again by the next run. */
        bool goes_on = !TAILQ_EMPTY(&r->batches) && r->not_before <= loop_now(b->in->loop) && r->t.task.form != NZ_FORM_CHANGE;
        if (goes_on || !may_leave(r) || r->rows_told != r->t.checkpoint)
            return false;
    }
    return true;
}

void nz_bulk_free(struct nz_bulk *b)
{
    struct nz_batch *s;
    if (!b)
        return;
    while (!LIST_EMPTY(&b->runs))
        bulk__run_free(LIST_FIRST(&b->runs));
    while ((s = TAILQ_FIRST(&b->spare))) {
        TAILQ_REMOVE(&b->spare, s, at);
        bulk__batch_free(s);
    }
    bulk__troubles_free(b);
    bulk__janitor_free(b->janitor);
    timer_free(b->timer);
    free(b);
}

bool nz_bulk_progress(const struct nz_bulk *b, const char muni[static 6], const struct nz_task_id *task, struct nz_bulk_progress *ret_p)
{
    const struct nz_run *r = b ? run_of(b, muni) : NULL;
    if (!r || r->step < NZ_RUN_SUM || !slice_eq(ARR(r->t.task.id.b), ARR(task->b)))
        return false;
    *ret_p = (struct nz_bulk_progress){
        .state = r->t.state,
        .bytes_read = r->bytes_read,
        .rows_read = r->rows_told,
        .suspicious = r->t.suspicious + r->suspicious,
        .started_ms = r->started_ms,
    };
    for (int i = 0; i < NZ_RESULT__MAX; i++)
        ret_p->count[i] = r->t.task.count[i] + r->told[i];
    return true;
}
