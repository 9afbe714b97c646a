/* Which tasks run: the oldest ones, a few of each municipality. Everything in memory may be lost; the queue, the spool and the results are what counts. */

#include <stdlib.h>

#include "keys/inquiry/work.h"

enum { FETCH_MAX = NZ_INQUIRY_QUEUE /* all: of a municipality whose tasks run already the others are passed over */, FETCH_AGAIN_MS = 1000, KEEP_EVERY_MS = 60000, CLIENT_QUEUE = NZ_INQUIRY_CONNS + 64 };

uint64_t nz_inq_now(const struct nz_inquiry *q) { return loop_now(q->in->loop); }
uint64_t nz_inq_wall(const struct nz_inquiry *q) { return clock_wall(loop_clock(q->in->loop)); }

/* ---- life of a task ---- */

static void task_free(struct nz_inq_task *t)
{
    for (size_t i = 0; i < t->n_who; i++)
        nz_mynum_free(t->who[i].number);
    nz_frames_close(t->results);
    nz_spool_close(t->entry);
    buf_done(&t->texts);
    free(t->who);
    free(t->pair);
    free(t->parcel);
    free(t);
}

void nz_inq_task_unref(struct nz_inq_task *t)
{
    t->users--;
    if (t->life == NZ_INQ_OVER && !t->users)
        task_free(t);
}

void nz_inq_task_drop(struct nz_inq_task *t)
{
    struct nz_inquiry *q = t->q;
    if (t->life == NZ_INQ_OVER)
        return;
    t->life = NZ_INQ_OVER;
    TAILQ_REMOVE(&q->tasks, t, at);
    q->n_tasks--;
    if (!t->users)
        task_free(t);
}

void nz_inq_task_trouble(struct nz_inq_task *t, struct err e)
{
    LOG(WARN, "inquiry_waits", LF("error", e));
    t->pause_until = nz_inq_now(t->q) + FETCH_AGAIN_MS;
}

static bool is_running(const struct nz_inquiry *q, const struct nz_row_ref *ref)
{
    const struct nz_inq_task *t;
    TAILQ_FOREACH(t, &q->tasks, at)
        if (memcmp(t->muni, ref->muni, sizeof t->muni) == 0 && memcmp(t->id.b, ref->task.b, sizeof t->id.b) == 0)
            return true;
    return false;
}

static unsigned running_of(const struct nz_inquiry *q, const char muni[static 6])
{
    const struct nz_inq_task *t;
    unsigned n = 0;
    TAILQ_FOREACH(t, &q->tasks, at)
        n += memcmp(t->muni, muni, sizeof t->muni) == 0;
    return n;
}

static void task_start(struct nz_inquiry *q, const struct nz_row_ref *ref)
{
    struct nz_inq_task *t = calloc(1, sizeof *t);
    if (!t)
        return;
    t->q = q;
    t->id = ref->task;
    memcpy(t->muni, ref->muni, sizeof t->muni);
    TAILQ_INIT(&t->waiting);
    TAILQ_INIT(&t->under_way);
    TAILQ_INSERT_TAIL(&q->tasks, t, at);
    q->n_tasks++;
    nz_inq_load(t);
}

/* ---- the queue ---- */

static void fetched(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_inquiry *q = arg;
    struct nz_row_ref ref;
    q->fetching = false;
    if (!err_ok(e) || n != 1 || q->closed) {
        q->again = !err_ok(e);
        return;
    }
    for (size_t i = 0; i < redis_reply_len(replies[0]) && q->n_tasks < NZ_INQUIRY_RUNNING; i++) {
        if (!nz_member_parse(redis_reply_str(redis_reply_at(replies[0], i)), &ref) || is_running(q, &ref) ||
            running_of(q, ref.muni) >= NZ_INQUIRY_OF_ONE)
            continue;
        task_start(q, &ref);
    }
}

static void fetch(struct nz_inquiry *q)
{
    struct redis_batch *b = redis_batch_new(256);
    if (!b)
        return;
    q->again = false;
    q->fetching = true;
    q->fetched_ms = nz_inq_now(q);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZRANGE"));
    redis_arg(b, NZ_INQ_QUEUE);
    redis_arg_u64(b, 0);
    redis_arg_u64(b, FETCH_MAX - 1);
    redis_send(q->in->redis, b, nz_inq_now(q) + NZ_READ_MS, fetched, q);
}

/* ---- the timer ---- */

static void tick(void *arg)
{
    struct nz_inquiry *q = arg;
    const uint64_t now = nz_inq_now(q);
    struct nz_inq_task *t = TAILQ_FIRST(&q->tasks);
    if (q->closed)
        return;
    while (t) {
        struct nz_inq_task *next = TAILQ_NEXT(t, at);
        if (t->life == NZ_INQ_LOADING)
            nz_inq_load_tick(t);
        if (t->life == NZ_INQ_RUNS)
            nz_inq_tick_task(t);
        if (t->life == NZ_INQ_RUNS || t->life == NZ_INQ_ENDING)
            nz_inq_tell_tick(t); /* may drop it */
        t = next;
    }
    nz_inq_pump(q);
    const bool due = now - q->fetched_ms >= FETCH_AGAIN_MS; /* a task that had to wait for its own side, a row that somebody else has left */
    if (q->client && !q->fetching && q->n_tasks < NZ_INQUIRY_RUNNING && (q->again || due))
        fetch(q);
    if (now - q->kept_ms >= KEEP_EVERY_MS)
        nz_inq_keep(q);
    timer_start(q->timer, q->n_tasks ? NZ_INQ_TICK_MS : 10 * NZ_INQ_TICK_MS);
}

void nz_inq_soon(struct nz_inquiry *q)
{
    if (!q->closed)
        timer_start(q->timer, 1);
}

void nz_inq_wake(struct nz_inquiry *q)
{
    q->again = true;
    nz_inq_soon(q);
}

/* ---- life ---- */

static ERR open_client(struct nz_inquiry *q)
{
    const struct conf *c = &q->in->conf;
    if (!c->vrs_url[0])
        return OK;
    return client_new(&q->client, q->in->loop, &(struct client_conf){ .ca_path = c->upstream_ca, .cert_path = c->upstream_cert, .key_path = c->upstream_key,
                                                                      .conns_max = NZ_INQUIRY_CONNS, .queue_max = CLIENT_QUEUE });
}

ERR nz_inquiry_new(struct nz_inquiry **ret_q, struct nz_intake *in)
{
    struct nz_inquiry *q = calloc(1, sizeof *q);
    if (!q)
        return FAIL(E_NOMEM);
    TAILQ_INIT(&q->tasks);
    q->in = in;
    q->again = true;
    q->peers = calloc(1, sizeof *q->peers);
    struct err e = q->peers ? open_client(q) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = due_new_exact(&q->beats, in->loop, nz_provide_on_beat, q);
    if (err_ok(e))
        e = timer_new(&q->timer, in->loop, tick, q);
    if (!err_ok(e)) {
        due_free(q->beats);
        free(q->peers);
        free(q);
        return e;
    }
    q->kept_ms = loop_now(in->loop) - KEEP_EVERY_MS;
    timer_start(q->timer, NZ_INQ_TICK_MS);
    *ret_q = q;
    return OK;
}

void nz_inquiry_close(struct nz_inquiry *q)
{
    if (!q || q->closed)
        return;
    q->closed = true;
    timer_free(q->timer);
    q->timer = NULL;
}

/* Questions that are on their way are not waited for: they are asked again after the start. */
bool nz_inquiry_idle(const struct nz_inquiry *q)
{
    const struct nz_inq_task *t;
    TAILQ_FOREACH(t, &q->tasks, at)
        if (t->syncing || t->counting)
            return false;
    return !q->under_way;
}

void nz_inquiry_stop(struct nz_inquiry *q)
{
    if (!q)
        return;
    if (q->client)
        client_close(q->client);
    q->client = NULL;
    due_free(q->beats);
    q->beats = NULL;
}

void nz_inquiry_free(struct nz_inquiry *q)
{
    struct nz_inq_task *t;
    if (!q)
        return;
    while ((t = TAILQ_FIRST(&q->tasks))) {
        TAILQ_REMOVE(&q->tasks, t, at);
        task_free(t);
    }
    free(q->peers);
    free(q);
}

bool nz_inquiry_live(const struct nz_inquiry *q, const char muni[static 6], struct nz_file_task *to)
{
    const struct nz_inq_task *t;
    TAILQ_FOREACH(t, &q->tasks, at) {
        if (memcmp(t->muni, muni, sizeof t->muni) != 0 || memcmp(t->id.b, to->task.id.b, sizeof t->id.b) != 0)
            continue;
        if (t->life == NZ_INQ_LOADING || to->state == NZ_FILE_ENDED)
            return false;
        nz_inq_counts(t, to);
        to->state = NZ_FILE_PROCESSING;
        return true;
    }
    return false;
}

struct audit_rec nz_inq_audit(const struct nz_inq_task *t, enum audit_event event, uint16_t basis, uint32_t count)
{
    struct audit_rec rec = { .event = event, .result = AR_OK, .count = count, .basis = basis, .items = AUDIT_ITEM_VACCINATION | AUDIT_ITEM_NUMBER };
    const struct basis_row *row = basis ? basis_row_of(t->q->in->basis, basis) : NULL;
    audit_set_actor(&rec, slice_of(t->actor, strnlen(t->actor, sizeof t->actor)));
    memcpy(rec.muni, t->muni, sizeof rec.muni);
    memcpy(rec.request.b, t->id.b, sizeof rec.request.b);
    rec.purpose = row ? row->purpose->id : 0;
    return rec;
}
