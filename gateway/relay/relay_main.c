/* pmhgw-relay: a unix socket in front of a Redis that is elsewhere. */

#include <stdio.h>

#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/conf/daemon.h"
#include "gateway/relay/names.h"
#include "gateway/relay/relay.h"
#include "gateway/tls/ends.h"

enum { GRACE_MS = 2000, PASSWORD_ANY = 0 };

struct app {
    struct conf conf;
    struct place place;
    struct secure *secure;
    struct secret *password, *sentinel_password;
    struct loop *loop;
    struct relay *relay;
};

static ERR wrong(const char *setting, const char *ja, const char *en)
{
    fprintf(stderr, "%s: %s\n%s: %s\n", setting, ja, setting, en);
    return FAIL(E_CONFIG);
}

/* What the settings say, without a connection. */
static ERR read_place(const struct conf *c, struct place *ret_p)
{
    if (!err_ok(place_parse(slice_str(c->relay_store), ret_p)))
        return wrong("relay_store", "読めません(docs/redis.md)", "cannot be understood (docs/redis.md)");
    if (ret_p->tls && !(c->relay_ca[0] && c->relay_cert[0] && c->relay_key[0]))
        return wrong("relay_store", "TLS には relay_ca、relay_cert、relay_key が必要です", "TLS needs relay_ca, relay_cert and relay_key");
    for (size_t i = 0; i < ret_p->n && !ret_p->tls && !c->relay_plain; i++)
        if (!place_is_loopback(&ret_p->at[i]))
            return wrong("relay_store", "この機械の外へは TLS で接続してください(TLS なしなら relay_plain: 1)", "beyond this machine it has to be TLS (without: relay_plain: 1)");
    return names_tag_ok(slice_str(c->relay_tag)) ? OK : wrong("relay_tag", "英数字と - _ で 32 文字まで", "at most 32 letters, digits, - and _");
}

static ERR read_all(const struct conf *c, struct app *to)
{
    TRY(read_place(c, &to->place));
    if (to->place.tls && !err_ok(secure_new(&to->secure, &(struct secure_conf){ c->relay_ca, c->relay_cert, c->relay_key, c->relay_name })))
        return wrong("relay_cert", "relay_ca、relay_cert、relay_key の組を使えません", "relay_ca, relay_cert and relay_key cannot be used together");
    if (!err_ok(secret_read_file(&to->password, c->relay_pass_file, PASSWORD_ANY)))
        return wrong("relay_pass_file", "読めません", "cannot be read");
    if (c->relay_sentinel_user[0] && !err_ok(secret_read_file(&to->sentinel_password, c->relay_sentinel_pass_file, PASSWORD_ANY)))
        return wrong("relay_sentinel_pass_file", "読めません", "cannot be read");
    return OK;
}

static void forget(struct app *a)
{
    secure_free(a->secure);
    secret_free(a->password);
    secret_free(a->sentinel_password);
}

static ERR check(const struct conf *c)
{
    struct app a = { 0 };
    struct err e = read_all(c, &a);
    forget(&a);
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

static ERR start(struct app *a)
{
    TRY(loop_new(&a->loop, clock_system()));
    TRY(loop_count(a->loop, a->conf.metrics_dir, LITERAL("relay")));
    TRY(read_all(&a->conf, a));
    TRY(relay_new(&a->relay, a->loop, &(struct relay_conf){
        .listen = a->conf.relay_listen, .place = &a->place, .secure = a->secure, .user = a->conf.relay_user, .password = a->password,
        .sentinel_user = a->conf.relay_sentinel_user, .sentinel_password = a->sentinel_password, .tag = a->conf.relay_tag,
        .here_only = !a->place.tls && !a->conf.relay_plain }));
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
    struct err e = start(&a);
    if (err_ok(e)) {
        LOG(INFO, "ready");
        service_tell("READY=1");
        loop_run(a.loop, GRACE_MS);
        LOG(INFO, "stopped");
        loop_free(a.loop);
        forget(&a);
    } /* else the process ends: nothing is put in order for it */
    conf_free(&a.conf);
    return e;
}

int main(int argc, char **argv)
{
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_R, .daemon = LITERAL("relay"), .program = "pmhgw-relay", .run = run, .check = check });
}
