/* GET /v1/audit/export: the operation log of some days as JSON lines, newest first. The last line has the checkpoint that the proofs lead to, and how many
 * entries there are: an export without it is not whole. */

#include <stdlib.h>

#include "keys/oplog/line.h"
#include "keys/oplog/oplog.h"
#include "keys/oplog/page.h"
#include "keys/staff/staff.h"

enum { LINES_MAX = 1 << 20, LOW_WATER = 32 * 1024, LOOK_MS = 10 };

struct export {
    struct req *r;
    struct nz_intake *in;
    struct timer *timer;     /* until the client has taken what was put */
    struct nz_oplog_page page;
    uint32_t n;
    struct nz_still who;     /* asked before each page: a long export ends with the session of whoever began it */
    bool streaming, gone, waiting; /* waiting: a call of pmhgw-audit or of Redis holds it in memory */
};

/* ---- few at a time ---- */

static char *place_of(struct nz_intake *in, const char muni[static 6])
{
    for (size_t i = 0; i < NZ_EXPORTS_MAX; i++)
        if (slice_eq(ARR(in->exporting[i]), slice_of(muni, 6)))
            return in->exporting[i];
    return NULL;
}

static bool place_take(struct nz_intake *in, const char muni[static 6])
{
    static const char FREE[6];
    char *place = place_of(in, FREE);
    if (!place || place_of(in, muni))
        return false;
    memcpy(place, muni, 6);
    return true;
}

static void export_free(struct export *x)
{
    char *place = place_of(x->in, x->page.muni);
    if (place)
        memset(place, 0, 6);
    timer_free(x->timer);
    free(x);
}

static void on_gone(void *arg)
{
    struct export *x = arg;
    x->gone = true;
    if (!x->waiting)
        export_free(x);
}

static void fail(struct export *x, struct err e)
{
    struct req *r = x->r;
    bool streaming = x->streaming;
    export_free(x);
    if (!streaming) {
        req_fail(r, e);
        return;
    }
    struct buf b;
    struct jsonw w;
    buf_init(&b, 256);
    jsonw_init(&w, &b);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "error", err_slug(e.code));
    jsonw_end_object(&w);
    buf_putc(&b, '\n');
    req_stream_put(r, buf_slice(&b));
    buf_done(&b);
    req_stream_end(r);
}

/* A call has ended. False: nobody is there any more. */
static bool back(struct export *x)
{
    bool gone = x->gone;
    x->waiting = false;
    if (gone)
        export_free(x);
    return !gone;
}

/* ---- the end ---- */

static void put_last(struct export *x)
{
    struct req *r = x->r;
    struct buf b;
    struct jsonw w;
    buf_init(&b, 8 * NZ_OPLOG_NOTE_MAX);
    jsonw_init(&w, &b);
    nz_oplog_last_write(slice_of(x->page.note, x->page.note_n), x->n, &w);
    buf_putc(&b, '\n');
    export_free(x);
    req_stream_put(r, buf_slice(&b));
    buf_done(&b);
    req_stream_end(r);
}

static void audited_end(void *arg, struct err e)
{
    struct export *x = arg;
    if (!back(x))
        return;
    if (err_ok(e))
        put_last(x);
    else
        fail(x, e);
}

static void audit(struct export *x, uint32_t n, audit_done_fn *done)
{
    struct audit_rec rec = nz_audit_of(x->r, AU_OPERATION_LOG_READ, AR_OK, n);
    x->waiting = true;
    audit_append(x->in->audit, &rec, loop_now(x->in->loop) + NZ_READ_MS, done, x);
}

/* ---- pages ---- */

static void read_page(struct export *x, uint64_t deadline)
{
    x->waiting = true;
    x->page.deadline = deadline;
    nz_oplog_page_read(&x->page);
}

static void proceed(struct export *x)
{
    if (x->page.before)
        read_page(x, loop_now(x->in->loop) + NZ_OPLOG_PAGE_MS);
    else
        audit(x, x->n, audited_end);
}

static void judged(void *arg, bool still)
{
    struct export *x = arg;
    if (!back(x))
        return;
    if (still)
        proceed(x);
    else
        fail(x, FAIL(E_STAFF));
}

static void go_on(void *arg)
{
    struct export *x = arg;
    if (req_stream_waiting(x->r) > LOW_WATER) {
        timer_start(x->timer, LOOK_MS); /* a client that does not read is left by the door */
        return;
    }
    x->waiting = nz_still_ask(&x->who, judged, x);
    if (!x->waiting)
        proceed(x);
}

static void put_page(struct export *x)
{
    struct buf b;
    uint32_t n = 0;
    buf_init(&b, LINES_MAX);
    struct err e = nz_oplog_page_write(&x->page, NULL, &b, &n);
    if (err_ok(e))
        e = buf_check(&b);
    if (!err_ok(e)) {
        buf_done(&b);
        fail(x, e);
        return;
    }
    x->n += n;
    req_stream_put(x->r, buf_slice(&b));
    buf_done(&b);
    timer_start(x->timer, 0); /* others have their turn */
}

static void audited_begin(void *arg, struct err e)
{
    struct export *x = arg;
    x->waiting = false;
    if (!err_ok(e)) {
        fail(x, e);
        return;
    }
    x->streaming = true;
    req_stream(x->r, "application/x-ndjson", on_gone, x);
    put_page(x);
}

static void page_read(void *arg, struct err e)
{
    struct export *x = arg;
    if (x->streaming && !back(x))
        return;
    x->waiting = false;
    if (!err_ok(e))
        fail(x, e);
    else if (x->streaming)
        put_page(x);
    else
        audit(x, 0, audited_begin);
}

/* ---- the beginning ---- */

void nz_oplog_export(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    struct nz_oplog_range range;
    struct err e = nz_oplog_range_read(req_query(r), &range);
    if (err_ok(e) && !place_take(in, nz_req_muni(r)))
        e = FAIL(E_BUSY);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    struct export *x = calloc(1, sizeof *x);
    if (!x || !err_ok(timer_new(&x->timer, in->loop, go_on, x))) {
        memset(place_of(in, nz_req_muni(r)), 0, 6);
        free(x);
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    x->r = r;
    x->in = in;
    nz_still_begin(&x->who, r);
    x->page.in = in;
    x->page.range = range;
    x->page.limit = NZ_OPLOG_PAGE_MAX;
    x->page.fn = page_read;
    x->page.arg = x;
    memcpy(x->page.muni, nz_req_muni(r), sizeof x->page.muni);
    read_page(x, nz_req_step(r, NZ_OPLOG_PAGE_MS, audit_up(in->audit)));
}
