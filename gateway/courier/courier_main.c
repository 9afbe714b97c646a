/* pmhgw-courier: brings messages to partners that never see the individual number. */

#include <stdlib.h>

#include "connectors/core/client.h"
#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/check/json_in.h"
#include "gateway/conf/daemon.h"
#include "gateway/conf/hup.h"
#include "gateway/courier/courier.h"
#include "gateway/courier/targets.h"
#include "gateway/epoch/epoch.h"
#include "gateway/store/ring_watch.h"
#include "gateway/tls/ends.h"

enum { GRACE_MS = 12000, DRAIN_MS = 20, DRAIN_MAX_MS = 5000, GIVE_UP_MS = 9000, QUEUE_MAX = 4096, RECORD_MS = 30000 };

struct app {
    struct conf conf;
    struct conf_hup hup;
    struct courier_parts parts;
    struct epoch *epoch;
    struct courier *courier;
    struct timer *drain;
    struct ring_watch *ring_watch;
    uint64_t drained_ms;
};

/* ---- stopping: what is on its way ends first, then what it needs ---- */

static void on_drain(void *arg)
{
    struct app *app = arg;
    app->drained_ms += DRAIN_MS;
    if (app->drained_ms >= DRAIN_MAX_MS)
        courier_stop(app->courier); /* what a partner has not answered by now goes back into the queue */
    if (!courier_idle(app->courier) && app->drained_ms < GIVE_UP_MS) {
        timer_start(app->drain, DRAIN_MS);
        return;
    }
    courier_stop(app->courier);
    timer_free(app->drain);
    epoch_close(app->epoch);
    redis_close(app->parts.redis);
    audit_close(app->parts.audit);
    signer_close(app->parts.signer);
}

static void on_stop(void *arg)
{
    struct app *app = arg;
    LOG(INFO, "stopping");
    ring_watch_close(app->ring_watch);
    courier_close(app->courier);
    on_drain(app);
}

/* ---- recorded ---- */

static void on_recorded(void *arg, struct err e)
{
    (void)arg;
    if (!err_ok(e))
        LOG(ERROR, "event_not_recorded", LF("error", e));
}

static void record(struct app *app, enum audit_event event)
{
    struct audit_rec rec = { .event = event, .result = AR_OK };
    audit_set_actor(&rec, LIT("courier"));
    memset(rec.muni, '0', sizeof rec.muni);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    audit_append(app->parts.audit, &rec, loop_now(app->parts.loop) + RECORD_MS, on_recorded, NULL);
}

static void on_taken(void *arg) { record(arg, AU_KEYS_CHANGED); }

/* ---- starting ---- */

static ERR open_store(struct app *app)
{
    struct keyring *ring;
    TRY(keyring_load(&ring, RING_LINK, app->conf.link_ring, app->conf.link_master));
    struct err e = store_new(&app->parts.store, ring);
    keyring_free(ring);
    return e;
}

static ERR take_ring(void *arg, struct keyring *ring)
{
    struct app *app = arg;
    struct err e = store_renew(app->parts.store, ring);
    keyring_free(ring);
    return e;
}

static ERR open_redis(struct app *app)
{
    struct secret *password;
    TRY(secret_read_file(&password, app->conf.redis_link_pass_file, 0));
    return redis_new(&app->parts.redis, app->parts.loop, (struct redis_conf){ .path = app->conf.redis_link_socket, .user = app->conf.redis_link_user,
        .password = password, .conns = (unsigned)app->conf.redis_conns, .queue_max = QUEUE_MAX, .replicas = (unsigned)app->conf.redis_wait_replicas, .wait_ms = (unsigned)app->conf.redis_wait_ms });
}

static ERR open_audit(struct app *app)
{
    struct secret *cap;
    TRY(secret_read_file(&cap, app->conf.audit_cap_file, IPC_CAP_BYTES));
    return audit_new(&app->parts.audit, app->parts.loop, app->conf.audit_socket, IPC_COURIER, cap);
}

static ERR open_signer(struct app *app)
{
    struct secret *cap;
    TRY(secret_read_file(&cap, app->conf.courier_signer_cap_file, IPC_CAP_BYTES));
    return signer_new(&app->parts.signer, app->parts.loop, app->conf.courier_signer, IPC_COURIER, cap);
}

static ERR open_basis(struct app *app) { return basis_load(&app->parts.basis, app->conf.legal_basis_file); }

static ERR start(struct app *app)
{
    TRY(loop_new(&app->parts.loop, clock_system()));
    TRY(loop_count(app->parts.loop, app->conf.metrics_dir, LITERAL("courier")));
    TRY(timer_new(&app->drain, app->parts.loop, on_drain, app));
    TRY(open_basis(app));
    TRY(open_store(app));
    TRY(open_redis(app));
    TRY(open_audit(app));
    TRY(epoch_new(&app->epoch, &(struct epoch_conf){ .loop = app->parts.loop, .redis = app->parts.redis, .audit = app->parts.audit, .actor = LITERAL("courier") }));
    TRY(open_signer(app));
    app->parts.conf = &app->conf;
    TRY(courier_new(&app->courier, &app->parts));
    TRY(ring_watch_new(&app->ring_watch, app->parts.loop, app->conf.link_ring, app->conf.link_master, &(struct ring_watch_on){ take_ring, on_taken, app }));
    loop_on_stop(app->parts.loop, on_stop, app);
    loop_on_hup(app->parts.loop, conf_hup, &app->hup);
    TRY(ends_watch(app->parts.loop, &(struct ends_file){ LITERAL("courier_cert"), app->conf.courier_cert }, 1));
    return box_enter(BOX_COURIER, (uint32_t)app->conf.uid);
}

static ERR check(const struct conf *c, const char *config)
{
    (void)config;
    struct basis *basis;
    struct targets *targets;
    struct keyring *ring;
    TRY(basis_load(&basis, c->legal_basis_file));
    basis_free(basis);
    TRY(keyring_load(&ring, RING_LINK, c->link_ring, c->link_master));
    keyring_free(ring);
    TRY(targets_load(&targets, c->courier_targets));
    targets_free(targets);
    return OK;
}

static ERR run(const char *path)
{
    struct app app = { 0 };
    TRY(client_setup());
    TRY(box_early());
    json_in_setup();
    TRY(conf_load(&app.conf, CONF_C, path));
    log_open(LITERAL("courier"), (enum log_level)app.conf.log_level);
    app.hup = (struct conf_hup){ .who = CONF_C, .daemon = LITERAL("courier"), .path = path, .conf = &app.conf };
    struct err e = start(&app);
    if (err_ok(e)) {
        LOG(INFO, "ready");
        service_tell("READY=1");
        record(&app, AU_PROCESS_START);
        loop_run(app.parts.loop, GRACE_MS);
        LOG(INFO, "stopped");
        loop_free(app.parts.loop);
        courier_free(app.courier);
        store_free(app.parts.store);
        basis_free(app.parts.basis);
    } /* else the process ends: nothing is put in order for it */
    conf_free(&app.conf);
    return e;
}

int main(int argc, char **argv)
{
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_C, .daemon = LITERAL("courier"), .program = "pmhgw-courier", .run = run, .check = check });
}
