/* GET /v1/console/certificates: which certificate ends when, as far as the daemons of this machine know it, and the caller's own. */

#include "gateway/tls/ends.h"
#include "keys/console/watch.h"

static const char *const STAGES[ENDS__MAX] = {
    [ENDS_LATER] = "later", [ENDS_IN_30] = "in_30_days", [ENDS_IN_14] = "in_14_days", [ENDS_IN_7] = "in_7_days", [ENDS_IN_1] = "in_1_day", [ENDS_OVER] = "over",
};

static void put_time(struct jsonw *w, const char *name, uint64_t s)
{
    char at[24];
    clock_format_utc(s * 1000, at);
    jsonw_str(w, name, ARR(at));
}

static void put_end(struct jsonw *w, uint64_t end_s, uint64_t now_s)
{
    put_time(w, "ends_at", end_s);
    jsonw_cstr(w, "stage", STAGES[ends_stage((int64_t)end_s - (int64_t)now_s)]);
}

static void put_lists(const struct nz_gauges *g, struct jsonw *w)
{
    jsonw_object(w, "lists");
    if (g->lists_end_s)
        put_time(w, "ends_at", g->lists_end_s);
    if (g->lists_made_s)
        put_time(w, "made_at", g->lists_made_s);
    jsonw_u64(w, "missing", g->lists_missing);
    jsonw_end_object(w);
}

void nz_console_certificates(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    const struct nz_gauges *g = nz_watch_gauges(in->watch);
    const uint64_t now_s = clock_wall(loop_clock(in->loop)) / 1000;
    const int64_t own = req_caller(r)->not_after;
    struct buf *out = req_out(r);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    put_time(&w, "at", now_s);
    jsonw_object(&w, "own"); /* the certificate that the caller has shown */
    put_end(&w, own > 0 ? (uint64_t)own : 0, now_s);
    jsonw_end_object(&w);
    jsonw_bool(&w, "known", g != NULL);
    jsonw_array(&w, "certificates");
    for (size_t i = 0; g && i < g->n_ends; i++) {
        jsonw_object(&w, NULL);
        jsonw_cstr(&w, "daemon", g->ends[i].daemon);
        jsonw_cstr(&w, "setting", g->ends[i].setting);
        put_end(&w, g->ends[i].end_s, now_s);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    if (g)
        put_lists(g, &w);
    jsonw_end_object(&w);
    struct err e = buf_check(out);
    if (err_ok(e))
        req_json(r, 200, buf_slice(out));
    else
        req_fail(r, e);
}
