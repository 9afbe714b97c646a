/* GET /v1/tasks and GET /v1/tasks/{id}. */

#include "gateway/base/text.h"
#include "keys/files/work.h"
#include "keys/intake/open_tasks.h"
#include "keys/staff/staff.h"

/* ---- the list ---- */

struct listed { struct nz_file_task t; bool is_file; };
enum { OPEN_MAX = 10000, LOOKS_MAX = 100 /* some only remove what is over */ };

struct list {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    uint64_t last_ms; /* of the last task that was read, shown or not: the next page begins behind it */
    uint64_t before_ms;
    bool more;
    size_t n;
    struct listed *task; /* arena */
    struct nz_backlog waits;
    unsigned looks;
};

/* What waits at the whole municipality, and since when: on the first page, for whoever may see all of it. */
static bool tells_backlog(const struct list *l) { return l->before_ms == UINT64_MAX && nz_staff_sees_all(l->r); }

static void json_backlog(const struct list *l, struct jsonw *w)
{
    const uint64_t now = clock_wall(loop_clock(l->in->loop)), oldest = l->waits.oldest_ms;
    jsonw_object(w, "backlog");
    jsonw_u64(w, "rows", l->waits.rows);
    jsonw_u64(w, "files", l->waits.files);
    if (oldest)
        jsonw_u64(w, "oldest_s", now > oldest ? (now - oldest) / 1000 : 0);
    if (l->waits.more)
        jsonw_bool(w, "at_least", true);
    jsonw_end_object(w);
}

static void list_answer(void *arg, struct err e)
{
    struct list *l = arg;
    struct buf *out = req_out(l->r);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "tasks");
    for (size_t i = 0; err_ok(e) && i < l->n; i++) {
        nz_told_open(l->in, l->muni, &l->task[i].t, l->task[i].is_file, &w);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    if (tells_backlog(l))
        json_backlog(l, &w);
    if (l->more) {
        char digits[21];
        struct buf b;
        buf_init(&b, sizeof digits);
        buf_u64(&b, l->last_ms);
        jsonw_str(&w, "next", buf_slice(&b));
        buf_done(&b);
    }
    jsonw_end_object(&w);
    if (err_ok(e))
        e = buf_check(out);
    if (err_ok(e))
        req_json(l->r, 200, buf_slice(out));
    else
        req_fail(l->r, e);
}

static void look(struct list *l);

static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = nz_open_tasks_heard(replies[0], &l->waits);
    if (!err_ok(e))
        req_fail(l->r, e);
    else if (l->waits.more && l->waits.tasks < OPEN_MAX && ++l->looks < LOOKS_MAX)
        look(l);
    else
        nz_audit_read(l->r, l->n, list_answer, l);
}

static void look(struct list *l)
{
    struct redis_batch *b = redis_batch_new(4096);
    if (!b) {
        req_fail(l->r, FAIL(E_NOMEM));
        return;
    }
    nz_open_tasks_look(b, l->muni, &l->waits);
    nz_read_send(l->r, b, NZ_READ_MS, looked, l);
}

static void list_end(struct list *l, struct err e)
{
    if (!err_ok(e))
        req_fail(l->r, e);
    else if (tells_backlog(l))
        look(l);
    else
        nz_audit_read(l->r, l->n, list_answer, l);
}

/* A task that was forgotten since the list was read is passed over. */
static void list_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    size_t kept = 0;
    for (size_t i = 0; err_ok(e) && i < n && i < l->n; i++) {
        struct listed *x = &l->task[kept];
        *x = l->task[i];
        if (redis_reply_len(replies[i]) == 0)
            continue;
        e = nz_read_hash(l->in, replies[i], &x->t, &x->is_file);
        if (err_is(e, E_SEAL)) { /* the others are told all the same */
            LOG(ERROR, "task_malformed", LF("id", req_id(l->r)));
            e = OK;
            continue;
        }
        l->last_ms = x->t.task.received_ms;
        kept += err_ok(nz_doors_allow_rows(l->r, x->t.task.form)); /* tasks of other programs are not the caller's to see */
    }
    l->n = kept;
    l->more = l->more && l->last_ms;
    list_end(l, e);
}

static void list_ids(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    size_t found = err_ok(e) && n ? redis_reply_len(replies[0]) : 0;
    l->more = found > NZ_TASKS_SHOWN;
    found = l->more ? NZ_TASKS_SHOWN : found;
    l->task = arena_get(req_arena(l->r), (found + 1) * sizeof *l->task);
    struct redis_batch *b = redis_batch_new(64 * 1024);
    if (err_ok(e) && (!l->task || !b))
        e = FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < found; i++) {
        struct store_name t;
        if (!nz_task_id_parse(redis_reply_str(redis_reply_at(replies[0], i)), &l->task[l->n].t.task.id))
            continue;
        nz_name_task("t", l->muni, &l->task[l->n++].t.task.id, &t);
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    }
    if (err_ok(e) && l->n) {
        nz_read_send(l->r, b, NZ_READ_MS, list_read, l);
        return;
    }
    redis_batch_free(b);
    list_end(l, e);
}

void nz_tasks_list(struct req *r)
{
    struct list *l = arena_get(req_arena(r), sizeof *l);
    struct redis_batch *b = redis_batch_new(1024);
    uint64_t before = 0;
    struct err e = l && b ? nz_list_query_read(req_query(r), &before) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        redis_batch_free(b);
        req_fail(r, e);
        return;
    }
    *l = (struct list){ .r = r, .in = req_ctx(r), .before_ms = before };
    memcpy(l->muni, nz_req_muni(r), sizeof l->muni);
    struct store_name tl;
    nz_name_task_list(l->muni, &tl);
    redis_begin(b, 7);
    redis_arg(b, LIT("ZREVRANGEBYSCORE"));
    redis_arg(b, store_name_slice(&tl));
    if (before == UINT64_MAX)
        redis_arg(b, LIT("+inf"));
    else
        redis_arg_u64(b, before ? before - 1 : 0);
    redis_arg(b, LIT("-inf"));
    redis_arg(b, LIT("LIMIT"));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, NZ_TASKS_SHOWN + 1);
    nz_read_send(r, b, NZ_READ_MS, list_ids, l);
}

/* ---- one ---- */

struct one { struct nz_read *rd; struct slice *row; /* of a request: stored result of each row, arena */ };

static ERR rows_from(struct one *o, const struct redis_reply *hash)
{
    struct arena *a = req_arena(o->rd->r);
    size_t n = (size_t)o->rd->t.task.rows;
    o->row = arena_get(a, n * sizeof *o->row);
    if (!o->row)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        uint64_t row;
        if (!u64_parse(redis_reply_str(redis_reply_at(hash, i)), &row) || row == 0 || row > n)
            return FAIL(E_SEAL);
        o->row[row - 1] = arena_dup(a, redis_reply_str(redis_reply_at(hash, i + 1)));
    }
    return arena_check(a);
}

static void one_answer(void *arg, struct err e)
{
    struct one *o = arg;
    struct nz_read *rd = o->rd;
    struct buf *out = req_out(rd->r);
    struct jsonw w;
    if (!err_ok(e)) {
        req_fail(rd->r, e);
        return;
    }
    if (rd->is_file) {
        nz_told_send(rd, 200);
        return;
    }
    jsonw_init(&w, out);
    nz_told_open(rd->in, rd->muni, &rd->t, false, &w);
    e = nz_task_json_rows(o->row, (size_t)rd->t.task.rows, &w);
    jsonw_end_object(&w);
    if (err_ok(e))
        e = buf_check(out);
    if (err_ok(e))
        req_json(rd->r, 200, buf_slice(out));
    else
        req_fail(rd->r, e);
}

static void one_rows(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct one *o = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = rows_from(o, replies[0]);
    if (err_ok(e))
        nz_audit_read(o->rd->r, o->rd->t.task.rows, one_answer, o);
    else
        req_fail(o->rd->r, e);
}

static void one_read(struct nz_read *rd, struct err e)
{
    struct one *o = rd->more;
    o->rd = rd;
    if (err_ok(e) && rd->is_file) {
        nz_audit_read(rd->r, 0, one_answer, o); /* of a file: counts, no row */
        return;
    }
    struct redis_batch *b = err_ok(e) ? redis_batch_new(256) : NULL;
    if (!b) {
        req_fail(rd->r, err_ok(e) ? FAIL(E_NOMEM) : e);
        return;
    }
    struct store_name tr;
    nz_name_task("tr", rd->muni, &rd->t.task.id, &tr);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&tr));
    nz_read_send(rd->r, b, NZ_READ_MS, one_rows, o);
}

void nz_tasks_get(struct req *r)
{
    struct one *o = arena_get(req_arena(r), sizeof *o);
    if (o)
        nz_read_task(r, one_read, o);
    else
        req_fail(r, FAIL(E_NOMEM));
}
