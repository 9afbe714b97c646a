/* pmhgw-signer: signs digests with the keys of certificates. */

#include <string.h>

#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/conf/daemon.h"
#include "gateway/signer/daemon.h"

enum { GRACE_MS = 2000 };

struct app {
    struct conf conf;
    struct loop *loop;
    struct signer_daemon *daemon;
};

static void on_stop(void *arg)
{
    struct app *app = arg;
    signer_daemon_leave(app->daemon);
    app->daemon = NULL;
}

/* It opens no file any more. */
static void on_hup(void *arg)
{
    (void)arg;
    LOG(NOTE, "reload_needs_start");
}

/* Oldest first, one space between. */
static ERR add_uris(struct key_box *b, enum signer_use use, const char *uris)
{
    char uri[CONF_TEXT_MAX + 1];
    for (const char *at = uris; *at;) {
        size_t n = strcspn(at, " ");
        memcpy(uri, at, n);
        uri[n] = 0;
        TRY(key_box_add_uri(b, use, uri));
        at += n + (at[n] == ' ');
    }
    return OK;
}

static ERR read_keys(const struct conf *c, struct key_box **ret_b)
{
    const struct { enum signer_use use; const char *uris; } BY_URI[] = { { SIGNER_SHC, c->signer_shc_uri }, { SIGNER_VDS, c->signer_vds_uri } };
    struct keyring *ring;
    struct key_box *b = NULL;
    TRY(keyring_load(&ring, RING_SIGNER, c->signer_ring, c->signer_master));
    struct err e = key_box_new(&b, ring);
    keyring_free(ring);
    for (size_t i = 0; err_ok(e) && i < sizeof BY_URI / sizeof BY_URI[0]; i++)
        e = add_uris(b, BY_URI[i].use, BY_URI[i].uris);
    if (err_ok(e))
        *ret_b = b;
    else
        key_box_free(b);
    return e;
}

static bool has_token(const struct conf *c)
{
    return strstr(c->signer_shc_uri, "pkcs11:") || strstr(c->signer_vds_uri, "pkcs11:");
}

static ERR start(struct app *app)
{
    struct signer_daemon_conf d = { .socket_path = app->conf.signer_socket };
    TRY(loop_new(&app->loop, clock_system()));
    TRY(loop_count(app->loop, app->conf.metrics_dir, LITERAL("signer")));
    TRY(secret_read_file(&d.cap_front, app->conf.signer_cap_front_file, IPC_CAP_BYTES));
    struct err e = secret_read_file(&d.cap_ctl, app->conf.signer_cap_ctl_file, IPC_CAP_BYTES);
    if (err_ok(e) && app->conf.signer_cap_courier_file[0])
        e = secret_read_file(&d.cap_courier, app->conf.signer_cap_courier_file, IPC_CAP_BYTES);
    if (err_ok(e))
        e = read_keys(&app->conf, &d.keys);
    if (!err_ok(e)) {
        secret_free(d.cap_front);
        secret_free(d.cap_ctl);
        secret_free(d.cap_courier);
        return e;
    }
    LOG(INFO, "keys", LF("number", (uint64_t)key_box_public(d.keys)->n));
    TRY(signer_daemon_new(&app->daemon, app->loop, d));
    loop_on_stop(app->loop, on_stop, app);
    loop_on_hup(app->loop, on_hup, app);
    return box_enter(has_token(&app->conf) ? BOX_SIGNER_TOKEN : BOX_SIGNER, (uint32_t)app->conf.uid);
}

static ERR check(const struct conf *c, const char *config)
{
    (void)config;
    struct key_box *b = NULL;
    struct err e = read_keys(c, &b);
    key_box_free(b);
    return e;
}

static ERR run(const char *path)
{
    struct app app = { 0 };
    TRY(box_early());
    TRY(conf_load(&app.conf, CONF_S, path));
    log_open(LITERAL("signer"), (enum log_level)app.conf.log_level);
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
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_S, .daemon = LITERAL("signer"), .program = "pmhgw-signer", .run = run, .check = check });
}
