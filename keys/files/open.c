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

void nz_open_shut(struct nz_open *o)
{
    nz_frames_close(o->upload);
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

static void tell_all(struct nz_open *o, struct err e)
{
    TAILQ_HEAD(, nz_wait) all = TAILQ_HEAD_INITIALIZER(all);
    TAILQ_CONCAT(&all, &o->waits, at);
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
    tell_all(o, e);
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
    tell_all(o, FAIL(E_NOTHING));
}

void nz_open_key(struct nz_open *o, struct nz_wait *w, uint64_t deadline, void (*fn)(void *arg, struct err e), void *arg)
{
    uint8_t wrapped[NZ_WRAPPED_BYTES];
    struct nz_intake *in = o->f->in;
    *w = (struct nz_wait){ .o = o, .fn = fn, .arg = arg };
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

struct err nz_open_upload(struct nz_open *o)
{
    if (o->upload)
        return OK;
    TRY(nz_spool_frames(o->entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_CREATE, &o->upload));
    o->received = nz_frames_bytes(o->upload);
    return OK;
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
