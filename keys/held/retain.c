#include "keys/held/retain.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "keys/intake/erased.h"
#include "keys/intake/names.h"
#include "keys/intake/open_tasks.h"
#include "keys/spool/spool.h"

enum { FORGOT = 1, IS_FILE = 2, FIRST_MS = 1000, PERIOD_MS = 3600 * 1000, AGAIN_MS = 60 * 1000, PAGE = 16 };
#define HOUR_MS ((uint64_t)3600 * 1000)
#define DAY_MS ((uint64_t)24 * 3600 * 1000)

/* KEYS t tr o tl tu, ARGV task, whether a file's folder is gone. A dry run holds nothing, whatever it counted.
 * Reply: 0 kept, 1 forgotten, 2 a file: its folder goes first, so that a crash leaves no folder that nobody knows. */
#define SCRIPT                                                                                                     \
    "local v=redis.call('HMGET',KEYS[1],'rows','registered','updated','unchanged','refused','src','st','mode') " \
    "if v[1] then "                                                                                                \
    "if v[6] and v[7]~='ended' and v[7]~='rejected' then return 0 end "                                            \
    "local left=tonumber(v[1]) for i=2,5 do left=left-tonumber(v[i] or '0') end "                                  \
    "if left>0 and v[7]~='rejected' and v[8]~='dry_run' then return 0 end "                                        \
    "end "                                                                                                         \
    "if v[6] and ARGV[2]=='0' then return 2 end "                                                                  \
    "redis.call('DEL',KEYS[1],KEYS[2],KEYS[3],KEYS[5]) redis.call('ZREM',KEYS[4],ARGV[1]) return 1"

struct nz_retain {
    struct nz_intake *in;
    struct timer *timer;
    bool closed;
    size_t at;          /* the walk through the municipalities */
    char muni[6];
    uint64_t kept;      /* old tasks of this one that stay, before the page */
    uint64_t gone;      /* in this walk */
    struct nz_backlog waits; /* only for what is removed from tb: */
    bool full;          /* there may be another page */
    size_t n;           /* tasks of the page */
    char task[PAGE][32];
};

static void page_ask(struct nz_retain *r);

static void walk_end(struct nz_retain *r, uint64_t again_ms)
{
    if (r->gone)
        LOG(INFO, "tasks_forgotten", LF("tasks", r->gone));
    r->at = 0;
    r->gone = 0;
    if (!r->closed)
        timer_start(r->timer, again_ms);
}

static void open_ask(struct nz_retain *r);

static void next_muni(struct nz_retain *r)
{
    struct slice id;
    const struct secret *key;
    r->kept = 0;
    while (keyring_each(r->in->ring, KEY_LINK_DATA, &r->at, &id, &key)) {
        if (id.n != sizeof r->muni)
            continue;
        memcpy(r->muni, id.p, sizeof r->muni);
        r->waits = (struct nz_backlog){ 0 };
        open_ask(r);
        return;
    }
    walk_end(r, PERIOD_MS);
}

static void batch_send(struct nz_retain *r, struct redis_batch *b, redis_done_fn *done)
{
    redis_send(r->in->redis, b, loop_now(r->in->loop) + NZ_WRITE_MS, done, r);
}

/* ---- tasks that are over leave the list of those that are not ---- */

static void open_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_retain *r = arg;
    if (err_ok(e) && n == 2)
        e = nz_open_tasks_heard(replies[0], &r->waits);
    if (!err_ok(e) || n != 2 || r->closed)
        walk_end(r, AGAIN_MS);
    else if (r->waits.more)
        open_ask(r);
    else
        page_ask(r);
}

static void open_ask(struct nz_retain *r)
{
    struct redis_batch *b = redis_batch_new(4096);
    if (!b) {
        walk_end(r, AGAIN_MS);
        return;
    }
    nz_open_tasks_look(b, r->muni, &r->waits);
    nz_erased_prune(b, r->muni, clock_wall(loop_clock(r->in->loop)) - HOUR_MS); /* no request is under way for so long */
    batch_send(r, b, open_heard);
}

/* ---- one page of old tasks ---- */

static void page_end(struct nz_retain *r)
{
    if (r->closed)
        return;
    if (r->full)
        page_ask(r);
    else
        next_muni(r);
}

static bool folder_gone(struct nz_retain *r, const char task[static 32])
{
    struct nz_task_id id;
    struct err e = nz_task_id_parse(slice_of(task, 32), &id) ? nz_spool_remove(r->in->spool, r->muni, id.b) : FAIL(E_INTERNAL);
    if (err_ok(e) || err_is(e, E_NOTHING))
        return true;
    LOG(WARN, "old_file_not_removed", LF("error", e));
    return false;
}

static void forgotten(void *arg, struct err e, const struct redis_reply *const *replies, size_t n);

static void forget(struct nz_retain *r, bool folders_gone)
{
    struct store_name tl;
    struct redis_batch *b = redis_batch_new(PAGE * 2048);
    nz_name_task_list(r->muni, &tl);
    for (size_t i = 0; b && i < r->n; i++) {
        struct store_name t, tr, tu, o;
        struct nz_task_id id;
        MUST(nz_task_id_parse(ARR(r->task[i]), &id));
        nz_name_task("t", r->muni, &id, &t);
        nz_name_task("tr", r->muni, &id, &tr);
        nz_name_task("tu", r->muni, &id, &tu);
        nz_name_task("o", r->muni, &id, &o);
        REDIS_ADD(b, LIT("EVAL"), LIT(SCRIPT), LIT("5"), store_name_slice(&t), store_name_slice(&tr), store_name_slice(&o),
                  store_name_slice(&tl), store_name_slice(&tu), ARR(r->task[i]), folders_gone ? LIT("1") : LIT("0"));
    }
    if (b)
        batch_send(r, b, forgotten);
    else
        walk_end(r, AGAIN_MS);
}

/* Twice for files: the first time they are only named. */
static void forgotten(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_retain *r = arg;
    size_t files = 0;
    if (!err_ok(e) || r->closed) {
        walk_end(r, AGAIN_MS);
        return;
    }
    for (size_t i = 0; i < n && i < r->n; i++) {
        int64_t how = redis_reply_int(replies[i]);
        if (how == IS_FILE && folder_gone(r, r->task[i]))
            memmove(r->task[files++], r->task[i], sizeof r->task[0]);
        else
            *(how == FORGOT ? &r->gone : &r->kept) += 1;
    }
    r->n = files;
    if (files)
        forget(r, true);
    else
        page_end(r);
}

static void page_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_retain *r = arg;
    r->n = 0;
    if (!err_ok(e) || r->closed) {
        walk_end(r, AGAIN_MS);
        return;
    }
    for (size_t i = 0; n == 1 && i < redis_reply_len(replies[0]) && r->n < PAGE; i++) {
        struct slice task = redis_reply_str(redis_reply_at(replies[0], i));
        struct nz_task_id id;
        if (nz_task_id_parse(task, &id))
            memcpy(r->task[r->n++], task.p, sizeof r->task[0]);
    }
    r->full = r->n == PAGE;
    if (r->n)
        forget(r, false);
    else
        next_muni(r);
}

/* A file stays as long as it can be taken back. */
static uint64_t keep_ms(const struct nz_retain *r)
{
    uint64_t keep = r->in->conf.task_keep_days * DAY_MS, undo = r->in->conf.undo_hours * HOUR_MS + DAY_MS;
    return keep > undo ? keep : undo;
}

static void page_ask(struct nz_retain *r)
{
    struct store_name tl;
    struct redis_batch *b = redis_batch_new(512);
    if (!b) {
        walk_end(r, AGAIN_MS);
        return;
    }
    uint64_t now = clock_wall(loop_clock(r->in->loop)), keep = keep_ms(r);
    nz_name_task_list(r->muni, &tl);
    redis_begin(b, 7);
    redis_arg(b, LIT("ZRANGEBYSCORE"));
    redis_arg(b, store_name_slice(&tl));
    redis_arg(b, LIT("-inf"));
    redis_arg_u64(b, now > keep ? now - keep : 0);
    redis_arg(b, LIT("LIMIT"));
    redis_arg_u64(b, r->kept);
    redis_arg_u64(b, PAGE);
    batch_send(r, b, page_read);
}

/* ---- life ---- */

static void due(void *arg)
{
    struct nz_retain *r = arg;
    next_muni(r);
}

ERR nz_retain_new(struct nz_retain **ret_r, struct nz_intake *in)
{
    struct nz_retain *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(E_NOMEM);
    r->in = in;
    struct err e = timer_new(&r->timer, in->loop, due, r);
    if (!err_ok(e)) {
        free(r);
        return e;
    }
    timer_start(r->timer, FIRST_MS);
    *ret_r = r;
    return OK;
}

void nz_retain_close(struct nz_retain *r)
{
    if (!r || r->closed)
        return;
    r->closed = true;
    timer_free(r->timer);
    r->timer = NULL;
}

void nz_retain_free(struct nz_retain *r) { free(r); }
