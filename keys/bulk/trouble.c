/* What the oldest file of a municipality waits for: the last failure of its runs, and since when the disk has not given what was stored on it. A run
 * may go and come back in between. Passing troubles (a part is away, the disk is full) are waited for; damage is, too, for file_give_up_s:
 * a disk may come back, and the file ends when it does not. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"

enum { AGAIN_MIN_MS = 1000, AGAIN_MAX_MS = 60000, AGAIN_SOON_MS = 50 };

static struct nz_trouble *trouble_of(const struct nz_bulk *b, const char muni[static 6])
{
    struct nz_trouble *t;
    LIST_FOREACH(t, &b->troubles, at) {
        if (slice_eq(ARR(t->muni), slice_of(muni, 6)))
            return t;
    }
    return NULL;
}

static void begin_anew(struct nz_trouble *t, const struct nz_task_id *task)
{
    t->task = *task;
    t->e = OK;
    t->damaged_at = t->not_before = 0;
    t->pause_ms = 0;
    t->hopeless = false;
}

bool bulk__trouble_take(struct nz_run *r)
{
    struct nz_bulk *b = r->b;
    struct nz_trouble *t = trouble_of(b, r->muni);
    if (!t) {
        t = calloc(1, sizeof *t);
        if (!t)
            return false;
        memcpy(t->muni, r->muni, sizeof t->muni);
        LIST_INSERT_HEAD(&b->troubles, t, at);
        begin_anew(t, &r->t.task.id);
    }
    if (!slice_eq(ARR(t->task.b), ARR(r->t.task.id.b)))
        begin_anew(t, &r->t.task.id);
    r->trouble = t;
    uint64_t now = loop_now(b->in->loop);
    r->given_up = t->damaged_at && now - t->damaged_at >= b->in->conf.file_give_up_s * 1000;
    return true;
}

void bulk__trouble_drop(struct nz_run *r)
{
    struct nz_trouble *t = r->trouble;
    if (!t || !err_ok(t->e) || t->damaged_at || t->not_before > loop_now(r->in->loop))
        return;
    LIST_REMOVE(t, at);
    free(t);
    r->trouble = NULL;
}

void bulk__troubles_free(struct nz_bulk *b)
{
    struct nz_trouble *t;
    while ((t = LIST_FIRST(&b->troubles))) {
        LIST_REMOVE(t, at);
        free(t);
    }
}

bool bulk__trouble_waits(const struct nz_bulk *b, const char muni[static 6])
{
    const struct nz_trouble *t = trouble_of(b, muni);
    return t && t->not_before > loop_now(b->in->loop);
}

void bulk__trouble(struct nz_run *r, struct err e) { r->trouble->e = e; }
void bulk__trouble_over(struct nz_run *r) { r->trouble->e = OK; }

void bulk__damage_over(struct nz_run *r)
{
    r->trouble->damaged_at = 0;
    r->trouble->pause_ms = 0;
}

bool bulk__is_damage(struct err e) { return err_is(e, E_SEAL) || err_is(e, E_NOTHING) || err_is(e, E_IO); }

void bulk__run_later(struct nz_run *r, struct err e)
{
    struct nz_trouble *t = r->trouble;
    uint64_t now = loop_now(r->in->loop), give_up = r->in->conf.file_give_up_s * 1000;
    if (r->leaving)
        return;
    bulk__trouble(r, e);
    t->pause_ms = t->pause_ms ? 2 * t->pause_ms : AGAIN_MIN_MS;
    if (t->pause_ms > AGAIN_MAX_MS)
        t->pause_ms = AGAIN_MAX_MS;
    uint64_t ms = t->pause_ms;
    if (t->damaged_at) { /* its end is not later than it has to be */
        uint64_t left = now - t->damaged_at < give_up ? give_up - (now - t->damaged_at) : AGAIN_SOON_MS;
        ms = ms < left ? ms : left;
    }
    t->not_before = now + ms;
    LOG(WARN, "file_waits", LF("ms", ms), LF("error", e));
    bulk__run_leave(r);
}

void bulk__run_hurt(struct nz_run *r, struct err e)
{
    struct nz_trouble *t = r->trouble;
    if (r->leaving)
        return;
    if (!t->damaged_at)
        t->damaged_at = loop_now(r->in->loop);
    t->hopeless = t->hopeless || r->given_up;
    bulk__run_later(r, e);
}

bool nz_bulk_trouble(struct nz_bulk *b, const char muni[static 6], const struct nz_task_id *task, struct err *ret_e)
{
    const struct nz_trouble *t = b ? trouble_of(b, muni) : NULL;
    if (!t || err_ok(t->e) || !slice_eq(ARR(t->task.b), ARR(task->b)))
        return false;
    *ret_e = t->e;
    return true;
}
