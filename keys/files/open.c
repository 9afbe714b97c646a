/* Files whose key is in memory: opened by the vault on the first use, closed when nobody used them for a while. */

#include <stdlib.h>

#include "keys/files/work.h"

enum { IDLE_MS = 60000, TICK_MS = 1000 };

/* ---- one file ---- */

static struct nz_open *find(struct nz_files *f, const char muni[static 6], const struct nz_task_id *id)
{
    struct nz_open *o;
    TAILQ_FOREACH(o, &f->opens, at) {
        if (slice_eq(ARR(o->id.b), ARR(id->b)) && slice_eq(ARR(o->muni), slice_of(muni, sizeof o->muni)))
            return o;
    }
    return NULL;
}

/* A thread that opens the upload has the entry until it is through. */
struct nz_upload_job {
    struct nz_open *o;
    struct nz_spool_entry *entry;
    bool shut; /* while it was at it: the entry is its own now */
};

void nz_open_shut(struct nz_open *o)
{
    nz_frames_close(o->upload);
    if (o->job && !o->job->shut)
        o->job->shut = true;
    else
        nz_spool_close(o->entry);
    o->upload = NULL;
    o->entry = NULL;
    o->n_known = 0;
}

static void forget(struct nz_open *o)
{
    nz_open_shut(o);
    TAILQ_REMOVE(&o->f->opens, o, at);
    o->f->n_open--;
    free(o);
}

/* The one that was used the longest time ago, of those that nobody uses. */
static bool make_room(struct nz_files *f)
{
    struct nz_open *o;
    if (f->n_open < NZ_FILES_OPEN_MAX)
        return true;
    TAILQ_FOREACH_REVERSE(o, &f->opens, nz_opens, at) {
        if (!o->users) {
            forget(o);
            return true;
        }
    }
    return false;
}

struct err nz_open_take(struct nz_files *f, const char muni[static 6], const struct nz_task_id *id, bool write, struct nz_open **ret_o)
{
    struct nz_open *o = find(f, muni, id);
    if (f->closed || (o && write && o->writing))
        return FAIL(E_BUSY);
    if (!o) {
        if (!make_room(f))
            return FAIL(E_BUSY);
        o = calloc(1, sizeof *o);
        if (!o)
            return FAIL(E_NOMEM);
        o->f = f;
        o->id = *id;
        memcpy(o->muni, muni, sizeof o->muni);
        TAILQ_INIT(&o->waits);
        TAILQ_INIT(&o->upload_waits);
        f->n_open++;
    } else {
        TAILQ_REMOVE(&f->opens, o, at);
    }
    TAILQ_INSERT_HEAD(&f->opens, o, at);
    o->users++;
    o->writing = o->writing || write;
    f->under_way++;
    *ret_o = o;
    return OK;
}

void nz_open_drop(struct nz_open *o, bool write)
{
    if (!o)
        return;
    o->f->under_way--;
    o->users--;
    if (write)
        o->writing = false;
    o->used_ms = loop_now(o->f->in->loop);
    if (!o->users && !o->entry)
        forget(o);
}

void nz_open_idle(struct nz_files *f, uint64_t ms)
{
    uint64_t now = loop_now(f->in->loop);
    struct nz_open *o = TAILQ_FIRST(&f->opens);
    while (o) {
        struct nz_open *next = TAILQ_NEXT(o, at);
        if (!o->users && now - o->used_ms >= ms)
            forget(o);
        o = next;
    }
}

/* ---- its key ---- */

static void tell_all(struct nz_open *o, struct nz_waits *waits, struct err e)
{
    struct nz_waits all = TAILQ_HEAD_INITIALIZER(all);
    TAILQ_CONCAT(&all, waits, at);
    struct nz_wait *w;
    o->users++; /* the last of them may let it go */
    while ((w = TAILQ_FIRST(&all))) {
        TAILQ_REMOVE(&all, w, at);
        w->fn(w->arg, e);
    }
    if (--o->users == 0 && !o->entry)
        forget(o);
}

static void key_opened(void *arg, struct err e, struct secret *key, const uint8_t *wrapped)
{
    struct nz_open *o = arg;
    (void)wrapped;
    o->opening = false;
    if (err_ok(e))
        e = nz_spool_open(o->f->in->spool, &o->entry, o->muni, o->id.b, key); /* key given to the entry */
    tell_all(o, &o->waits, e);
}

static void key_there(void *arg)
{
    struct nz_wait *w = arg;
    w->fn(w->arg, OK);
}

static void key_not_there(void *arg)
{
    struct nz_open *o = arg;
    o->opening = false;
    tell_all(o, &o->waits, FAIL(E_NOTHING));
}

static void key_wait(struct nz_open *o, struct nz_wait *w, uint64_t deadline)
{
    uint8_t wrapped[NZ_WRAPPED_BYTES];
    struct nz_intake *in = o->f->in;
    if (o->entry && err_ok(loop_defer(in->loop, key_there, w)))
        return;
    TAILQ_INSERT_TAIL(&o->waits, w, at);
    if (o->opening)
        return;
    o->opening = true;
    if (in->vault && err_ok(nz_spool_wrapped(in->spool, o->muni, o->id.b, wrapped)))
        nz_vault_key_open(in->vault, o->muni, o->id.b, ARR(wrapped), deadline, key_opened, o);
    else if (!err_ok(loop_defer(in->loop, key_not_there, o)))
        key_not_there(o); /* no memory: sooner than promised is better than never */
}

void nz_open_key(struct nz_open *o, struct nz_wait *w, uint64_t deadline, void (*fn)(void *arg, struct err e), void *arg)
{
    *w = (struct nz_wait){ .o = o, .fn = fn, .arg = arg };
    key_wait(o, w, deadline);
}

/* ---- its upload ---- */

static void upload_opened(void *arg, struct err e, struct nz_frames *upload)
{
    struct nz_upload_job *job = arg;
    struct nz_open *o = job->o;
    o->job = NULL;
    if (job->shut) {
        nz_frames_close(upload);
        nz_spool_close(job->entry);
        e = FAIL(E_BUSY); /* somebody else changed it */
    } else if (err_ok(e)) {
        o->upload = upload;
        o->received = nz_frames_bytes(upload);
    }
    free(job);
    tell_all(o, &o->upload_waits, e);
}

static struct err upload_begin(struct nz_open *o)
{
    struct nz_upload_job *job = calloc(1, sizeof *job);
    if (!job)
        return FAIL(E_NOMEM);
    *job = (struct nz_upload_job){ .o = o, .entry = o->entry };
    struct err e = nz_spool_frames_later(o->entry, NZ_SPOOL_UPLOAD, o->f->in->loop, upload_opened, job);
    if (err_ok(e))
        o->job = job;
    else
        free(job);
    return e;
}

static void upload_key(void *arg, struct err e)
{
    struct nz_wait *w = arg;
    struct nz_open *o = w->o;
    if (err_ok(e) && !o->entry && !o->accepted)
        e = FAIL(E_NOTHING);
    if (err_ok(e) && !o->upload && !o->accepted && !o->job)
        e = upload_begin(o);
    if (err_ok(e) && o->job) {
        w->fn = w->upload_fn;
        w->arg = w->upload_arg;
        TAILQ_INSERT_TAIL(&o->upload_waits, w, at);
        return;
    }
    w->upload_fn(w->upload_arg, e);
}

void nz_open_upload(struct nz_open *o, struct nz_wait *w, uint64_t deadline, void (*fn)(void *arg, struct err e), void *arg)
{
    *w = (struct nz_wait){ .o = o, .fn = upload_key, .arg = w, .upload_fn = fn, .upload_arg = arg };
    key_wait(o, w, deadline);
}

/* ---- all of them ---- */

static void tick(void *arg)
{
    struct nz_files *f = arg;
    nz_open_idle(f, IDLE_MS);
    nz_sweep(f);
    timer_start(f->timer, TICK_MS);
}

struct err nz_files_new(struct nz_files **ret_f, struct nz_intake *in)
{
    struct secret *key = NULL;
    struct nz_files *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL(E_NOMEM);
    f->in = in;
    TAILQ_INIT(&f->opens);
    LIST_INIT(&f->followers);
    struct err e = secret_random(&key, MAC_BYTES);
    if (err_ok(e))
        e = mac_new(&f->mac, key);
    secret_free(key);
    if (err_ok(e))
        e = timer_new(&f->timer, in->loop, tick, f);
    if (err_ok(e))
        e = timer_new(&f->follow_timer, in->loop, nz_followers_tick, f);
    if (!err_ok(e)) {
        nz_files_close(f);
        nz_files_free(f);
        return e;
    }
    timer_start(f->timer, TICK_MS);
    *ret_f = f;
    return OK;
}

void nz_files_close(struct nz_files *f)
{
    if (!f || f->closed)
        return;
    f->closed = true;
    timer_free(f->timer);
    timer_free(f->follow_timer);
}

bool nz_files_idle(const struct nz_files *f) { return !f->under_way; }

void nz_files_free(struct nz_files *f)
{
    if (!f)
        return;
    struct nz_open *o;
    while ((o = TAILQ_FIRST(&f->opens)))
        forget(o);
    mac_free(f->mac);
    free(f);
}
