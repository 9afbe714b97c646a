/* Folders that nobody will come back to: uploads that were not completed in upload_keep_hours, and folders whose task is not there (any more). One folder
 * at a time, once an hour. */

#include <stdlib.h>

#include "keys/files/work.h"

enum { EVERY_MS = 3600000, FIRST_MS = 2000, STEP_MS = 5000 };

struct sweep {
    struct nz_files *f;
    struct nz_open *o;
    size_t at;
    char muni[6];
    struct nz_task_id id;
    unsigned removed;
};

static void sweep_next(struct sweep *s);

static void sweep_end(struct sweep *s)
{
    struct nz_files *f = s->f;
    nz_open_drop(s->o, true);
    if (s->removed)
        LOG(INFO, "uploads_given_up", LF("count", s->removed));
    f->sweeping = false;
    f->under_way--;
    f->swept_ms = loop_now(f->in->loop);
    free(s);
}

static void sweep_remove(struct sweep *s)
{
    nz_open_shut(s->o);
    if (!err_ok(nz_spool_remove(s->f->in->spool, s->muni, s->id.b)))
        return;
    s->removed++;
}

static void sweep_forgotten(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sweep *s = arg;
    if (err_ok(e) && nz_upload_forgotten(replies, n))
        sweep_remove(s);
    if (err_ok(e))
        sweep_next(s);
    else
        sweep_end(s);
}

static void forget(struct sweep *s)
{
    struct redis_batch *b = nz_upload_forget(s->muni, &s->id);
    if (b)
        redis_send(s->f->in->redis, b, loop_now(s->f->in->loop) + STEP_MS, sweep_forgotten, s);
    else
        sweep_end(s);
}

/* A folder whose task redis-link does not know. A redis-link that came back empty knows none: the rows are still there, and stay for as long as an
 * upload does, so that somebody can bring the store back. */
static bool orphan_is_old(const struct sweep *s, uint64_t now, uint64_t keep)
{
    uint64_t made;
    struct err e = nz_spool_made(s->f->in->spool, s->muni, s->id.b, &made);
    return err_is(e, E_NOTHING) || (err_ok(e) && now > made && now - made > keep);
}

static void sweep_looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sweep *s = arg;
    struct nz_file_task t = { .task.id = s->id };
    bool is_file = false;
    uint64_t now = clock_wall(loop_clock(s->f->in->loop)), keep = s->f->in->conf.upload_keep_hours * UINT64_C(3600000);
    if (!err_ok(e) || n != 1) {
        sweep_end(s);
        return;
    }
    e = nz_read_hash(s->f->in, replies[0], &t, &is_file);
    if (err_is(e, E_NO_ROUTE)) {
        if (orphan_is_old(s, now, keep))
            sweep_remove(s);
        sweep_next(s);
    } else if (err_ok(e) && is_file && t.state == NZ_FILE_UPLOADING && now > t.task.received_ms + keep) {
        forget(s);
    } else {
        sweep_next(s);
    }
}

static void sweep_next(struct sweep *s)
{
    struct nz_intake *in = s->f->in;
    struct store_name t;
    struct redis_batch *b = NULL;
    nz_open_drop(s->o, true);
    s->o = NULL;
    /* Taken before redis-link is asked: a folder that is being made, or written to, is somebody's. */
    while (!s->o && !s->f->closed && nz_spool_each(in->spool, &s->at, s->muni, s->id.b)) {
        if (!err_ok(nz_open_take(s->f, s->muni, &s->id, true, &s->o)))
            s->o = NULL;
    }
    if (s->o)
        b = redis_batch_new(256);
    if (!b) {
        sweep_end(s);
        return;
    }
    nz_name_task("t", s->muni, &s->id, &t);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    redis_send(in->redis, b, loop_now(in->loop) + STEP_MS, sweep_looked, s);
}

void nz_sweep(struct nz_files *f)
{
    uint64_t now = loop_now(f->in->loop);
    if (!f->swept_ms)
        f->swept_ms = now + FIRST_MS - EVERY_MS; /* soon after the start */
    if (f->sweeping || (int64_t)(now - f->swept_ms) < EVERY_MS)
        return;
    struct sweep *s = calloc(1, sizeof *s);
    if (!s)
        return;
    s->f = f;
    f->sweeping = true;
    f->under_way++;
    sweep_next(s);
}
