/* Rows that wait for an upstream or are held, of requests and of files: those of the resident are dropped, with their tickets. A row is the
 * resident's when it names one of its resident keys, or one of its numbers. */

#include "gateway/base/text.h"
#include "keys/change/waiting.h"
#include "keys/intake/payload.h"
#include "keys/intake/task.h"
#include "keys/person/erasure.h"

enum { TASKS = 64, ROWS = 100, TICKETS = 2, ROOM = 64 * 1024, U64_DIGITS = 20 };

static void page(struct nz_erasure *x);
static void task_next(struct nz_erasure *x);
static void scan(struct nz_erasure *x);

static bool task_of(const struct nz_erasure *x, struct nz_task_id *ret_id)
{
    return nz_task_id_parse(ARR(x->walk.hex[x->walk.task]), ret_id);
}

/* ---- is it about the resident? ---- */

struct about { bool is; bool has_sid; uint8_t sid[SUBJECT_BYTES]; };

static bool names_rk(const struct nz_erasure *x, const uint8_t rk[static 16])
{
    char hex[32];
    struct nz_task_id id;
    memcpy(id.b, rk, sizeof id.b);
    nz_task_id_format(&id, hex);
    return nz_erasure_has_rk(x, ARR(hex));
}

static void keep_ticket(struct nz_rows_walk *w, const uint8_t ticket[static NZ_TICKET_BYTES]) { memcpy(w->ticket[w->n_tickets++].b, ticket, NZ_TICKET_BYTES); }

static ERR look_registration(struct nz_erasure *x, struct slice plain, struct about *ret_a, struct nz_row_result *ret_r)
{
    struct nz_payload p;
    TRY(nz_payload_decode(plain, &p));
    ret_a->is = (p.has_rk && nz_erasure_has_rk(x, ARR(p.rk))) || nz_erasure_has_sid(x, p.sid, x->n_own);
    ret_a->has_sid = true;
    memcpy(ret_a->sid, p.sid, sizeof ret_a->sid);
    if (!ret_a->is)
        return OK;
    if (!err_ok(nz_row_result_decode(p.result, ret_r)))
        *ret_r = (struct nz_row_result){ 0 };
    if (p.has_ticket)
        keep_ticket(&x->walk, p.ticket);
    if (p.has_ticket && p.has_next)
        keep_ticket(&x->walk, p.next);
    return OK;
}

static ERR look_change(struct nz_erasure *x, struct slice plain, struct about *ret_a, struct nz_waiting *ret_w)
{
    TRY(nz_waiting_decode(plain, ret_w));
    ret_a->is = names_rk(x, ret_w->rk) || (nz_waiting_has_other(ret_w) && names_rk(x, ret_w->other_rk)) ||
                (nz_waiting_has_ticket(ret_w) && nz_erasure_has_sid(x, ret_w->new_sid, x->n_own));
    ret_a->has_sid = nz_waiting_has_ticket(ret_w);
    memcpy(ret_a->sid, ret_w->new_sid, sizeof ret_a->sid);
    if (ret_a->is && nz_waiting_has_ticket(ret_w)) {
        keep_ticket(&x->walk, ret_w->ticket);
        if (ret_w->asked)
            keep_ticket(&x->walk, ret_w->next);
    }
    return OK;
}

/* ---- one row goes ---- */

struct row {
    struct slice field, sealed;      /* of o:, in the arena */
    bool is_change;
    struct nz_waiting waiting;
    struct nz_row_result result;     /* its warnings */
};

struct rows { struct nz_erasure *x; size_t n; struct row *row; };

static struct slice digits(struct arena *a, uint64_t v)
{
    struct buf b;
    buf_init(&b, U64_DIGITS);
    buf_u64(&b, v);
    const struct slice s = arena_dup(a, buf_slice(&b));
    buf_done(&b);
    return s;
}

static ERR result_bytes(struct arena *a, const struct nz_row_result *r, struct slice *ret)
{
    struct buf b;
    buf_init(&b, NZ_ROW_RESULT_MAX);
    nz_row_result_encode(r, &b);
    struct err e = buf_check(&b);
    *ret = arena_dup(a, buf_slice(&b));
    buf_done(&b);
    TRY(e);
    return arena_check(a);
}

static ERR leave_queues(struct nz_erasure *x, const struct row *row, struct slice member, struct nz_cas *c)
{
    struct arena *a = req_arena(x->r);
    struct store_name line[2];
    if (!row->is_change) {
        NZ_CAS(c, LIT("ZREM"), nz_queue_name(NZ_QUEUE_NUMBERING), member);
        NZ_CAS(c, LIT("ZREM"), nz_queue_name(NZ_QUEUE_READY), member);
        return OK;
    }
    NZ_CAS(c, LIT("ZREM"), nz_waiting_queue(), member);
    size_t n = nz_waiting_lines(x->who.muni, &row->waiting, line);
    for (size_t i = 0; i < n; i++)
        NZ_CAS(c, LIT("ZREM"), arena_dup(a, store_name_slice(&line[i])), member);
    return arena_check(a);
}

static ERR drop_row(struct nz_erasure *x, const struct row *row, struct slice stored, struct nz_cas *c)
{
    struct arena *a = req_arena(x->r);
    struct nz_row_ref ref = { .row = 0 };
    struct nz_row_result r = row->result;
    struct store_name t, tr, o;
    struct nz_member member;
    struct slice result;
    uint64_t n;
    if (!task_of(x, &ref.task) || !u64_parse(row->field, &n) || n == 0 || n > UINT32_MAX)
        return FAIL(E_SEAL);
    if (stored.n)
        TRY(nz_row_result_decode(stored, &r));
    const bool held = r.result == NZ_QUARANTINED;
    if (stored.n && r.result != NZ_WAITING && !held)
        return OK; /* it has ended; what is left of its payload is of no account */
    memcpy(ref.muni, x->who.muni, sizeof ref.muni);
    ref.row = (uint32_t)n;
    nz_member_write(&ref, &member);
    nz_name_task("t", ref.muni, &ref.task, &t);
    nz_name_task("tr", ref.muni, &ref.task, &tr);
    nz_name_task("o", ref.muni, &ref.task, &o);
    const struct slice t_s = arena_dup(a, store_name_slice(&t)), tr_s = arena_dup(a, store_name_slice(&tr)), o_s = arena_dup(a, store_name_slice(&o));
    r.result = NZ_REFUSED;
    r.code = NZ_CODE_ERASED;
    r.with_row = 0;
    TRY(result_bytes(a, &r, &result));
    nz_cas_expect(c, tr_s, row->field, arena_dup(a, stored));
    nz_cas_expect(c, o_s, row->field, row->sealed);
    NZ_CAS(c, LIT("HSET"), tr_s, row->field, result);
    if (held)
        NZ_CAS(c, LIT("HINCRBY"), t_s, slice_str(nz_result_name(NZ_QUARANTINED)), LIT("-1"));
    NZ_CAS(c, LIT("HINCRBY"), t_s, slice_str(nz_result_name(NZ_REFUSED)), LIT("1"));
    NZ_CAS(c, LIT("HSET"), t_s, LIT(NZ_TASK_MOVED), digits(a, clock_wall(loop_clock(x->in->loop))));
    NZ_CAS(c, LIT("HDEL"), o_s, row->field);
    TRY(leave_queues(x, row, arena_dup(a, nz_member_slice(&member)), c));
    x->walk.dropped++;
    return arena_check(a);
}

/* A ticket that stays is of no use to anybody, and ends by itself. */
static void drop_tickets(struct nz_erasure *x)
{
    for (size_t i = 0; i < x->walk.n_tickets; i++)
        nz_vault_drop(x->in->vault, &x->walk.ticket[i], nz_req_step(x->r, NZ_READ_MS, true));
    explicit_bzero(x->walk.ticket, x->walk.n_tickets * sizeof x->walk.ticket[0]);
    x->walk.n_tickets = 0;
}

static void go_on(struct nz_erasure *x)
{
    if (x->walk.cursor) {
        scan(x);
        return;
    }
    x->walk.task++;
    task_next(x);
}

static void dropped(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    if (err_ok(e) && (n != 1 || redis_reply_int(replies[0]) != 1))
        e = n == 1 ? FAIL(E_BUSY) : FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    drop_tickets(x);
    go_on(x);
}

static void results_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct rows *rs = arg;
    struct nz_erasure *x = rs->x;
    struct redis_batch *b;
    struct nz_cas *c = nz_cas_new(req_arena(x->r));
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != rs->n))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && !c)
        e = FAIL(E_FULL);
    for (size_t i = 0; err_ok(e) && i < rs->n; i++)
        e = drop_row(x, &rs->row[i], redis_reply_str(redis_reply_at(replies[0], i)), c);
    if (err_ok(e))
        e = nz_cas_batch(c, &b);
    if (err_ok(e))
        nz_erasure_send(x, b, dropped);
    else
        nz_erasure_end(x, e);
}

static void read_results(struct rows *rs)
{
    struct nz_erasure *x = rs->x;
    struct redis_batch *b = redis_batch_new(ROOM);
    struct nz_task_id id;
    struct store_name tr;
    if (!task_of(x, &id)) {
        redis_batch_free(b);
        nz_erasure_end(x, FAIL(E_SEAL));
        return;
    }
    nz_name_task("tr", x->who.muni, &id, &tr);
    if (b) {
        redis_begin(b, 2 + rs->n);
        redis_arg(b, LIT("HMGET"));
        redis_arg(b, store_name_slice(&tr));
    }
    for (size_t i = 0; b && i < rs->n; i++)
        redis_arg(b, rs->row[i].field);
    if (b)
        redis_send(x->in->redis, b, nz_req_step(x->r, NZ_READ_MS, true), results_read, rs);
    else
        nz_erasure_end(x, FAIL(E_NOMEM));
}

/* ---- the walk ---- */

/* What does not open is nobody's that could be told; it stays where an officer drops it. */
static ERR take_row(struct rows *rs, const struct store_name *o, struct slice field, struct slice sealed)
{
    struct nz_erasure *x = rs->x;
    struct arena *a = req_arena(x->r);
    struct about about = { 0 };
    struct row row = { 0 };
    struct buf plain;
    buf_init(&plain, NZ_PAYLOAD_MAX);
    struct err e = store_open(x->in->store, slice_of(x->who.muni, 6), o, field, sealed, &plain);
    if (err_ok(e)) {
        row.is_change = nz_waiting_is(buf_slice(&plain));
        e = row.is_change ? look_change(x, buf_slice(&plain), &about, &row.waiting) : look_registration(x, buf_slice(&plain), &about, &row.result);
    }
    buf_done(&plain);
    if (err_is(e, E_SEAL) || (err_ok(e) && !about.is))
        return OK;
    TRY(e);
    if (about.has_sid)
        TRY(nz_erasure_add_sid(x, about.sid));
    row.field = arena_dup(a, field);
    row.sealed = arena_dup(a, sealed);
    rs->row[rs->n++] = row;
    return arena_check(a);
}

static ERR take_rows(struct rows *rs, const struct redis_reply *fields)
{
    struct nz_erasure *x = rs->x;
    struct nz_task_id id;
    struct store_name o;
    const size_t most = redis_reply_len(fields) / 2;
    if (!task_of(x, &id))
        return FAIL(E_SEAL);
    nz_name_task("o", x->who.muni, &id, &o);
    rs->row = arena_get(req_arena(x->r), (most + 1) * sizeof *rs->row);
    x->walk.ticket = arena_get(req_arena(x->r), (most + 1) * TICKETS * sizeof *x->walk.ticket);
    x->walk.n_tickets = 0;
    if (!rs->row || !x->walk.ticket)
        return FAIL(E_FULL);
    for (size_t i = 0; i + 1 < redis_reply_len(fields); i += 2)
        TRY(take_row(rs, &o, redis_reply_str(redis_reply_at(fields, i)), redis_reply_str(redis_reply_at(fields, i + 1))));
    return OK;
}

static void scanned(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    struct rows *rs = arena_get(req_arena(x->r), sizeof *rs);
    if (err_ok(e) && !rs)
        e = FAIL(E_FULL);
    if (err_ok(e) && (n != 1 || !u64_parse(redis_reply_str(redis_reply_at(replies[0], 0)), &x->walk.cursor)))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        *rs = (struct rows){ .x = x };
        e = take_rows(rs, redis_reply_at(replies[0], 1));
    }
    if (!err_ok(e))
        nz_erasure_end(x, e);
    else if (rs->n)
        read_results(rs);
    else
        go_on(x);
}

static void scan(struct nz_erasure *x)
{
    struct redis_batch *b = redis_batch_new(512);
    struct nz_task_id id;
    struct store_name o;
    if (b && task_of(x, &id)) {
        nz_name_task("o", x->who.muni, &id, &o);
        redis_begin(b, 5);
        redis_arg(b, LIT("HSCAN"));
        redis_arg(b, store_name_slice(&o));
        redis_arg_u64(b, x->walk.cursor);
        redis_arg(b, LIT("COUNT"));
        redis_arg_u64(b, ROWS);
    }
    nz_erasure_send(x, b, scanned);
}

static void task_next(struct nz_erasure *x)
{
    struct nz_rows_walk *w = &x->walk;
    w->cursor = 0;
    if (w->task < w->n_tasks)
        scan(x);
    else if (w->more)
        page(x);
    else
        nz_erasure_vault(x);
}

/* Only the tasks that have payloads are gone through. */
static void lengths_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    struct nz_rows_walk *w = &x->walk;
    size_t kept = 0;
    if (err_ok(e) && n != w->n_tasks)
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; err_ok(e) && i < n; i++)
        if (redis_reply_int(replies[i]) > 0) {
            memmove(w->hex[kept], w->hex[i], sizeof w->hex[0]);
            kept++;
        }
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    w->n_tasks = kept;
    task_next(x);
}

static void page_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    struct nz_rows_walk *w = &x->walk;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) > TASKS))
        e = FAIL(E_STORE_REFUSED);
    w->n_tasks = w->task = 0;
    for (size_t i = 0; err_ok(e) && i < redis_reply_len(replies[0]); i++) {
        const struct slice hex = redis_reply_str(redis_reply_at(replies[0], i));
        struct nz_task_id id;
        if (nz_task_id_parse(hex, &id))
            memcpy(w->hex[w->n_tasks++], hex.p, hex.n);
    }
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    w->more = redis_reply_len(replies[0]) == TASKS;
    w->task_at += TASKS;
    struct redis_batch *b = redis_batch_new(TASKS * 128 + 256);
    for (size_t i = 0; b && i < w->n_tasks; i++) {
        struct nz_task_id id;
        struct store_name o;
        w->task = i;
        if (!task_of(x, &id))
            continue;
        nz_name_task("o", x->who.muni, &id, &o);
        REDIS_ADD(b, LIT("HLEN"), store_name_slice(&o));
    }
    w->task = 0;
    if (w->n_tasks) {
        nz_erasure_send(x, b, lengths_read);
        return;
    }
    redis_batch_free(b);
    task_next(x);
}

static void page(struct nz_erasure *x)
{
    struct redis_batch *b = redis_batch_new(512);
    struct store_name tl;
    nz_name_task_list(x->who.muni, &tl);
    if (b) {
        redis_begin(b, 4);
        redis_arg(b, LIT("ZRANGE"));
        redis_arg(b, store_name_slice(&tl));
        redis_arg_u64(b, x->walk.task_at);
        redis_arg_u64(b, x->walk.task_at + TASKS - 1);
    }
    nz_erasure_send(x, b, page_read);
}

void nz_erasure_rows(struct nz_erasure *x)
{
    x->walk = (struct nz_rows_walk){ 0 };
    page(x);
}
