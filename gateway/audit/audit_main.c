/* pmhgw-audit: accepts records, makes them durable, and only then answers. */

#include "gateway/audit/daemon.h"
#include "gateway/audit/note.h"
#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/conf/daemon.h"
#include "gateway/conf/hup.h"

enum { GRACE_MS = 10000, KEEP_DAYS_LEAST = 3 /* the uses of link keys are read from the last two */ };

struct app {
    struct conf conf;
    struct conf_hup hup;
    struct loop *loop;
    struct audit_daemon *daemon;
};

static ERR read_caps(const struct conf *c, struct secret *caps[static IPC__ROLES])
{
    const struct { enum ipc_role role; const char *file; } FROM[] = {
        { IPC_INTAKE, c->audit_cap_intake_file },
        { IPC_FRONT, c->audit_cap_front_file },
        { IPC_VAULT, c->audit_cap_vault_file },
        { IPC_CTL, c->audit_cap_ctl_file },
        { IPC_COURIER, c->audit_cap_courier_file },
    };
    for (size_t i = 0; i < sizeof FROM / sizeof FROM[0]; i++)
        if (FROM[i].file[0])
            TRY(secret_read_file(&caps[FROM[i].role], FROM[i].file, IPC_CAP_BYTES));
    return OK;
}

static ERR keeps_long_enough(const struct conf *c)
{
    if (c->audit_keep_days == 0 || c->audit_keep_days >= KEEP_DAYS_LEAST)
        return OK;
    LOG(ERROR, "audit_keep_days_too_few", LF("days", c->audit_keep_days), LF("hint", LITERAL("0 (for good) or at least 3: link keys of the last two days are known from the log")));
    return FAIL(E_CONFIG);
}

static void on_stop(void *arg) { audit_daemon_leave(arg); }

static ERR start_daemon(struct app *app, struct audit_daemon_conf d)
{
    struct secret *seed;
    struct err e = secret_read_file(&seed, app->conf.audit_sign_key, NOTE_KEY);
    if (!err_ok(e)) {
        LOG(ERROR, "audit_sign_key_unreadable", LF("hint", LITERAL("pmhgw up makes it; 32 bytes, readable by this daemon only")));
        for (int i = 0; i < IPC__ROLES; i++)
            secret_free(d.caps[i]);
        return e;
    }
    d.origin = app->conf.audit_origin;
    d.sign_seed = seed;
    e = audit_daemon_new(&app->daemon, app->loop, d);
    secret_free(seed);
    return e;
}

static ERR start(struct app *app)
{
    struct audit_daemon_conf d = { .socket_path = app->conf.audit_socket, .dir = app->conf.audit_dir, .disk = &AUDIT_DISK, .keep_days = (unsigned)app->conf.audit_keep_days };
    struct err e = keeps_long_enough(&app->conf);
    if (err_ok(e))
        e = read_caps(&app->conf, d.caps);
    if (err_ok(e))
        e = loop_new(&app->loop, clock_system());
    if (err_ok(e))
        e = loop_count(app->loop, app->conf.metrics_dir, LITERAL("audit"));
    if (!err_ok(e)) {
        for (int i = 0; i < IPC__ROLES; i++)
            secret_free(d.caps[i]);
        return e;
    }
    TRY(start_daemon(app, d));
    loop_on_stop(app->loop, on_stop, app->daemon);
    loop_on_hup(app->loop, conf_hup, &app->hup);
    return box_enter(BOX_AUDIT, (uint32_t)app->conf.uid);
}

static ERR check(const struct conf *c, const char *config)
{
    (void)config;
    struct secret *caps[IPC__ROLES] = { 0 }, *seed = NULL;
    struct err e = keeps_long_enough(c);
    if (err_ok(e))
        e = read_caps(c, caps);
    if (err_ok(e))
        e = secret_read_file(&seed, c->audit_sign_key, NOTE_KEY);
    for (int i = 0; i < IPC__ROLES; i++)
        secret_free(caps[i]);
    secret_free(seed);
    return e;
}

static ERR run(const char *path)
{
    struct app app = { 0 };
    TRY(box_early());
    TRY(conf_load(&app.conf, CONF_A, path));
    log_open(LITERAL("audit"), (enum log_level)app.conf.log_level);
    app.hup = (struct conf_hup){ .who = CONF_A, .daemon = LITERAL("audit"), .path = path, .conf = &app.conf };
    struct err e = start(&app);
    if (err_ok(e)) {
        LOG(INFO, "ready");
        service_tell("READY=1");
        loop_run(app.loop, GRACE_MS);
        LOG(INFO, "stopped");
    }
    loop_free(app.loop);
    conf_free(&app.conf);
    return e;
}

int main(int argc, char **argv)
{
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_A, .daemon = LITERAL("audit"), .program = "pmhgw-audit", .run = run, .check = check });
}
