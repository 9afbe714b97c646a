/* The end of a registration: audited, then everything of the task in one transaction, then acknowledged. */

#include "keys/intake/judge.h"
#include "keys/intake/meter.h"
#include "keys/intake/open_tasks.h"
#include "keys/intake/order.h"
#include "keys/intake/outbox.h"
#include "keys/intake/put_off.h"
#include "keys/intake/register.h"
#include "keys/intake/task.h"

struct names {
    struct store_name t, tr, o, tl;
};

static enum nz_queue queue_of(const struct nz_reg_row *x) { return x->has_key ? NZ_QUEUE_READY : NZ_QUEUE_NUMBERING; }
static bool waits(const struct nz_reg_row *x) { return x->result == NZ_WAITING; }

/* ---- one row ---- */

/* Appends the sealed payload of row i. */
static ERR payload_seal(struct nz_reg *g, size_t i, struct buf *work, struct buf *ret_sealed)
{
    const struct nz_reg_row *x = &g->x[i];
    const struct nz_row *row = &g->rows->row[i];
    struct store_name field;
    struct nz_row_result judged;
    struct record rec = row->record;
    struct nz_put_off p = { .ref = { .task = g->task, .row = (uint32_t)(i + 1) }, .sid = x->subject.sid, .rk = nz_reg_rk_hex(x) };
    memcpy(p.ref.muni, g->muni, sizeof p.ref.muni);
    TRY(store_field(g->in->store, nz_form_info(g->form)->kind, slice_of(g->muni, 6), row->type_id, row->history_key, &field));
    nz_reg_result(g, i, &judged);
    rec.stored_ms = g->received_ms;
    p.ticket = x->has_key ? NULL : x->ticket.b;
    p.seen = nz_judge_is_tie(x->code) ? &x->seen : NULL;
    p.field = store_name_slice(&field);
    p.record = &rec;
    p.result = &judged;
    return nz_put_off_seal(g->in->store, &p, work, ret_sealed);
}

/* ---- the commands ---- */

static void arg_row(struct redis_batch *b, size_t i) { redis_arg_u64(b, i + 1); }

static void add_task(struct nz_reg *g, struct redis_batch *b, const struct names *k)
{
    redis_begin(b, 2 + 2 * (4 + NZ_RESULT__MAX - 1));
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&k->t));
    redis_arg(b, LIT(NZ_TASK_OP));
    redis_arg(b, slice_str(nz_form_info(g->form)->operation));
    redis_arg(b, LIT(NZ_TASK_SYSTEM));
    redis_arg(b, slice_str(req_caller(g->r)->system));
    redis_arg(b, LIT(NZ_TASK_RECEIVED));
    redis_arg_u64(b, g->received_ms);
    redis_arg(b, LIT(NZ_TASK_ROWS));
    redis_arg_u64(b, g->rows->n);
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++) {
        redis_arg(b, slice_str(nz_result_name((enum nz_result)r)));
        redis_arg_u64(b, g->count[r]);
    }
    char hex[32];
    nz_task_id_format(&g->task, hex);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, store_name_slice(&k->tl));
    redis_arg_u64(b, g->received_ms);
    redis_arg(b, ARR(hex));
}

static void add_results(const struct nz_reg *g, struct redis_batch *b, const struct names *k)
{
    size_t n = g->rows->n - (size_t)g->count[NZ_WAITING];
    if (!n)
        return;
    redis_begin(b, 2 + 2 * n);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&k->tr));
    struct buf code;
    buf_init(&code, NZ_ROW_RESULT_MAX);
    for (size_t i = 0; i < g->rows->n; i++) {
        if (waits(&g->x[i]))
            continue;
        struct nz_row_result judged;
        nz_reg_result(g, i, &judged);
        buf_reset(&code);
        nz_row_result_encode(&judged, &code);
        arg_row(b, i);
        redis_arg(b, buf_slice(&code));
    }
    buf_done(&code);
}

static ERR add_payloads(struct nz_reg *g, struct redis_batch *b, const struct names *k)
{
    size_t n = 0;
    for (size_t i = 0; i < g->rows->n; i++)
        n += g->x[i].linked;
    if (!n)
        return OK;
    struct buf work, sealed;
    buf_init(&work, NZ_PAYLOAD_MAX);
    buf_init(&sealed, NZ_PAYLOAD_MAX + AEAD_OVERHEAD);
    struct err e = OK;
    redis_begin(b, 2 + 2 * n);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&k->o));
    for (size_t i = 0; err_ok(e) && i < g->rows->n; i++) {
        if (!g->x[i].linked)
            continue;
        buf_reset(&sealed);
        e = payload_seal(g, i, &work, &sealed);
        arg_row(b, i);
        redis_arg(b, buf_slice(&sealed));
    }
    buf_done(&work);
    buf_done(&sealed);
    return e;
}

static void add_queue(const struct nz_reg *g, struct redis_batch *b, enum nz_queue queue)
{
    size_t n = 0;
    for (size_t i = 0; i < g->rows->n; i++)
        n += waits(&g->x[i]) && queue_of(&g->x[i]) == queue;
    if (!n)
        return;
    struct nz_row_ref ref = { .task = g->task };
    memcpy(ref.muni, g->muni, sizeof ref.muni);
    redis_begin(b, 2 + 2 * n);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, nz_queue_name(queue));
    for (size_t i = 0; i < g->rows->n; i++) {
        if (!waits(&g->x[i]) || queue_of(&g->x[i]) != queue)
            continue;
        struct nz_member m;
        ref.row = (uint32_t)(i + 1);
        nz_member_write(&ref, &m);
        redis_arg_u64(b, nz_waits_from_ms(g->in, g->received_ms));
        redis_arg(b, nz_member_slice(&m));
    }
}

/* ---- the steps ---- */

void nz_reg_give_up(struct nz_reg *g, struct err e)
{
    /* No vault: we are stopping, and this is the end of a step that was under way. */
    for (size_t i = 0; g->in->vault && i < g->rows->n; i++) {
        if (g->x[i].has_ticket)
            nz_vault_drop(g->in->vault, &g->x[i].ticket, loop_now(g->in->loop) + NZ_READ_MS);
    }
    req_fail(g->r, e);
}

/* redis_send() refused the batch before a byte of it left. */
static bool was_not_sent(struct err e) { return err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL); }

static void give_numbers(struct nz_reg *g)
{
    uint64_t now = loop_now(g->in->loop);
    for (size_t i = 0; i < g->rows->n; i++) {
        struct nz_row *row = &g->rows->row[i];
        if (!waits(&g->x[i]) || g->x[i].has_key)
            continue;
        nz_hot_put(g->in->hot, g->x[i].subject.sid, row->number, now);
        row->number = NULL; /* given to the hot table */
    }
}

static void acknowledge(struct nz_reg *g)
{
    struct nz_task t = { .id = g->task, .form = g->form, .received_ms = g->received_ms, .rows = g->rows->n };
    memcpy(t.count, g->count, sizeof t.count);
    struct buf *out = req_out(g->r);
    struct jsonw w;
    jsonw_init(&w, out);
    nz_task_json_open(&t, true, g->received_ms, &w);
    jsonw_array(&w, "rows");
    for (size_t i = 0; i < g->rows->n; i++) {
        struct nz_row_result judged;
        nz_reg_result(g, i, &judged);
        nz_row_result_json(&judged, (uint32_t)(i + 1), &w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    nz_req_accepted(g->r, &g->task);
}

/* Should the store ever come back without the task, the log knows that, and which one. */
static void marked(void *arg, struct err e)
{
    struct nz_reg *g = arg;
    struct nz_outbox *box = g->in->outbox;
    if (err_ok(e))
        acknowledge(g);
    else
        req_fail(g->r, e);
    nz_outbox_wake(box);
}

static void committed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_reg *g = arg;
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (was_not_sent(e)) {
        nz_reg_give_up(g, e);
        return;
    }
    if (!err_ok(e)) { /* the task may be there all the same, with its tickets */
        req_fail(g->r, e);
        return;
    }
    LOG(INFO, "registration_accepted", LF("id", req_id(g->r)), LF("rows", (uint64_t)g->rows->n), LF("waiting", g->count[NZ_WAITING]));
    for (int i = NZ_WAITING + 1; i < NZ_RESULT__MAX; i++)
        nz_meter_rows(g->in, g->muni, (enum nz_result)i, g->count[i]);
    give_numbers(g);
    struct audit_rec rec = nz_audit_stored(g->r, &g->task, g->rows->n, replies[n - 1]);
    audit_append(g->in->audit, &rec, nz_req_step(g->r, NZ_READ_MS, audit_up(g->in->audit)), marked, g);
}

static ERR transaction(struct nz_reg *g, struct redis_batch *b)
{
    struct names k;
    nz_name_task("t", g->muni, &g->task, &k.t);
    nz_name_task("tr", g->muni, &g->task, &k.tr);
    nz_name_task("o", g->muni, &g->task, &k.o);
    nz_name_task_list(g->muni, &k.tl);
    REDIS_ADD(b, LIT("MULTI"));
    add_task(g, b, &k);
    add_results(g, b, &k);
    TRY(add_payloads(g, b, &k));
    if (g->count[NZ_WAITING])
        nz_open_tasks_add(b, g->muni, &g->task, g->received_ms);
    for (int q = 0; q < NZ_QUEUE__MAX; q++)
        add_queue(g, b, (enum nz_queue)q);
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    return OK;
}

static void commit(struct nz_reg *g)
{
    size_t room = 4 * req_body(g->r).n + 1024 * g->rows->n + 65536;
    struct redis_batch *b = redis_batch_new(room);
    struct err e = b ? transaction(g, b) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        redis_send(g->in->redis, b, nz_req_step(g->r, NZ_WRITE_MS, true), committed, g);
        return;
    }
    redis_batch_free(b);
    nz_reg_give_up(g, e);
}

static void audited(void *arg, struct err e)
{
    struct nz_reg *g = arg;
    if (!err_ok(e) && err_ok(g->failed))
        g->failed = e;
    if (--g->under_way)
        return;
    if (err_ok(g->failed))
        commit(g);
    else
        nz_reg_give_up(g, g->failed);
}

/* Audited before the effect: what the log calls accepted may have failed to be stored, never the other way round. */
void nz_reg_commit(struct nz_reg *g)
{
    for (size_t i = 0; i < g->rows->n; i++)
        g->count[g->x[i].result]++;
    const struct { enum audit_event event; uint64_t count; } records[] = {
        { AU_REGISTRATION, g->rows->n },
        { AU_ROW_QUARANTINED, g->count[NZ_QUARANTINED] },
    };
    g->under_way = 0;
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++)
        g->under_way += records[i].count > 0;
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        if (!records[i].count)
            continue;
        struct audit_rec rec = nz_audit_of(g->r, records[i].event, AR_OK, records[i].count);
        audit_append(g->in->audit, &rec, nz_req_step(g->r, NZ_READ_MS, audit_up(g->in->audit)), audited, g);
    }
}
