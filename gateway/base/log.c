#include "gateway/base/log.h"

#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/json_write.h"

/* The one mutable global of the common layers (tests/lint/globals.allow). */
static struct { struct lit daemon; enum log_level lowest; } log_sink = { { "pmhgw" }, LOG_INFO };

struct lf lf_u64(const char *k, uint64_t v) { return (struct lf){ k, LF_U64, { .u = v } }; }
struct lf lf_u32(const char *k, unsigned v) { return (struct lf){ k, LF_U64, { .u = v } }; }
struct lf lf_int(const char *k, int v) { return (struct lf){ k, LF_I64, { .i = v } }; }
struct lf lf_bool(const char *k, bool v) { return (struct lf){ k, LF_BOOL, { .b = v } }; }
struct lf lf_err(const char *k, struct err v) { return (struct lf){ k, LF_ERR, { .e = v } }; }
struct lf lf_rid(const char *k, struct req_id v) { return (struct lf){ k, LF_RID, { .rid = v } }; }
struct lf lf_trace(const char *k, struct trace_id v) { return (struct lf){ k, LF_TRACE, { .trace = v } }; }
struct lf lf_lit(const char *k, struct lit v) { return (struct lf){ k, LF_LIT, { .lit = v } }; }

void log_open(struct lit daemon, enum log_level lowest)
{
    log_sink.daemon = daemon;
    log_sink.lowest = lowest;
}

static void put_err(struct jsonw *w, const char *key, struct err e)
{
    jsonw_object(w, key);
    jsonw_cstr(w, "code", err_slug(e.code));
    if (e.site)
        jsonw_cstr(w, "site", e.site);
    jsonw_end_object(w);
}

static void put_trace(struct jsonw *w, const char *key, struct trace_id id)
{
    static const struct trace_id NONE = { { 0 } };
    if (slice_eq(ARR(id.b), ARR(NONE.b))) {
        jsonw_null(w, key);
        return;
    }
    jsonw_raw(w, key, LIT("\""));
    buf_hex(w->out, ARR(id.b));
    buf_putc(w->out, '"');
}

static void put_field(struct jsonw *w, const struct lf *f)
{
    switch (f->kind) {
    case LF_U64: jsonw_u64(w, f->key, f->v.u); break;
    case LF_I64:
        if (f->v.i >= 0) {
            jsonw_u64(w, f->key, (uint64_t)f->v.i);
        } else {
            jsonw_raw(w, f->key, LIT("-"));
            buf_u64(w->out, 0 - (uint64_t)f->v.i);
        }
        break;
    case LF_BOOL: jsonw_bool(w, f->key, f->v.b); break;
    case LF_ERR: put_err(w, f->key, f->v.e); break;
    case LF_LIT: jsonw_cstr(w, f->key, f->v.lit.s); break;
    case LF_TRACE: put_trace(w, f->key, f->v.trace); break;
    case LF_RID: {
        jsonw_raw(w, f->key, LIT("\""));
        buf_hex(w->out, ARR(f->v.rid.b));
        buf_putc(w->out, '"');
        break;
    }
    }
}

void log_emit(enum log_level level, const char *event, size_t n, const struct lf *fields)
{
    static const char *const NAMES[LOG__MAX] = { "debug", "info", "warn", "error", "note" };
    if (level < log_sink.lowest)
        return;
    struct clock clock = clock_system();
    char ts[24];
    clock_format_utc(clock_wall(&clock), ts);
    struct buf line;
    struct jsonw w;
    buf_init(&line, 4096);
    jsonw_init(&w, &line);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "ts", ARR(ts));
    jsonw_cstr(&w, "level", NAMES[level]);
    jsonw_cstr(&w, "daemon", log_sink.daemon.s);
    jsonw_cstr(&w, "event", event);
    for (size_t i = 0; i < n; i++)
        put_field(&w, &fields[i]);
    jsonw_end_object(&w);
    buf_putc(&line, '\n');
    /* One write a line, so that lines of several processes do not mix; a full pipe loses the line, not the service. */
    if (err_ok(buf_check(&line)) && write(STDERR_FILENO, line.p, line.n) < 0)
        line.failed = true;
    buf_done(&line);
}
