/* GET /v1/console/overview: how the gateway is, and what waits of the caller's municipality and programs. */

#include "keys/console/backlog.h"
#include "keys/console/watch.h"
#include "keys/intake/outbox.h"
#include "keys/staff/staff.h"

enum { NOTE_MAX = 1280, BATCH_MAX = 8192 };

struct overview {
    struct req *r;
    struct nz_intake *in;
    bool has_backlog;
    struct nz_backlog_view backlog;
    uint64_t log_size; /* 0: not known */
    size_t note_n;
    char note[NOTE_MAX];
};

static void put_time(struct jsonw *w, const char *name, uint64_t wall_ms)
{
    char at[24];
    clock_format_utc(wall_ms, at);
    jsonw_str(w, name, ARR(at));
}

static void put_parts(const struct overview *o, struct jsonw *w)
{
    jsonw_array(w, "parts");
    for (int p = 0; p < NZ_PART__MAX; p++) {
        const struct nz_part_view v = nz_watch_part(o->in->watch, (enum nz_part)p);
        jsonw_object(w, NULL);
        jsonw_cstr(w, "name", v.name);
        jsonw_cstr(w, "kind", v.kind);
        jsonw_cstr(w, "state", v.state);
        put_time(w, "since", v.since_ms);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void put_backlog(const struct overview *o, uint64_t now_ms, struct jsonw *w)
{
    const struct nz_backlog_view *v = &o->backlog;
    if (!o->has_backlog) {
        jsonw_null(w, "backlog");
        return;
    }
    jsonw_object(w, "backlog");
    jsonw_u64(w, "rows", v->rows);
    jsonw_u64(w, "files", v->files);
    if (v->oldest_ms)
        jsonw_u64(w, "oldest_s", now_ms > v->oldest_ms ? (now_ms - v->oldest_ms) / 1000 : 0);
    jsonw_u64(w, "stalled", v->stalled);
    jsonw_u64(w, "held", v->held);
    if (v->at_least)
        jsonw_bool(w, "at_least", true);
    jsonw_end_object(w);
}

/* The ring has no other municipality: what is nobody's in particular is this one's. */
static bool alone(const struct nz_intake *in)
{
    size_t at = 0, n = 0;
    struct slice id;
    const struct secret *key;
    while (n < 2 && keyring_each(in->ring, KEY_LINK_DATA, &at, &id, &key))
        n++;
    return n == 1;
}

/* Queues that all municipalities share: how late they are; how long, only where there is no other one. */
static void put_shared(const struct overview *o, const struct nz_gauges *g, struct jsonw *w)
{
    const bool counts = alone(o->in);
    jsonw_object(w, "notices");
    jsonw_u64(w, "behind_s", g->notices_behind_s);
    jsonw_bool(w, "some_given_up", g->notices_dead > 0);
    if (counts) {
        jsonw_u64(w, "waiting", g->notices_waiting);
        jsonw_u64(w, "given_up", g->notices_dead);
    }
    jsonw_end_object(w);
    jsonw_object(w, "vrs");
    jsonw_bool(w, "reports", nz_reports_to_vrs(o->in));
    jsonw_bool(w, "some_not_taken", g->vrs_not_taken > 0);
    if (counts) {
        jsonw_u64(w, "waiting", g->vrs_waiting);
        jsonw_u64(w, "not_taken", g->vrs_not_taken);
    }
    jsonw_end_object(w);
}

static void put_audit(const struct overview *o, const struct nz_gauges *g, struct jsonw *w)
{
    jsonw_object(w, "audit");
    if (o->log_size) {
        jsonw_u64(w, "size", o->log_size);
        jsonw_str(w, "checkpoint", slice_of(o->note, o->note_n));
    }
    if (g && g->has_disk && g->disk_hours != AUDIT_HOURS_UNKNOWN)
        jsonw_u64(w, "disk_hours", g->disk_hours);
    jsonw_end_object(w);
}

static void answer(struct overview *o)
{
    const uint64_t now_ms = clock_wall(loop_clock(o->in->loop));
    const struct nz_gauges *g = nz_watch_gauges(o->in->watch);
    struct buf *out = req_out(o->r);
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    put_time(&w, "at", now_ms);
    jsonw_cstr(&w, "version", PMHGW_VERSION);
    jsonw_str(&w, "municipality", slice_of(nz_req_muni(o->r), 6));
    jsonw_bool(&w, "all_programs", nz_staff_sees_all(o->r));
    put_parts(o, &w);
    put_backlog(o, now_ms, &w);
    if (g)
        put_shared(o, g, &w);
    put_audit(o, g, &w);
    jsonw_end_object(&w);
    struct err e = buf_check(out);
    if (err_ok(e))
        req_json(o->r, 200, buf_slice(out));
    else
        req_fail(o->r, e);
}

/* A part that is away is told as away: the rest of the answer is there all the same. */
static void on_checkpoint(void *arg, struct err e, uint64_t size, struct slice note)
{
    struct overview *o = arg;
    if (err_ok(e) && note.n <= sizeof o->note) {
        memcpy(o->note, note.p, note.n);
        o->note_n = note.n;
        o->log_size = size;
    }
    answer(o);
}

static void on_backlog(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct overview *o = arg;
    o->has_backlog = err_ok(e) && n == 1 && err_ok(nz_backlog_heard(replies[0], &o->backlog));
    if (audit_up(o->in->audit))
        audit_checkpoint(o->in->audit, nz_req_step(o->r, NZ_READ_MS, true), on_checkpoint, o);
    else
        answer(o);
}

void nz_console_overview(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    struct overview *o = arena_get(req_arena(r), sizeof *o);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!o || !b) {
        redis_batch_free(b);
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    o->r = r;
    o->in = in;
    struct nz_backlog_ask ask = { .muni = nz_req_muni(r), .now_ms = clock_wall(loop_clock(in->loop)), .upstream_down = nz_outbox_upstream_down(in->outbox) };
    for (int f = 0; f < NZ_FORM__MAX; f++)
        ask.sees[f] = err_ok(nz_doors_allow_rows(r, (enum nz_form)f));
    nz_backlog_look(b, &ask);
    redis_send(in->redis, b, nz_req_step(r, NZ_READ_MS, redis_up(in->redis)), on_backlog, o);
}
