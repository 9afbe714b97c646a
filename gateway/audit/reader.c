#include "gateway/audit/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/leaf.h"
#include "gateway/audit/reader_int.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { DAY_MS = 24 * 3600 * 1000, U64 = 8, CATCH_UP_AGAIN_MS = 5000 };

struct audit_reader {
    struct loop *loop;
    const char *dir_path;
    int dir;
    uint64_t seq, oldest;            /* entries oldest..seq are there */
    uint64_t epoch;                  /* greatest of those that were looked at */
    struct index_table *tail;        /* of the segment that is being written, or will be next */
    struct forecast growth;
    TAILQ_HEAD(reader_jobs, reader_job) jobs; /* the first one runs when `running` */
    size_t n_jobs;
    TAILQ_HEAD(, reader_job) wait_epoch; /* until everything was looked at */
    uv_work_t work;
    struct timer *again;
    bool running, caught_up, closing;
    loop_fn *on_closed;
    void *closed_arg;
};

static void advance(struct audit_reader *r);

static uint64_t tail_first(const struct audit_reader *r) { return index_table_stats(r->tail)->first; }

static struct reader_job *job_new(struct audit_reader *r, enum reader_piece piece, reader_done_fn *done, void *arg)
{
    struct reader_job *j = calloc(1, sizeof *j);
    MUST(j);
    j->piece = piece;
    j->dir_path = r->dir_path;
    j->dir = r->dir;
    j->oldest = r->oldest;
    j->newest = r->seq;
    j->done = done;
    j->arg = arg;
    return j;
}

static void job_queue(struct audit_reader *r, struct reader_job *j)
{
    TAILQ_INSERT_TAIL(&r->jobs, j, at);
    r->n_jobs++;
    advance(r);
}

static void job_end(struct reader_job *j)
{
    if (j->piece == RP_INDEX)
        index_table_free(j->u.table);
    if (j->done)
        j->done(j->arg, j->result, err_ok(j->result) ? slice_of(j->reply, j->n) : SLICE_NONE);
    free(j);
}

/* ---- after a start ---- */

static void tell_epoch(struct audit_reader *r, struct reader_job *j)
{
    be_put(j->reply, r->epoch, U64);
    j->n = U64;
    j->result = OK;
    job_end(j);
}

static void growth_add(struct forecast *to, const struct forecast *more)
{
    for (int i = 0; i < FORECAST_HOURS; i++)
        if (more->slot[i].entries)
            forecast_grew(to, more->slot[i].hour * 3600 * 1000, more->slot[i].entries);
    if (more->first_ms)
        forecast_grew(to, more->first_ms, 0);
}

static void catch_up_from(struct audit_reader *r, uint64_t first)
{
    uint64_t now = clock_wall(loop_clock(r->loop));
    struct reader_job *j = job_new(r, RP_CATCH_UP, NULL, NULL);
    j->u.catch_up.first = first;
    j->u.catch_up.day_ago_ms = now > DAY_MS ? now - DAY_MS : 0;
    j->u.catch_up.last_day = true;
    job_queue(r, j);
}

static void catch_up_all(void *arg)
{
    struct audit_reader *r = arg;
    uint64_t end = tail_first(r) > r->oldest ? tail_first(r) - AUDIT_SEGMENT_ENTRIES : 0;
    catch_up_from(r, end);
}

static void caught_some(struct audit_reader *r, struct reader_job *j)
{
    r->epoch = j->u.catch_up.epoch > r->epoch ? j->u.catch_up.epoch : r->epoch;
    if (!err_ok(j->result)) { /* what cannot be read now may be later; nobody is told an epoch until then */
        LOG(ERROR, "audit_index_unreadable", LF("error", j->result), LF("first", j->u.catch_up.first));
        if (!r->closing)
            timer_start(r->again, CATCH_UP_AGAIN_MS);
        free(j);
        return;
    }
    if (j->u.catch_up.first && !r->closing) {
        j->oldest = r->oldest;
        job_queue(r, j); /* behind those who wait */
        return;
    }
    growth_add(&r->growth, &j->u.catch_up.growth);
    free(j);
    r->caught_up = !r->closing;
    for (struct reader_job *w; (w = TAILQ_FIRST(&r->wait_epoch)) && r->caught_up;) {
        TAILQ_REMOVE(&r->wait_epoch, w, at);
        r->n_jobs--;
        tell_epoch(r, w);
    }
}

/* ---- the worker ---- */

static void work_run(uv_work_t *w)
{
    struct audit_reader *r = w->data;
    reader_work(TAILQ_FIRST(&r->jobs)); /* the loop does not touch the first one while it runs */
}

static void work_after(uv_work_t *w, int status)
{
    struct audit_reader *r = w->data;
    struct reader_job *j = TAILQ_FIRST(&r->jobs);
    r->running = false;
    TAILQ_REMOVE(&r->jobs, j, at);
    r->n_jobs--;
    if (status != 0)
        j->result = FAIL(E_AUDIT_DOWN);
    if (err_is(j->result, E_IO))
        j->result = FAIL(E_AUDIT_DOWN);
    if (j->piece == RP_CATCH_UP)
        caught_some(r, j);
    else
        job_end(j);
    advance(r);
}

static void closed(struct audit_reader *r)
{
    loop_fn *fn = r->on_closed;
    void *arg = r->closed_arg;
    for (struct reader_job *j; (j = TAILQ_FIRST(&r->wait_epoch));) {
        TAILQ_REMOVE(&r->wait_epoch, j, at);
        j->result = FAIL(E_AUDIT_DOWN);
        job_end(j);
    }
    timer_free(r->again);
    index_table_free(r->tail);
    if (r->dir >= 0)
        close(r->dir);
    free(r);
    if (fn)
        fn(arg);
}

static void advance(struct audit_reader *r)
{
    if (r->running)
        return;
    if (!TAILQ_EMPTY(&r->jobs)) {
        r->work.data = r;
        r->running = true;
        MUST(uv_queue_work(loop_uv(r->loop), &r->work, work_run, work_after) == 0);
    } else if (r->closing) {
        closed(r);
    }
}

/* ---- the log grows ---- */

static void tail_full(struct audit_reader *r)
{
    struct index_table *next = NULL;
    MUST(err_ok(index_table_new(&next, tail_first(r) + AUDIT_SEGMENT_ENTRIES)));
    struct reader_job *j = job_new(r, RP_INDEX, NULL, NULL);
    j->u.table = r->tail;
    r->tail = next; /* the old one given to the job */
    job_queue(r, j);
}

void audit_reader_grew(struct audit_reader *r, const uint8_t *entries, size_t n)
{
    uint64_t wall = 0;
    for (size_t i = 0; i < n; i++) {
        struct audit_rec rec;
        if (!audit_decode(entries + i * AUDIT_ENTRY_BYTES, &rec))
            memset(&rec, 0, sizeof rec); /* cannot be: it was decoded before it was written */
        index_table_add(r->tail, &rec);
        r->seq++;
        r->epoch = rec.epoch > r->epoch ? rec.epoch : r->epoch;
        wall = rec.wall_ms;
        if (index_table_stats(r->tail)->entries == AUDIT_SEGMENT_ENTRIES)
            tail_full(r);
    }
    if (n)
        forecast_grew(&r->growth, wall, n);
}

void audit_reader_pruned(struct audit_reader *r, uint64_t seq) { r->oldest = seq + 1; }

struct forecast *audit_reader_forecast(struct audit_reader *r) { return &r->growth; }

bool audit_reader_caught_up(const struct audit_reader *r) { return r->caught_up; }

/* ---- questions ---- */

static bool key_read(const uint8_t *p, struct audit_key *ret_k)
{
    if (p[0] == 0 || p[0] >= AK__MAX)
        return false;
    ret_k->kind = (enum audit_key_kind)p[0];
    memcpy(ret_k->b, p + 1, sizeof ret_k->b);
    return true;
}

/* The newest are in memory; the others are looked for on a worker. False: the body cannot be. */
static bool ask_find(struct audit_reader *r, struct reader_job *j, struct slice body)
{
    struct audit_find *q = &j->u.find.q;
    struct audit_hits *h = &j->u.find.hits;
    const struct index_stats *s = index_table_stats(r->tail);
    if (body.n != AUDIT_FIND_BYTES || !key_read(body.p, &q->key))
        return false;
    q->before = be_get(body.p + AUDIT_KEY_BYTES, U64);
    q->from_ms = be_get(body.p + AUDIT_KEY_BYTES + U64, U64);
    q->to_ms = be_get(body.p + AUDIT_KEY_BYTES + 2 * U64, U64);
    if (q->before == 0 || q->before > r->seq + 1)
        q->before = r->seq + 1;
    j->u.find.below = s->first;
    if (s->entries && s->wall_max >= q->from_ms && s->wall_min <= q->to_ms)
        h->n = index_table_find(r->tail, &q->key, q->before, h->seq, AUDIT_FIND_MAX);
    return true;
}

static bool ask_prove(struct audit_reader *r, struct reader_job *j, struct slice body)
{
    (void)r;
    if (body.n != AUDIT_PROVE_BYTES || !key_read(body.p, &j->u.prove.key))
        return false;
    j->u.prove.seq = be_get(body.p + AUDIT_KEY_BYTES, U64);
    j->u.prove.size = be_get(body.p + AUDIT_KEY_BYTES + U64, U64);
    return true;
}

static bool ask_acts(struct audit_reader *r, struct reader_job *j, struct slice body)
{
    (void)r;
    if (body.n != AUDIT_ACTS_BYTES)
        return false;
    j->u.acts.since = be_get(body.p, U64);
    j->u.acts.after = be_get(body.p + U64, U64);
    return j->u.acts.after < UINT64_MAX;
}

static void ask_epoch(struct audit_reader *r, reader_done_fn *done, void *arg)
{
    struct reader_job *j = job_new(r, RP_FIND, done, arg);
    if (r->caught_up) {
        tell_epoch(r, j);
        return;
    }
    TAILQ_INSERT_TAIL(&r->wait_epoch, j, at);
    r->n_jobs++;
}

static const struct question {
    uint8_t message;
    enum reader_piece piece;
    bool (*read)(struct audit_reader *r, struct reader_job *j, struct slice body);
} QUESTIONS[] = {
    { AUDIT_MSG_FIND, RP_FIND, ask_find },
    { AUDIT_MSG_PROVE, RP_PROVE, ask_prove },
    { AUDIT_MSG_ACTS, RP_ACTS, ask_acts },
};

static void ask_queued(struct audit_reader *r, const struct question *q, struct slice body, reader_done_fn *done, void *arg)
{
    struct reader_job *j = job_new(r, q->piece, done, arg);
    if (q->read(r, j, body)) {
        job_queue(r, j);
        return;
    }
    free(j);
    done(arg, FAIL(E_PROTOCOL), SLICE_NONE);
}

void audit_reader_ask(struct audit_reader *r, uint8_t message, struct slice body, reader_done_fn *done, void *arg)
{
    if (r->closing || r->n_jobs >= READER_QUEUE_MAX) {
        done(arg, FAIL(r->closing ? E_AUDIT_DOWN : E_BUSY), SLICE_NONE);
        return;
    }
    if (message == AUDIT_MSG_EPOCH) {
        ask_epoch(r, done, arg);
        return;
    }
    for (size_t i = 0; i < sizeof QUESTIONS / sizeof QUESTIONS[0]; i++)
        if (QUESTIONS[i].message == message) {
            ask_queued(r, &QUESTIONS[i], body, done, arg);
            return;
        }
    done(arg, FAIL(E_PROTOCOL), SLICE_NONE);
}

/* ---- life ---- */

static ERR tail_open(struct audit_reader *r)
{
    uint64_t first = r->seq / AUDIT_SEGMENT_ENTRIES * AUDIT_SEGMENT_ENTRIES + 1;
    if (r->seq % AUDIT_SEGMENT_ENTRIES == 0)
        return index_table_new(&r->tail, first);
    TRY(index_table_scan(&r->tail, r->dir, first));
    const struct index_stats *s = index_table_stats(r->tail);
    if (first + s->entries != r->seq + 1)
        return FAIL(E_IO);
    r->epoch = s->epoch;
    forecast_grew(&r->growth, s->wall_max, s->entries);
    forecast_grew(&r->growth, s->wall_min, 0);
    return OK;
}

static ERR open_all(struct audit_reader *r)
{
    r->dir = open(r->dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dir < 0 || (mkdirat(r->dir, "index", 0700) != 0 && errno != EEXIST))
        return FAIL(E_IO);
    TRY(timer_new(&r->again, r->loop, catch_up_all, r));
    return tail_open(r);
}

struct err audit_reader_new(struct audit_reader **ret_r, struct loop *l, const char *dir, uint64_t seq, uint64_t pruned)
{
    struct audit_reader *r = calloc(1, sizeof *r);
    if (!r)
        return FAIL(E_NOMEM);
    *r = (struct audit_reader){ .loop = l, .dir_path = dir, .dir = -1, .seq = seq, .oldest = pruned + 1 };
    TAILQ_INIT(&r->jobs);
    TAILQ_INIT(&r->wait_epoch);
    struct err e = open_all(r);
    if (!err_ok(e)) {
        closed(r);
        return e;
    }
    catch_up_all(r);
    *ret_r = r;
    return OK;
}

void audit_reader_close(struct audit_reader *r, loop_fn *fn, void *arg)
{
    if (!r)
        return;
    r->closing = true;
    r->on_closed = fn;
    r->closed_arg = arg;
    timer_stop(r->again);
    if (!r->running)
        advance(r);
}
