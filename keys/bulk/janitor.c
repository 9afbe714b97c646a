/* Leftovers in the spool: uploads of files that have ended (a crash came before they were removed), and what an undo would need, once it is too
 * late for one. A few folders a minute. Uploads that nobody completes are keys/files', whole folders keys/held's. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

enum { EVERY_MS = 60000, FIRST_MS = 5000, LOOK = 64, ROOM = 64 * 1024 };

static const uint64_t HOUR_MS = 3600000;

struct looked { char muni[6]; struct nz_task_id task; };

struct nz_janitor {
    struct nz_bulk *b;
    struct timer *timer;
    bool closed, busy;
    size_t at; /* in the folders */
    size_t n;
    struct looked folder[LOOK];
};

static bool has_ended(struct slice state)
{
    return slice_eq(state, slice_str(nz_file_state_name(NZ_FILE_ENDED))) || slice_eq(state, slice_str(nz_file_state_name(NZ_FILE_REJECTED)));
}

/* What the outbox kept for an undo goes the same way; a row that is released later leaves some more, which the next look finds. */
static ERR undo_drop(struct nz_janitor *j, const struct looked *f, struct redis_batch *out)
{
    struct store_name tu;
    nz_name_task("tu", f->muni, &f->task, &tu);
    REDIS_ADD(out, LIT("DEL"), store_name_slice(&tu));
    return nz_spool_drop(j->b->in->spool, f->muni, f->task.b, NZ_SPOOL_UNDO);
}

static void clean(struct nz_janitor *j, const struct looked *f, const struct redis_reply *fields, struct redis_batch *out)
{
    const struct nz_intake *in = j->b->in;
    uint64_t ended = 0, now = clock_wall(loop_clock(in->loop));
    if (!has_ended(redis_reply_str(redis_reply_at(fields, 0))) || !u64_parse(redis_reply_str(redis_reply_at(fields, 1)), &ended))
        return;
    struct err e = nz_spool_drop(in->spool, f->muni, f->task.b, NZ_SPOOL_UPLOAD);
    /* What an accepted undo needs stays with the task: it may wait for its turn, behind a file that is held up, for longer than anybody reckons. */
    const bool undone = redis_reply_str(redis_reply_at(fields, 2)).n > 0;
    if (err_ok(e) && !undone && now > ended && now - ended > ((uint64_t)in->conf.undo_hours + 1) * HOUR_MS)
        e = undo_drop(j, f, out);
    if (!err_ok(e))
        LOG(WARN, "spool_not_cleaned", LF("error", e));
}

static void look_later(struct nz_janitor *j)
{
    j->busy = false;
    if (!j->closed)
        timer_start(j->timer, EVERY_MS);
}

static void dropped(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_janitor *j = arg;
    (void)replies, (void)n;
    if (!err_ok(e))
        LOG(WARN, "spool_not_cleaned", LF("error", e));
    look_later(j);
}

static void came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_janitor *j = arg;
    struct redis_batch *out = redis_batch_new(ROOM);
    for (size_t i = 0; out && err_ok(e) && i < n && i < j->n; i++)
        clean(j, &j->folder[i], replies[i], out);
    if (out && redis_batch_count(out)) {
        redis_send(j->b->in->redis, out, loop_now(j->b->in->loop) + NZ_BULK_STEP_MS, dropped, j);
        return;
    }
    redis_batch_free(out);
    look_later(j);
}

static void look(void *arg)
{
    struct nz_janitor *j = arg;
    struct redis_batch *out = redis_batch_new(ROOM);
    j->n = 0;
    while (out && j->n < LOOK && nz_spool_each(j->b->in->spool, &j->at, j->folder[j->n].muni, j->folder[j->n].task.b)) {
        struct store_name t;
        nz_name_task("t", j->folder[j->n].muni, &j->folder[j->n].task, &t);
        REDIS_ADD(out, LIT("HMGET"), store_name_slice(&t), LIT(NZ_TASK_STATE), LIT(NZ_TASK_ENDED), LIT(NZ_TASK_UNDONE));
        j->n++;
    }
    if (j->n < LOOK)
        j->at = 0;
    if (!out || !j->n) {
        redis_batch_free(out);
        timer_start(j->timer, EVERY_MS);
        return;
    }
    j->busy = true;
    redis_send(j->b->in->redis, out, loop_now(j->b->in->loop) + NZ_BULK_STEP_MS, came, j);
}

ERR bulk__janitor_new(struct nz_janitor **ret_j, struct nz_bulk *b)
{
    struct nz_janitor *j = calloc(1, sizeof *j);
    if (!j)
        return FAIL(E_NOMEM);
    j->b = b;
    struct err e = timer_new(&j->timer, b->in->loop, look, j);
    if (!err_ok(e)) {
        free(j);
        return e;
    }
    timer_start(j->timer, FIRST_MS);
    *ret_j = j;
    return OK;
}

void bulk__janitor_close(struct nz_janitor *j)
{
    j->closed = true;
    timer_stop(j->timer);
}

void bulk__janitor_stop(struct nz_janitor *j)
{
    timer_free(j->timer);
    j->timer = NULL;
}

bool bulk__janitor_idle(const struct nz_janitor *j) { return !j->busy; }

void bulk__janitor_free(struct nz_janitor *j)
{
    if (!j)
        return;
    timer_free(j->timer);
    free(j);
}
