/* An order about held rows: read, audited, carried out (change.c), answered. */

#include "keys/held/held.h"

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/change/change.h"
#include "keys/held/work.h"
#include "keys/intake/outbox.h"
#include "keys/intake/task.h"
#include "keys/staff/staff.h"

enum { SCAN_ROWS = 1000 };

static void read_send(struct nz_held *h, struct redis_batch *b, redis_done_fn *done)
{
    redis_send(h->in->redis, b, nz_req_step(h->r, NZ_READ_MS, true), done, h);
}

/* ---- the answer ---- */

static void write_row(const struct nz_held *h, const struct nz_held_row *x, struct jsonw *w)
{
    struct nz_row_result after = { 0 };
    nz_held_result(h->action, &after);
    bool stays = x->may == NZ_HELD_CANNOT;
    enum nz_code code = stays ? x->code : x->done ? after.code : NZ_CODE_NONE;
    jsonw_object(w, NULL);
    jsonw_u64(w, "row", x->row);
    jsonw_cstr(w, "result", stays ? nz_result_name(NZ_QUARANTINED) : x->done ? nz_result_name(after.result) : "not_held");
    if (code != NZ_CODE_NONE) {
        jsonw_cstr(w, "code", nz_code_slug(code));
        jsonw_cstr(w, "message_ja", nz_code_ja(code));
        jsonw_cstr(w, "message_en", nz_code_en(code));
    }
    jsonw_end_object(w);
}

static void write_answer(const struct nz_held *h, struct jsonw *w)
{
    uint64_t done = 0, not_held = 0;
    for (size_t i = 0; i < h->n; i++) {
        done += h->row[i].done;
        not_held += !h->row[i].done && h->row[i].may != NZ_HELD_CANNOT;
    }
    jsonw_object(w, NULL);
    jsonw_u64(w, nz_held_word(h->action), done);
    jsonw_u64(w, "not_held", not_held);
    jsonw_u64(w, "left", h->held > done ? h->held - done : 0);
    jsonw_array(w, "rows");
    for (size_t i = 0; i < h->n; i++)
        write_row(h, &h->row[i], w);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

void nz_held_answer(struct nz_held *h, struct err e)
{
    struct buf *out = req_out(h->r);
    struct jsonw w;
    nz_outbox_wake(h->in->outbox);
    nz_changer_wake(h->in->changer);
    if (!err_ok(e)) {
        req_fail(h->r, e);
        return;
    }
    jsonw_init(&w, out);
    write_answer(h, &w);
    e = buf_check(out);
    if (err_ok(e))
        req_json(h->r, 200, buf_slice(out));
    else
        req_fail(h->r, e);
}

/* ---- audit ---- */

static const enum audit_event EVENTS[NZ_HELD__MAX] = {
    [NZ_HELD_RELEASE] = AU_ROW_RELEASED, [NZ_HELD_DISCARD] = AU_ROW_DISCARDED, [NZ_HELD_REPLAY] = AU_ROW_REPLAYED,
};

static void audited(void *arg, struct err e)
{
    if (err_ok(e))
        nz_held_change(arg);
    else
        nz_held_answer(arg, e);
}

/* The officer is who the municipality says it is: the record names both. */
static void audit(struct nz_held *h)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++)
        n += h->row[i].may == NZ_HELD_GO;
    struct audit_rec rec = nz_audit_of(h->r, EVENTS[h->action], n ? AR_OK : AR_NOTHING, n);
    struct buf actor;
    buf_init(&actor, AUDIT_ACTOR_MAX);
    buf_put(&actor, slice_of(h->muni, sizeof h->muni));
    buf_put(&actor, LIT("/officer/"));
    buf_put(&actor, h->ask.officer);
    audit_set_actor(&rec, buf_slice(&actor));
    buf_done(&actor);
    audit_append(h->in->audit, &rec, nz_req_step(h->r, NZ_READ_MS, audit_up(h->in->audit)), audited, h);
}

/* ---- two officers ---- */

static void approved(void *arg, struct err e)
{
    if (err_ok(e))
        audit(arg);
    else
        nz_held_answer(arg, e);
}

/* The same rows of the same task, held for the same reasons: what the second officer approves is what the first one asked for. */
static void decide(struct nz_held *h)
{
    struct buf order;
    size_t n = 0;
    if (h->action != NZ_HELD_RELEASE) {
        audit(h);
        return;
    }
    buf_init(&order, sizeof h->task.b + 5 * NZ_HELD_ROWS_MAX);
    buf_put(&order, ARR(h->task.b));
    for (size_t i = 0; i < h->n; i++) {
        if (h->row[i].may != NZ_HELD_GO)
            continue;
        buf_be32(&order, h->row[i].row);
        buf_putc(&order, (uint8_t)h->row[i].code);
        n++;
    }
    struct err e = buf_check(&order);
    if (err_ok(e))
        nz_staff_approve(h->r, buf_slice(&order), n, approved, h);
    else
        nz_held_answer(h, e);
    buf_done(&order);
}

/* ---- which rows ---- */

static ERR judge_row(struct nz_held *h, struct nz_held_row *x, struct slice stored)
{
    struct nz_row_result r = { .result = NZ_WAITING };
    if (stored.n)
        TRY(nz_row_result_decode(stored, &r));
    x->may = nz_held_may(h->action, r.result, r.code);
    x->code = r.code;
    if (x->may == NZ_HELD_GO) {
        x->stored = arena_dup(req_arena(h->r), stored);
        return arena_check(req_arena(h->r));
    }
    return OK;
}

static void rows_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_held *h = arg;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != h->n))
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; err_ok(e) && i < h->n; i++)
        e = judge_row(h, &h->row[i], redis_reply_str(redis_reply_at(replies[0], i)));
    if (err_ok(e))
        decide(h);
    else
        nz_held_answer(h, e);
}

static void read_rows(struct nz_held *h)
{
    struct redis_batch *b = redis_batch_new(NZ_HELD_ROWS_MAX * 32 + 256);
    if (!b) {
        nz_held_answer(h, FAIL(E_NOMEM));
        return;
    }
    h->n = h->ask.n;
    redis_begin(b, 2 + h->n);
    redis_arg(b, LIT("HMGET"));
    redis_arg(b, store_name_slice(&h->tr));
    for (size_t i = 0; i < h->n; i++) {
        h->row[i].row = h->ask.row[i];
        redis_arg_u64(b, h->ask.row[i]);
    }
    read_send(h, b, rows_read);
}

/* ---- all: the walk through the results ---- */

static int by_row(const void *a, const void *b)
{
    const struct nz_held_row *x = a, *y = b;
    return (x->row > y->row) - (x->row < y->row);
}

/* A walk may show a field twice. */
static void sort_rows(struct nz_held *h)
{
    size_t n = 0;
    qsort(h->row, h->n, sizeof *h->row, by_row);
    for (size_t i = 0; i < h->n; i++) {
        if (!n || h->row[n - 1].row != h->row[i].row)
            h->row[n++] = h->row[i];
    }
    h->n = n;
}

static ERR scan_take(struct nz_held *h, const struct redis_reply *fields)
{
    for (size_t i = 0; i + 1 < redis_reply_len(fields) && h->n < h->cap; i += 2) {
        uint64_t row;
        struct nz_held_row x = { 0 };
        if (!u64_parse(redis_reply_str(redis_reply_at(fields, i)), &row) || row == 0 || row > UINT32_MAX)
            return FAIL(E_SEAL);
        x.row = (uint32_t)row;
        TRY(judge_row(h, &x, redis_reply_str(redis_reply_at(fields, i + 1))));
        if (x.may == NZ_HELD_GO)
            h->row[h->n++] = x;
    }
    return OK;
}

static void scan(struct nz_held *h);

static void scanned(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_held *h = arg;
    if (err_ok(e) && (n != 1 || !u64_parse(redis_reply_str(redis_reply_at(replies[0], 0)), &h->cursor)))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = scan_take(h, redis_reply_at(replies[0], 1));
    if (!err_ok(e)) {
        nz_held_answer(h, e);
        return;
    }
    if (h->cursor && h->n < h->cap) {
        scan(h);
        return;
    }
    sort_rows(h);
    decide(h);
}

static void scan(struct nz_held *h)
{
    struct redis_batch *b = redis_batch_new(512);
    if (!b) {
        nz_held_answer(h, FAIL(E_NOMEM));
        return;
    }
    redis_begin(b, 5);
    redis_arg(b, LIT("HSCAN"));
    redis_arg(b, store_name_slice(&h->tr));
    redis_arg_u64(b, h->cursor);
    redis_arg(b, LIT("COUNT"));
    redis_arg_u64(b, SCAN_ROWS);
    read_send(h, b, scanned);
}

/* ---- the task ---- */

static void task_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_held *h = arg;
    struct slice rows = SLICE_NONE, held = SLICE_NONE;
    enum nz_form form;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != 3))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        rows = redis_reply_str(redis_reply_at(replies[0], 0));
        held = redis_reply_str(redis_reply_at(replies[0], 1));
        if (!rows.n)
            e = FAIL(E_NO_ROUTE);
        else if (!nz_form_by_operation(redis_reply_str(redis_reply_at(replies[0], 2)), &form) || (held.n && !u64_parse(held, &h->held)))
            e = FAIL(E_SEAL);
        else
            e = nz_doors_allow_rows(h->r, form);
    }
    if (!err_ok(e))
        nz_held_answer(h, e);
    else if (h->ask.all)
        scan(h);
    else
        read_rows(h);
}

static void read_task(struct nz_held *h)
{
    struct redis_batch *b = redis_batch_new(512);
    if (!b) {
        nz_held_answer(h, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("HMGET"), store_name_slice(&h->t), LIT("rows"), LIT("quarantined"), LIT(NZ_TASK_OP));
    read_send(h, b, task_read);
}

/* ---- the door ---- */

static void write_fault(struct jsonw *w, void *arg)
{
    const struct field_fault *f = arg;
    jsonw_array(w, "errors");
    field_fault_write(w, slice_str(f->field), f->rule);
    jsonw_end_array(w);
}

static ERR held_fill(struct nz_held *h, struct req *r, enum nz_held_action action)
{
    h->r = r;
    h->in = req_ctx(r);
    h->action = action;
    memcpy(h->muni, nz_req_muni(r), sizeof h->muni);
    if (!nz_task_id_parse(req_param(r), &h->task))
        return FAIL(E_NO_ROUTE);
    h->cap = h->ask.all ? NZ_HELD_ROWS_MAX : h->ask.n;
    h->row = arena_get(req_arena(r), h->cap * sizeof *h->row);
    if (!h->row)
        return FAIL(E_NOMEM);
    nz_name_task("t", h->muni, &h->task, &h->t);
    nz_name_task("tr", h->muni, &h->task, &h->tr);
    nz_name_task("o", h->muni, &h->task, &h->o);
    return OK;
}

static void begin(struct req *r, enum nz_held_action action)
{
    struct field_fault bad = { "", FR_NONE };
    struct nz_held *h = arena_get(req_arena(r), sizeof *h);
    const struct nz_who *who = nz_staff_of(r);
    struct err e = h ? nz_held_ask_parse(req_body(r), who ? slice_str(who->user.id) : SLICE_NONE, req_arena(r), &h->ask, &bad) : FAIL(E_NOMEM);
    if (err_is(e, E_FIELD)) {
        req_problem(r, e, write_fault, &bad);
        return;
    }
    if (err_ok(e))
        e = held_fill(h, r, action);
    if (err_ok(e))
        read_task(h);
    else
        req_fail(r, e);
}

void nz_held_release(struct req *r) { begin(r, NZ_HELD_RELEASE); }
void nz_held_discard(struct req *r) { begin(r, NZ_HELD_DISCARD); }
void nz_held_replay(struct req *r) { begin(r, NZ_HELD_REPLAY); }
