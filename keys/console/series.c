/* GET /v1/console/series: rows, age of the backlog, lookups and refusals of the caller's municipality by the hour. For whoever is in charge of all programs: the counts are of all. */

#include "keys/console/watch.h"

struct series { struct req *r; uint64_t now_ms; size_t first; /* reply of the oldest hour */ };

enum { BATCH_MAX = 64 * 1024 };

static void on_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    const struct series *s = arg;
    struct buf *out = req_out(s->r);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    if (err_ok(e))
        e = n >= s->first ? nz_hours_write(replies + s->first, n - s->first, s->now_ms, &w) : FAIL(E_STORE_REFUSED);
    jsonw_end_object(&w);
    if (err_ok(e))
        e = buf_check(out);
    if (err_ok(e))
        req_json(s->r, 200, buf_slice(out));
    else
        req_fail(s->r, e);
}

void nz_console_series(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    struct series *s = arena_get(req_arena(r), sizeof *s);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct nz_hour_totals now;
    if (!s || !b) {
        redis_batch_free(b);
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    *s = (struct series){ .r = r, .now_ms = clock_wall(loop_clock(in->loop)) };
    if (nz_watch_totals(in->watch, nz_req_muni(r), &now)) { /* what came since the last minute too */
        nz_hours_add(b, nz_req_muni(r), s->now_ms, &now);
        s->first = 1;
    }
    nz_hours_ask(b, nz_req_muni(r), s->now_ms);
    redis_send(in->redis, b, nz_req_step(r, NZ_READ_MS, redis_up(in->redis)), on_read, s);
}
