/* GET /v1/audit/entries: a page of the operation log, newest first. */

#include "keys/oplog/oplog.h"
#include "keys/oplog/page.h"

struct entries { struct req *r; struct nz_oplog_page page; uint32_t n; };

static void write_next(struct jsonw *w, uint64_t before)
{
    struct buf digits;
    buf_init(&digits, 20);
    buf_u64(&digits, before);
    jsonw_str(w, "next", buf_slice(&digits));
    buf_done(&digits);
}

static void answer(void *arg, struct err e)
{
    struct entries *x = arg;
    if (err_ok(e))
        req_json(x->r, 200, buf_slice(req_out(x->r)));
    else
        req_fail(x->r, e);
}

static ERR write_page(struct entries *x)
{
    struct nz_oplog_page *p = &x->page;
    struct jsonw w;
    jsonw_init(&w, req_out(x->r));
    jsonw_object(&w, NULL);
    jsonw_str(&w, "checkpoint", slice_of(p->note, p->note_n));
    jsonw_array(&w, "entries");
    TRY(nz_oplog_page_write(p, &w, NULL, &x->n));
    jsonw_end_array(&w);
    if (p->before)
        write_next(&w, p->before);
    jsonw_end_object(&w);
    return buf_check(req_out(x->r));
}

static void page_read(void *arg, struct err e)
{
    struct entries *x = arg;
    if (err_ok(e))
        e = write_page(x);
    if (!err_ok(e)) {
        req_fail(x->r, e);
        return;
    }
    struct nz_intake *in = x->page.in;
    struct audit_rec rec = nz_audit_of(x->r, AU_OPERATION_LOG_READ, AR_OK, x->n);
    audit_append(in->audit, &rec, nz_req_step(x->r, NZ_READ_MS, audit_up(in->audit)), answer, x);
}

void nz_oplog_entries(struct req *r)
{
    struct nz_oplog_query q;
    struct entries *x = arena_get(req_arena(r), sizeof *x);
    struct err e = x ? nz_oplog_query_read(req_query(r), &q) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    struct nz_intake *in = req_ctx(r);
    x->r = r;
    x->page = (struct nz_oplog_page){
        .in = in, .before = q.before, .range = { 0, UINT64_MAX }, .limit = q.limit, .deadline = nz_req_step(r, NZ_OPLOG_PAGE_MS, audit_up(in->audit)), .fn = page_read, .arg = x };
    memcpy(x->page.muni, nz_req_muni(r), sizeof x->page.muni);
    nz_oplog_page_read(&x->page);
}
