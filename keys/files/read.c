/* A task out of redis-link, and how it is told. The name in Redis is made from the caller's certificate, so that another municipality's task
 * cannot even be asked for. */

#include <stdio.h>

#include "keys/files/work.h"
#include "keys/inquiry/inquiry.h"
#include "keys/intake/outbox.h"

void nz_read_send(struct req *r, struct redis_batch *b, uint64_t ms, redis_done_fn *done, void *arg)
{
    struct nz_intake *in = req_ctx(r);
    redis_send(in->redis, b, nz_req_step(r, ms, true), done, arg);
}

struct err nz_read_hash(struct nz_intake *in, const struct redis_reply *hash, struct nz_file_task *t, bool *ret_is_file)
{
    size_t n = redis_reply_len(hash);
    t->task.upstream_down = nz_outbox_upstream_down(in->outbox);
    if (n == 0)
        return FAIL(E_NO_ROUTE);
    for (size_t i = 0; i + 1 < n; i += 2) {
        if (!nz_file_task_field(t, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))))
            return FAIL(E_SEAL);
    }
    return nz_file_task_complete(t, ret_is_file) ? OK : FAIL(E_SEAL);
}

static void hash_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_read *rd = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = nz_read_hash(rd->in, replies[0], &rd->t, &rd->is_file);
    if (err_ok(e))
        e = nz_doors_allow_rows(rd->r, rd->t.task.form);
    rd->fn(rd, e);
}

struct nz_read *nz_read_task(struct req *r, void (*fn)(struct nz_read *rd, struct err e), void *more)
{
    struct nz_read *rd = arena_get(req_arena(r), sizeof *rd);
    struct redis_batch *b = redis_batch_new(256);
    struct store_name t;
    if (!rd || !b || !nz_task_id_parse(req_param(r), &rd->t.task.id)) {
        bool bad_id = rd && b;
        redis_batch_free(b);
        req_fail(r, bad_id ? FAIL(E_NO_ROUTE) : FAIL(E_NOMEM));
        return NULL;
    }
    rd->r = r;
    rd->in = req_ctx(r);
    rd->fn = fn;
    rd->more = more;
    memcpy(rd->muni, nz_req_muni(r), sizeof rd->muni);
    nz_name_task("t", rd->muni, &rd->t.task.id, &t);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    nz_read_send(r, b, NZ_READ_MS, hash_read, rd);
    return rd;
}

/* ---- told ---- */

bool nz_told_live(struct nz_intake *in, const char muni[static 6], struct nz_file_task *t, struct nz_bulk_progress *ret_p)
{
    if (t->task.form == NZ_FORM_INQUIRY)
        return nz_inquiry_live(in->inquiry, muni, t);
    if (t->state < NZ_FILE_ACCEPTED || t->state >= NZ_FILE_ENDED || !nz_bulk_progress(in->bulk, muni, &t->task.id, ret_p))
        return false;
    uint64_t done = 0;
    for (int i = NZ_WAITING + 1; i < NZ_RESULT__MAX; i++)
        done += ret_p->count[i];
    if (ret_p->state >= NZ_FILE_ACCEPTED && ret_p->state <= NZ_FILE_PROCESSING)
        t->state = ret_p->state;
    if (done <= t->task.rows) {
        memcpy(t->task.count, ret_p->count, sizeof t->task.count);
        t->task.count[NZ_WAITING] = t->task.rows - done;
        t->suspicious = ret_p->suspicious;
    }
    return true;
}

static void json_progress(struct nz_intake *in, const struct nz_file_task *t, const struct nz_bulk_progress *p, struct jsonw *w)
{
    uint64_t now = clock_wall(loop_clock(in->loop)), ms = now > p->started_ms ? now - p->started_ms : 0;
    uint64_t rate = ms ? p->rows_read * 1000 / ms : 0, rows = t->task.rows;
    jsonw_object(w, "progress");
    if (p->bytes)
        jsonw_u64(w, "bytes", p->bytes);
    jsonw_u64(w, "bytes_read", p->bytes_read);
    jsonw_u64(w, "rows_done", p->rows_read);
    if (rate) {
        jsonw_u64(w, "rows_per_second", rate);
        if (rows > p->rows_read)
            jsonw_u64(w, "remaining_s", (rows - p->rows_read + rate - 1) / rate);
    }
    jsonw_end_object(w);
}

/* Why a file does not go on, and who can do something about it. */
static void json_waits(struct nz_intake *in, const char muni[static 6], const struct nz_file_task *t, struct jsonw *w)
{
    struct err e;
    if (t->state < NZ_FILE_ACCEPTED || t->state >= NZ_FILE_ENDED || !nz_bulk_trouble(in->bulk, muni, &t->task.id, &e))
        return;
    const struct err_info *i = err_info(e.code);
    jsonw_object(w, "waits_for");
    jsonw_cstr(w, "code", i->slug);
    jsonw_cstr(w, "message_ja", i->title_ja);
    jsonw_cstr(w, "message_en", i->title_en);
    jsonw_cstr(w, "who", err_who_name(i->who));
    jsonw_end_object(w);
}

void nz_told_open(struct nz_intake *in, const char muni[static 6], const struct nz_file_task *t, bool is_file, struct jsonw *w)
{
    uint64_t now = clock_wall(loop_clock(in->loop));
    struct nz_bulk_progress p;
    if (!is_file) {
        nz_task_json_open(&t->task, false, now, w);
        return;
    }
    struct nz_file_task live = *t;
    if (t->task.form == NZ_FORM_INQUIRY) {
        nz_inquiry_live(in->inquiry, muni, &live);
        nz_file_task_json_open(&live, now, w);
        return;
    }
    bool running = nz_told_live(in, muni, &live, &p);
    nz_file_task_json_open(&live, now, w);
    if (running)
        json_progress(in, &live, &p, w);
    json_waits(in, muni, &live, w);
}

struct slice nz_files_location(const char *prefix, const struct nz_task_id *id, char out[static 80])
{
    char hex[32];
    nz_task_id_format(id, hex);
    int n = snprintf(out, 80, "%s%.32s", prefix, hex);
    return slice_of(out, (size_t)n);
}

void nz_told_send(struct nz_read *rd, int status)
{
    struct buf *out = req_out(rd->r);
    struct jsonw w;
    char location[80];
    nz_files_location("/v1/tasks/", &rd->t.task.id, location);
    jsonw_init(&w, out);
    nz_told_open(rd->in, rd->muni, &rd->t, rd->is_file, &w);
    jsonw_end_object(&w);
    struct err e = buf_check(out);
    if (!err_ok(e))
        req_fail(rd->r, e);
    else if (status == 202)
        req_created(rd->r, status, location, buf_slice(out));
    else
        req_json(rd->r, status, buf_slice(out));
}

void nz_audit_read(struct req *r, uint64_t rows, audit_done_fn *done, void *arg)
{
    struct nz_intake *in = req_ctx(r);
    struct audit_rec rec = nz_audit_of(r, AU_TASK_READ, AR_OK, rows);
    audit_append(in->audit, &rec, nz_req_step(r, NZ_READ_MS, audit_up(in->audit)), done, arg);
}

/* ---- refusals ---- */

void nz_fail_field(struct req *r, const struct field_report *report)
{
    struct field_report copy = *report;
    req_problem(r, FAIL(E_FIELD), field_report_write, &copy);
}

void nz_fail_one(struct req *r, const char *field, enum field_rule rule)
{
    struct field_report report = { 0 };
    field_fault_add(&report, field, rule);
    nz_fail_field(r, &report);
}
