/* Rows that wait for an upstream or are held, of requests and of files: those of the resident (rows.c) are dropped, with their tickets. */

#include "gateway/base/text.h"
#include "keys/intake/task.h"
#include "keys/person/erasure.h"
#include "keys/person/rows.h"

enum { TASKS = 64, ROWS = 100, ROOM = 64 * 1024 };

static void page(struct nz_erasure *x);
static void task_next(struct nz_erasure *x);
static void scan(struct nz_erasure *x);

static bool task_of(const struct nz_erasure *x, struct nz_task_id *ret_id)
{
    return nz_task_id_parse(ARR(x->walk.hex[x->walk.task]), ret_id);
}

struct rows { struct nz_erasure *x; size_t n; struct nz_owned_row *row; };

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
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    if (redis_reply_int(replies[0]) != 1) {
        nz_erasure_again(x);
        return;
    }
    drop_tickets(x);
    go_on(x);
}

static void results_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct rows *rs = arg;
    struct nz_erasure *x = rs->x;
    struct nz_task_id task;
    struct redis_batch *b;
    struct nz_cas *c = nz_cas_new(req_arena(x->r));
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != rs->n))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && !c)
        e = FAIL(E_FULL);
    if (err_ok(e) && !task_of(x, &task))
        e = FAIL(E_SEAL);
    for (size_t i = 0; err_ok(e) && i < rs->n; i++) {
        bool gone;
        e = nz_row_drop(x->who.muni, &task, &rs->row[i], redis_reply_str(redis_reply_at(replies[0], i)), clock_wall(loop_clock(x->in->loop)), req_arena(x->r), c,
                        &gone);
        x->walk.dropped += err_ok(e) && gone;
    }
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

static ERR take_row(struct rows *rs, const struct store_name *o, struct slice field, struct slice sealed)
{
    struct nz_erasure *x = rs->x;
    struct nz_row_owner who = { .n_rks = x->n_rks, .n_sids = x->n_own, .rk = (const char (*)[NZ_CH_HEX])x->rk, .sid = (const uint8_t (*)[SUBJECT_BYTES])x->sid };
    struct nz_owned_row *row = &rs->row[rs->n];
    bool is;
    memcpy(who.muni, x->who.muni, sizeof who.muni);
    TRY(nz_row_owned(x->in->store, &who, o, field, sealed, req_arena(x->r), row, &is));
    if (!is)
        return OK;
    if (row->has_sid)
        TRY(nz_erasure_add_sid(x, row->sid));
    for (size_t i = 0; i < row->n_tickets; i++)
        x->walk.ticket[x->walk.n_tickets++] = row->ticket[i];
    rs->n++;
    return OK;
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
    x->walk.ticket = arena_get(req_arena(x->r), (most + 1) * NZ_ROW_TICKETS * sizeof *x->walk.ticket);
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
