/* Parts that grow (results, undo), synced in rounds; the results of rows, told in the order of the file; checkpoints. */

#include "keys/bulk/work.h"
#include "keys/intake/meter.h"

#include "gateway/base/text.h"
#include "keys/bulk/script.h"

/* ---- parts ---- */

static void sync_start(struct nz_part *p);

static void synced(void *arg, struct err e)
{
    struct nz_part *p = arg;
    p->syncing = false;
    if (err_ok(e))
        p->done = p->started;
    else if (err_is(e, E_DISK_FULL))
        bulk__run_later(p->run, e); /* what was not synced is not there any more: a new run finds out what is */
    else
        bulk__run_pause(p->run, e, "sync");
    if (p->asked > p->done && err_ok(e))
        sync_start(p);
    bulk__run_soon(p->run);
}

static void sync_start(struct nz_part *p)
{
    p->started++;
    p->syncing = true;
    p->pending = 0;
    nz_frames_sync(p->f, p->run->in->loop, synced, p);
}

/* A round that has begun may have missed what was appended since. */
uint64_t bulk__part_want(struct nz_part *p)
{
    p->asked = p->started + 1;
    uint64_t mark = p->asked;
    if (!p->syncing)
        sync_start(p);
    return mark;
}

void bulk__part_retry(struct nz_part *p)
{
    if (p->f && !p->syncing && p->asked > p->done)
        sync_start(p);
}

/* A frame begins with an entry, so that the part can be walked backwards. */
ERR bulk__part_append(struct nz_part *p, struct slice entry)
{
    if (p->pending + entry.n > NZ_FRAME_PLAIN && p->pending) {
        TRY(nz_frames_flush(p->f));
        p->pending = 0;
    }
    TRY(nz_frames_append(p->f, entry));
    p->pending += entry.n;
    if (p->pending >= NZ_FRAME_PLAIN) {
        TRY(nz_frames_flush(p->f));
        p->pending = 0;
    }
    return OK;
}

/* ---- telling ---- */

static void entry_of(const struct nz_brow *x, struct nz_result_entry *e)
{
    *e = (struct nz_result_entry){ .row = x->row.row, .line = x->line, .column = x->column, .changed = x->changed };
    if (x->n_unread) {
        e->n_unread = x->n_unread;
        memcpy(e->unread, x->unread, x->n_unread * sizeof e->unread[0]);
        e->result = (struct nz_row_result){ .result = NZ_REFUSED, .code = NZ_CODE_UNREADABLE_ROW };
        return;
    }
    nz_row_result_of(&x->row, &e->result);
    e->resident_key = x->row.resident_key;
    if (x->row.verdict != NZ_ROW_OK)
        return;
    e->result.result = x->verdict.result;
    e->result.code = x->verdict.code;
    e->result.with_row = x->with_row;
}

bool bulk__step_tell(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    struct nz_result_entry e;
    enum nz_result result[NZ_BULK_ROWS];
    if (b != TAILQ_FIRST(&r->batches))
        return false;
    buf_reset(&r->work);
    for (size_t i = 0; i < b->n; i++) {
        entry_of(&b->row[i], &e);
        nz_entry_encode(&e, &r->work);
        result[i] = e.result.result;
    }
    struct err err = buf_check(&r->work);
    if (err_ok(err))
        err = nz_frames_append(r->results.f, buf_slice(&r->work));
    if (!err_ok(err)) {
        bulk__batch_again(b, NZ_STEP_TELL, err);
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (result[i] != NZ_WAITING && !b->row[i].held && !b->row[i].counted)
            r->told[result[i]]++;
        else if (b->row[i].held && r->t.mode != NZ_MODE_APPLY)
            r->told[result[i]]++;
        r->suspicious += b->row[i].suspicious || (b->row[i].held && r->t.mode == NZ_MODE_DRY_RUN);
        r->rows_told = b->row[i].row.row;
    }
    return true;
}

bool bulk__all_told(const struct nz_run *r) { return r->step >= NZ_RUN_DRAIN && r->eof && TAILQ_EMPTY(&r->batches); }

/* ---- checkpoints ---- */

static void stored(struct nz_run *r)
{
    r->t.checkpoint = r->ck_rows;
    r->t.suspicious += r->ck_suspicious;
    r->suspicious -= r->ck_suspicious;
    for (int i = 0; i < NZ_RESULT__MAX; i++) {
        if (r->t.mode == NZ_MODE_APPLY)
            nz_meter_rows(r->in, r->muni, (enum nz_result)i, r->ck_count[i]);
        r->t.task.count[i] += r->ck_count[i];
        r->told[i] -= r->ck_count[i];
    }
    r->ck_step = NZ_CK_NONE;
    r->ck_at = loop_now(r->in->loop);
    bulk__damage_over(r);
    bulk__run_fine(r);
}

static void ck_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    r->checkpointing = false;
    if (err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL)) {
        bulk__run_pause(r, e, "checkpoint");
    } else if (err_ok(e) && n == 1 && redis_reply_int(replies[0]) == NZ_SCRIPT_DONE) {
        stored(r);
    } else {
        if (!err_ok(e))
            bulk__run_pause(r, e, "checkpoint");
        r->ck_step = NZ_CK_LOST;
        r->fence_lost = r->fence_lost || r->ck_fence == r->fence;
    }
    bulk__run_soon(r);
}

static void put_counts(const struct nz_run *r, struct nz_args *a)
{
    nz_args_begin(a, 6);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(&r->name_t));
    nz_args_put(a, LIT(NZ_TASK_CHECKPOINT));
    nz_args_u64(a, r->ck_rows);
    nz_args_put(a, LIT(NZ_TASK_SUSPICIOUS));
    nz_args_u64(a, r->t.suspicious + r->ck_suspicious);
    for (int i = NZ_WAITING + 1; i < NZ_RESULT__MAX; i++) {
        if (!r->ck_count[i])
            continue;
        nz_args_begin(a, 4);
        nz_args_put(a, LIT("HINCRBY"));
        nz_args_put(a, store_name_slice(&r->name_t));
        nz_args_put(a, slice_str(nz_result_name((enum nz_result)i)));
        nz_args_u64(a, r->ck_count[i]);
    }
}

static void ck_write(struct nz_run *r)
{
    struct redis_batch *out = redis_batch_new(4096);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "checkpoint");
        return;
    }
    struct nz_args count = { 0 }, put = { .out = out };
    put_counts(r, &count);
    nz_script_begin(out, &r->name_t, r->fence, count.n);
    put_counts(r, &put);
    r->checkpointing = true;
    r->ck_fence = r->fence;
    redis_send(r->in->redis, out, bulk__deadline(r), ck_written, r);
}

static void ck_asked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    uint64_t rows = 0;
    r->checkpointing = false;
    if (!err_ok(e) || n != 1) {
        bulk__run_pause(r, e, "checkpoint");
    } else if (u64_parse(redis_reply_str(replies[0]), &rows) && rows == r->ck_rows) {
        stored(r);
    } else {
        r->ck_step = NZ_CK_WRITE; /* it was not carried out, and will not be */
    }
    bulk__run_soon(r);
}

static void ck_ask(struct nz_run *r)
{
    struct redis_batch *out = redis_batch_new(512);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "checkpoint");
        return;
    }
    REDIS_ADD(out, LIT("HGET"), store_name_slice(&r->name_t), LIT(NZ_TASK_CHECKPOINT));
    r->checkpointing = true;
    redis_send(r->in->redis, out, bulk__deadline(r), ck_asked, r);
}

static bool due(const struct nz_run *r, bool last)
{
    uint64_t rows = r->rows_told - r->t.checkpoint;
    return rows && (last || rows >= NZ_BULK_CK_ROWS || loop_now(r->in->loop) >= r->ck_at + NZ_BULK_CK_MS);
}

void bulk__checkpoint(struct nz_run *r)
{
    bool all = bulk__all_told(r), last = all || (r->b->closed && TAILQ_EMPTY(&r->batches));
    if (r->checkpointing || r->fence_lost || loop_now(r->in->loop) < r->not_before)
        return;
    if (r->ck_step == NZ_CK_NONE && due(r, last)) {
        r->ck_rows = r->rows_told;
        r->ck_suspicious = r->suspicious;
        memcpy(r->ck_count, r->told, sizeof r->ck_count);
        r->ck_mark = bulk__part_want(&r->results);
        r->ck_step = NZ_CK_SYNC;
    }
    if (r->ck_step == NZ_CK_SYNC && r->results.done >= r->ck_mark)
        r->ck_step = NZ_CK_WRITE;
    if (r->ck_step == NZ_CK_WRITE)
        ck_write(r);
    else if (r->ck_step == NZ_CK_LOST)
        ck_ask(r);
    else if (r->ck_step == NZ_CK_NONE && all && r->rows_told == r->t.checkpoint) {
        r->step = NZ_RUN_END;
        bulk__run_soon(r);
    }
}

/* ---- where an earlier run ended ---- */

/* The results behind the checkpoint are thrown away: their rows are done again, and found to be what they are. */
ERR bulk__results_open(struct nz_run *r)
{
    struct nz_frames_at at = { 0 };
    uint64_t end = 0;
    TRY(nz_spool_frames(r->entry, NZ_SPOOL_RESULTS, NZ_SPOOL_CREATE, &r->results.f));
    buf_reset(&r->frame);
    for (uint64_t rows = 0; rows < r->t.checkpoint;) {
        struct nz_result_entry e;
        struct slice in;
        struct err err = nz_frames_read(r->results.f, &at, &r->frame);
        if (err_is(err, E_NOTHING))
            return FAIL(E_SEAL); /* results that were durable are gone */
        TRY(err);
        in = buf_slice(&r->frame);
        while (rows < r->t.checkpoint && err_ok(nz_entry_decode(&in, &e)))
            rows++;
        end += r->frame.n - in.n;
        buf_drop(&r->frame, r->frame.n - in.n);
    }
    buf_reset(&r->frame);
    return nz_frames_truncate(r->results.f, end);
}
