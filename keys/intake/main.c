/* pmhgw-intake --config FILE */

#include "keys/change/change.h"
#include "keys/intake/setup.h"

#include <stdlib.h>

#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/check/json_in.h"
#include "gateway/conf/daemon.h"
#include "gateway/tls/ends.h"
#include "keys/bulk/bulk.h"
#include "keys/console/watch.h"
#include "keys/files/files.h"
#include "keys/held/retain.h"
#include "keys/inquiry/inquiry.h"
#include "keys/intake/meter.h"
#include "keys/intake/order.h"
#include "keys/intake/ring_watch.h"
#include "keys/intake/work.h"
#include "keys/report/report.h"
#include "keys/staff/staff.h"

enum { DRAIN_STEP_MS = 20, LEAVE_STEPS = 50, DRAIN_MIN_STEPS = 10, CUT_MS = 1000, START_RECORD_MS = 30000, CONNECT_MS = 1000, CONNECT_LOOK_MS = 1 };

static bool time_left(const struct nz_intake *in) { return loop_now(in->loop) < in->cut_at; }

static void close_work(struct nz_intake *in)
{
    in->drained = true;
    in->drain_steps = 0;
    door_close(in->door);
    nz_bulk_close(in->bulk);
    nz_files_close(in->files);
    nz_staff_close(in->staff);
    nz_inquiry_close(in->inquiry);
    nz_report_close(in->report);
    nz_order_close(in->order);
    nz_outbox_close(in->outbox);
    nz_changer_close(in->changer);
    nz_retain_close(in->retain);
    nz_meter_close(in->meter);
    nz_watch_close(in->watch);
    ring_watch_close(in->ring_watch);
}

/* Callers hear with their next answer that they should go. What has begun ends before the parts it needs are closed. */
static void drain(void *arg)
{
    struct nz_intake *in = arg;
    if (!in->drained && time_left(in) && (door_busy(in->door) > 0 || (door_conns(in->door) > 0 && ++in->drain_steps < LEAVE_STEPS))) {
        timer_start(in->drain, DRAIN_STEP_MS);
        return;
    }
    if (!in->drained)
        close_work(in);
    bool idle = !in->registrations && nz_outbox_idle(in->outbox) && nz_changer_idle(in->changer) && nz_bulk_idle(in->bulk) &&
                nz_files_idle(in->files) && nz_staff_idle(in->staff) && nz_inquiry_idle(in->inquiry) && nz_report_idle(in->report);
    if (++in->drain_steps < DRAIN_MIN_STEPS || (!idle && time_left(in))) {
        timer_start(in->drain, DRAIN_STEP_MS);
        return;
    }
    timer_free(in->drain);
    budget_stop(in->budget);
    revocations_close(in->revocations);
    nz_bulk_stop(in->bulk);
    nz_inquiry_stop(in->inquiry);
    nz_report_stop(in->report);
    nz_intake_close(in);
}

static void stop(void *arg)
{
    struct nz_intake *in = arg;
    in->cut_at = loop_now(in->loop) + in->conf.stop_ms - CUT_MS;
    door_drain(in->door);
    timer_start(in->drain, DRAIN_STEP_MS);
}

static void on_start_noted(void *arg, struct err e)
{
    (void)arg;
    if (!err_ok(e))
        LOG(ERROR, "start_not_recorded", LF("error", e));
}

static void note_start(const struct nz_intake *in)
{
    struct audit_rec rec = nz_outbox_audit(in, AU_PROCESS_START, "000000", 0);
    audit_append(in->audit, &rec, loop_now(in->loop) + START_RECORD_MS, on_start_noted, NULL);
}

/* Who takes the place of another should not answer 503 while it connects; where there is nothing to connect to, it says so to callers all the same. */
static void await_connections(const struct nz_intake *in)
{
    uint64_t until = loop_now(in->loop) + CONNECT_MS;
    while (!(redis_up(in->redis) && audit_up(in->audit) && nz_vault_up(in->vault) && nz_order_known(in->order)) && loop_now(in->loop) < until) {
        uv_run(loop_uv(in->loop), UV_RUN_NOWAIT);
        uv_sleep(CONNECT_LOOK_MS);
    }
}

static ERR watch_certificates(const struct nz_intake *in)
{
    const struct conf *c = &in->conf;
    const struct ends_file files[] = { { LITERAL("door_cert"), c->door_cert }, { LITERAL("door_ca"), c->door_ca }, { LITERAL("upstream_cert"), c->upstream_cert },
                                       { LITERAL("upstream_ca"), c->upstream_ca }, { LITERAL("receipt_cert"), c->receipt_cert } };
    return ends_watch(in->loop, files, sizeof files / sizeof files[0]);
}

static ERR run(const char *config)
{
    TRY(nz_setup_memory());
    TRY(box_early());
    json_in_setup();
    struct nz_intake *in = calloc(1, sizeof *in);
    if (!in)
        return FAIL(E_NOMEM);
    struct err e = nz_intake_open(in, config);
    if (err_ok(e))
        e = nz_order_new(&in->order, in);
    if (err_ok(e))
        e = nz_outbox_new(&in->outbox, in);
    if (err_ok(e))
        e = nz_changer_new(&in->changer, in);
    if (err_ok(e))
        e = nz_retain_new(&in->retain, in);
    if (err_ok(e))
        e = nz_meter_new(&in->meter, in);
    if (err_ok(e))
        e = nz_watch_new(&in->watch, in);
    if (err_ok(e))
        e = nz_ring_watch_new(&in->ring_watch, in);
    if (err_ok(e))
        e = nz_bulk_new(&in->bulk, in);
    if (err_ok(e))
        e = nz_files_new(&in->files, in);
    if (err_ok(e))
        e = nz_staff_new(&in->staff, in);
    if (err_ok(e))
        e = nz_inquiry_new(&in->inquiry, in);
    if (err_ok(e))
        e = nz_report_new(&in->report, in);
    if (err_ok(e))
        e = timer_new(&in->drain, in->loop, drain, in);
    if (err_ok(e))
        await_connections(in);
    if (err_ok(e))
        e = nz_doors_open(in);
    if (err_ok(e))
        e = watch_certificates(in);
    if (err_ok(e))
        e = box_enter(BOX_INTAKE, (uint32_t)in->conf.uid);
    if (err_ok(e)) {
        loop_on_stop(in->loop, stop, in);
        nz_doors_hup(in, config);
        note_start(in);
        LOG(INFO, "ready", LF("port", in->conf.municipal_port));
        service_tell("READY=1");
        loop_run(in->loop, in->conf.stop_ms);
        nz_files_free(in->files);
        nz_inquiry_free(in->inquiry);
        nz_report_free(in->report);
        nz_staff_free(in->staff);
        nz_bulk_free(in->bulk);
        nz_outbox_free(in->outbox);
        nz_changer_free(in->changer);
        nz_retain_free(in->retain);
        nz_meter_free(in->meter);
        nz_watch_free(in->watch);
        nz_order_free(in->order);
        nz_intake_done(in);
        free(in);
    }
    return e;
}

static ERR check(const struct conf *c, const char *config)
{
    (void)config;
    TRY(nz_setup_memory());
    json_in_setup();
    return nz_intake_check(c);
}

int main(int argc, char **argv)
{
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_I, .daemon = LITERAL("intake"), .program = "pmhgw-intake", .run = run,
                                                        .routes = nz_doors_print, .check = check });
}
