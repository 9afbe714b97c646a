/* pmhgw-relay: a unix socket in front of a Redis that is elsewhere. */

#include <stdio.h>

#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/conf/daemon.h"
#include "gateway/relay/relay.h"
#include "gateway/relay/settings.h"
#include "gateway/tls/ends.h"

enum { GRACE_MS = 2000 };

struct app {
    struct conf conf;
    struct relay_settings settings;
    struct loop *loop;
    struct relay *relay;
};

static ERR read_all(const struct conf *c, const char *config, struct relay_settings *to)
{
    struct relay_fault bad = { 0 };
    struct err e = relay_settings_read(c, to, &bad);
    if (!err_ok(e) && bad.setting) {
        const struct conf_spot at = conf_find(CONF_R, config, bad.setting);
        fprintf(stderr, "%s:%u:%u: %s: %s / %s\n", config, at.line, at.column, bad.setting, bad.ja, bad.en);
    }
    return e;
}

static ERR check(const struct conf *c, const char *config)
{
    struct relay_settings s = { 0 };
    struct err e = read_all(c, config, &s);
    relay_settings_done(&s);
    return e;
}

static void on_stop(void *arg)
{
    struct app *a = arg;
    relay_close(a->relay);
    a->relay = NULL;
}

/* It opens no file any more. */
static void on_hup(void *arg)
{
    (void)arg;
    LOG(NOTE, "reload_needs_start");
}

static ERR start(struct app *a, const char *config)
{
    TRY(loop_new(&a->loop, clock_system()));
    TRY(loop_count(a->loop, a->conf.metrics_dir, LITERAL("relay")));
    TRY(read_all(&a->conf, config, &a->settings));
    TRY(relay_new(&a->relay, a->loop, &(struct relay_conf){
        .listen = a->conf.relay_listen, .place = &a->settings.place, .secure = a->settings.secure, .user = a->conf.relay_user,
        .password = a->settings.password, .sentinel_user = a->conf.relay_sentinel_user, .sentinel_password = a->settings.sentinel_password, .tag = a->conf.relay_tag,
        .here_only = !a->settings.place.tls && !a->conf.relay_plain }));
    loop_on_stop(a->loop, on_stop, a);
    loop_on_hup(a->loop, on_hup, a);
    const struct ends_file ends[] = { { LITERAL("relay_cert"), a->conf.relay_cert }, { LITERAL("relay_ca"), a->conf.relay_ca } };
    TRY(ends_watch(a->loop, ends, sizeof ends / sizeof ends[0]));
    return box_enter(BOX_RELAY, (uint32_t)a->conf.uid);
}

static ERR run(const char *path)
{
    struct app a = { 0 };
    TRY(box_early());
    TRY(conf_load(&a.conf, CONF_R, path));
    log_open(LITERAL("relay"), (enum log_level)a.conf.log_level);
    struct err e = start(&a, path);
    if (err_ok(e)) {
        LOG(INFO, "ready");
        service_tell("READY=1");
        loop_run(a.loop, GRACE_MS);
        LOG(INFO, "stopped");
        loop_free(a.loop);
        relay_settings_done(&a.settings);
    } /* else the process ends: nothing is put in order for it */
    conf_free(&a.conf);
    return e;
}

int main(int argc, char **argv)
{
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_R, .daemon = LITERAL("relay"), .program = "pmhgw-relay", .run = run, .check = check });
}
