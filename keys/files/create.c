/* POST /v1/files: a file is announced. */

#include "keys/files/work.h"
#include "keys/linkage/layout.h"

struct create {
    struct req *r;
    struct nz_intake *in;
    struct nz_file_task of;     /* only_failed_of */
    struct nz_make m;
};

static void made(struct nz_make *m, struct err e)
{
    struct buf *out = req_out(m->r);
    struct jsonw w;
    char hex[32], location[80];
    if (err_ok(e)) {
        nz_task_id_format(&m->id, hex);
        jsonw_init(&w, out);
        jsonw_object(&w, NULL);
        jsonw_str(&w, "file_id", ARR(hex));
        jsonw_cstr(&w, "state", nz_file_state_name(NZ_FILE_UPLOADING));
        jsonw_u64(&w, "received", 0);
        jsonw_u64(&w, "bytes", m->ask.meta.bytes);
        jsonw_end_object(&w);
        e = buf_check(out);
    }
    if (!err_ok(e)) {
        req_fail(m->r, e);
        return;
    }
    nz_files_location("/v1/files/", &m->id, location);
    req_created(m->r, 201, location, buf_slice(out));
}

/* The rows that failed there are known, and of the same form. */
static bool of_fits(struct create *c, const struct redis_reply *hash)
{
    bool is_file = false;
    c->of.task.id = c->m.ask.of;
    const bool is_known = redis_reply_len(hash) && err_ok(nz_read_hash(c->in, hash, &c->of, &is_file));
    if (!is_known || !is_file || c->of.mode != NZ_MODE_APPLY || c->of.is_undone) { /* what it says it accepted is not stored */
        nz_fail_one(c->r, "only_failed_of", FR_CODE);
        return false;
    }
    if (c->of.task.form != c->m.ask.form) {
        nz_fail_one(c->r, "only_failed_of", FR_RANGE);
        return false;
    }
    if (c->of.state != NZ_FILE_ENDED) {
        req_fail(c->r, FAIL(E_NOT_COMPLETE));
        return false;
    }
    return true;
}

static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct create *c = arg;
    if (err_ok(e) && n < 2)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[1]) >= NZ_FILES_UPLOADS_MAX)
        e = FAIL(E_UPLOADS);
    if (!err_ok(e)) {
        req_fail(c->r, e);
        return;
    }
    if (!c->m.ask.has_of || of_fits(c, replies[2]))
        nz_make_task(&c->m);
}

/* How many uploads are open, and what only_failed_of names. */
static void look(struct create *c)
{
    struct redis_batch *b = redis_batch_new(1024);
    uint64_t now = clock_wall(loop_clock(c->in->loop)), keep = c->in->conf.upload_keep_hours * UINT64_C(3600000);
    struct store_name fu, t;
    if (!b) {
        req_fail(c->r, FAIL(E_NOMEM));
        return;
    }
    nz_files_names(nz_req_muni(c->r), &fu);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZREMRANGEBYSCORE"));
    redis_arg(b, store_name_slice(&fu));
    redis_arg(b, LIT("-inf"));
    redis_arg_u64(b, now > keep ? now - keep : 0);
    REDIS_ADD(b, LIT("ZCARD"), store_name_slice(&fu));
    if (c->m.ask.has_of) {
        nz_name_task("t", nz_req_muni(c->r), &c->m.ask.of, &t);
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t));
    }
    nz_read_send(c->r, b, NZ_READ_MS, looked, c);
}

/* Now, and not when a whole city has been sent. */
static ERR layout_check(struct create *c, struct field_report *report)
{
    struct nz_layout *l = NULL;
    if (c->m.ask.source != NZ_SOURCE_CSV)
        return OK;
    struct err e = nz_bulk_layout(c->in, c->m.ask.form, c->m.ask.layout, &l);
    nz_layout_free(l);
    if (!err_is(e, E_CONFIG))
        return e;
    field_fault_add(report, "layout", FR_CODE);
    return FAIL(E_FIELD);
}

void nz_files_create(struct req *r)
{
    struct create *c = arena_get(req_arena(r), sizeof *c);
    struct field_report report = { 0 };
    if (!c) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    c->r = c->m.r = r;
    c->in = req_ctx(r);
    c->m.fn = made;
    struct err e = nz_file_ask_read(req_body(r), req_arena(r), c->in->pool, &c->m.ask, &report);
    if (err_ok(e))
        e = nz_doors_allow_rows(r, c->m.ask.form);
    if (err_ok(e))
        e = layout_check(c, &report);
    uint64_t room = nz_spool_room(c->in->spool);
    if (err_ok(e) && (room < NZ_FILES_ROOM || c->m.ask.meta.bytes > room - NZ_FILES_ROOM))
        e = FAIL(E_DISK_FULL);
    if (err_ok(e))
        look(c);
    else if (report.n_faults)
        nz_fail_field(r, &report);
    else
        req_fail(r, e);
}
