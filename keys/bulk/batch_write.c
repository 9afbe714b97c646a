/* What a batch changes: undo entries and audit records durable, then all commands at once, under the fence. */

#include "keys/bulk/work.h"
#include "keys/intake/meter.h"

#include "gateway/vaccine/ticket_index.h"
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

/* ---- the commands ---- */

static bool applies(const struct nz_batch *b, const struct nz_brow *x) { return writes(b, x) && !leaves(b, x); }
static bool ties_rk(const struct nz_batch *b, const struct nz_brow *x) { return applies(b, x) && x->tie_rk; }
static bool is_guarded(const struct nz_batch *b, const struct nz_brow *x) { return applies(b, x) && x->fresh; }
static bool is_guarded_rk(const struct nz_batch *b, const struct nz_brow *x) { return is_guarded(b, x) && x->has_rk; }

typedef bool row_is_fn(const struct nz_batch *b, const struct nz_brow *x);
typedef void row_put_fn(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x);

static size_t count_of(const struct nz_batch *b, row_is_fn *is)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += is(b, &b->row[i]);
    return n;
}

static void put_each(struct redis_batch *out, const struct nz_batch *b, row_is_fn *is, row_put_fn *put)
{
    for (size_t i = 0; i < b->n; i++) {
        if (is(b, &b->row[i]))
            put(out, b, &b->row[i]);
    }
}

static void put_record(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x, struct slice sid)
{
    struct nz_run *r = b->run;
    struct store_name person;
    if (!x->sealed_n && !x->tie_person)
        return;
    store_name_person(&x->person, &person);
    redis_begin(out, 2 + 2u * (x->sealed_n > 0) + 2u * x->tie_person);
    redis_arg(out, LIT("HSET"));
    redis_arg(out, store_name_slice(&person));
    if (x->sealed_n) {
        redis_arg(out, store_name_slice(&x->field));
        redis_arg(out, slice_of(b->out.p + x->sealed_at, x->sealed_n));
    }
    if (x->tie_person) {
        redis_arg(out, store_name_slice(&r->field_s));
        redis_arg(out, sid);
    }
}

static void put_ties(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x, const struct store_name *subject)
{
    if (!x->tie_key && !x->tie_rk)
        return;
    redis_begin(out, 2 + 2u * x->tie_key + 2u * x->tie_rk);
    redis_arg(out, LIT("HSET"));
    redis_arg(out, store_name_slice(subject));
    if (x->tie_key) {
        redis_arg(out, LIT("k"));
        redis_arg(out, slice_of(b->out.p + x->key_at, x->key_n));
    }
    if (x->tie_rk) {
        redis_arg(out, LIT("rk"));
        redis_arg(out, ARR(x->rk));
    }
}

static void put_mark_for_vrs(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name mark;
    if (!x->verdict.write || !nz_reports_to_vrs(b->run->in))
        return;
    vrs_mark_name(&x->person, store_name_slice(&x->field), &mark);
    redis_begin(out, 4);
    redis_arg(out, LIT("ZADD"));
    redis_arg(out, VRS_MARK_QUEUE);
    redis_arg_u64(out, clock_wall(loop_clock(b->run->in->loop)));
    redis_arg(out, store_name_slice(&mark));
}

/* What is about vaccinations is found by its municipality; a ticket also by its number. */
static void put_indexes(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x, struct slice sid)
{
    const enum store_kind kind = nz_form_info(b->run->t.task.form)->kind;
    struct store_name name, person;
    struct slice words[TICKET_INDEX_WORDS];
    if (!x->sealed_n || (kind != STORE_TICKET && kind != STORE_VACCINATION))
        return;
    store_name_vaccinated(b->run->muni, &name);
    REDIS_ADD(out, LIT("ZADD"), store_name_slice(&name), LIT("0"), ARR(x->person.h));
    put_mark_for_vrs(out, b, x);
    if (!x->ticket_index.n)
        return;
    store_name_person(&x->person, &person);
    ticket_index_words(&x->ticket_index, store_name_slice(&person), store_name_slice(&x->field), sid, words);
    redis_add(out, TICKET_INDEX_WORDS, words);
}

static void put_applied(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name subject;
    store_name_subject(x->subject.sid, &subject);
    put_ties(out, b, x, &subject);
    put_record(out, b, x, slice_of(subject.c + subject.n - SID_HEX, SID_HEX));
    put_indexes(out, b, x, slice_of(subject.c + subject.n - SID_HEX, SID_HEX));
    bulk__put_told(out, b->run, x);
}

static void put_subject(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name name;
    (void)b;
    store_name_subject(x->subject.sid, &name);
    redis_arg(out, store_name_slice(&name));
}

static void put_resident(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name name;
    bulk__name_rk(b->run, x, &name);
    redis_arg(out, store_name_slice(&name));
}

static void put_person(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name name;
    (void)b;
    store_name_person(&x->person, &name);
    redis_arg(out, store_name_slice(&name));
}

static void put_resident_tie(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    struct store_name subject;
    store_name_subject(x->subject.sid, &subject);
    put_resident(out, b, x);
    redis_arg(out, slice_of(subject.c + subject.n - SID_HEX, SID_HEX));
}

/* All of them in one command. */
static void put_residents(struct redis_batch *out, const struct nz_batch *b)
{
    size_t n = count_of(b, ties_rk);
    if (!n)
        return;
    redis_begin(out, 1 + 2 * n);
    redis_arg(out, LIT("MSET"));
    put_each(out, b, ties_rk, put_resident_tie);
}

static void put_held(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x, struct slice row)
{
    struct nz_row_result result;
    struct buf *code = &b->run->work;
    nz_row_result_of(&x->row, &result);
    result.result = x->verdict.result;
    result.code = x->verdict.code;
    buf_reset(code);
    nz_row_result_encode(&result, code);
    REDIS_ADD(out, LIT("HSET"), store_name_slice(&b->run->name_tr), row, buf_slice(code));
    REDIS_ADD(out, LIT("HINCRBY"), store_name_slice(&b->run->name_t), slice_str(nz_result_name(x->verdict.result)), LIT("1"));
}

static void put_diverted(struct redis_batch *out, const struct nz_batch *b, const struct nz_brow *x)
{
    const struct nz_run *r = b->run;
    struct nz_row_ref ref = { .task = r->t.task.id, .row = x->row.row };
    struct nz_member m;
    char digits[10];
    const struct slice row = slice_of(digits, nz_row_format(x->row.row, digits));
    REDIS_ADD(out, LIT("HSET"), store_name_slice(&r->name_o), row, slice_of(b->out.p + x->sealed_at, x->sealed_n));
    if (x->held) {
        put_held(out, b, x, row);
        return;
    }
    memcpy(ref.muni, r->muni, sizeof ref.muni);
    nz_member_write(&ref, &m);
    redis_begin(out, 4);
    redis_arg(out, LIT("ZADD"));
    redis_arg(out, nz_queue_name(NZ_QUEUE_NUMBERING));
    redis_arg_u64(out, bulk__wall(r));
    redis_arg(out, nz_member_slice(&m));
}

/* Nothing may be there of subjects that the vault made just now, nor may their persons belong to another one; nor may anybody have been erased since it was
 * looked who was. */
static void put_guards(struct redis_batch *out, const struct nz_batch *b)
{
    struct nz_run *r = b->run;
    size_t n = count_of(b, is_guarded);
    const struct nz_fenced f = {
        .task = &r->name_t, .fence = r->fence, .turn = r->writes++,
        .muni = r->muni, .received_ms = r->t.accepted_ms, .erased = b->erased,
        .absent = n + count_of(b, is_guarded_rk), .strangers = n, .field = store_name_slice(&r->field_s),
    };
    nz_fenced_begin(out, &f);
    put_each(out, b, is_guarded, put_subject);
    put_each(out, b, is_guarded_rk, put_resident);
    put_each(out, b, is_guarded, put_person);
}

static void put_all(struct redis_batch *out, const struct nz_batch *b)
{
    put_guards(out, b);
    nz_fenced_commands(out);
    put_residents(out, b);
    put_each(out, b, leaves, put_diverted);
    put_each(out, b, applies, put_applied);
    nz_fenced_end(out);
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
    enum nz_fenced_said said = err_ok(e) ? nz_fenced_heard(replies, n) : NZ_FENCED_LOST;
    b->busy = false;
    if (err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL)) { /* not sent */
        bulk__batch_again(b, NZ_STEP_WRITE, e);
        return;
    }
    if (said == NZ_FENCED_DONE) {
        for (size_t i = 0; i < b->n; i++)
            nz_meter_rows(b->run->in, b->run->muni, b->row[i].verdict.result, leaves(b, &b->row[i]) && b->row[i].held);
        wake_outbox(b);
        bulk__batch_written(b);
    } else if (said == NZ_FENCED_NOTHING) {
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
    put_all(out, b);
    redis_raise(out, STORE_EPOCH);
    b->busy = true;
    b->fence = r->fence;
    redis_send(r->in->redis, out, bulk__deadline(r), written, b);
    return false;
}
