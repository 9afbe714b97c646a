/* Messages of pmhgw-audit that ask about the log: by whom they may be asked is in the table in daemon.c, for which kind of key here. */

#include <sys/statvfs.h>

#include "gateway/audit/daemon_int.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/log.h"

enum { DISK_LOOK_MS = 60 * 1000, DISK_WARN_EVERY_MS = 3600 * 1000, MIB = 20, U64 = 8, STATUS_BYTES = 21 };

/* ---- FIND, PROVE, EPOCH, ACTS ---- */

static void on_answer(void *arg, struct err e, struct slice reply)
{
    if (err_is(e, E_PROTOCOL))
        ipc_breach(arg);
    else
        ipc_reply(arg, e, reply);
}

/* The socket is the last to go: what it is asked meanwhile goes to nobody. */
static bool ends(const struct audit_daemon *d, struct ipc_call *call)
{
    if (d->closing)
        ipc_reply(call, FAIL(E_AUDIT_DOWN), SLICE_NONE);
    return d->closing;
}

static void ask(struct audit_daemon *d, struct ipc_call *call, uint8_t message, struct slice body)
{
    if (ends(d, call))
        return;
    audit_reader_ask(d->reader, message, body, on_answer, call);
}

/* front reads about persons, intake for municipalities: another kind of key is a breach. */
static bool kind_allowed(enum ipc_role from, struct slice body)
{
    return body.n && body.p[0] == (from == IPC_FRONT ? AK_PERSON : AK_MUNI);
}

void audit_on_find(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    if (kind_allowed(from, body))
        ask(ctx, call, AUDIT_MSG_FIND, body);
    else
        ipc_breach(call);
}

void audit_on_prove(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    if (kind_allowed(from, body))
        ask(ctx, call, AUDIT_MSG_PROVE, body);
    else
        ipc_breach(call);
}

void audit_on_epoch(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from;
    ask(ctx, call, AUDIT_MSG_EPOCH, body);
}

void audit_on_acts(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from;
    ask(ctx, call, AUDIT_MSG_ACTS, body);
}

/* ---- CHECKPOINT ---- */

static void on_signed(void *arg, struct err e, const struct tree_head *head, struct slice note)
{
    uint8_t b[IPC_BODY_MAX];
    if (err_ok(e) && note.n + U64 + 2 > sizeof b)
        e = FAIL(E_AUDIT_DOWN);
    if (!err_ok(e)) {
        ipc_reply(arg, e, SLICE_NONE);
        return;
    }
    be_put(b, head->size, U64);
    memcpy(b + U64, note.p, note.n);
    ipc_reply(arg, OK, slice_of(b, U64 + note.n));
}

void audit_on_checkpoint(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct audit_daemon *d = ctx;
    uint64_t seq = 0;
    (void)from, (void)body;
    struct err e = d->keeper && !d->closing ? audit_writer_seq(d->writer, &seq) : FAIL(E_AUDIT_DOWN);
    if (err_ok(e))
        audit_keeper_ask(d->keeper, seq, on_signed, call);
    else
        ipc_reply(call, e, SLICE_NONE);
}

/* ---- how long the disk lasts ---- */

static struct audit_disk_status disk_status(struct audit_daemon *d)
{
    struct statvfs v;
    struct audit_disk_status s = { .hours = AUDIT_HOURS_UNKNOWN };
    uint64_t now = clock_wall(loop_clock(d->loop)), seq;
    s.writes = err_ok(audit_writer_seq(d->writer, &seq));
    if (statvfs(d->dir, &v) != 0)
        return s;
    s.free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    s.total_bytes = (uint64_t)v.f_blocks * v.f_frsize;
    forecast_free(audit_reader_forecast(d->reader), now, s.free_bytes);
    s.hours = forecast_hours(audit_reader_forecast(d->reader), now, s.free_bytes);
    return s;
}

void audit_disk_look(void *daemon)
{
    struct audit_daemon *d = daemon;
    struct audit_disk_status s = disk_status(d);
    uint64_t now = loop_now(d->loop);
    timer_start(d->disk_watch, DISK_LOOK_MS);
    metric_set(metrics_of(loop_metrics(d->loop), MF_AUDIT_DISK_HOURS, 0, NULL), s.hours);
    metric_set(metrics_of(loop_metrics(d->loop), MF_AUDIT_DISK_FREE, 0, NULL), s.free_bytes);
    if (s.hours >= AUDIT_DISK_LOW_HOURS) {
        d->warned_ms = 0;
        return;
    }
    if (d->warned_ms && now - d->warned_ms < DISK_WARN_EVERY_MS)
        return;
    LOG(WARN, "audit_disk_soon_full", LF("hours", s.hours), LF("free_mib", s.free_bytes >> MIB));
    d->warned_ms = now;
}

void audit_on_status(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    uint8_t b[STATUS_BYTES];
    (void)from, (void)body;
    if (ends(ctx, call))
        return;
    struct audit_disk_status s = disk_status(ctx);
    be_put(b, s.free_bytes, 8);
    be_put(b + 8, s.total_bytes, 8);
    be_put(b + 16, s.hours, 4);
    b[20] = s.writes;
    ipc_reply(call, OK, ARR(b));
}
