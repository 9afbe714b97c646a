/* pmhgw-front: the doors of clinics and of the portal. Without any code that could name an individual number. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/base/log.h"
#include "gateway/box/box.h"
#include "gateway/check/json_in.h"
#include "gateway/clinic/clinic.h"
#include "gateway/front/over.h"
#include "gateway/front/worker.h"
#include "gateway/portal/portal.h"
#include "gateway/tls/sessions.h"

enum { ARGS = 3, ARGS_CHECK = 4 };

/* One reading of the file. */
struct settings {
    struct conf conf;
    struct news_group groups[NEWS__MAX];
    struct tls_sessions *sessions; /* of all workers, whatever settings they have; NULL: of each his own */
    struct rates *rates;           /* likewise */
};

static void settings_free(void *settings)
{
    struct settings *s = settings;
    conf_free(&s->conf);
    free(s);
}

static ERR settings_read(const char *path, const struct settings *before, struct reading *ret_r)
{
    struct settings *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    struct err e = conf_load(&s->conf, CONF_F, path);
    if (!err_ok(e)) {
        free(s);
        return e;
    }
    const struct conf *c = &s->conf;
    s->sessions = before ? before->sessions : NULL;
    s->rates = before ? before->rates : NULL;
    s->groups[NEWS_RING] = (struct news_group){ { c->link_ring, c->link_master }, 2 };
    s->groups[NEWS_CRL] = (struct news_group){ { c->door_crl }, c->door_crl[0] ? 1 : 0 };
    s->groups[NEWS_LOG_KEY] = (struct news_group){ { c->audit_pub_file }, c->audit_pub_file[0] ? 1 : 0 };
    *ret_r = (struct reading){ s, (unsigned)c->workers, s->groups, NEWS__MAX };
    return OK;
}

/* Sockets are opened once. */
static ERR read_again(void *ctx, const void *old, struct reading *ret_r)
{
    static const char *const FIXED[] = { "door_host", "clinic_port", "portal_port" };
    const struct settings *before = old;
    struct reading r;
    TRY(settings_read(ctx, before, &r));
    struct err e = before ? conf_fixed(&before->conf, &((struct settings *)r.settings)->conf, ctx, FIXED, sizeof FIXED / sizeof FIXED[0]) : OK;
    if (err_ok(e))
        *ret_r = r;
    else
        settings_free(r.settings);
    return e;
}

static void on_adopted(void *settings) { log_open(LITERAL("front"), (enum log_level)((struct settings *)settings)->conf.log_level); }

static int work(void *settings, const struct worker_lines *lines)
{
    struct settings *s = settings;
    return worker_run(&s->conf, s->sessions, s->rates, lines);
}

static bool ports_free(const struct door_at at[static DOORS_MAX])
{
    static const char *const NAMES[DOORS_MAX] = { "clinic_port", "portal_port" };
    bool all = true;
    for (size_t i = 0; i < DOORS_MAX; i++) {
        int why = sockets_taken(&at[i]);
        if (!why)
            continue;
        all = false;
        fprintf(stderr, "pmhgw-front: %s %u: %s / %s (%s)\n", NAMES[i], (unsigned)at[i].port,
                why == EADDRINUSE ? "このポートは使用中です" : "このポートを開けません",
                why == EADDRINUSE ? "the port is taken; stop the other program or choose another port" : "the port cannot be opened",
                strerrorname_np(why));
        LOG(ERROR, "port_refused", LF("port", at[i].port), LF("errno", why));
    }
    return all;
}

/* What the program that this one takes the process over from has left. false: nothing that could be used. */
static bool handed_over(struct over *ret_o)
{
    const char *text = getenv(OVER_ENV);
    bool is = text && over_read(slice_str(text), ret_o);
    unsetenv(OVER_ENV);
    return is;
}

static void shared_free(struct settings *s)
{
    tls_sessions_free(s->sessions);
    rates_free(s->rates);
}

static int run(char **argv)
{
    const char *path = argv[2];
    struct over *over = calloc(1, sizeof *over);
    struct reading first = { 0 };
    if (!over)
        return 1;
    bool is_over = handed_over(over);
    struct settings shared = { .sessions = NULL };
    struct err e = tls_sessions_new(&shared.sessions, TLS_SESSIONS_DEFAULT);
    if (!err_ok(e))
        LOG(WARN, "no_shared_sessions", LF("error", e));
    e = rates_new(&shared.rates, RATES_DEFAULT);
    if (!err_ok(e))
        LOG(WARN, "no_shared_rates", LF("error", e));
    e = settings_read(path, &shared, &first);
    if (!err_ok(e) && !is_over) {
        shared_free(&shared);
        free(over);
        return EXIT_SETTINGS;
    }
    struct supervised what = { .first = first, .read = read_again, .forget = settings_free, .adopted = on_adopted, .work = work, .ctx = argv[2], .argv = argv,
                               .over = is_over ? over : NULL };
    char *host = NULL;
    if (first.settings) {
        const struct conf *c = &((struct settings *)first.settings)->conf;
        host = strdup(c->door_host); /* of the sockets that may still be opened; the settings may go */
        what.doors[0] = (struct door_at){ host, c->clinic_port };
        what.doors[1] = (struct door_at){ host, c->portal_port };
        on_adopted(first.settings);
    }
    int status = EXIT_SETTINGS;
    if (is_over || (host && ports_free(what.doors)))
        status = supervise(&what);
    else
        settings_free(first.settings);
    free(host);
    free(over);
    shared_free(&shared);
    return status;
}

static int check(const char *path)
{
    struct reading r;
    if (!err_ok(settings_read(path, NULL, &r)))
        return EXIT_SETTINGS;
    settings_free(r.settings);
    return 0;
}

int main(int argc, char **argv)
{
    log_open(LITERAL("front"), LOG_INFO);
    if (argc == 2 && slice_eq(slice_str(argv[1]), LIT("--help"))) {
        conf_print_help(CONF_F, "pmhgw-front");
        return 0;
    }
    if (argc == 2 && slice_eq(slice_str(argv[1]), LIT("--routes"))) {
        routes_print(stdout, "clinic", CLINIC_ROUTES, CLINIC_ROUTES_N);
        routes_print(stdout, "portal", PORTAL_ROUTES, PORTAL_ROUTES_N);
        return 0;
    }
    bool checks = argc == ARGS_CHECK && slice_eq(slice_str(argv[3]), LIT("--check"));
    if ((argc != ARGS && !checks) || !slice_eq(slice_str(argv[1]), LIT("--config"))) {
        fprintf(stderr, "pmhgw-front --config FILE [--check] | --help | --routes\n");
        return 64;
    }
    if (checks)
        return check(argv[2]);
    struct err e = box_early();
    if (!err_ok(e)) {
        LOG(ERROR, "box_failed", LF("error", e));
        return 1;
    }
    json_in_setup();
    return run(argv);
}
