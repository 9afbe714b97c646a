/* What a batch changes: undo entries and audit records durable, then one script. */

#include "keys/bulk/work.h"

#include "gateway/base/must.h"
#include "keys/bulk/script.h"
#include "keys/intake/outbox.h"

enum { SID_HEX = 2 * SUBJECT_BYTES, ARGS_ROOM = 4096, ROW_WORDS = 256 /* bytes of the names of a row, as a rule */ };

static bool writes(const struct nz_batch *b, const struct nz_brow *x)
{
    return bulk__turn(b, x) && !x->was_diverted && (x->sealed_n || x->tie_person || x->tie_key || x->tie_rk);
}
static bool leaves(const struct nz_batch *b, const struct nz_brow *x) { return bulk__turn(b, x) && !x->was_diverted && (x->diverted || x->held); }

/* ---- durable before the effect ---- */

static ERR undo_append(struct nz_batch *b, bool *ret_any)
{
    struct nz_run *r = b->run;
    *ret_any = false;
    for (size_t i = 0; i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        if (!bulk__turn(b, x) || !x->verdict.write)
            continue;
        const struct nz_undo_entry e = {
            .row = x->row.row, .with_row = x->with_row, .there = x->before.n > 0, .person = x->person,
            .field = store_name_slice(&x->field), .before = x->before,
        };
        buf_reset(&r->work);
        nz_undo_encode(&e, &r->work);
        TRY(buf_check(&r->work));
        TRY(bulk__part_append(&r->undo, buf_slice(&r->work)));
        *ret_any = true;
    }
    return OK;
}

static void audited(void *arg, struct err e)
{
    struct nz_batch *b = arg;
    if (!err_ok(e) && err_ok(b->failed))
        b->failed = e;
    if (--b->under_way)
        return;
    b->busy = false;
    if (err_ok(b->failed)) {
        b->audited_rows = true;
        bulk__run_soon(b->run);
    } else {
        bulk__batch_again(b, NZ_STEP_SAVE, b->failed);
    }
}

static void audit_rows(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    uint64_t stored = 0, held = 0;
    for (size_t i = 0; i < b->n; i++) {
        stored += bulk__turn(b, &b->row[i]) && b->row[i].verdict.write;
        held += leaves(b, &b->row[i]) && b->row[i].held;
    }
    b->failed = OK;
    b->under_way = (stored > 0) + (held > 0);
    b->audited_rows = !b->under_way;
    b->busy = b->under_way > 0;
    if (stored) {
        struct audit_rec rec = bulk__audit(r, AU_RECORD_STORED, stored);
        audit_append(r->in->audit, &rec, bulk__deadline(r), audited, b);
    }
    if (held) {
        struct audit_rec rec = bulk__audit(r, AU_ROW_QUARANTINED, held);
        audit_append(r->in->audit, &rec, bulk__deadline(r), audited, b);
    }
}

bool bulk__step_save(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    bool any = false;
    if (r->t.mode != NZ_MODE_APPLY)
        return true;
    if (!b->saved) {
        struct err e = undo_append(b, &any);
        if (!err_ok(e)) {
            bulk__batch_again(b, NZ_STEP_SAVE, e);
            return false;
        }
        b->saved = true;
        b->undo_mark = any ? bulk__part_want(&r->undo) : 0;
    }
    if (!b->audited_rows)
        audit_rows(b);
    return !b->busy && b->audited_rows && r->undo.done >= b->undo_mark;
}

/* ---- the script ---- */

static bool applies(const struct nz_batch *b, const struct nz_brow *x) { return writes(b, x) && !leaves(b, x); }
static bool is_new(const struct nz_batch *b, const struct nz_brow *x)
{
    return applies(b, x) && x->fresh && x->has_rk && x->tie_rk && x->tie_key && x->tie_person && x->sealed_n;
}
static bool is_known(const struct nz_batch *b, const struct nz_brow *x) { return applies(b, x) && !is_new(b, x); }
static bool is_guarded(const struct nz_batch *b, const struct nz_brow *x) { return is_known(b, x) && x->fresh; }

typedef bool row_is_fn(const struct nz_batch *b, const struct nz_brow *x);
typedef void row_put_fn(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x);

static size_t count_of(const struct nz_batch *b, row_is_fn *is)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += is(b, &b->row[i]);
    return n;
}

static void put_each(struct nz_args *a, const struct nz_batch *b, row_is_fn *is, row_put_fn *put)
{
    for (size_t i = 0; i < b->n; i++) {
        if (is(b, &b->row[i]))
            put(a, b, &b->row[i]);
    }
}

static void put_record(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x, struct slice sid)
{
    struct nz_run *r = b->run;
    struct store_name person;
    if (!x->sealed_n && !x->tie_person)
        return;
    store_name_person(&x->person, &person);
    nz_args_begin(a, 2 + 2u * (x->sealed_n > 0) + 2u * x->tie_person);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(&person));
    if (x->sealed_n) {
        nz_args_put(a, store_name_slice(&x->field));
        nz_args_put(a, slice_of(b->out.p + x->sealed_at, x->sealed_n));
    }
    if (x->tie_person) {
        nz_args_put(a, store_name_slice(&r->field_s));
        nz_args_put(a, sid);
    }
}

static void put_ties(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x, const struct store_name *subject)
{
    if (!x->tie_key && !x->tie_rk)
        return;
    nz_args_begin(a, 2 + 2u * x->tie_key + 2u * x->tie_rk);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(subject));
    if (x->tie_key) {
        nz_args_put(a, LIT("k"));
        nz_args_put(a, slice_of(b->out.p + x->key_at, x->key_n));
    }
    if (!x->tie_rk)
        return;
    nz_args_put(a, LIT("rk"));
    nz_args_put(a, ARR(x->rk));
}

/* All of them in one command: a call from a script costs as much as what it does. */
static void put_residents(struct nz_args *a, const struct nz_batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += is_known(b, &b->row[i]) && b->row[i].tie_rk;
    if (!n)
        return;
    nz_args_begin(a, 1 + 2 * n);
    nz_args_put(a, LIT("MSET"));
    for (size_t i = 0; i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        struct store_name rk, subject;
        if (!is_known(b, x) || !x->tie_rk)
            continue;
        bulk__name_rk(b->run, x, &rk);
        store_name_subject(x->subject.sid, &subject);
        nz_args_put(a, store_name_slice(&rk));
        nz_args_put(a, slice_of(subject.c + subject.n - SID_HEX, SID_HEX));
    }
}

static void put_diverted(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x)
{
    const struct nz_run *r = b->run;
    struct nz_row_ref ref = { .task = r->t.task.id, .row = x->row.row };
    struct nz_member m;
    char digits[10];
    const struct slice row = slice_of(digits, nz_row_format(x->row.row, digits));
    nz_args_begin(a, 4);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(&r->name_o));
    nz_args_put(a, row);
    nz_args_put(a, slice_of(b->out.p + x->sealed_at, x->sealed_n));
    if (x->held) {
        struct nz_row_result result;
        struct buf *code = &b->run->work;
        nz_row_result_of(&x->row, &result);
        result.result = x->verdict.result;
        result.code = x->verdict.code;
        buf_reset(code);
        nz_row_result_encode(&result, code);
        nz_args_begin(a, 4);
        nz_args_put(a, LIT("HSET"));
        nz_args_put(a, store_name_slice(&r->name_tr));
        nz_args_put(a, row);
        nz_args_put(a, buf_slice(code));
        nz_args_begin(a, 4);
        nz_args_put(a, LIT("HINCRBY"));
        nz_args_put(a, store_name_slice(&r->name_t));
        nz_args_put(a, slice_str(nz_result_name(x->verdict.result)));
        nz_args_put(a, LIT("1"));
        return;
    }
    memcpy(ref.muni, r->muni, sizeof ref.muni);
    nz_member_write(&ref, &m);
    nz_args_begin(a, 4);
    nz_args_put(a, LIT("ZADD"));
    nz_args_put(a, nz_queue_name(NZ_QUEUE_NUMBERING));
    nz_args_u64(a, bulk__wall(r));
    nz_args_put(a, nz_member_slice(&m));
}

static void put_subject(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name name;
    (void)b;
    store_name_subject(x->subject.sid, &name);
    nz_args_put(a, store_name_slice(&name));
}

static void put_resident(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name name;
    bulk__name_rk(b->run, x, &name);
    nz_args_put(a, store_name_slice(&name));
}

static void put_person(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name name;
    (void)b;
    store_name_person(&x->person, &name);
    nz_args_put(a, store_name_slice(&name));
}

static void put_key(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x) { nz_args_put(a, slice_of(b->out.p + x->key_at, x->key_n)); }
static void put_value(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x) { nz_args_put(a, slice_of(b->out.p + x->sealed_at, x->sealed_n)); }

static void put_field(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x)
{
    (void)b;
    nz_args_put(a, store_name_slice(&x->field));
}

static bool is_guarded_rk(const struct nz_batch *b, const struct nz_brow *x) { return is_guarded(b, x) && x->has_rk; }

/* Nothing may be there of subjects that the vault made just now, nor may their persons belong to another one. New residents stand first. */
static void put_guards(struct nz_args *a, const struct nz_batch *b)
{
    size_t n = count_of(b, is_new), guarded = count_of(b, is_guarded);
    nz_args_u64(a, 2 * n + guarded + count_of(b, is_guarded_rk));
    put_each(a, b, is_new, put_subject);
    put_each(a, b, is_new, put_resident);
    put_each(a, b, is_guarded, put_subject);
    put_each(a, b, is_guarded_rk, put_resident);
    nz_args_u64(a, n + guarded);
    nz_args_put(a, store_name_slice(&b->run->field_s));
    put_each(a, b, is_new, put_person);
    put_each(a, b, is_guarded, put_person);
    nz_args_u64(a, n);
    put_each(a, b, is_new, put_key);
    put_each(a, b, is_new, put_field);
    put_each(a, b, is_new, put_value);
}

static void put_known(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name subject;
    store_name_subject(x->subject.sid, &subject);
    put_ties(a, b, x, &subject);
    put_record(a, b, x, slice_of(subject.c + subject.n - SID_HEX, SID_HEX));
}

static void put_all(struct nz_args *a, const struct nz_batch *b)
{
    put_guards(a, b);
    put_residents(a, b);
    put_each(a, b, leaves, put_diverted);
    put_each(a, b, is_known, put_known);
}

/* How many words put_all() puts: writing them twice to count them would cost as much as the sealing. redis_send() insists on the number. */
static size_t count_all(const struct nz_batch *b)
{
    size_t n = 4, residents = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        if (leaves(b, x)) {
            n += x->held ? 3 * 5 : 2 * 5;
            continue;
        }
        if (is_new(b, x)) {
            n += 6;
            continue;
        }
        if (!writes(b, x))
            continue;
        n += x->fresh ? 2u + x->has_rk : 0;
        n += x->tie_key || x->tie_rk ? 3 + 2u * x->tie_key + 2u * x->tie_rk : 0;
        n += x->sealed_n || x->tie_person ? 3 + 2u * (x->sealed_n > 0) + 2u * x->tie_person : 0;
        residents += x->tie_rk;
    }
    return n + (residents ? 2 + 2 * residents : 0);
}

/* ---- sent and answered ---- */

static void wake_outbox(const struct nz_batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (leaves(b, &b->row[i])) {
            nz_outbox_wake(b->run->in->outbox);
            return;
        }
    }
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    int64_t said = err_ok(e) && n == 2 ? redis_reply_int(replies[0]) : NZ_SCRIPT_FENCED;
    b->busy = false;
    if (err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL)) { /* not sent */
        bulk__batch_again(b, NZ_STEP_WRITE, e);
        return;
    }
    if (said == NZ_SCRIPT_DONE) {
        wake_outbox(b);
        bulk__batch_written(b);
    } else if (said == NZ_SCRIPT_GUARDED) {
        bulk__batch_rejudge(b);
    } else { /* nobody knows whether it was carried out, or it came too late */
        if (!err_ok(e))
            bulk__run_pause(b->run, e, "write");
        b->lost = true;
        if (b->fence == b->run->fence)
            b->run->fence_lost = true;
        bulk__run_soon(b->run);
    }
}

bool bulk__step_write(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    bool any = false;
    if (r->fence_lost)
        return false;
    if (b->lost) {
        b->lost = false;
        bulk__batch_rejudge(b);
        return true;
    }
    for (size_t i = 0; !any && i < b->n; i++)
        any = writes(b, &b->row[i]) || leaves(b, &b->row[i]);
    if (!any || r->t.mode != NZ_MODE_APPLY) {
        bulk__batch_written(b);
        return true;
    }
    struct redis_batch *out = redis_batch_new(b->out.n + NZ_BULK_ROWS * (ARGS_ROOM + NZ_ROW_RESULT_MAX));
    if (!out) {
        bulk__batch_again(b, NZ_STEP_WRITE, FAIL(E_NOMEM));
        return false;
    }
    redis_batch_expect(out, b->out.n + b->n * ROW_WORDS + ARGS_ROOM);
    struct nz_args put = { .out = out };
    nz_script_begin(out, &r->name_t, r->fence, count_all(b));
    put_all(&put, b);
    redis_raise(out, STORE_EPOCH);
    b->busy = true;
    b->fence = r->fence;
    redis_send(r->in->redis, out, bulk__deadline(r), written, b);
    return false;
}
