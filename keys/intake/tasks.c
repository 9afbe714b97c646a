/* GET /v1/tasks and GET /v1/tasks/{id}: a municipality reads its own tasks. The name in Redis is made from the caller's
 * certificate, so that another municipality's task cannot even be asked for. */

#include "keys/intake/intake.h"

#include "gateway/base/text.h"
#include "keys/intake/outbox.h"
#include "keys/intake/task.h"

struct read {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    size_t n;                 /* tasks */
    struct nz_task *task;     /* arena */
    struct slice *row;        /* getTask: stored result of each row, arena */
};

static struct read *read_new(struct req *r)
{
    struct read *rd = arena_get(req_arena(r), sizeof *rd);
    if (!rd)
        return NULL;
    rd->r = r;
    rd->in = req_ctx(r);
    memcpy(rd->muni, nz_req_muni(r), sizeof rd->muni);
    return rd;
}

static void read_send(struct read *rd, struct redis_batch *b, redis_done_fn *done)
{
    redis_send(rd->in->redis, b, nz_req_step(rd->r, NZ_READ_MS, true), done, rd);
}

/* ---- replies to tasks ---- */

static ERR task_from(const struct read *rd, const struct redis_reply *hash, struct nz_task *t)
{
    size_t n = redis_reply_len(hash);
    t->upstream_down = nz_outbox_upstream_down(rd->in->outbox);
    if (n == 0)
        return FAIL(E_NO_ROUTE);
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (!nz_task_field(t, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))))
            return FAIL(E_SEAL);
    }
    return nz_task_complete(t) ? OK : FAIL(E_SEAL);
}

static ERR rows_from(struct read *rd, const struct redis_reply *hash)
{
    size_t n = (size_t)rd->task->rows;
    rd->row = arena_get(req_arena(rd->r), n * sizeof *rd->row);
    if (!rd->row)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        uint64_t row;
        if (!u64_parse(redis_reply_str(redis_reply_at(hash, i)), &row) || row == 0 || row > n)
            return FAIL(E_SEAL);
        rd->row[row - 1] = arena_dup(req_arena(rd->r), redis_reply_str(redis_reply_at(hash, i + 1)));
    }
    return arena_check(req_arena(rd->r));
}

/* ---- answers, after the audit ---- */

static ERR list_write(struct read *rd, struct jsonw *w)
{
    uint64_t now = clock_wall(loop_clock(rd->in->loop));
    jsonw_object(w, NULL);
    jsonw_array(w, "tasks");
    for (size_t i = 0; i < rd->n; i++) {
        nz_task_json_open(&rd->task[i], false, now, w);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_end_object(w);
    return OK;
}

static ERR one_write(struct read *rd, struct jsonw *w)
{
    nz_task_json_open(rd->task, false, clock_wall(loop_clock(rd->in->loop)), w);
    TRY(nz_task_json_rows(rd->row, (size_t)rd->task->rows, w));
    jsonw_end_object(w);
    return OK;
}

static void answer(void *arg, struct err e)
{
    struct read *rd = arg;
    struct buf *out = req_out(rd->r);
    struct jsonw w;
    jsonw_init(&w, out);
    if (err_ok(e))
        e = rd->row ? one_write(rd, &w) : list_write(rd, &w);
    if (err_ok(e))
        e = buf_check(out);
    if (err_ok(e))
        req_json(rd->r, 200, buf_slice(out));
    else
        req_fail(rd->r, e);
}

static void finish(struct read *rd, struct err e, uint64_t rows)
{
    if (!err_ok(e)) {
        req_fail(rd->r, e);
        return;
    }
    struct audit_rec rec = nz_audit_of(rd->r, AU_TASK_READ, AR_OK, rows);
    audit_append(rd->in->audit, &rec, nz_req_step(rd->r, NZ_READ_MS, audit_up(rd->in->audit)), answer, rd);
}

/* ---- one ---- */

static void one_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read *rd = arg;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = task_from(rd, replies[0], rd->task);
    if (err_ok(e))
        e = rows_from(rd, replies[1]);
    finish(rd, e, rd->task->rows);
}

void nz_tasks_get(struct req *r)
{
    struct nz_task_id id;
    struct read *rd = read_new(r);
    struct redis_batch *b = redis_batch_new(1024);
    if (rd)
        rd->task = arena_get(req_arena(r), sizeof *rd->task);
    if (!rd || !rd->task || !b || !nz_task_id_parse(req_param(r), &id)) {
        bool bad_id = rd && rd->task && b;
        redis_batch_free(b);
        req_fail(r, bad_id ? FAIL(E_NO_ROUTE) : FAIL(E_NOMEM));
        return;
    }
    rd->task->id = id;
    struct store_name t, tr;
    nz_name_task("t", rd->muni, &id, &t);
    nz_name_task("tr", rd->muni, &id, &tr);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&tr));
    read_send(rd, b, one_read);
}

/* ---- list ---- */

static void list_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read *rd = arg;
    for (size_t i = 0; err_ok(e) && i < n && i < rd->n; i++)
        e = task_from(rd, replies[i], &rd->task[i]);
    finish(rd, e, rd->n);
}

static void list_ids(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read *rd = arg;
    size_t found = err_ok(e) && n ? redis_reply_len(replies[0]) : 0;
    rd->task = arena_get(req_arena(rd->r), (found + 1) * sizeof *rd->task);
    struct redis_batch *b = redis_batch_new(64 * 1024);
    if (err_ok(e) && (!rd->task || !b))
        e = FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < found; i++) {
        struct store_name t;
        if (!nz_task_id_parse(redis_reply_str(redis_reply_at(replies[0], i)), &rd->task[rd->n].id))
            continue;
        nz_name_task("t", rd->muni, &rd->task[rd->n++].id, &t);
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    }
    if (err_ok(e) && rd->n) {
        read_send(rd, b, list_read);
        return;
    }
    redis_batch_free(b);
    finish(rd, e, 0);
}

void nz_tasks_list(struct req *r)
{
    struct read *rd = read_new(r);
    struct redis_batch *b = rd ? redis_batch_new(1024) : NULL;
    if (!b) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    struct store_name tl;
    nz_name_task_list(rd->muni, &tl);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZREVRANGE"));
    redis_arg(b, store_name_slice(&tl));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, NZ_TASKS_SHOWN - 1);
    read_send(rd, b, list_ids);
}
