/* GET /v1/tasks/{id}/results: page by page. A file's are in its folder, a request's in tr:. */

#include "gateway/base/text.h"
#include "keys/files/work.h"
#include "keys/inquiry/inquiry.h"

struct results {
    struct req *r;
    struct nz_read *rd;
    struct nz_results_query q;
    struct nz_open *o;
    struct nz_wait wait;
    struct nz_page page;
    struct slice *row;          /* of a request: stored result of each row, arena */
    uint64_t from, to;          /* of a request: rows from + 1 .. to are told */
    uint64_t told;
};

static void results_fail(struct results *s, struct err e)
{
    nz_open_drop(s->o, false);
    /* a cursor that is none of ours leads to what does not open */
    bool forged = s->q.has_cursor && (err_is(e, E_SEAL) || err_is(e, E_FULL));
    req_fail(s->r, forged ? FAIL(E_BAD_URL) : nz_results_error(e));
}

static void write_next(struct jsonw *w, const struct nz_results_at *at)
{
    char text[96];
    size_t n = nz_results_at_format(at, text);
    jsonw_str(w, "next", slice_of(text, n));
}

/* ---- of a file ---- */

static void file_answer(void *arg, struct err e)
{
    struct results *s = arg;
    struct buf *out = req_out(s->r);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_array(&w, "rows");
    for (size_t i = 0; err_ok(e) && i < s->page.n; i++)
        nz_entry_json(&s->page.row[i], &w);
    jsonw_end_array(&w);
    if (!s->page.at_end)
        write_next(&w, &s->page.at);
    jsonw_end_object(&w);
    if (err_ok(e))
        e = buf_check(out);
    if (!err_ok(e)) {
        results_fail(s, e);
        return;
    }
    nz_open_drop(s->o, false);
    req_json(s->r, 200, buf_slice(out));
}

static void file_page(void *arg, struct err e)
{
    struct results *s = arg;
    if (err_ok(e))
        nz_audit_read(s->r, s->page.n, file_answer, s);
    else
        results_fail(s, e);
}

static void file_opened(void *arg, struct err e)
{
    struct results *s = arg;
    struct nz_read *rd = s->rd;
    if (!err_ok(e)) {
        results_fail(s, e);
        return;
    }
    s->page = (struct nz_page){
        .in = rd->in, .t = &rd->t, .entry = s->o->entry, .arena = req_arena(s->r), .at = s->q.at, .limit = s->q.limit,
        .only_failed = s->q.only_failed, .deadline = nz_req_step(s->r, NZ_READ_MS, true), .fn = file_page, .arg = s,
    };
    memcpy(s->page.muni, rd->muni, sizeof rd->muni);
    nz_page_read(&s->page);
}

static void file_results(struct results *s)
{
    struct nz_read *rd = s->rd;
    if (!rd->t.checkpoint) { /* no row has a result: no key is asked for */
        s->page.at_end = true;
        nz_audit_read(s->r, 0, file_answer, s);
        return;
    }
    struct err e = nz_open_take(rd->in->files, rd->muni, &rd->t.task.id, false, &s->o);
    if (err_ok(e))
        nz_open_key(s->o, &s->wait, nz_req_step(s->r, NZ_READ_MS, nz_vault_up(rd->in->vault)), file_opened, s);
    else
        req_fail(s->r, e);
}

/* ---- of an inquiry: in the order in which answers came ---- */

static void inquiry_answer(void *arg, struct err e)
{
    struct results *s = arg;
    if (err_ok(e))
        req_json(s->r, 200, buf_slice(req_out(s->r)));
    else
        req_fail(s->r, e);
}

static ERR inquiry_write(struct results *s, struct nz_spool_entry *entry)
{
    struct nz_inquiry_page p = { .entry = entry, .t = &s->rd->t, .at = s->q.at, .limit = s->q.limit, .only_failed = s->q.only_failed };
    struct buf *out = req_out(s->r);
    TRY(nz_inquiry_page_write(&p, out, &s->told));
    if (p.at_end && p.t->state >= NZ_FILE_ENDED) {
        buf_putc(out, '}');
        return buf_check(out);
    }
    char text[96];
    size_t n = nz_results_at_format(&p.at, text); /* what comes later stands behind it */
    buf_puts(out, ",\"next\":\"");
    buf_put(out, slice_of(text, n));
    buf_puts(out, "\"}");
    return buf_check(out);
}

static void inquiry_opened(void *arg, struct err e)
{
    struct results *s = arg;
    if (err_is(e, E_NOTHING) && s->rd->t.state >= NZ_FILE_ENDED)
        e = FAIL(E_RESULTS_GONE);
    if (err_ok(e))
        e = inquiry_write(s, s->o->entry);
    if (!err_ok(e)) {
        results_fail(s, e);
        return;
    }
    nz_open_drop(s->o, false);
    nz_audit_read(s->r, s->told, inquiry_answer, s);
}

static void inquiry_results(struct results *s)
{
    struct nz_read *rd = s->rd;
    struct err e = nz_open_take(rd->in->files, rd->muni, &rd->t.task.id, false, &s->o);
    if (err_ok(e))
        nz_open_key(s->o, &s->wait, nz_req_step(s->r, NZ_READ_MS, nz_vault_up(rd->in->vault)), inquiry_opened, s);
    else
        req_fail(s->r, e);
}

/* ---- of a request ---- */

static ERR request_rows(struct results *s, struct jsonw *w)
{
    uint64_t rows = s->rd->t.task.rows;
    s->to = s->from = s->q.at.rows < rows ? s->q.at.rows : rows;
    while (s->to < rows && s->told < s->q.limit) {
        struct nz_row_result r = { .result = NZ_WAITING };
        struct slice stored = s->row[s->to++];
        if (stored.n)
            TRY(nz_row_result_decode(stored, &r));
        if (s->q.only_failed && r.result != NZ_REFUSED && r.result != NZ_QUARANTINED)
            continue;
        nz_row_result_json(&r, (uint32_t)s->to, w);
        s->told++;
    }
    return OK;
}

static void request_answer(void *arg, struct err e)
{
    struct results *s = arg;
    struct buf *out = req_out(s->r);
    if (err_ok(e))
        e = buf_check(out);
    if (err_ok(e))
        req_json(s->r, 200, buf_slice(out));
    else
        req_fail(s->r, e);
}

static ERR request_write(struct results *s, const struct redis_reply *hash)
{
    struct arena *a = req_arena(s->r);
    size_t n = (size_t)s->rd->t.task.rows;
    struct jsonw w;
    s->row = arena_get(a, n * sizeof *s->row);
    if (!s->row)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        uint64_t row;
        if (!u64_parse(redis_reply_str(redis_reply_at(hash, i)), &row) || row == 0 || row > n)
            return FAIL(E_SEAL);
        s->row[row - 1] = redis_reply_str(redis_reply_at(hash, i + 1)); /* written out within this call */
    }
    jsonw_init(&w, req_out(s->r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "rows");
    TRY(request_rows(s, &w));
    jsonw_end_array(&w);
    if (s->to < n)
        write_next(&w, &(struct nz_results_at){ .rows = s->to });
    jsonw_end_object(&w);
    return buf_check(req_out(s->r));
}

static void request_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct results *s = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = request_write(s, replies[0]);
    if (err_ok(e))
        nz_audit_read(s->r, s->told, request_answer, s);
    else
        req_fail(s->r, e);
}

static void request_results(struct results *s)
{
    struct redis_batch *b = redis_batch_new(256);
    struct store_name tr;
    if (!b) {
        req_fail(s->r, FAIL(E_NOMEM));
        return;
    }
    nz_name_task("tr", s->rd->muni, &s->rd->t.task.id, &tr);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&tr));
    nz_read_send(s->r, b, NZ_READ_MS, request_read, s);
}

/* ---- the beginning ---- */

static void results_read(struct nz_read *rd, struct err e)
{
    struct results *s = rd->more;
    s->rd = rd;
    if (!err_ok(e))
        req_fail(s->r, e);
    else if (rd->is_file && rd->t.task.form == NZ_FORM_INQUIRY)
        inquiry_results(s);
    else if (rd->is_file)
        file_results(s);
    else
        request_results(s);
}

void nz_tasks_results(struct req *r)
{
    struct results *s = arena_get(req_arena(r), sizeof *s);
    struct err e = s ? nz_results_query_read(req_query(r), &s->q) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    s->r = r;
    nz_read_task(r, results_read, s);
}
