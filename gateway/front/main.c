/* pmhgw-front: the doors of clinics and of the portal. Without any code that could name an individual number. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/box/box.h"
#include "gateway/check/json_in.h"
#include "gateway/clinic/clinic.h"
#include "gateway/conf/daemon.h"
#include "gateway/front/board.h"
#include "gateway/front/over.h"
#include "gateway/front/worker.h"
#include "gateway/portal/portal.h"
#include "gateway/tls/sessions.h"

/* One reading of the file. */
struct settings {
    struct conf conf;
    struct news_group groups[NEWS__MAX];
    struct tls_sessions *sessions; /* of all workers, whatever settings they have; NULL: of each his own */
    struct rates *rates;           /* likewise */
    struct board *board;           /* likewise */
};

/* What outlives its settings. */
struct program {
    const char *path; /* of the settings */
    struct settings shared;   /* sessions and rates of it */
    struct tls_handed handed; /* while another program is being started */
};

static void settings_free(void *settings)
{
    struct settings *s = settings;
    conf_free(&s->conf);
    free(s);
}

static ERR settings_read(const char *path, const struct settings *shared, struct reading *ret_r)
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
    s->sessions = shared->sessions;
    s->rates = shared->rates;
    s->board = shared->board;
    s->groups[NEWS_RING] = (struct news_group){ { c->link_ring, c->link_master }, 2 };
    s->groups[NEWS_CRL] = (struct news_group){ { c->door_crl }, c->door_crl[0] ? 1 : 0 };
    s->groups[NEWS_LOG_KEY] = (struct news_group){ { c->audit_pub_file }, c->audit_pub_file[0] ? 1 : 0 };
    *ret_r = (struct reading){ s, (unsigned)c->workers, c->stop_ms, s->groups, NEWS__MAX };
    return OK;
}

/* Sockets are opened once. */
static ERR read_again(void *ctx, const void *old, struct reading *ret_r)
{
    const struct settings *before = old;
    const struct program *p = ctx;
    struct reading r;
    TRY(settings_read(p->path, &p->shared, &r));
    struct err e = before ? conf_fixed(&before->conf, &((struct settings *)r.settings)->conf, CONF_F, p->path) : OK;
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
    tls_sessions_stay(s->sessions);
    return worker_run(&s->conf, &(struct worker_shared){ s->sessions, s->rates, s->board }, lines);
}

/* ---- sessions of TLS, for the next program ---- */

#define HANDED_ENV "PMHGW_FRONT_SESSIONS"
enum { HANDED_TEXT = 32 };

static void hand(void *ctx)
{
    struct program *p = ctx;
    char text[HANDED_TEXT];
    if (!p->shared.sessions || !err_ok(tls_sessions_hand(p->shared.sessions, &p->handed))) {
        LOG(WARN, "sessions_not_handed_on"); /* callers make full handshakes once */
        return;
    }
    snprintf(text, sizeof text, "%d %d ", p->handed.table, p->handed.keys);
    if (setenv(HANDED_ENV, text, 1) == 0) {
        (void)fcntl(p->handed.table, F_SETFD, 0);
        (void)fcntl(p->handed.keys, F_SETFD, 0);
    }
}

static void unhand(void *ctx)
{
    struct program *p = ctx;
    unsetenv(HANDED_ENV);
    if (p->handed.table > 0)
        close(p->handed.table);
    if (p->handed.keys > 0)
        close(p->handed.keys);
    p->handed = (struct tls_handed){ 0 };
}

/* Two descriptors, neither of them one of the first three. */
static bool handed_read(const char *text, struct tls_handed *ret_h)
{
    struct slice rest = slice_str(text), word;
    uint64_t fd[2];
    for (size_t i = 0; i < 2; i++)
        if (!slice_cut(rest, ' ', &word, &rest) || !u64_parse(word, &fd[i]) || fd[i] <= STDERR_FILENO || fd[i] > INT32_MAX)
            return false;
    *ret_h = (struct tls_handed){ (int)fd[0], (int)fd[1] };
    return rest.n == 0 && fcntl(ret_h->table, F_SETFD, FD_CLOEXEC) == 0 && fcntl(ret_h->keys, F_SETFD, FD_CLOEXEC) == 0;
}

/* Those of the program before, else none yet. */
static struct tls_sessions *sessions_open(void)
{
    const char *text = getenv(HANDED_ENV);
    struct tls_handed h;
    struct tls_sessions *t = NULL;
    if (text && !(handed_read(text, &h) && err_ok(tls_sessions_take(&t, &h))))
        LOG(WARN, "sessions_not_taken");
    unsetenv(HANDED_ENV);
    struct err e = t ? OK : tls_sessions_new(&t, TLS_SESSIONS_DEFAULT);
    if (!err_ok(e))
        LOG(WARN, "no_shared_sessions", LF("error", e));
    return t;
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
    board_free(s->board);
}

static int run(char **argv)
{
    struct program program = { .path = argv[2] };
    struct over *over = calloc(1, sizeof *over);
    struct reading first = { 0 };
    if (!over)
        return 1;
    bool is_over = handed_over(over);
    program.shared.sessions = sessions_open();
    struct err e = rates_new(&program.shared.rates, RATES_DEFAULT);
    if (!err_ok(e))
        LOG(WARN, "no_shared_rates", LF("error", e));
    e = board_new(&program.shared.board);
    if (!err_ok(e))
        LOG(WARN, "no_shared_board", LF("error", e));
    e = settings_read(program.path, &program.shared, &first);
    if (!err_ok(e) && !is_over) {
        shared_free(&program.shared);
        free(over);
        return EXIT_SETTINGS;
    }
    struct supervised what = { .first = first, .read = read_again, .forget = settings_free, .adopted = on_adopted, .work = work, .hand = hand, .unhand = unhand, .ctx = &program, .board = program.shared.board, .argv = argv,
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
    shared_free(&program.shared);
    return status;
}

static int check_file(const char *path)
{
    struct reading r;
    if (!err_ok(settings_read(path, &(struct settings){ .sessions = NULL }, &r)))
        return EXIT_SETTINGS;
    settings_free(r.settings);
    return 0;
}

static void print_routes(void)
{
    routes_print(stdout, "clinic", CLINIC_ROUTES, CLINIC_ROUTES_N);
    routes_print(stdout, "portal", PORTAL_ROUTES, PORTAL_ROUTES_N);
}

int main(int argc, char **argv)
{
    static const struct conf_program PROGRAM = { .who = CONF_F, .daemon = LITERAL("front"), .program = "pmhgw-front", .routes = print_routes };
    int status;
    log_open(PROGRAM.daemon, LOG_INFO);
    enum conf_wish wish = conf_asked(argc, argv, &PROGRAM, &status);
    if (wish == CONF_ANSWERED)
        return status;
    if (wish == CONF_CHECK)
        return check_file(argv[2]);
    struct err e = box_early();
    if (!err_ok(e)) {
        LOG(ERROR, "box_failed", LF("error", e));
        return 1;
    }
    json_in_setup();
    return run(argv);
}
