/* The beginning of a run: the task, the key of its file, a fence of its own; then validated, or taken up where it was left. */

#include "keys/bulk/work.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "keys/bulk/script.h"

enum nz_encoding bulk__encoding(const struct nz_file_task *t)
{
    const struct slice name = slice_str(t->encoding);
    if (slice_eq(name, LIT("utf-8")))
        return NZ_ENC_UTF8;
    return slice_eq(name, LIT("cp932")) ? NZ_ENC_CP932 : NZ_ENC_AUTO;
}

/* ---- one write of the run's own ---- */

/* then: the state is stored. Whatever else became of it, it is written again: the run is the only one that has this fence. */
static void state_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    r->busy = false;
    if (err_ok(e) && (n != 1 || redis_reply_int(replies[0]) != NZ_SCRIPT_DONE)) {
        LOG(WARN, "file_taken_over");
        bulk__run_leave(r);
        return;
    }
    if (err_ok(e)) {
        bulk__run_fine(r);
        r->then(r);
    } else {
        bulk__run_pause(r, e, "state");
    }
    bulk__run_soon(r);
}

void bulk__run_write(struct nz_run *r, void (*put)(const struct nz_run *, struct nz_args *), void (*then)(struct nz_run *))
{
    struct redis_batch *out = redis_batch_new(8192);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "state");
        return;
    }
    struct nz_args count = { 0 }, args = { .out = out };
    put(r, &count);
    nz_script_begin(out, &r->name_t, r->fence, count.n);
    put(r, &args);
    r->busy = true;
    r->then = then;
    redis_send(r->in->redis, out, bulk__deadline(r), state_written, r);
}

/* ---- rejected ---- */

struct nz_file_reject bulk__reject_of(const struct nz_linkage_fault *f)
{
    struct nz_file_reject why = { .line = f->line, .column = f->column };
    snprintf(why.rule, sizeof why.rule, "%s", nz_rule_info(f->rule)->name);
    snprintf(why.field, sizeof why.field, "%s", f->field ? f->field : "");
    return why;
}

static void put_reject(const struct nz_run *r, struct nz_args *a)
{
    const struct nz_file_reject *why = &r->t.reject;
    const struct nz_bulk_place p = bulk__place(r);
    nz_args_begin(a, 14);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(&r->name_t));
    nz_args_put(a, LIT(NZ_TASK_STATE));
    nz_args_put(a, slice_str(nz_file_state_name(NZ_FILE_REJECTED)));
    nz_args_put(a, LIT(NZ_TASK_REJECT_RULE));
    nz_args_put(a, slice_str(why->rule));
    nz_args_put(a, LIT(NZ_TASK_REJECT_FIELD));
    nz_args_put(a, slice_str(why->field));
    nz_args_put(a, LIT(NZ_TASK_REJECT_LINE));
    nz_args_u64(a, why->line);
    nz_args_put(a, LIT(NZ_TASK_REJECT_COLUMN));
    nz_args_u64(a, why->column);
    nz_args_put(a, LIT(NZ_TASK_ENDED));
    nz_args_u64(a, r->ended_ms);
    NZ_ARGS(a, LIT("ZREM"), store_name_slice(&p.queue), nz_member_slice(&p.member));
}

static void rejected(struct nz_run *r)
{
    LOG(INFO, "file_rejected");
    if (!err_ok(nz_spool_drop(r->in->spool, r->muni, r->t.task.id.b, NZ_SPOOL_UPLOAD)))
        LOG(WARN, "upload_not_removed");
    bulk__run_leave(r);
}

static void reject_audited(void *arg, struct err e)
{
    struct nz_run *r = arg;
    r->busy = false;
    if (err_ok(e))
        bulk__run_write(r, put_reject, rejected);
    else
        bulk__run_pause(r, e, "reject");
    bulk__run_soon(r);
}

/* Also the run's step until it is stored. */
void bulk__reject_store(struct nz_run *r)
{
    struct audit_rec rec = bulk__audit(r, AU_FILE_ENDED, 0);
    rec.result = AR_REFUSED;
    r->ended_ms = bulk__wall(r);
    r->busy = true;
    audit_append(r->in->audit, &rec, bulk__deadline(r), reject_audited, r);
}

void bulk__reject(struct nz_run *r, const struct nz_file_reject *why)
{
    r->t.reject = *why;
    r->t.state = NZ_FILE_REJECTED;
    r->step = NZ_RUN_REJECT;
    bulk__run_soon(r);
}

void bulk__reject_rule(struct nz_run *r, const char *rule)
{
    struct nz_file_reject why = { .line = 0 };
    snprintf(why.rule, sizeof why.rule, "%s", rule);
    bulk__reject(r, &why);
}

/* ---- to the next state ---- */

static void put_state(const struct nz_run *r, struct nz_args *a)
{
    nz_args_begin(a, r->t.task.rows ? 6 : 4);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(&r->name_t));
    nz_args_put(a, LIT(NZ_TASK_STATE));
    nz_args_put(a, slice_str(nz_file_state_name(r->t.state)));
    if (!r->t.task.rows)
        return;
    nz_args_put(a, LIT(NZ_TASK_ROWS));
    nz_args_u64(a, r->t.task.rows);
}

static void begin_sum(struct nz_run *r) { r->step = NZ_RUN_SUM; }

static ERR begin_parts(struct nz_run *r)
{
    TRY(bulk__results_open(r));
    r->results_good = true;
    if (r->t.mode == NZ_MODE_UNDO)
        return bulk__undo_begin(r);
    TRY(bulk__feed_open(r));
    if (r->t.mode != NZ_MODE_APPLY)
        return OK;
    TRY(nz_spool_frames(r->entry, NZ_SPOOL_UNDO, NZ_SPOOL_CREATE, &r->undo.f));
    return r->resumed ? bulk__redo_read(r) : OK;
}

static void begin_undo(struct nz_run *r) { r->step = NZ_RUN_READ; }

/* Results can still be told one by one as long as they open, and it is the upload or the undo part that does not. */
static void begin_failed(struct nz_run *r, struct err e)
{
    LOG(ERROR, "file_not_readable", LF("error", e));
    if (!bulk__is_damage(e)) {
        bulk__run_later(r, e);
    } else if (!r->given_up) {
        bulk__run_hurt(r, e);
    } else if (r->of_lost) {
        bulk__stop(r, BULK_OF_LOST);
    } else if (r->begun && r->results_good && r->t.mode != NZ_MODE_UNDO) {
        r->lost = true;
        r->step = NZ_RUN_READ;
    } else {
        bulk__stop(r, r->begun ? "file_unreadable" : "stored_value_unreadable");
    }
}

static void begin_read(struct nz_run *r)
{
    struct err e = begin_parts(r);
    r->ck_at = loop_now(r->in->loop);
    r->rows_told = r->rows_seen = r->t.checkpoint;
    if (r->resumed)
        r->redo_until = r->t.checkpoint + NZ_BULK_AHEAD_MAX + 4 * NZ_BULK_PIECE;
    if (err_ok(e) && r->t.mode == NZ_MODE_UNDO && !r->resumed) { /* now it is known how many rows there are */
        bulk__run_write(r, put_state, begin_undo);
        return;
    }
    if (err_ok(e)) {
        r->step = NZ_RUN_READ;
        return;
    }
    begin_failed(r, e);
}

void bulk__validated(struct nz_run *r, uint64_t rows)
{
    r->t.task.rows = rows;
    r->t.state = NZ_FILE_PROCESSING;
    bulk__run_write(r, put_state, begin_read);
}

/* ---- layout ---- */

static ERR layout_open(struct nz_run *r)
{
    if (r->t.source != NZ_SOURCE_CSV || r->t.mode == NZ_MODE_UNDO || r->layout)
        return OK;
    return nz_bulk_layout(r->in, r->t.task.form, r->t.layout[0] ? r->t.layout : nz_form_info(r->t.task.form)->layout, &r->layout);
}

/* Which rows failed in the other file. Before anything of this one is applied. */
static ERR other_open(struct nz_run *r)
{
    return r->t.has_of && r->t.mode != NZ_MODE_UNDO && !r->failed_of ? bulk__failed_of_begin(r) : OK;
}

/* ---- the key ---- */

static void opened(struct nz_run *r)
{
    struct err of = other_open(r), e = layout_open(r);
    if (!err_ok(of)) {
        begin_failed(r, of);
        return;
    }
    if (err_is(e, E_CONFIG)) {
        bulk__reject_rule(r, "layout_unknown");
        return;
    }
    if (!err_ok(e)) {
        bulk__run_pause(r, e, "layout");
        return;
    }
    if (r->t.mode == NZ_MODE_UNDO && !bulk__undo_look(r))
        return;
    if (r->t.state == NZ_FILE_PROCESSING) {
        r->resumed = true;
        begin_read(r);
        return;
    }
    r->t.state = NZ_FILE_VALIDATING;
    if (r->t.mode != NZ_MODE_UNDO) {
        bulk__run_write(r, put_state, begin_sum);
        return;
    }
    r->t.state = NZ_FILE_PROCESSING;
    begin_read(r);
}

static void key_failed(struct nz_run *r, struct err e)
{
    if (err_is(e, E_FORBIDDEN))
        bulk__stop(r, "municipality_closed");
    else if (bulk__is_damage(e) && r->given_up && r->entry && r->t.mode != NZ_MODE_UNDO)
        bulk__stop(r, BULK_OF_LOST);
    else if (bulk__is_damage(e) && r->given_up)
        bulk__stop(r, r->begun ? "file_unreadable" : "stored_value_unreadable");
    else if (bulk__is_damage(e))
        bulk__run_hurt(r, e);
    else
        bulk__run_pause(r, e, "key");
}

static void key_came(void *arg, struct err e, struct secret *key, const uint8_t *wrapped)
{
    struct nz_run *r = arg;
    struct nz_spool_entry **entry = r->entry ? &r->of_entry : &r->entry;
    const uint8_t *id = r->entry ? r->t.of.b : r->t.task.id.b;
    (void)wrapped;
    r->busy = false;
    if (err_ok(e))
        e = nz_spool_open(r->in->spool, entry, r->muni, id, key);
    if (!err_ok(e))
        key_failed(r, e);
    bulk__run_soon(r);
}

static void key_ask(struct nz_run *r, const uint8_t *id)
{
    uint8_t wrapped[NZ_WRAPPED_BYTES];
    struct err e = nz_spool_wrapped(r->in->spool, r->muni, id, wrapped);
    if (!err_ok(e)) {
        key_failed(r, e);
        bulk__run_soon(r);
        return;
    }
    r->busy = true;
    nz_vault_key_open(r->in->vault, r->muni, id, ARR(wrapped), bulk__deadline(r), key_came, r);
}

/* ---- the task ---- */

static bool task_read(struct nz_run *r, const struct redis_reply *hash)
{
    bool is_file = false;
    struct nz_file_task t = { .task = { .id = r->t.task.id } };
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        if (!nz_file_task_field(&t, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))))
            return false;
    }
    if (!nz_file_task_complete(&t, &is_file) || !is_file)
        return false;
    r->t = t;
    return true;
}

static void dequeue(struct nz_run *r)
{
    struct redis_batch *out = redis_batch_new(512);
    const struct nz_bulk_place p = bulk__place(r);
    if (out) {
        REDIS_ADD(out, LIT("ZREM"), store_name_slice(&p.queue), nz_member_slice(&p.member));
        r->busy = true;
        redis_send(r->in->redis, out, bulk__deadline(r), bulk__left, r);
    }
    bulk__run_leave(r);
}

static void malformed_audited(void *arg, struct err e)
{
    struct nz_run *r = arg;
    r->busy = false;
    if (err_ok(e))
        dequeue(r);
    else
        bulk__run_later(r, e);
    bulk__run_soon(r);
}

static void dequeue_audited(struct nz_run *r)
{
    struct audit_rec rec = bulk__audit(r, AU_FILE_ENDED, 0);
    rec.result = AR_FAILED;
    r->busy = true;
    audit_append(r->in->audit, &rec, bulk__deadline(r), malformed_audited, r);
}

void bulk__left(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    (void)e, (void)replies, (void)n;
    r->busy = false;
    bulk__run_soon(r);
}

static void task_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    r->busy = false;
    if (!err_ok(e) || n != 1) {
        bulk__run_pause(r, err_ok(e) ? FAIL(E_STORE_REFUSED) : e, "task");
    } else if (!redis_reply_len(replies[0])) {
        dequeue(r);
    } else if (!task_read(r, replies[0])) {
        LOG(ERROR, "file_task_malformed", LF("given_up", (uint64_t)r->given_up));
        if (r->given_up) /* nothing can be told of it, but others wait behind it; its folder stays */
            dequeue_audited(r);
        else
            bulk__run_hurt(r, FAIL(E_SEAL));
    } else if (r->t.state == NZ_FILE_ENDED || r->t.state == NZ_FILE_REJECTED || r->t.state == NZ_FILE_UPLOADING) {
        dequeue(r);
    } else {
        bulk__run_fine(r);
        r->loaded = true;
        r->begun = r->t.state == NZ_FILE_PROCESSING;
        r->fence_lost = true; /* whoever worked on it before does so no more */
    }
    bulk__run_soon(r);
}

static void task_ask(struct nz_run *r)
{
    struct redis_batch *out = redis_batch_new(512);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "task");
        return;
    }
    REDIS_ADD(out, LIT("HGETALL"), store_name_slice(&r->name_t));
    r->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), task_came, r);
}

void bulk__open(struct nz_run *r)
{
    if (r->b->closed)
        bulk__run_leave(r);
    else if (!r->loaded)
        task_ask(r);
    else if (r->fence_lost)
        return; /* the pump raises it */
    else if (r->trouble->hopeless)
        bulk__stop(r, r->begun ? "file_unreadable" : "stored_value_unreadable");
    else if (!r->entry)
        key_ask(r, r->t.task.id.b);
    else if (r->t.has_of && !r->of_entry)
        key_ask(r, r->t.of.b);
    else
        opened(r);
}
