#include "gateway/audit/writer.h"

#include <stdlib.h>

#include "gateway/audit/writer_int.h"
#include "gateway/base/log.h"
#include "gateway/base/must.h"
#include "gateway/loop/hand.h"

enum { HEAL_MS = 1000, TRY_AGAIN_MS = 250 }; /* a failed disk is left alone so long; what comes meanwhile is refused at once */

struct waiting {
    audit_written_fn *done;
    void *arg;
    enum ipc_role from;
    uint8_t rec[AUDIT_REC_BYTES];
    struct waiting *next;
};

struct line {
    struct waiting *head, **tail;
    size_t n;
};

struct audit_writer {
    struct loop *loop;
    struct log_files files;
    struct log_point at;      /* last committed entry */
    uint32_t seg_at;          /* entries in the segment; AUDIT_SEGMENT_ENTRIES also stands for "no segment yet" */
    uint32_t dirty_to;        /* behind the entries that a failed commit may have left there */
    struct line queue;        /* not yet on its way */
    struct line writing;      /* of the commit that runs */
    struct line refused;      /* came in when there was no room */
    struct commit commit;
    struct hand *hand;        /* runs the commits */
    uv_work_t prepare_work;
    uv_idle_t turn;           /* starts a commit at the end of the turn, and ends refused appends */
    uv_work_t heal_work;
    struct timer *heal;       /* after a failure: the disk is tried though nothing has to be written */
    bool committing, preparing, healing, failed, closing;
    struct err result;        /* of the commit; written by the worker, read after it */
    uint64_t not_before;      /* loop_now(): no commit after a failure until then */
    audit_committed_fn *on_commit;
    void *commit_arg;
    loop_fn *on_closed;
    void *closed_arg;
};

static void line_init(struct line *q) { *q = (struct line){ .tail = &q->head }; }

static void line_put(struct line *q, struct waiting *x)
{
    x->next = NULL;
    *q->tail = x;
    q->tail = &x->next;
    q->n++;
}

static struct waiting *line_take(struct line *q)
{
    struct waiting *x = q->head;
    q->head = x->next;
    if (!q->head)
        q->tail = &q->head;
    q->n--;
    return x;
}

static void tell(struct waiting *x, struct err e, uint64_t seq)
{
    x->done(x->arg, e, seq);
    free(x);
}

static void advance(struct audit_writer *w);

/* ---- the next segment, ahead of need ---- */

static void prepare_run(uv_work_t *work)
{
    struct audit_writer *w = work->data;
    struct err e = log_files_prepare(&w->files);
    (void)e; /* the commit that needs it tries again and says so */
}

static void prepare_after(uv_work_t *work, int status)
{
    (void)status;
    struct audit_writer *w = work->data;
    w->preparing = false;
    advance(w);
}

static void prepare_ahead(struct audit_writer *w)
{
    if (w->preparing || w->closing || w->files.next >= 0)
        return;
    w->preparing = uv_queue_work(loop_uv(w->loop), &w->prepare_work, prepare_run, prepare_after) == 0;
}

/* ---- after a failure ---- */

static void heal_run(uv_work_t *work)
{
    struct audit_writer *w = work->data;
    bool full = w->seg_at == AUDIT_SEGMENT_ENTRIES;
    uint32_t at = full ? 0 : w->seg_at;
    w->result = log_files_heal(&w->files, &w->at, full, at, w->dirty_to > at ? w->dirty_to - at : 0, loop_now(w->loop));
}

static void heal_after(uv_work_t *work, int status)
{
    struct audit_writer *w = work->data;
    w->healing = false;
    if (status == 0 && err_ok(w->result)) {
        LOG(WARN, "audit_disk_recovered", LF("seq", w->at.seq));
        w->failed = false;
        w->dirty_to = 0;
    } else if (!w->closing) {
        timer_start(w->heal, HEAL_MS);
    }
    advance(w);
}

static void on_heal(void *arg)
{
    struct audit_writer *w = arg;
    if (!w->failed || w->closing)
        return;
    if (w->committing || w->preparing) /* what comes of it is seen first */
        timer_start(w->heal, HEAL_MS);
    else
        w->healing = uv_queue_work(loop_uv(w->loop), &w->heal_work, heal_run, heal_after) == 0;
}

/* ---- commit ---- */

static void commit_run(void *arg)
{
    struct audit_writer *w = arg;
    w->result = log_files_commit(&w->files, &w->commit);
}

/* Those that are there now: whoever is told may come back at once. */
static void refuse(struct line *q)
{
    for (size_t n = q->n; n > 0; n--)
        tell(line_take(q), FAIL(E_AUDIT_DOWN), 0);
}

static void commit_failed(struct audit_writer *w)
{
    const struct commit *c = &w->commit;
    if (!w->failed)
        LOG(ERROR, "audit_disk_failed", LF("error", w->result), LF("seq", w->at.seq));
    w->failed = true;
    w->not_before = loop_now(w->loop) + TRY_AGAIN_MS;
    uint32_t end = c->at + (uint32_t)c->n;
    if (end > w->dirty_to)
        w->dirty_to = end;
    refuse(&w->writing);
    if (!w->closing)
        timer_start(w->heal, HEAL_MS);
}

static void commit_done(struct audit_writer *w)
{
    const struct commit *c = &w->commit;
    if (w->failed)
        LOG(WARN, "audit_disk_recovered", LF("seq", c->after.seq));
    w->failed = false;
    w->dirty_to = 0;
    w->seg_at = c->at + (uint32_t)c->n;
    uint64_t seq = w->at.seq;
    w->at = c->after;
    if (w->on_commit && c->n)
        w->on_commit(w->commit_arg, c->bytes, c->n, w->at.seq);
    while (w->writing.n)
        tell(line_take(&w->writing), OK, ++seq);
    if (c->new_segment)
        prepare_ahead(w);
}

static void commit_after(void *arg)
{
    struct audit_writer *w = arg;
    w->committing = false;
    if (err_ok(w->result))
        commit_done(w);
    else
        commit_failed(w);
    advance(w);
}

/* Takes what waits, as much as fits the segment and one commit. */
static ERR commit_fill(struct audit_writer *w)
{
    struct commit *c = &w->commit;
    bool fresh = w->seg_at == AUDIT_SEGMENT_ENTRIES;
    uint32_t at = fresh ? 0 : w->seg_at, room = AUDIT_SEGMENT_ENTRIES - at;
    size_t n = room < COMMIT_MAX ? room : COMMIT_MAX;
    c->before = c->after = w->at;
    c->new_segment = fresh;
    c->at = at;
    c->now_ms = loop_now(w->loop);
    for (c->n = 0; c->n < n && w->queue.n; c->n++) {
        struct waiting *x = line_take(&w->queue);
        line_put(&w->writing, x);
        TRY(entry_put(c->bytes + c->n * AUDIT_ENTRY_BYTES, x->rec, x->from, &c->after));
    }
    uint32_t end = at + (uint32_t)c->n;
    c->blank = w->dirty_to > end ? w->dirty_to - end : 0;
    return OK;
}

static void commit_start(struct audit_writer *w)
{
    w->result = commit_fill(w);
    w->committing = err_ok(w->result);
    if (w->committing)
        hand_start(w->hand);
    else
        commit_failed(w);
}

static void on_turn_closed(uv_handle_t *h)
{
    struct audit_writer *w = h->data;
    loop_fn *fn = w->on_closed;
    timer_free(w->heal);
    hand_free(w->hand);
    void *arg = w->closed_arg;
    log_files_close(&w->files);
    free(w);
    if (fn)
        fn(arg);
}

/* The one place that decides what is next. From the loop, never inside append(). */
static void advance(struct audit_writer *w)
{
    if (w->committing || w->healing)
        return;
    if (w->queue.n && w->failed && loop_now(w->loop) < w->not_before)
        refuse(&w->queue);
    if (w->queue.n && !(w->preparing && w->seg_at == AUDIT_SEGMENT_ENTRIES))
        commit_start(w);
    if (w->closing && !w->committing && !w->preparing && w->queue.n + w->refused.n == 0 && !uv_is_closing((uv_handle_t *)&w->turn))
        uv_close((uv_handle_t *)&w->turn, on_turn_closed);
}

static void on_turn(uv_idle_t *h)
{
    struct audit_writer *w = h->data;
    uv_idle_stop(h);
    refuse(&w->refused);
    advance(w);
}

void audit_writer_append(struct audit_writer *w, const uint8_t *rec, enum ipc_role from, audit_written_fn *done, void *arg)
{
    struct waiting *x = malloc(sizeof *x);
    MUST(x); /* a record that cannot be remembered cannot be answered */
    *x = (struct waiting){ .done = done, .arg = arg, .from = from };
    memcpy(x->rec, rec, AUDIT_REC_BYTES);
    bool room = !w->closing && w->queue.n + w->writing.n < AUDIT_WAITING_MAX;
    line_put(room ? &w->queue : &w->refused, x);
    uv_idle_start(&w->turn, on_turn);
}

struct err audit_writer_seq(const struct audit_writer *w, uint64_t *ret_seq)
{
    if (w->failed)
        return FAIL(E_AUDIT_DOWN);
    *ret_seq = w->at.seq;
    return OK;
}

void audit_writer_on_commit(struct audit_writer *w, audit_committed_fn *fn, void *arg)
{
    w->on_commit = fn;
    w->commit_arg = arg;
}

struct err audit_writer_new(struct audit_writer **ret_w, struct loop *l, const char *dir, const struct audit_disk *disk, struct audit_found *ret_f)
{
    struct audit_writer *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL(E_NOMEM);
    w->loop = l;
    w->files = (struct log_files){ .disk = disk, .dir = -1, .head = -1, .seg = -1, .next = -1 };
    line_init(&w->queue);
    line_init(&w->writing);
    line_init(&w->refused);
    uint32_t cut = 0;
    struct err e = log_files_open(&w->files, dir, &w->at, &w->seg_at, &cut);
    if (err_ok(e))
        e = timer_new(&w->heal, l, on_heal, w);
    if (err_ok(e))
        e = hand_new(&w->hand, l, commit_run, commit_after, w);
    if (!err_ok(e)) {
        timer_free(w->heal);
        log_files_close(&w->files);
        free(w);
        return e;
    }
    if (w->files.seg < 0)
        w->seg_at = AUDIT_SEGMENT_ENTRIES;
    uv_idle_init(loop_uv(l), &w->turn);
    w->turn.data = w->prepare_work.data = w->heal_work.data = w;
    prepare_ahead(w);
    *ret_f = (struct audit_found){ .seq = w->at.seq, .pruned = w->files.pruned.seq, .cut = cut };
    *ret_w = w;
    return OK;
}

void audit_writer_close(struct audit_writer *w, loop_fn *fn, void *arg)
{
    w->closing = true;
    w->on_closed = fn;
    w->closed_arg = arg;
    uv_idle_start(&w->turn, on_turn);
}
